/* What becomes of an inside packet that is longer than the tunnel carries: fragments, or an ICMP answer.
 *
 * RFC 791 section 3.2, RFC 1191 section 4, RFC 4443 section 3.2.
 */
#include "icmp.h"

#include "ip.h"

enum { OPTION_END = 0, OPTION_NONE = 1, OPTION_COPIED = 0x80 };

#define MOST_ICMP 576    /* RFC 1812 section 4.3.2.3: as much of the packet as this leaves room for */
#define MOST_ICMPV6 1280 /* RFC 4443 section 2.4 (c) */

static void write_checksum(uint8_t *place, uint64_t sum)
{
    write16(place, (uint16_t)~checksum_fold(sum));
}

bool fragment_begin(struct fragmenter *fragmenter, const uint8_t *packet, size_t length, uint32_t mtu)
{
    size_t total = ipv4_length(packet, length);
    if (!total || read16(packet + 6) & IP_DONT_FRAGMENT)
        return false;
    size_t header = (packet[0] & 0x0Fu) * 4u;
    if (total == header || mtu < header + 8) /* the later headers are never longer than the first */
        return false;
    *fragmenter = (struct fragmenter){packet, total, header, header, mtu};
    return true;
}

/* Write those options that every fragment carries, padded to whole words (RFC 791 section 3.1); return their length. */
static size_t copy_options(uint8_t *to, const uint8_t *options, size_t length)
{
    size_t kept = 0;
    size_t position = 0;
    while (position < length && options[position] != OPTION_END) {
        size_t size = 1;
        if (options[position] != OPTION_NONE)
            size = position + 1 < length ? options[position + 1] : 0;
        if (size < 1)
            break;
        if (options[position] & OPTION_COPIED) {
            size_t present = size < length - position ? size : length - position;
            memcpy(to + kept, options + position, present);
            kept += present;
        }
        position += size;
    }
    while (kept % 4)
        to[kept++] = 0;
    return kept;
}

size_t fragment_next(struct fragmenter *fragmenter, uint8_t *to, size_t room)
{
    const uint8_t *packet = fragmenter->packet;
    if (fragmenter->position >= fragmenter->total)
        return 0;
    uint8_t head[60];
    size_t length = fragmenter->header;
    memcpy(head, packet, length);
    if (fragmenter->position > fragmenter->header)
        length = 20 + copy_options(head + 20, packet + 20, fragmenter->header - 20);

    size_t data = (fragmenter->mtu - length) / 8 * 8;
    size_t rest = fragmenter->total - fragmenter->position;
    if (data > rest)
        data = rest;
    if (length + data > room)
        return 0;

    uint16_t flags = read16(packet + 6);
    bool more = data < rest || flags & IP_MORE_FRAGMENTS;
    size_t offset = ((flags & IP_OFFSET) * 8u + fragmenter->position - fragmenter->header) / 8;
    head[0] = (uint8_t)(0x40 | length / 4);
    write16(head + 2, (uint16_t)(length + data));
    write16(head + 6, (uint16_t)((more ? IP_MORE_FRAGMENTS : 0u) | offset));
    write16(head + 10, 0);
    write_checksum(head + 10, checksum_add(0, head, length));
    memcpy(to, head, length);
    memcpy(to + length, packet + fragmenter->position, data);
    fragmenter->position += data;
    return length + data;
}

/* No error answers an error, a later fragment, or what came from or went to nobody in particular (RFC 1122 3.2.2). */
static bool may_answer_v4(const uint8_t *packet, size_t length, size_t header)
{
    bool is_error = false;
    if (packet[9] == IP_ICMP) {
        uint8_t type = header < length ? packet[header] : 3;
        is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    }
    uint8_t source = packet[12];
    uint8_t destination = packet[16];
    return !is_error && !(read16(packet + 6) & IP_OFFSET) && destination < 224 && source != 0 && source != 127 &&
           source < 224;
}

static size_t too_big_v4(uint8_t *to, const uint8_t *packet, size_t length, uint32_t mtu)
{
    if (length < 20 || !may_answer_v4(packet, length, (packet[0] & 0x0Fu) * 4u))
        return 0;
    size_t told = length < MOST_ICMP - 28 ? length : MOST_ICMP - 28;
    memset(to, 0, 28);
    to[0] = 0x45;
    write16(to + 2, (uint16_t)(28 + told));
    to[8] = 64;
    to[9] = IP_ICMP;
    memcpy(to + 12, packet + 16, 4);
    memcpy(to + 16, packet + 12, 4);
    write_checksum(to + 10, checksum_add(0, to, 20));
    to[20] = 3; /* destination unreachable: fragmentation needed */
    to[21] = 4;
    write16(to + 26, (uint16_t)mtu);
    memcpy(to + 28, packet, told);
    write_checksum(to + 22, checksum_add(0, to + 20, 8 + told));
    return 28 + told;
}

static size_t too_big_v6(uint8_t *to, const uint8_t *packet, size_t length, uint32_t mtu)
{
    static const uint8_t nobody[16];
    if (length < 40)
        return 0;
    bool is_error = packet[6] == IP_ICMPV6 && (length == 40 || packet[40] < 128);
    if (is_error || packet[24] == 0xFF || packet[8] == 0xFF || memcmp(packet + 8, nobody, 16) == 0)
        return 0;
    size_t told = length < MOST_ICMPV6 - 48 ? length : MOST_ICMPV6 - 48;
    memset(to, 0, 48);
    to[0] = 0x60;
    write16(to + 4, (uint16_t)(8 + told));
    to[6] = IP_ICMPV6;
    to[7] = 64;
    memcpy(to + 8, packet + 24, 16);
    memcpy(to + 24, packet + 8, 16);
    to[40] = 2; /* packet too big */
    write32(to + 44, mtu);
    memcpy(to + 48, packet, told);
    uint64_t pseudo = checksum_pseudo(to, IP_ICMPV6, (uint32_t)(8 + told));
    write_checksum(to + 42, checksum_add(pseudo, to + 40, 8 + told));
    return 48 + told;
}

/* It comes from the packet's own destination: any other address of ours would fail the receiver's source check. */
size_t too_big(uint8_t to[ICMP_MOST], const uint8_t *packet, size_t length, uint32_t mtu)
{
    if (length == 0)
        return 0;
    return packet[0] >> 4 == 6 ? too_big_v6(to, packet, length, mtu) : too_big_v4(to, packet, length, mtu);
}
