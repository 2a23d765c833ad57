/* Session keys by number: some ahead, those of skipped packets behind (struct key_chain of lanes.h). */
#ifndef OPENPPTP_CHAIN_H
#define OPENPPTP_CHAIN_H

#include "base.h"
#include "engine.h"
#include "lanes.h"

/* False when there is no such encryption; the chain is all zeros. It must not move while a batch has it. */
bool chain_begin(struct key_chain *chain, const struct engine_encryption *encryption);

/* Free the ring. */
void chain_end(struct key_chain *chain);

/* Return the key with this number, derived as needed; NULL when memory is short. Those from oldest on are kept. */
const uint8_t *chain_key(struct key_chain *chain, uint64_t oldest, uint64_t number);

/* Begin another chain that has come to the key of this number, far ahead; of those skipped it has the last 100. Whoever
 * asks ends it. False when memory is short. */
bool chain_beyond(const struct key_chain *chain, uint64_t number, struct key_chain *beyond);

/* Let lanes_run make at least so many more, where memory allows. A job must have been ordered for the chain before, so
 * that a batch has room for as many chains as jobs. */
void chain_order(struct key_chain *chain, uint64_t oldest, uint32_t want, struct cipher_batch *batch);

/* Free the ring. The keys from number on can be made again, those before are forgotten. */
void chain_rewind(struct key_chain *chain, uint64_t number);

/* Order the work of one packet; the batch has room. */
void chain_order_job(const struct key_chain *chain, const uint8_t *key, const uint8_t *in, uint8_t *out, size_t length,
                     struct cipher_batch *batch);

#endif
