/* lanes.c: batches of every shape against plain RC4 one by one, keys against the chain made key by key. TSAN */
#include "lanes.h"

#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "lanes_kernel.h"

#define ROOM 2048
#define RING 64

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static void fill(uint8_t *octets, size_t length)
{
    for (size_t octet = 0; octet < length; octet++)
        octets[octet] = (uint8_t)any(256);
}

/* RC4 as it is taught. */
static void plain_rc4(const struct cipher_job *job, uint8_t *out)
{
    uint8_t s[256];
    unsigned j = 0;

    for (unsigned i = 0; i < 256; i++)
        s[i] = (uint8_t)i;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t was = s[i];

        j = (j + was + job->key[i % job->key_length]) % 256;
        s[i] = s[j];
        s[j] = was;
    }
    j = 0;
    for (unsigned octet = 0; octet < job->length; octet++) {
        unsigned i = (octet + 1) % 256;
        uint8_t was = s[i];

        j = (j + was) % 256;
        s[i] = s[j];
        s[j] = was;
        out[octet] = job->in[octet] ^ s[(s[i] + was) % 256];
    }
}

enum lengths { SAME, SHORT, ANY };

/* One batch; every buffer is exactly as long as its job, so that AddressSanitizer sees what is beyond. */
static void check_batch(const struct kernels *kernels, size_t jobs, size_t chains, uint32_t most_wanted,
                        enum lengths lengths)
{
    struct cipher_batch *batch = calloc(1, sizeof *batch);
    struct key_chain *twins = calloc(BATCH, sizeof *twins);
    struct key_chain *given = calloc(BATCH, sizeof *given);
    uint8_t *expected[BATCH], *memory[BATCH], *result[BATCH];
    uint32_t length_of[BATCH], same = any(ROOM), wanted[BATCH];

    for (size_t number = 0; number < jobs; number++) {
        struct cipher_job *job = &batch->jobs[number];
        uint32_t length = lengths == SAME ? same : any(lengths == SHORT ? 40 : ROOM);
        uint32_t skew = any(17);

        job->key_length = any(4) == 0 ? 8 : 16;
        fill(job->key, 16);
        job->length = length_of[number] = length;
        memory[number] = malloc(2 * (length + skew) + 1);
        fill(memory[number], 2 * (length + skew));
        job->in = memory[number] + skew;
        result[number] = job->out = any(2) ? memory[number] + skew : memory[number] + length + 2 * skew;
        expected[number] = malloc(length + 1);
        plain_rc4(job, expected[number]);
    }
    batch->jobs_count = jobs;
    for (size_t number = 0; number < chains; number++) {
        struct key_chain *chain = &given[number], *twin = &twins[number];

        chain->start.bits = (uint8_t[]){40, 56, 128}[any(3)];
        chain->start.length = chain->start.bits == 128 ? 16 : 8;
        fill(chain->start.start_key, 16);
        initial_key(&chain->start, chain->last);
        chain->derived = any(1000);
        chain->capacity = RING;
        chain->ring = calloc(RING, 16);
        wanted[number] = chain->want = any(most_wanted + 1);
        *twin = *chain;
        batch->chains[number] = chain;
    }
    batch->chains_count = chains;
    lanes_run_with(batch, kernels);
    CHECK(batch->jobs_count == 0);
    CHECK(batch->chains_count == 0);
    for (size_t number = 0; number < jobs; number++) {
        CHECK(memcmp(result[number], expected[number], length_of[number]) == 0);
        free(memory[number]);
        free(expected[number]);
    }
    for (size_t number = 0; number < chains; number++) {
        struct key_chain *chain = &given[number], *twin = &twins[number];

        CHECK(chain->want == 0);
        CHECK(chain->derived == twin->derived + wanted[number]);
        for (; twin->derived < chain->derived; twin->derived++) {
            next_key(&twin->start, twin->last);
            if (chain->derived - twin->derived <= RING)
                CHECK(memcmp(chain->ring[twin->derived % RING], twin->last, chain->start.length) == 0);
        }
        CHECK(memcmp(chain->last, twin->last, chain->start.length) == 0);
        free(chain->ring);
    }
    free(batch);
    free(twins);
    free(given);
}

static void check_shapes(const struct kernels *kernels)
{
    for (enum lengths lengths = SAME; lengths <= ANY; lengths++) {
        for (size_t jobs = 0; jobs <= BATCH; jobs = jobs < 18 ? jobs + 1 : jobs + 23) {
            check_batch(kernels, jobs, 0, 0, lengths);
            check_batch(kernels, jobs, 1, (uint32_t)jobs + 3, lengths);
            check_batch(kernels, jobs, 1 + any(5), 20, lengths);
        }
        check_batch(kernels, BATCH, BATCH, 2, lengths);
        check_batch(kernels, 0, BATCH, 5, lengths);
        check_batch(kernels, 1, 1, 100, lengths);
        check_batch(kernels, BATCH, 3, 80, lengths);
    }
}

/* RFC 3079 section 3.5.3: 128 bits, the session key and "test message" encrypted with it. */
static void check_rfc_3079(void)
{
    static const struct mppe_start start = {
        {0x8b, 0x7c, 0xdc, 0x14, 0x9b, 0x99, 0x3a, 0x1b, 0xa1, 0x18, 0xcb, 0x15, 0x3f, 0x56, 0xdc, 0xcb}, 16, 128};
    static const uint8_t initial[16] = {0x40, 0x5c, 0xb2, 0x24, 0x7a, 0x79, 0x56, 0xe6,
                                        0xe2, 0x11, 0x00, 0x7a, 0xe2, 0x7b, 0x22, 0xd4};
    static const uint8_t encrypted[12] = {0x81, 0x84, 0x83, 0x17, 0xdf, 0x68, 0x84, 0x62, 0x72, 0xfb, 0x5a, 0xbe};
    static const uint8_t after[16] = {0x72, 0x6f, 0x10, 0x50, 0x0e, 0x2b, 0x54, 0x13,
                                      0x5b, 0x1b, 0x74, 0xd7, 0x68, 0x2f, 0x04, 0x71};
    uint8_t key[16], text[12];
    struct rc4 rc4;

    initial_key(&start, key);
    CHECK(memcmp(key, initial, 16) == 0);
    rc4_begin(&rc4, key, 16);
    rc4_crypt(&rc4, text, (const uint8_t *)"test message", 12);
    CHECK(memcmp(text, encrypted, 12) == 0);
    next_key(&start, key);
    CHECK(memcmp(key, after, 16) == 0);
}

static void check_stream_in_pieces(void)
{
    uint8_t key[16], whole[600] = {0}, pieces[600] = {0};
    struct rc4 one, other;

    fill(key, 16);
    rc4_begin(&one, key, 16);
    rc4_crypt(&one, whole, whole, 600);
    rc4_begin(&other, key, 16);
    rc4_crypt(&other, pieces, pieces, 1);
    rc4_crypt(&other, pieces + 1, pieces + 1, 0);
    rc4_crypt(&other, pieces + 1, pieces + 1, 299);
    rc4_drop(&other, 100);
    rc4_crypt(&other, pieces + 400, pieces + 400, 200);
    CHECK(memcmp(whole, pieces, 300) == 0);
    CHECK(memcmp(whole + 400, pieces + 400, 200) == 0);
}

static void *run_own_batches(void *unused)
{
    (void)unused;
    for (unsigned times = 0; times < 200; times++) {
        struct cipher_batch batch = {.jobs_count = 8};
        uint8_t text[8][100] = {{0}}, expected[100];

        for (size_t number = 0; number < 8; number++)
            batch.jobs[number] = (struct cipher_job){{(uint8_t)times}, 16, text[number], text[number], 100};
        plain_rc4(&batch.jobs[0], expected);
        lanes_run(&batch);
        CHECK(memcmp(text[7], expected, 100) == 0);
    }
    return NULL;
}

static void check_threads(void)
{
    pthread_t other;

    if (pthread_create(&other, NULL, run_own_batches, NULL) != 0)
        return;
    run_own_batches(NULL);
    pthread_join(other, NULL);
}

int main(void)
{
    check_rfc_3079();
    check_stream_in_pieces();
    check_shapes(lanes_kernels());
    check_shapes(lanes_kernels_portable());
    check_threads();
    DONE();
}
