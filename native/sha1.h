/* SHA-1 (FIPS 180-4) of short messages, with the processor's own instructions where it has them. */
#ifndef OPENPPTP_SHA1_H
#define OPENPPTP_SHA1_H

#include "base.h"

/* Digest a message of whole 64-octet blocks that the caller padded already. */
void sha1_blocks(uint8_t digest[20], const uint8_t *blocks, size_t count);

/* The portable path, for tests and for processors without SHA instructions. */
void sha1_blocks_portable(uint8_t digest[20], const uint8_t *blocks, size_t count);

/* Whether sha1_blocks uses the processor's instructions. */
bool sha1_is_native(void);

#endif
