/* What stands before a packet in a frame of the TUN device (struct virtio_net_hdr of linux/virtio_net.h), and the
 * places in TCP and UDP that both the segmenter and the merger touch. */
#ifndef OPENPPTP_OFFLOAD_H
#define OPENPPTP_OFFLOAD_H

#include "base.h"

enum { NEEDS_CHECKSUM = 1 }; /* the sum of the pseudo header is in its place, the rest is to be added */

enum kind { KIND_NONE = 0, KIND_TCP_V4 = 1, KIND_TCP_V6 = 4, KIND_UDP = 5, KIND_ECN = 0x80 };

/* In the machine's own octet order. */
struct offload {
    uint8_t flags;
    uint8_t kind;
    uint16_t headers;         /* octets of all headers; a hint */
    uint16_t size;            /* payload octets of each packet */
    uint16_t checksum_start;  /* where what the checksum covers begins */
    uint16_t checksum_offset; /* where the checksum stands, from there */
};

_Static_assert(sizeof(struct offload) == 10, "the kernel's layout");

enum {
    TCP_SEQUENCE = 4,
    TCP_ACKNOWLEDGEMENT = 8,
    TCP_OFFSET = 12,
    TCP_FLAGS = 13,
    TCP_WINDOW = 14,
    TCP_CHECKSUM = 16,
    TCP_URGENT = 18,
    TCP_HEADER = 20,
    UDP_LENGTH = 4,
    UDP_CHECKSUM = 6,
    UDP_HEADER = 8
};

enum { FLAG_FIN = 0x01, FLAG_PSH = 0x08, FLAG_ACK = 0x10, FLAG_CWR = 0x80 };

#endif
