/* The segment size that a TCP connection through a tunnel may use (datapath/clamp.py). */
#ifndef OPENPPTP_CLAMP_H
#define OPENPPTP_CLAMP_H

#include "base.h"

/* Where TCP begins in the first packet of a connection, whose IP header is consistent; 0: it is another packet. */
size_t clamp_find(const uint8_t *packet, size_t length);

/* Lower the Maximum Segment Size of such a packet to what mtu leaves. */
void clamp_segment_size(uint8_t *packet, size_t length, size_t start, uint32_t mtu);

#endif
