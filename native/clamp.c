/* The segment size that a TCP connection through a tunnel may use (RFC 9293 section 3.7.1). */
#include "clamp.h"

#include "ip.h"
#include "offload.h"

enum { FLAG_SYN = 0x02, FLAG_RST = 0x04 };
enum { OPTION_END = 0, OPTION_NOTHING = 1, OPTION_SEGMENT_SIZE = 2 };

size_t clamp_find(const uint8_t *packet, size_t length)
{
    size_t start;
    uint8_t protocol;
    if (packet[0] >> 4 == 4) {
        protocol = read16(packet + 6) & IP_OFFSET ? 0 : packet[9];
        start = (packet[0] & 0x0Fu) * 4u;
    } else {
        start = ipv6_transport(packet, length, &protocol);
    }
    if (protocol != IP_TCP || length < start + TCP_HEADER)
        return 0;
    return unlikely((packet[start + TCP_FLAGS] & (FLAG_SYN | FLAG_RST)) == FLAG_SYN) ? start : 0;
}

/* Where the option's value stands; 0 when there is none. */
static size_t find_segment_size(const uint8_t *packet, size_t length, size_t start)
{
    size_t end = start + (packet[start + TCP_OFFSET] >> 4) * 4u;
    if (end > length)
        end = length;
    size_t position = start + TCP_HEADER;
    while (position + 1 < end && packet[position] != OPTION_END) {
        if (packet[position] == OPTION_NOTHING) {
            position++;
            continue;
        }
        size_t size = packet[position + 1];
        if (size < 2 || position + size > end)
            break;
        if (packet[position] == OPTION_SEGMENT_SIZE && size == 4)
            return position + 2;
        position += size;
    }
    return 0;
}

void clamp_segment_size(uint8_t *packet, size_t length, size_t start, uint32_t mtu)
{
    uint32_t headers = packet[0] >> 4 == 4 ? 40 : 60;
    size_t place = find_segment_size(packet, length, start);
    if (!place || mtu <= headers || read16(packet + place) <= mtu - headers)
        return;
    uint16_t before = read16(packet + place);
    uint16_t after = (uint16_t)(mtu - headers);
    write16(packet + place, after);
    if ((place - start) % 2) { /* its octets belong to two words of the sum */
        before = __builtin_bswap16(before);
        after = __builtin_bswap16(after);
    }
    uint8_t *checksum = packet + start + TCP_CHECKSUM;
    uint64_t sum = (uint64_t)(uint16_t)~read16(checksum) + (uint16_t)~before + after; /* RFC 1624 */
    write16(checksum, (uint16_t)~checksum_fold(sum));
}
