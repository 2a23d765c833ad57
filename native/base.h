/* What every part of the engine uses: octets in network order, time, counting. */
#ifndef OPENPPTP_BASE_H
#define OPENPPTP_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* CLOCK_MONOTONIC, as Python's time.monotonic() gives it; a double so that the reference's arithmetic is ours. */
typedef double seconds;

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Counters have one writer; readers may look at any time. */
#define COUNT(counter) COUNT_BY(counter, 1)
#define COUNT_BY(counter, amount) __atomic_store_n(&(counter), (counter) + (amount), __ATOMIC_RELAXED)

static inline uint16_t read16(const uint8_t *octets)
{
    return (uint16_t)(octets[0] << 8 | octets[1]);
}

static inline uint32_t read32(const uint8_t *octets)
{
    return (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
}

static inline void write16(uint8_t *octets, uint16_t number)
{
    octets[0] = (uint8_t)(number >> 8);
    octets[1] = (uint8_t)number;
}

static inline void write32(uint8_t *octets, uint32_t number)
{
    write16(octets, (uint16_t)(number >> 16));
    write16(octets + 2, (uint16_t)number);
}

/* How many steps later is after earlier, negative when before it, modulo 2**32 (as RFC 1982 counts). */
static inline int32_t serial_distance(uint32_t later, uint32_t earlier)
{
    return (int32_t)(later - earlier);
}

#endif
