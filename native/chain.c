/* Session keys by number, in a ring that grows by doubling. */
#include "chain.h"

#include <stdlib.h>

#define RING_LEAST 16   /* ours: keys in the first ring; a call that only keeps alive needs no more */
#define RING_BEYOND 128 /* ours: and in that of a chain far ahead; more than are kept of skipped packets */

bool chain_begin(struct key_chain *chain, const struct engine_encryption *encryption)
{
    uint32_t bits = encryption->key_bits;
    if (bits != 40 && bits != 56 && bits != 128)
        return false;
    chain->start.bits = (uint8_t)bits;
    chain->start.length = bits == 128 ? 16 : 8;
    memcpy(chain->start.start_key, encryption->start_key, chain->start.length);
    initial_key(&chain->start, chain->last);
    return true;
}

void chain_end(struct key_chain *chain)
{
    if (!chain->ring)
        return;
    explicit_bzero(chain->ring, chain->capacity * sizeof *chain->ring);
    free(chain->ring);
    chain->ring = NULL;
    chain->capacity = 0;
}

static uint8_t *place(const struct key_chain *chain, uint64_t number)
{
    return chain->ring[number & (chain->capacity - 1)];
}

/* Have a place for each key from number oldest to before end. False when memory is short. */
static bool hold(struct key_chain *chain, uint64_t oldest, uint64_t end)
{
    if (likely(end - oldest <= chain->capacity))
        return true;
    struct key_chain larger = *chain;
    larger.capacity = chain->capacity ? chain->capacity : RING_LEAST;
    while (larger.capacity < end - oldest)
        larger.capacity *= 2;
    larger.ring = malloc(larger.capacity * sizeof *larger.ring);
    if (!larger.ring)
        return false;
    uint64_t number = chain->derived > chain->capacity ? chain->derived - chain->capacity : 0;
    for (; number < chain->derived; number++)
        memcpy(place(&larger, number), place(chain, number), sizeof chain->last);
    if (chain->derived) /* the first ring after a rest: a later rest may have to begin at this key again */
        memcpy(place(&larger, chain->derived - 1), chain->last, sizeof chain->last);
    chain_end(chain);
    *chain = larger;
    return true;
}

static void derive(struct key_chain *chain)
{
    next_key(&chain->start, chain->last);
    memcpy(place(chain, chain->derived), chain->last, sizeof chain->last);
    chain->derived++;
}

const uint8_t *chain_key(struct key_chain *chain, uint64_t oldest, uint64_t number)
{
    if (unlikely(number >= chain->derived)) {
        if (!hold(chain, oldest, number + 1 + chain->want))
            return NULL;
        while (number >= chain->derived)
            derive(chain);
    }
    return place(chain, number);
}

bool chain_beyond(const struct key_chain *chain, uint64_t number, struct key_chain *beyond)
{
    *beyond = *chain;
    beyond->capacity = RING_BEYOND;
    beyond->ring = malloc(beyond->capacity * sizeof *beyond->ring);
    if (!beyond->ring)
        return false;
    uint64_t oldest = beyond->capacity < chain->capacity ? beyond->capacity : chain->capacity;
    oldest = chain->derived > oldest ? chain->derived - oldest : 0;
    for (; oldest < chain->derived; oldest++)
        memcpy(place(beyond, oldest), place(chain, oldest), sizeof chain->last);
    while (number >= beyond->derived)
        derive(beyond);
    return true;
}

void chain_order(struct key_chain *chain, uint64_t oldest, uint32_t want, struct cipher_batch *batch)
{
    if (want <= chain->want || !hold(chain, oldest, chain->derived + want))
        return;
    if (!chain->want)
        batch->chains[batch->chains_count++] = chain;
    chain->want = want;
}

void chain_rewind(struct key_chain *chain, uint64_t number)
{
    if (number < chain->derived) {
        if (number)
            memcpy(chain->last, place(chain, number - 1), sizeof chain->last);
        else
            initial_key(&chain->start, chain->last);
        chain->derived = number;
    }
    chain_end(chain);
}

void chain_order_job(const struct key_chain *chain, const uint8_t *key, const uint8_t *in, uint8_t *out, size_t length,
                     struct cipher_batch *batch)
{
    struct cipher_job *job = &batch->jobs[batch->jobs_count++];
    memcpy(job->key, key, sizeof job->key);
    job->key_length = chain->start.length;
    job->in = in;
    job->out = out;
    job->length = (uint32_t)length;
}
