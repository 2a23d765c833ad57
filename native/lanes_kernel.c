/* The inner loops of lanes.c.
 *
 * On x86-64 in assembler: the compiler spends two instructions more on each octet, and each costs a sixth of the time.
 * The key stream is gathered in a vector register, which leaves the others to eight j.
 */
#include "lanes_kernel.h"

/* --- in C */

/* Alone, a schedule waits for its own stores: the processor fears that s[i] is what a step before wrote to s[j]. So
 * read four ahead and look whether it was. */
void schedule_one(uint8_t *s, const uint8_t key[16], unsigned i, uint8_t j)
{
    for (; i < 256; i += 4) {
        const uint8_t *k = key + i % 16;
        uint32_t word = s[i] | (uint32_t)s[i + 1] << 8 | (uint32_t)s[i + 2] << 16 | (uint32_t)s[i + 3] << 24;
        uint8_t a0 = (uint8_t)word, a1 = (uint8_t)(word >> 8), a2 = (uint8_t)(word >> 16), a3 = (uint8_t)(word >> 24);
        unsigned j0 = (uint8_t)(j + a0 + k[0]);
        unsigned j1 = (uint8_t)(j0 + a1 + k[1]);
        unsigned j2 = (uint8_t)(j1 + a2 + k[2]);
        unsigned j3 = (uint8_t)(j2 + a3 + k[3]);

        if (unlikely((j0 - i - 1 < 3) | (j1 - i - 2 < 2) | (j2 == i + 3))) {
            for (unsigned step = 0; step < 4; step++) {
                uint8_t a = s[i + step];

                j = (uint8_t)(j + a + k[step]);
                s[i + step] = s[j];
                s[j] = a;
            }
            continue;
        }
        s[i] = s[j0];
        s[j0] = a0;
        s[i + 1] = s[j1];
        s[j1] = a1;
        s[i + 2] = s[j2];
        s[j2] = a2;
        s[i + 3] = s[j3];
        s[j3] = a3;
        j = (uint8_t)j3;
    }
}

static inline __attribute__((always_inline)) void schedule_some(struct lanes *lanes, unsigned first, unsigned count)
{
    uint8_t j[4] = {0};

    for (unsigned i = 0; i < 256; i++) {
        for (unsigned number = 0; number < count; number++) {
            uint8_t *s = lanes->lane[first + number];
            uint8_t a = s[i];

            j[number] = (uint8_t)(j[number] + a + s[LANE_KEY + i % 16]);
            s[i] = s[j[number]];
            s[j[number]] = a;
        }
    }
}

static inline __attribute__((always_inline)) void crypt_some(struct lanes *lanes, unsigned first, unsigned count,
                                                             uint64_t i, size_t octets)
{
    uint8_t j[4];

    for (unsigned number = 0; number < count; number++)
        j[number] = (uint8_t)lanes->j[first + number];
    for (size_t octet = 0; octet < octets; octet += 8) {
        uint64_t stream[4] = {0}, word;

        for (unsigned step = 0; step < 8; step++) {
            uint8_t at = (uint8_t)(i + octet + step + 1);

            for (unsigned number = 0; number < count; number++) {
                uint8_t *s = lanes->lane[first + number];
                uint8_t a = s[at], b;

                j[number] = (uint8_t)(j[number] + a);
                b = s[j[number]];
                s[at] = b;
                s[j[number]] = a;
                stream[number] |= (uint64_t)s[(uint8_t)(a + b)] << (8 * step);
            }
        }
        for (unsigned number = 0; number < count; number++) {
            memcpy(&word, lanes->in[first + number] + octet, 8);
            word ^= little_endian(stream[number]);
            memcpy(lanes->out[first + number] + octet, &word, 8);
        }
    }
    for (unsigned number = 0; number < count; number++) {
        lanes->j[first + number] = j[number];
        lanes->in[first + number] += octets;
        lanes->out[first + number] += octets;
    }
}

static void schedule_lanes(struct lanes *lanes, unsigned count)
{
    unsigned first = 0;

    for (; first + 4 <= count; first += 4)
        schedule_some(lanes, first, 4);
    for (; first + 2 <= count; first += 2)
        schedule_some(lanes, first, 2);
    if (first < count)
        schedule_one(lanes->lane[first], lanes->lane[first] + LANE_KEY, 0, 0);
}

static void crypt_lanes(struct lanes *lanes, unsigned count, uint64_t i, size_t octets)
{
    unsigned first = 0;

    for (; first + 4 <= count; first += 4)
        crypt_some(lanes, first, 4, i, octets);
    for (; first + 2 <= count; first += 2)
        crypt_some(lanes, first, 2, i, octets);
    if (first < count)
        crypt_some(lanes, first, 1, i, octets);
}

#define PORTABLE(count)                                                              \
    static void schedule_portable_##count(struct lanes *lanes)                       \
    {                                                                                \
        schedule_lanes(lanes, count);                                                \
    }                                                                                \
    static void crypt_portable_##count(struct lanes *lanes, uint64_t i, size_t octets) \
    {                                                                                \
        crypt_lanes(lanes, count, i, octets);                                        \
    }

PORTABLE(1)
PORTABLE(2)
PORTABLE(3)
PORTABLE(4)
PORTABLE(5)
PORTABLE(6)
PORTABLE(7)
PORTABLE(8)

#define ALL(name, first) {NULL, first, name##_2, name##_3, name##_4, name##_5, name##_6, name##_7, name##_8}

const struct kernels *lanes_kernels_portable(void)
{
    static const struct kernels portable = {
        .schedule = ALL(schedule_portable, schedule_portable_1),
        .crypt = ALL(crypt_portable, crypt_portable_1),
    };

    return &portable;
}

/* --- on x86-64 */

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX __attribute__((target("avx")))

/* M(lane, step) for each lane. */
#define EACH_1(M, step) M(0, step)
#define EACH_2(M, step) EACH_1(M, step) M(1, step)
#define EACH_3(M, step) EACH_2(M, step) M(2, step)
#define EACH_4(M, step) EACH_3(M, step) M(3, step)
#define EACH_5(M, step) EACH_4(M, step) M(4, step)
#define EACH_6(M, step) EACH_5(M, step) M(5, step)
#define EACH_7(M, step) EACH_6(M, step) M(6, step)
#define EACH_8(M, step) EACH_7(M, step) M(7, step)

/* Sixteen steps, in each of them all lanes and perhaps the chain. */
#define COLUMN(each, M, fused, step) each(M, step) fused(step)
#define COLUMNS(each, M, last, fused)                                                                        \
    COLUMN(each, M, fused, 0) COLUMN(each, M, fused, 1) COLUMN(each, M, fused, 2) COLUMN(each, M, fused, 3)  \
    COLUMN(each, M, fused, 4) COLUMN(each, M, fused, 5) COLUMN(each, M, fused, 6) COLUMN(each, M, fused, 7)  \
    COLUMN(each, M, fused, 8) COLUMN(each, M, fused, 9) COLUMN(each, M, fused, 10) COLUMN(each, M, fused, 11) \
    COLUMN(each, M, fused, 12) COLUMN(each, M, fused, 13) COLUMN(each, M, fused, 14)                         \
    COLUMN(each, last, fused, 15)

/* One octet of key stream: i is index plus offset, the stream goes into its place in w[lane]. */
#define CRYPT_AT(lane, step, index, offset)                                                                     \
    {                                                                                                           \
        uint64_t a, b;                                                                                          \
        __asm__ volatile("movzbl %c[at](%[s],%[i]),%k[a]\n\t"                                                   \
                         "addb %b[a],%b[j]\n\t"                                                                 \
                         "movzbl %c[base](%[s],%[j]),%k[b]\n\t"                                                 \
                         "movb %b[b],%c[at](%[s],%[i])\n\t"                                                     \
                         "movb %b[a],%c[base](%[s],%[j])\n\t"                                                   \
                         "addb %b[b],%b[a]\n\t"                                                                 \
                         "vpinsrb %[place],%c[base](%[s],%[a]),%[w],%[w]"                                       \
                         : [a] "=&r"(a), [b] "=&r"(b), [j] "+&r"(j[lane]), [w] "+x"(w[lane])                    \
                         : [s] "r"(s), [i] "r"(index), [at] "i"((lane) * LANE + (offset)), [base] "i"((lane) * LANE), \
                           [place] "i"(step)                                                                    \
                         : "memory");                                                                           \
    }
#define CRYPT(lane, step) CRYPT_AT(lane, step, i, (step) + 1)
#define CRYPT_LAST(lane, step) CRYPT_AT(lane, step, next, 0)

/* One step of a key schedule. */
#define SCHEDULE_AT(lane, step, index, position)                                                                \
    {                                                                                                           \
        uint64_t a, b;                                                                                          \
        __asm__ volatile("movzbl %c[at](%[s],%[i]),%k[a]\n\t"                                                   \
                         "movzbl %c[key](%[s]),%k[b]\n\t"                                                       \
                         "addb %b[a],%b[b]\n\t"                                                                 \
                         "addb %b[b],%b[j]\n\t"                                                                 \
                         "movzbl %c[base](%[s],%[j]),%k[b]\n\t"                                                 \
                         "movb %b[b],%c[at](%[s],%[i])\n\t"                                                     \
                         "movb %b[a],%c[base](%[s],%[j])"                                                       \
                         : [a] "=&r"(a), [b] "=&r"(b), [j] "+&r"(position)                                      \
                         : [s] "r"(s), [i] "r"(index), [at] "i"((lane) * LANE + (step)), [base] "i"((lane) * LANE), \
                           [key] "i"((lane) * LANE + LANE_KEY + (step))                                         \
                         : "memory");                                                                           \
    }
#define SCHEDULE(lane, step) SCHEDULE_AT(lane, step, i, j[lane])
#define SCHEDULE_CHAIN(step) SCHEDULE_AT(CHAIN, step, chain_i, chain_j)

#define ALONE(step)
#define BEGIN_ALONE
#define TURN_ALONE
#define END_ALONE
#define BEGIN_BESIDE uint64_t chain_i = lanes->chain_i, chain_j = lanes->j[CHAIN];
#define END_BESIDE           \
    lanes->chain_i = chain_i; \
    lanes->j[CHAIN] = chain_j;
#define TURN_BESIDE                      \
    chain_i += STEPS;                   \
    if (unlikely(chain_i == 256)) {     \
        END_BESIDE                       \
        lanes_chain_scheduled(lanes);  \
        chain_i = lanes->chain_i;       \
        chain_j = lanes->j[CHAIN];      \
    }

#define LOAD(lane, step) j[lane] = lanes->j[lane];
#define CLEAR(lane, step) j[lane] = 0;
#define EMPTY(lane, step) w[lane] = _mm_setzero_si128();
#define STORE(lane, step)              \
    lanes->j[lane] = j[lane];          \
    lanes->in[lane] += octets;         \
    lanes->out[lane] += octets;
#define XOR(lane, step)                                                                                           \
    _mm_storeu_si128((__m128i *)(void *)(lanes->out[lane] + octet),                                               \
                     _mm_xor_si128(w[lane],                                                                       \
                                   _mm_loadu_si128((const __m128i *)(const void *)(lanes->in[lane] + octet))));

#define SCHEDULE_KERNEL(name, each, fused, mode)                                            \
    AVX static void schedule_##name(struct lanes *lanes)                                    \
    {                                                                                       \
        uint8_t *s = lanes->lane[0];                                                        \
        uint64_t j[LANES];                                                                  \
        BEGIN_##mode                                                                        \
        each(CLEAR, 0)                                                                      \
        for (uint64_t i = 0; i < 256; i += STEPS) {                                         \
            COLUMNS(each, SCHEDULE, SCHEDULE, fused)                                        \
            TURN_##mode                                                                     \
        }                                                                                   \
        END_##mode                                                                          \
    }
#define CRYPT_KERNEL(name, each, fused, mode)                                               \
    AVX static void crypt_##name(struct lanes *lanes, uint64_t i, size_t octets)            \
    {                                                                                       \
        uint8_t *s = lanes->lane[0];                                                        \
        uint64_t j[LANES];                                                                  \
        BEGIN_##mode                                                                        \
        each(LOAD, 0)                                                                       \
        for (size_t octet = 0; octet < octets; octet += STEPS) {                            \
            uint64_t next = (uint8_t)(i + STEPS);                                           \
            __m128i w[LANES];                                                               \
            each(EMPTY, 0)                                                                  \
            COLUMNS(each, CRYPT, CRYPT_LAST, fused)                                         \
            each(XOR, 0)                                                                    \
            i = next;                                                                       \
            TURN_##mode                                                                     \
        }                                                                                   \
        each(STORE, 0)                                                                      \
        END_##mode                                                                          \
    }

#define KERNELS(name, each, fused, mode)      \
    SCHEDULE_KERNEL(name, each, fused, mode)  \
    CRYPT_KERNEL(name, each, fused, mode)

KERNELS(avx_2, EACH_2, ALONE, ALONE)
KERNELS(avx_3, EACH_3, ALONE, ALONE)
KERNELS(avx_4, EACH_4, ALONE, ALONE)
KERNELS(avx_5, EACH_5, ALONE, ALONE)
KERNELS(avx_6, EACH_6, ALONE, ALONE)
KERNELS(avx_7, EACH_7, ALONE, ALONE)
KERNELS(avx_8, EACH_8, ALONE, ALONE)
KERNELS(fused_1, EACH_1, SCHEDULE_CHAIN, BESIDE)
KERNELS(fused_2, EACH_2, SCHEDULE_CHAIN, BESIDE)
KERNELS(fused_3, EACH_3, SCHEDULE_CHAIN, BESIDE)
KERNELS(fused_4, EACH_4, SCHEDULE_CHAIN, BESIDE)
KERNELS(fused_5, EACH_5, SCHEDULE_CHAIN, BESIDE)
KERNELS(fused_6, EACH_6, SCHEDULE_CHAIN, BESIDE)

#define FUSABLE(name) {NULL, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6}

/* One lane is faster with the chain's beside it, even when that one does nothing of worth (1,490 ns for 1,830): alone
 * it waits for its own stores. */
const struct kernels *lanes_kernels(void)
{
    static const struct kernels avx = {
        .schedule = ALL(schedule_avx, schedule_portable_1),
        .crypt = ALL(crypt_avx, crypt_fused_1),
        .schedule_fused = FUSABLE(schedule_fused),
        .crypt_fused = FUSABLE(crypt_fused),
        .fuses = true,
    };

    return likely(__builtin_cpu_supports("avx")) ? &avx : lanes_kernels_portable();
}
#else
const struct kernels *lanes_kernels(void)
{
    return lanes_kernels_portable();
}
#endif
