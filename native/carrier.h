/* The roads the carrier's packets take: raw sockets everywhere, packet rings and Ethernet frames where the host lets us.
 *
 * One seam for the loops: receive and release in the inward thread of a shard, send from any thread, attach, open and
 * close while no other function is under way.
 */
#ifndef OPENPPTP_CARRIER_H
#define OPENPPTP_CARRIER_H

#include <poll.h>

#include "base.h"
#include "engine.h"
#include "path.h"

#define CARRIER_RINGS 4 /* devices that have a ring */
#define CARRIER_DESCRIPTORS (1 + CARRIER_RINGS)

struct carrier;

struct carrier *carrier_new(uint32_t shards);
void carrier_free(struct carrier *carrier);

/* Give the raw GRE socket of a shard; with several shards it gets a filter for its share of the Call IDs. */
int carrier_attach_raw(struct carrier *carrier, uint32_t shard, int descriptor);

/* Open or close the rings of one device for all shards. The raw sockets no longer hand over what open rings do; a ring
 * that is closed still hands over what it holds. */
int carrier_open_ring(struct carrier *carrier, uint32_t interface_index);
int carrier_close_ring(struct carrier *carrier, uint32_t interface_index);

/* What the shard's thread must poll; returns how many were written. The set changes with the rings. */
int carrier_descriptors(struct carrier *carrier, uint32_t shard, struct pollfd *descriptors);

/* Take what has arrived, at most room packets, never waiting: octets, length, source, destination of each are set.
 * destination is 0 for the raw road, where the IP stack saw to it that it is ours; inward.c compares the ring's. The
 * octets stay valid until carrier_release. */
size_t carrier_receive(struct carrier *carrier, uint32_t shard, struct incoming *packets, size_t room);
void carrier_release(struct carrier *carrier, uint32_t shard);

/* Send packets, each by its call's route or the raw socket of the shard, in order; sets lost on those not taken and
 * returns their number. Never waits. May write IPv4 and Ethernet headers before the GRE header of a slot. */
size_t carrier_send(struct carrier *carrier, uint32_t shard, struct outgoing *const *packets, size_t count);

/* Add sent and received to totals. */
void carrier_totals(struct carrier *carrier, struct engine_totals *totals);

#endif
