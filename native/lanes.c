/* RC4 of many packets at once, and MPPE's session keys. */
#include "lanes.h"

#include "sha1.h"

void rc4_begin(struct rc4 *rc4, const uint8_t *key, size_t length)
{
    uint8_t j = 0;

    for (unsigned i = 0; i < 256; i++)
        rc4->s[i] = (uint8_t)i;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t a = rc4->s[i];

        j = (uint8_t)(j + a + key[i % length]);
        rc4->s[i] = rc4->s[j];
        rc4->s[j] = a;
    }
    rc4->i = 0;
    rc4->j = 0;
}

/* The next octet of the key stream. */
static inline uint8_t draw(struct rc4 *rc4)
{
    uint8_t a = rc4->s[++rc4->i], b;

    rc4->j = (uint8_t)(rc4->j + a);
    b = rc4->s[rc4->j];
    rc4->s[rc4->i] = b;
    rc4->s[rc4->j] = a;
    return rc4->s[(uint8_t)(a + b)];
}

void rc4_crypt(struct rc4 *rc4, uint8_t *out, const uint8_t *in, size_t length)
{
    for (size_t octet = 0; octet < length; octet++)
        out[octet] = in[octet] ^ draw(rc4);
}

void rc4_drop(struct rc4 *rc4, size_t length)
{
    while (length-- > 0)
        draw(rc4);
}

/* GetNewKeyFromSHA (RFC 3079 section 3.4): start key, 40 zeros, session key, 40 times 0xF2; SHA-1's padding after it. */
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

static void make_keys(struct key_chain *chain)
{
    while (chain->want > 0) {
        next_key(&chain->start, chain->last);
        memcpy(chain->ring[chain->derived & (chain->capacity - 1)], chain->last, 16);
        chain->derived++;
        chain->want--;
    }
}

void lanes_run(struct cipher_batch *batch)
{
    for (size_t number = 0; number < batch->jobs_count; number++) {
        const struct cipher_job *job = &batch->jobs[number];
        struct rc4 rc4;

        rc4_begin(&rc4, job->key, job->key_length);
        rc4_crypt(&rc4, job->out, job->in, job->length);
    }
    for (size_t number = 0; number < batch->chains_count; number++)
        make_keys(batch->chains[number]);
    batch->jobs_count = 0;
    batch->chains_count = 0;
}
