/* What becomes of an inside packet that is longer than the tunnel carries (datapath/icmp.py). */
#ifndef OPENPPTP_ICMP_H
#define OPENPPTP_ICMP_H

#include "base.h"

#define ICMP_MOST 1280

/* Write the ICMP packet that tells the sender about the mtu; return its length, 0 where none may be sent. */
size_t too_big(uint8_t to[ICMP_MOST], const uint8_t *packet, size_t length, uint32_t mtu);

/* Cuts an IPv4 packet with DF clear into fragments of at most mtu octets, one a call. */
struct fragmenter {
    const uint8_t *packet;
    size_t total;
    size_t header;
    size_t position;
    uint32_t mtu;
};

/* False when it must not or cannot be cut (DF set, no room for data). */
bool fragment_begin(struct fragmenter *fragmenter, const uint8_t *packet, size_t length, uint32_t mtu);

/* Write the next fragment; return its length, 0 after the last. */
size_t fragment_next(struct fragmenter *fragmenter, uint8_t *to, size_t room);

#endif
