/* SHA-1 (FIPS 180-4): the specification's own loop, and the x86 SHA extensions where the processor has them. */
#include "sha1.h"

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static const uint32_t INITIAL[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

/* Section 6.1.2, the schedule kept in 16 words as in 6.1.3. */
static void block_portable(uint32_t hash[5], const uint8_t *block)
{
    uint32_t w[16];
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];

    for (unsigned t = 0; t < 80; t++) {
        uint32_t word, mixed;

        if (t < 16)
            word = read32(block + 4 * t);
        else
            word = rotate(w[(t - 3) & 15] ^ w[(t - 8) & 15] ^ w[(t - 14) & 15] ^ w[t & 15], 1);
        w[t & 15] = word;
        if (t < 20)
            mixed = ((b & c) ^ (~b & d)) + 0x5a827999;
        else if (t < 40)
            mixed = (b ^ c ^ d) + 0x6ed9eba1;
        else if (t < 60)
            mixed = ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
        else
            mixed = (b ^ c ^ d) + 0xca62c1d6;
        mixed += rotate(a, 5) + e + word;
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = mixed;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void sha1_blocks_portable(uint8_t digest[20], const uint8_t *blocks, size_t count)
{
    uint32_t hash[5];

    memcpy(hash, INITIAL, sizeof hash);
    for (size_t number = 0; number < count; number++)
        block_portable(hash, blocks + 64 * number);
    for (unsigned word = 0; word < 5; word++)
        write32(digest + 4 * word, hash[word]);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define NATIVE __attribute__((target("sha,sse4.1,ssse3")))

/* Four rounds. `e` comes in as what the last four made of e; for the next four it keeps abcd as it was. */
#define ROUNDS(function)                               \
    do {                                               \
        __m128i was = abcd;                            \
        abcd = _mm_sha1rnds4_epu32(abcd, e, function); \
        e = was;                                       \
    } while (0)

/* The same, and the words number 4 * next to 4 * next + 3 added to e. */
#define STEP(next, function)                       \
    do {                                           \
        ROUNDS(function);                          \
        e = _mm_sha1nexte_epu32(e, w[(next) & 3]); \
    } while (0)

/* The same with words made from the sixteen before them. */
#define MADE(next, function)                                                                             \
    do {                                                                                                 \
        w[(next) & 3] = _mm_xor_si128(_mm_sha1msg1_epu32(w[(next) & 3], w[((next) + 1) & 3]),            \
                                      w[((next) + 2) & 3]);                                              \
        w[(next) & 3] = _mm_sha1msg2_epu32(w[(next) & 3], w[((next) + 3) & 3]);                          \
        STEP(next, function);                                                                            \
    } while (0)

/* Twenty times four rounds; the schedule's last sixteen words stand in w[0..3], in turn. */
NATIVE static void block_native(__m128i *hash_abcd, __m128i *hash_e, const uint8_t *block)
{
    const __m128i big_endian = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i abcd = *hash_abcd, e = *hash_e;
    __m128i w[4];

    for (int word = 0; word < 4; word++)
        w[word] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(block + 16 * word)), big_endian);
    e = _mm_add_epi32(e, w[0]);
    STEP(1, 0);
    STEP(2, 0);
    STEP(3, 0);
    MADE(4, 0);
    MADE(5, 0);
    MADE(6, 1);
    MADE(7, 1);
    MADE(8, 1);
    MADE(9, 1);
    MADE(10, 1);
    MADE(11, 2);
    MADE(12, 2);
    MADE(13, 2);
    MADE(14, 2);
    MADE(15, 2);
    MADE(16, 3);
    MADE(17, 3);
    MADE(18, 3);
    MADE(19, 3);
    ROUNDS(3);
    *hash_e = _mm_sha1nexte_epu32(e, *hash_e);
    *hash_abcd = _mm_add_epi32(*hash_abcd, abcd);
}

NATIVE static void blocks_native(uint8_t digest[20], const uint8_t *blocks, size_t count)
{
    __m128i abcd = _mm_set_epi32((int)INITIAL[0], (int)INITIAL[1], (int)INITIAL[2], (int)INITIAL[3]);
    __m128i e = _mm_set_epi32((int)INITIAL[4], 0, 0, 0);

    for (size_t number = 0; number < count; number++)
        block_native(&abcd, &e, blocks + 64 * number);
    write32(digest, (uint32_t)_mm_extract_epi32(abcd, 3));
    write32(digest + 4, (uint32_t)_mm_extract_epi32(abcd, 2));
    write32(digest + 8, (uint32_t)_mm_extract_epi32(abcd, 1));
    write32(digest + 12, (uint32_t)_mm_extract_epi32(abcd, 0));
    write32(digest + 16, (uint32_t)_mm_extract_epi32(e, 3));
}

bool sha1_is_native(void)
{
    return __builtin_cpu_supports("sha") && __builtin_cpu_supports("sse4.1");
}
#else
static void blocks_native(uint8_t digest[20], const uint8_t *blocks, size_t count)
{
    sha1_blocks_portable(digest, blocks, count);
}

bool sha1_is_native(void)
{
    return false;
}
#endif

void sha1_blocks(uint8_t digest[20], const uint8_t *blocks, size_t count)
{
    if (likely(sha1_is_native()))
        blocks_native(digest, blocks, count);
    else
        sha1_blocks_portable(digest, blocks, count);
}
