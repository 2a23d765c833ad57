/* What the Linux kernel does for one packet of stateless MPPE: our own writing of its algorithm, to measure against. */
#ifndef OPENPPTP_KERNEL_MPPE_H
#define OPENPPTP_KERNEL_MPPE_H

#include "base.h"

struct kernel_arc4 {
    uint32_t s[256];
    uint32_t x;
    uint32_t y;
};

struct kernel_mppe {
    uint8_t master_key[16];
    uint8_t session_key[16];
    size_t length;
    struct kernel_arc4 arc4;
};

/* master is the start key; the session key becomes the initial one. 128 bits. */
void kernel_mppe_begin(struct kernel_mppe *mppe, const uint8_t master[16]);

/* A new key, then one packet with it. */
void kernel_mppe_packet(struct kernel_mppe *mppe, uint8_t *out, const uint8_t *in, size_t length);

#endif
