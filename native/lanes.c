/* A batch of RC4 jobs laid into lanes, and MPPE's session keys made in lanes of their own. */
#include "lanes.h"

#include "lanes_kernel.h"
#include "sha1.h"

#define FEW_CHAINS 4 /* from so many on their keys are made beside each other, fewer beside the jobs */

static const uint8_t IDENTITY[256] = {
#define ROW(first)                                                                                                  \
    first, first + 1, first + 2, first + 3, first + 4, first + 5, first + 6, first + 7, first + 8, first + 9,       \
        first + 10, first + 11, first + 12, first + 13, first + 14, first + 15
    ROW(0),   ROW(16),  ROW(32),  ROW(48),  ROW(64),  ROW(80),  ROW(96),  ROW(112),
    ROW(128), ROW(144), ROW(160), ROW(176), ROW(192), ROW(208), ROW(224), ROW(240),
};

/* --- one stream */

void rc4_begin(struct rc4 *rc4, const uint8_t *key, size_t length)
{
    uint8_t repeated[16];

    memcpy(repeated, key, length);
    memcpy(repeated + 16 - length, key, length);
    memcpy(rc4->s, IDENTITY, 256);
    schedule_one(rc4->s, repeated, 0, 0);
    rc4->i = 0;
    rc4->j = 0;
}

/* The next octet of the key stream. */
static inline uint8_t draw(uint8_t *s, uint8_t *i, uint8_t *j)
{
    uint8_t a = s[++*i], b;

    *j = (uint8_t)(*j + a);
    b = s[*j];
    s[*i] = b;
    s[*j] = a;
    return s[(uint8_t)(a + b)];
}

void rc4_crypt(struct rc4 *rc4, uint8_t *out, const uint8_t *in, size_t length)
{
    uint8_t i = rc4->i, j = rc4->j;

    for (; length >= 8; length -= 8, in += 8, out += 8) {
        uint64_t stream = 0, word;

#pragma GCC unroll 8
        for (unsigned octet = 0; octet < 8; octet++)
            stream |= (uint64_t)draw(rc4->s, &i, &j) << (8 * octet);
        memcpy(&word, in, 8);
        word ^= little_endian(stream);
        memcpy(out, &word, 8);
    }
    while (length-- > 0)
        *out++ = *in++ ^ draw(rc4->s, &i, &j);
    rc4->i = i;
    rc4->j = j;
}

void rc4_drop(struct rc4 *rc4, size_t length)
{
    while (length-- > 0)
        draw(rc4->s, &rc4->i, &rc4->j);
}

/* --- keys */

/* GetNewKeyFromSHA (RFC 3079 section 3.4): start key, 40 zeros, session key, 40 times 0xF2; and SHA-1's padding. */
static void interim_key(const struct mppe_start *start, const uint8_t *key, uint8_t digest[20])
{
    uint8_t message[128] = {0};
    size_t length = start->length, end = 2 * length + 80;

    memcpy(message, start->start_key, length);
    memcpy(message + length + 40, key, length);
    memset(message + 2 * length + 40, 0xf2, 40);
    message[end] = 0x80;
    write16(message + 126, (uint16_t)(8 * end));
    sha1_blocks(digest, message, 2);
}

/* Fix the first octets, so that 40 or 56 bits stay secret (RFC 3079 sections 2.1 and 2.2). */
static void reduce_key(const struct mppe_start *start, uint8_t *key)
{
    if (start->bits == 128)
        return;
    key[0] = 0xd1;
    if (start->bits == 40) {
        key[1] = 0x26;
        key[2] = 0x9e;
    }
}

void next_key(const struct mppe_start *start, uint8_t key[16])
{
    uint8_t digest[20];
    struct rc4 rc4;

    interim_key(start, key, digest);
    rc4_begin(&rc4, digest, start->length);
    rc4_crypt(&rc4, key, digest, start->length);
    reduce_key(start, key);
}

void initial_key(const struct mppe_start *start, uint8_t key[16])
{
    uint8_t digest[20];

    interim_key(start, start->start_key, digest);
    memcpy(key, digest, start->length);
    reduce_key(start, key);
}

/* Enter the key that stands in chain->last as the next one. */
static void enter_key(struct key_chain *chain)
{
    memcpy(chain->ring[chain->derived & (chain->capacity - 1)], chain->last, 16);
    chain->derived++;
    chain->want--;
}

/* --- lanes */

static void set_lane(struct lanes *lanes, unsigned number, const uint8_t *key, size_t length)
{
    uint8_t *lane = lanes->lane[number];

    memcpy(lane, IDENTITY, 256);
    memcpy(lane + LANE_KEY, key, length);
    memcpy(lane + LANE_KEY + 16 - length, key, length); /* 8 octets count twice */
    lanes->j[number] = 0;
}

/* Lay the next wanted key of any chain into the chain's lane. */
static void begin_chain_key(struct lanes *lanes)
{
    struct cipher_batch *batch = lanes->batch;
    uint8_t digest[20];

    lanes->chain_i = 0;
    lanes->j[CHAIN] = 0;
    while (batch->chains_count > 0 && batch->chains[batch->chains_count - 1]->want == 0)
        batch->chains_count--;
    lanes->making = batch->chains_count > 0 ? batch->chains[batch->chains_count - 1] : NULL;
    if (lanes->making != NULL) {
        interim_key(&lanes->making->start, lanes->making->last, digest);
        set_lane(lanes, CHAIN, digest, lanes->making->start.length);
    }
}

void lanes_chain_scheduled(struct lanes *lanes)
{
    struct key_chain *chain = lanes->making;
    uint8_t *lane = lanes->lane[CHAIN];
    uint8_t i = 0, j = 0;

    if (chain != NULL) {
        for (unsigned octet = 0; octet < chain->start.length; octet++)
            chain->last[octet] = lane[LANE_KEY + octet] ^ draw(lane, &i, &j);
        reduce_key(&chain->start, chain->last);
        enter_key(chain);
    }
    begin_chain_key(lanes);
}

/* Bring the key in the chain's lane to its end, without a next one. */
static void finish_chain_key(struct lanes *lanes)
{
    uint8_t *lane = lanes->lane[CHAIN];

    schedule_one(lane, lane + LANE_KEY, (unsigned)lanes->chain_i, (uint8_t)lanes->j[CHAIN]);
    lanes_chain_scheduled(lanes);
}

/* Make one key of each of these chains. */
static void make_keys(struct lanes *lanes, const struct kernels *kernels, struct key_chain **chains, unsigned count)
{
    uint8_t interim[LANES][20];
    uint8_t keys[LANES][16];

    if (count == 1) {
        next_key(&chains[0]->start, chains[0]->last);
        enter_key(chains[0]);
        return;
    }
    for (unsigned number = 0; number < count; number++) {
        struct key_chain *chain = chains[number];

        interim_key(&chain->start, chain->last, interim[number]);
        set_lane(lanes, number, interim[number], chain->start.length);
        lanes->in[number] = interim[number];
        lanes->out[number] = keys[number];
    }
    kernels->schedule[count](lanes);
    kernels->crypt[count](lanes, 0, 16);
    for (unsigned number = 0; number < count; number++) {
        memcpy(chains[number]->last, keys[number], chains[number]->start.length);
        reduce_key(&chains[number]->start, chains[number]->last);
        enter_key(chains[number]);
    }
}

/* Make keys while so many chains at least want some; the others are left in the batch. */
static void make_wanted(struct lanes *lanes, const struct kernels *kernels, size_t least)
{
    struct cipher_batch *batch = lanes->batch;

    for (;;) {
        size_t left = 0;

        for (size_t number = 0; number < batch->chains_count; number++) {
            if (batch->chains[number]->want > 0)
                batch->chains[left++] = batch->chains[number];
        }
        batch->chains_count = left;
        if (left < least || left == 0)
            return;
        for (size_t first = 0; first < left; first += LANES)
            make_keys(lanes, kernels, batch->chains + first, (unsigned)(left - first < LANES ? left - first : LANES));
    }
}

/* --- jobs */

static void crypt(struct lanes *lanes, const struct kernels *kernels, unsigned count, size_t position, size_t octets)
{
    crypt_kernel *kernel = lanes->making != NULL ? kernels->crypt_fused[count] : kernels->crypt[count];

    kernel(lanes, position & 0xff, octets);
}

/* STEPS octets more, although some lanes, the last ones, have not so many: those work on a copy. */
static void crypt_ends(struct lanes *lanes, const struct kernels *kernels, struct cipher_job *const *jobs,
                       unsigned count, size_t position)
{
    uint8_t ends[LANES][STEPS] = {{0}};
    unsigned first = count;

    while (first > 0 && jobs[first - 1]->length - position < STEPS) {
        first--;
        memcpy(ends[first], jobs[first]->in + position, jobs[first]->length - position);
        lanes->in[first] = ends[first];
        lanes->out[first] = ends[first];
    }
    crypt(lanes, kernels, count, position, STEPS);
    for (unsigned number = first; number < count; number++)
        memcpy(jobs[number]->out + position, ends[number], jobs[number]->length - position);
}

/* Do some jobs in step, the longest first. */
static void do_jobs(struct lanes *lanes, const struct kernels *kernels, struct cipher_job *const *jobs, unsigned count)
{
    size_t position = 0;

    for (unsigned number = 0; number < count; number++) {
        set_lane(lanes, number, jobs[number]->key, jobs[number]->key_length);
        lanes->in[number] = jobs[number]->in;
        lanes->out[number] = jobs[number]->out;
    }
    (lanes->making != NULL ? kernels->schedule_fused : kernels->schedule)[count](lanes);
    while (count > 0) {
        size_t left = jobs[count - 1]->length - position;

        if (left >= STEPS) {
            left -= left % STEPS;
            crypt(lanes, kernels, count, position, left);
            position += left;
        } else {
            crypt_ends(lanes, kernels, jobs, count, position);
            position += STEPS;
        }
        while (count > 0 && jobs[count - 1]->length <= position)
            count--;
    }
}

/* List the jobs with the longest first, so that those of one group end together; return how many have anything. */
static unsigned sort_jobs(struct cipher_batch *batch, struct cipher_job **sorted)
{
    unsigned count = 0;

    for (size_t number = 0; number < batch->jobs_count; number++) {
        struct cipher_job *job = &batch->jobs[number];
        unsigned place = count;

        if (job->length == 0)
            continue;
        for (; place > 0 && sorted[place - 1]->length < job->length; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = job;
        count++;
    }
    return count;
}

void lanes_run_with(struct cipher_batch *batch, const struct kernels *kernels)
{
    struct cipher_job *sorted[BATCH];
    struct lanes lanes;
    unsigned count = sort_jobs(batch, sorted), done = 0;

    lanes.batch = batch;
    lanes.making = NULL;
    make_wanted(&lanes, kernels, kernels->fuses && count > 0 ? FEW_CHAINS : 1);
    begin_chain_key(&lanes);
    while (done < count) {
        unsigned most = lanes.making != NULL ? FUSED : LANES;
        unsigned groups = (count - done + most - 1) / most;
        unsigned width = (count - done + groups - 1) / groups;

        do_jobs(&lanes, kernels, sorted + done, width);
        done += width;
    }
    while (lanes.making != NULL && (lanes.chain_i > 0 || batch->chains_count == 1))
        finish_chain_key(&lanes);
    make_wanted(&lanes, kernels, 1);
    batch->jobs_count = 0;
    batch->chains_count = 0;
}

void lanes_run(struct cipher_batch *batch)
{
    lanes_run_with(batch, lanes_kernels());
}

bool lanes_is_native(void)
{
    return lanes_kernels() != lanes_kernels_portable();
}
