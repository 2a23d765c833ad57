/* Large segments from the TUN device (IFF_VNET_HDR), cut into the packets that the tunnel carries. */
#ifndef OPENPPTP_SEGMENT_H
#define OPENPPTP_SEGMENT_H

#include "base.h"

#define TUN_HEADER 10      /* octets of struct virtio_net_hdr */
#define TUN_MOST (TUN_HEADER + 65535)

struct segmenter {
    uint8_t *packet; /* after the TUN header; its checksum may be completed in place */
    size_t length;
    uint8_t kind;    /* gso_type without its ECN bit */
    uint16_t size;   /* payload octets of each packet; 0: one packet, as it is */
    size_t headers;  /* octets that each packet repeats */
    uint64_t pseudo; /* sum of the pseudo header but for the length */
    size_t transport; /* where TCP or UDP begins */
    size_t position; /* of the next payload octet */
    uint32_t number; /* packets written so far */
};

/* Read one frame as the TUN device gives it; false when its header contradicts the packet. */
bool segment_begin(struct segmenter *segmenter, uint8_t *frame, size_t length);

/* Whether more than one packet comes of it. */
bool segment_is_large(const struct segmenter *segmenter);

/* The destination is the same for all of them: the first packet's IP header. */
static inline const uint8_t *segment_header(const struct segmenter *segmenter)
{
    return segmenter->packet;
}

/* Write the next packet with right lengths, numbers and checksums; return its length, 0 after the last, and also when
 * it is longer than room (segment_next_length tells beforehand). */
size_t segment_next_length(const struct segmenter *segmenter);
size_t segment_next(struct segmenter *segmenter, uint8_t *to, size_t room);

#endif
