/* Inner IP headers and the Internet checksum. */
#include "ip.h"

#include "ppp.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

size_t ipv4_length(const uint8_t *packet, size_t length)
{
    if (length < 20 || packet[0] >> 4 != 4)
        return 0;
    size_t header = (packet[0] & 0x0Fu) * 4u;
    size_t total = read16(packet + 2);
    return 20 <= header && header <= total && total <= length ? total : 0;
}

size_t ipv6_length(const uint8_t *packet, size_t length)
{
    if (length < 40 || packet[0] >> 4 != 6)
        return 0;
    size_t total = 40u + read16(packet + 4);
    return total <= length ? total : 0;
}

size_t ipv6_transport(const uint8_t *packet, size_t length, uint8_t *protocol)
{
    uint8_t header = packet[6];
    size_t position = 40;
    while ((header == IPV6_HOP_BY_HOP || header == IPV6_ROUTING || header == IPV6_DESTINATION) &&
           position + 2 <= length) {
        header = packet[position];
        position += 8u * (packet[position + 1] + 1u);
    }
    *protocol = header;
    return position;
}

bool plausible(const uint8_t *datagram, size_t length)
{
    if (length < 2)
        return false;
    size_t start = datagram[0] & 1 ? 1 : 2; /* an odd first octet is a compressed protocol field */
    uint16_t protocol = start == 1 ? datagram[0] : read16(datagram);
    if (protocol == PPP_IPV4)
        return ipv4_length(datagram + start, length - start) != 0;
    return protocol == PPP_IPV6 && ipv6_length(datagram + start, length - start) != 0;
}

/* The sum of 16-bit words may be taken in any octet order, and of wider words too, as long as the result is turned
 * afterwards (RFC 1071 section 2): so the words are read as this machine likes them, and halves of 64 bits are summed
 * apart, where 65,535 octets cannot overflow. */

static inline uint64_t load64(const uint8_t *octets)
{
    uint64_t word;
    memcpy(&word, octets, sizeof word);
    return word;
}

static uint64_t sum_words(const uint8_t *octets, size_t length)
{
    uint64_t low = 0;
    uint64_t high = 0;
    for (; length >= 16; octets += 16, length -= 16) {
        uint64_t one = load64(octets);
        uint64_t other = load64(octets + 8);
        low += (one & 0xFFFFFFFFu) + (other & 0xFFFFFFFFu);
        high += (one >> 32) + (other >> 32);
    }
    if (length & 8) {
        uint64_t word = load64(octets);
        low += word & 0xFFFFFFFFu;
        high += word >> 32;
        octets += 8;
    }
    if (length & 4) {
        uint32_t word;
        memcpy(&word, octets, sizeof word);
        low += word;
        octets += 4;
    }
    if (length & 2) {
        uint16_t word;
        memcpy(&word, octets, sizeof word);
        low += word;
        octets += 2;
    }
    if (length & 1) {
        uint16_t word = 0;
        memcpy(&word, octets, 1);
        low += word;
    }
    return low + high;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t sum_words_avx2(const uint8_t *octets, size_t length)
{
    const __m256i mask = _mm256_set1_epi64x(0xFFFFFFFF);
    __m256i low = _mm256_setzero_si256();
    __m256i high = _mm256_setzero_si256();
    for (; length >= 64; octets += 64, length -= 64) {
        __m256i one = _mm256_loadu_si256((const __m256i_u *)octets);
        __m256i other = _mm256_loadu_si256((const __m256i_u *)(octets + 32));
        low = _mm256_add_epi64(low, _mm256_and_si256(one, mask));
        high = _mm256_add_epi64(high, _mm256_srli_epi64(one, 32));
        low = _mm256_add_epi64(low, _mm256_and_si256(other, mask));
        high = _mm256_add_epi64(high, _mm256_srli_epi64(other, 32));
    }
    __m256i both = _mm256_add_epi64(low, high);
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    uint64_t sum = (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1);
    return sum + sum_words(octets, length);
}
#endif

uint64_t checksum_add(uint64_t sum, const uint8_t *octets, size_t length)
{
    uint64_t words;
#if defined(__x86_64__)
    if (length >= 128 && __builtin_cpu_supports("avx2"))
        words = sum_words_avx2(octets, length);
    else
        words = sum_words(octets, length);
#else
    words = sum_words(octets, length);
#endif
    uint16_t folded = checksum_fold(words);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    folded = __builtin_bswap16(folded);
#endif
    return sum + folded;
}

uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & 0xFFFFFFFFu) + (sum >> 32);
    sum = (sum & 0xFFFFFFFFu) + (sum >> 32);
    sum = (sum & 0xFFFFu) + (sum >> 16);
    sum = (sum & 0xFFFFu) + (sum >> 16);
    return (uint16_t)((sum & 0xFFFFu) + (sum >> 16));
}

uint64_t checksum_pseudo(const uint8_t *packet, uint8_t protocol, uint32_t transport_length)
{
    bool is_ipv4 = packet[0] >> 4 == 4;
    uint64_t sum = (uint64_t)protocol + (transport_length >> 16) + (transport_length & 0xFFFFu);
    return checksum_add(sum, is_ipv4 ? packet + 12 : packet + 8, is_ipv4 ? 8 : 32);
}
