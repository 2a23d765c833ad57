/* The inner loops of lanes.c: RC4 of several lanes in step, portable and for x86-64.
 *
 * A lane is 320 octets: the state, the key, and room so that no two lanes lie a multiple of 4 KB apart (a load would
 * wait for another lane's store). States are octets: 32-bit ones fill the cache. All lanes stand at the same i.
 */
#ifndef OPENPPTP_LANES_KERNEL_H
#define OPENPPTP_LANES_KERNEL_H

#include "base.h"
#include "lanes.h"

#define LANES 8   /* beyond that nothing is gained: the loads and stores of a core are all in use */
#define FUSED 6   /* lanes beside which a key is made: in their time the chain makes about as many keys */
#define CHAIN 8   /* the lane of the key that is being made */
#define STEPS 16  /* octets between two looks at the lanes' ends */
#define LANE 320  /* octets from one lane to the next; the assembler text counts with it */
#define LANE_KEY 256

struct lanes {
    _Alignas(64) uint8_t lane[LANES + 1][LANE];
    uint64_t j[LANES + 1];
    const uint8_t *in[LANES];
    uint8_t *out[LANES];
    struct cipher_batch *batch;
    struct key_chain *making; /* whose key the chain's lane makes; NULL: nothing of worth is in it */
    uint64_t chain_i;         /* how far that lane's key schedule is */
};

/* What the kernels call when the chain's lane has its schedule: take the key, begin the next. */
void lanes_chain_scheduled(struct lanes *lanes);

/* The key schedule of the first lanes; the identity lies in them already. Any kernel may move the chain's lane on too:
 * its i and j must have been set. */
typedef void schedule_kernel(struct lanes *lanes);

/* Octets, a multiple of STEPS, of each of the first lanes; i is where they stand, a multiple of STEPS. Moves in and
 * out on. */
typedef void crypt_kernel(struct lanes *lanes, uint64_t i, size_t octets);

struct kernels {
    schedule_kernel *schedule[LANES + 1]; /* by the number of lanes */
    crypt_kernel *crypt[LANES + 1];
    schedule_kernel *schedule_fused[FUSED + 1]; /* and STEPS of the chain's schedule for STEPS of theirs */
    crypt_kernel *crypt_fused[FUSED + 1];
    bool fuses;
};

/* The rest of one key schedule, from i (a multiple of 4) and j on; the key is repeated to 16 octets. */
void schedule_one(uint8_t *s, const uint8_t key[16], unsigned i, uint8_t j);

/* Octets of a word so that the first in memory is the lowest. */
static inline uint64_t little_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

/* The best this processor can do. */
const struct kernels *lanes_kernels(void);

/* lanes_run with kernels chosen by a test. */
void lanes_run_with(struct cipher_batch *batch, const struct kernels *kernels);

/* The portable ones, for tests. */
const struct kernels *lanes_kernels_portable(void);

#endif
