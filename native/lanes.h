/* RC4 of many packets at once, each with its own key, and session keys made ahead beside it.
 *
 * One RC4 stream waits for itself most of the time; several independent ones interleaved keep a core busy.
 */
#ifndef OPENPPTP_LANES_H
#define OPENPPTP_LANES_H

#include "base.h"

#define BATCH 64 /* packets taken together: enough for the lanes, few enough to stay in the cache */

/* One RC4 stream that begins at a key: out = in XOR stream; in and out may be the same. */
struct cipher_job {
    uint8_t key[16];
    uint32_t key_length; /* 8 or 16 */
    const uint8_t *in;
    uint8_t *out;
    uint32_t length;
};

/* How session keys of one direction follow from each other (RFC 3079 section 7.3, RFC 3078). */
struct mppe_start {
    uint8_t start_key[16];
    uint8_t length; /* 8 or 16 */
    uint8_t bits;   /* 40, 56 or 128 */
};

/* Keys by number: ring[number & (capacity - 1)] for the newest `capacity` numbers below `derived`. */
struct key_chain {
    struct mppe_start start;
    uint8_t last[16];  /* key number derived - 1; before the first the initial one */
    uint64_t derived;  /* keys with numbers below this are made */
    uint8_t (*ring)[16];
    uint32_t capacity; /* a power of two; 0 before the ring is allocated */
    uint32_t want;     /* how many more lanes_run shall make; set to 0 by it */
};

/* What one batch orders. */
struct cipher_batch {
    struct cipher_job jobs[BATCH];
    size_t jobs_count;
    struct key_chain *chains[BATCH]; /* each at most once */
    size_t chains_count;
};

/* Replace key by its follower: SHA-1, RC4 of the interim key by itself, shortened for 40 and 56 bits. */
void next_key(const struct mppe_start *start, uint8_t key[16]);

/* The initial session key of a start key (RFC 3079 section 3.4: before any packet). */
void initial_key(const struct mppe_start *start, uint8_t key[16]);

/* Do all jobs and make all keys wanted; empty the batch. */
void lanes_run(struct cipher_batch *batch);

/* Whether lanes_run uses the processor's instructions. */
bool lanes_is_native(void);

/* Plain RC4 of one stream, for the stateful modes; state as after the key schedule; keys of 8 or 16 octets. */
struct rc4 {
    uint8_t i;
    uint8_t j;
    uint8_t s[256];
};
void rc4_begin(struct rc4 *rc4, const uint8_t *key, size_t length);
void rc4_crypt(struct rc4 *rc4, uint8_t *out, const uint8_t *in, size_t length);
void rc4_drop(struct rc4 *rc4, size_t length);

#endif
