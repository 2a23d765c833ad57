/* Reassembly of IPv4 datagrams (RFC 791 section 3.2) for packets that come beside the IP stack.
 *
 * The kernel's own reassembly for packet sockets (PACKET_FANOUT_FLAG_DEFRAG) keeps one set of fragments for all of
 * them: of two processes that use it on one device the second gets none.
 */
#ifndef OPENPPTP_FRAGMENTS_H
#define OPENPPTP_FRAGMENTS_H

#include "base.h"

#define FRAGMENTS_KEPT 2048 /* octets of a datagram's data that are kept; the rest counts for its length only */

struct fragment {
    uint32_t source;
    uint32_t destination;
    uint16_t identification;
    uint32_t offset; /* of its data in the datagram's */
    bool more;
    const uint8_t *octets;
    uint32_t held;   /* octets that are there, at most length */
    uint32_t length;
    uint32_t second; /* when it arrived */
};

struct whole {
    const uint8_t *octets; /* without the IPv4 header; valid until the next fragment */
    uint32_t length;
};

struct fragments;

struct fragments *fragments_new(void);
void fragments_free(struct fragments *fragments);

/* Take one fragment; true, and the whole, when it was the last one missing. All are of one IP protocol. */
bool fragments_add(struct fragments *fragments, const struct fragment *fragment, struct whole *whole);

#endif
