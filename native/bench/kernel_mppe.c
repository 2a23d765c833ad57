/* What the Linux kernel does for one packet of stateless MPPE, as ppp_mppe, sha1_generic and lib/crypto/arc4 go about
 * it: a hash fed in four pieces through a block buffer, RC4 with a state of 32-bit words, octet after octet. */
#include "kernel_mppe.h"

struct sha1_state {
    uint32_t hash[5];
    uint64_t count;
    uint8_t buffer[64];
};

static uint32_t rol(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* The kernel's lib/sha1.c unrolls its eighty rounds, with sixteen words of schedule. */
static void transform(uint32_t hash[5], const uint8_t *block)
{
    uint32_t w[16], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];

#define WORD(t) (w[(t) & 15] = rol(w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^ w[(t) & 15], 1))
#define ROUND(word, mixed, constant)                              \
    do {                                                          \
        uint32_t sum = rol(a, 5) + (mixed) + e + (word) + (constant); \
                                                                  \
        e = d;                                                    \
        d = c;                                                    \
        c = rol(b, 30);                                           \
        b = a;                                                    \
        a = sum;                                                  \
    } while (0)
#pragma GCC unroll 16
    for (unsigned t = 0; t < 16; t++)
        ROUND(w[t] = read32(block + 4 * t), d ^ (b & (c ^ d)), 0x5a827999);
#pragma GCC unroll 4
    for (unsigned t = 16; t < 20; t++)
        ROUND(WORD(t), d ^ (b & (c ^ d)), 0x5a827999);
#pragma GCC unroll 20
    for (unsigned t = 20; t < 40; t++)
        ROUND(WORD(t), b ^ c ^ d, 0x6ed9eba1);
#pragma GCC unroll 20
    for (unsigned t = 40; t < 60; t++)
        ROUND(WORD(t), (b & c) + (d & (b ^ c)), 0x8f1bbcdc);
#pragma GCC unroll 20
    for (unsigned t = 60; t < 80; t++)
        ROUND(WORD(t), b ^ c ^ d, 0xca62c1d6);
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

static void sha1_update(struct sha1_state *sha1, const uint8_t *octets, size_t length)
{
    size_t partial = sha1->count % 64;

    sha1->count += length;
    while (partial + length >= 64) {
        size_t taken = 64 - partial;

        memcpy(sha1->buffer + partial, octets, taken);
        transform(sha1->hash, sha1->buffer);
        octets += taken;
        length -= taken;
        partial = 0;
    }
    memcpy(sha1->buffer + partial, octets, length);
}

static void sha1_final(struct sha1_state *sha1, uint8_t digest[20])
{
    static const uint8_t padding[64] = {0x80};
    uint8_t bits[8] = {0};
    size_t partial = sha1->count % 64;

    write32(bits + 4, (uint32_t)(sha1->count * 8));
    sha1_update(sha1, padding, partial < 56 ? 56 - partial : 120 - partial);
    sha1_update(sha1, bits, 8);
    for (unsigned word = 0; word < 5; word++)
        write32(digest + 4 * word, sha1->hash[word]);
}

static void arc4_setkey(struct kernel_arc4 *arc4, const uint8_t *key, unsigned length)
{
    unsigned j = 0, k = 0;

    arc4->x = 1;
    arc4->y = 0;
    for (unsigned i = 0; i < 256; i++)
        arc4->s[i] = i;
    for (unsigned i = 0; i < 256; i++) {
        uint32_t a = arc4->s[i];

        j = (j + key[k] + a) & 0xff;
        arc4->s[i] = arc4->s[j];
        arc4->s[j] = a;
        if (++k >= length)
            k = 0;
    }
}

/* As lib/crypto/arc4.c: the next step's words are read before this step's octet is written. */
static void arc4_crypt(struct kernel_arc4 *arc4, uint8_t *out, const uint8_t *in, size_t length)
{
    uint32_t *const s = arc4->s;
    uint32_t x = arc4->x, y = arc4->y, a, b;

    if (length == 0)
        return;
    a = s[x];
    y = (y + a) & 0xff;
    b = s[y];
    do {
        uint32_t next_a, next_y, next_b;

        s[y] = a;
        a = (a + b) & 0xff;
        s[x] = b;
        x = (x + 1) & 0xff;
        next_a = s[x];
        next_y = (y + next_a) & 0xff;
        next_b = s[next_y];
        *out++ = *in++ ^ (uint8_t)s[a];
        if (--length == 0)
            break;
        y = next_y;
        a = next_a;
        b = next_b;
    } while (true);
    arc4->x = x;
    arc4->y = y;
}

static void new_key_from_sha(const struct kernel_mppe *mppe, uint8_t digest[20])
{
    static const uint8_t pad1[40], pad2[40] = {[0 ... 39] = 0xf2};
    struct sha1_state sha1 = {{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, 0, {0}};

    sha1_update(&sha1, mppe->master_key, mppe->length);
    sha1_update(&sha1, pad1, 40);
    sha1_update(&sha1, mppe->session_key, mppe->length);
    sha1_update(&sha1, pad2, 40);
    sha1_final(&sha1, digest);
}

static void rekey(struct kernel_mppe *mppe, bool initial)
{
    uint8_t digest[20];

    new_key_from_sha(mppe, digest);
    if (!initial) {
        arc4_setkey(&mppe->arc4, digest, (unsigned)mppe->length);
        arc4_crypt(&mppe->arc4, mppe->session_key, digest, mppe->length);
    } else {
        memcpy(mppe->session_key, digest, mppe->length);
    }
    arc4_setkey(&mppe->arc4, mppe->session_key, (unsigned)mppe->length);
}

void kernel_mppe_begin(struct kernel_mppe *mppe, const uint8_t master[16])
{
    memcpy(mppe->master_key, master, 16);
    memcpy(mppe->session_key, master, 16);
    mppe->length = 16;
    rekey(mppe, true);
}

void kernel_mppe_packet(struct kernel_mppe *mppe, uint8_t *out, const uint8_t *in, size_t length)
{
    rekey(mppe, false);
    arc4_crypt(&mppe->arc4, out, in, length);
}
