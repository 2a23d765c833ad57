/* One TCP segment or UDP datagram that may become part of a larger one, and whether another may follow it there. */
#ifndef OPENPPTP_MERGEABLE_H
#define OPENPPTP_MERGEABLE_H

#include "base.h"

enum { LONGEST_PACKET = 65535, LONGEST_HEADERS = 40 + 60 };

/* OTHER: nothing that is merged. UNCLEAR: it may be part of a flow, but behind headers or in a fragment that are not
 * merged. PLAIN: TCP or UDP behind a plain IP header. */
enum reading { OTHER, UNCLEAR, PLAIN };

struct segment {
    const uint8_t *packet;
    size_t length;
    uint8_t protocol; /* 0: behind extension headers */
    size_t transport; /* where TCP or UDP begins */
    const uint8_t *header;
    size_t headers; /* octets before the payload */
    size_t payload;
    uint32_t sequence; /* TCP only */
    bool push;         /* TCP only */
};

/* Find TCP, and UDP where datagrams are merged. */
enum reading mergeable_read(struct segment *segment, const uint8_t *packet, size_t length, bool datagrams);

/* Whether a plain one may be part of a larger one at all, its checksum apart. */
bool mergeable_kind(const struct segment *segment);

/* Whether all its checksums are right. */
bool mergeable_intact(const struct segment *segment);

bool mergeable_same_addresses(const uint8_t *packet, const uint8_t *other);
bool mergeable_same_flow(const struct segment *first, const struct segment *other);

/* Whether it may be the next, after count that begin with first, with nothing new but data; lengths and TCP's sequence
 * number apart. */
bool mergeable_follows(const struct segment *first, uint32_t count, const struct segment *segment);

#endif
