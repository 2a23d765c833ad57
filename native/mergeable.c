/* Which TCP segments and UDP datagrams may be merged.
 *
 * What goes in large comes out of the kernel as if every packet had come alone: so only what a sender may have cut from
 * one piece is merged, and only when its checksum is right, because the device says of a large segment that it is.
 */
#include "mergeable.h"

#include "ip.h"
#include "offload.h"

static bool is_ipv4(const struct segment *segment)
{
    return segment->packet[0] >> 4 == 4;
}

/* Find TCP or UDP behind the IP header. */
static enum reading read_ip(struct segment *segment, bool datagrams)
{
    const uint8_t *packet = segment->packet;
    if (ipv4_length(packet, segment->length)) {
        segment->protocol = packet[9];
        if (packet[9] != IP_TCP && !(packet[9] == IP_UDP && datagrams))
            return OTHER;
        segment->transport = 20;
        bool is_whole = !(read16(packet + 6) & (IP_FRAGMENTED | IP_RESERVED));
        return packet[0] == 0x45 && is_whole && read16(packet + 2) == segment->length ? PLAIN : UNCLEAR;
    }
    if (!ipv6_length(packet, segment->length) || packet[6] == IP_ICMPV6 || (packet[6] == IP_UDP && !datagrams))
        return OTHER;
    if (packet[6] != IP_TCP && packet[6] != IP_UDP)
        return UNCLEAR;
    segment->protocol = packet[6];
    segment->transport = 40;
    return 40u + read16(packet + 4) == segment->length ? PLAIN : UNCLEAR;
}

enum reading mergeable_read(struct segment *segment, const uint8_t *packet, size_t length, bool datagrams)
{
    *segment = (struct segment){.packet = packet, .length = length};
    enum reading reading = read_ip(segment, datagrams);
    if (reading != PLAIN)
        return reading;
    bool is_udp = segment->protocol == IP_UDP;
    if (segment->transport + (is_udp ? UDP_HEADER : TCP_HEADER) > length)
        return UNCLEAR;
    segment->header = packet + segment->transport;
    segment->headers = segment->transport + (is_udp ? UDP_HEADER : (segment->header[TCP_OFFSET] >> 4) * 4u);
    segment->payload = segment->headers <= length ? length - segment->headers : 0;
    if (!is_udp) {
        segment->sequence = read32(segment->header + TCP_SEQUENCE);
        segment->push = segment->header[TCP_FLAGS] & FLAG_PSH;
    }
    return PLAIN;
}

/* Several receivers get copies of what goes to all of them: the kernel cuts datagrams for one. */
static bool goes_to_many(const struct segment *segment)
{
    return is_ipv4(segment) ? segment->packet[16] >= 224 : segment->packet[24] == 0xFF;
}

bool mergeable_kind(const struct segment *segment)
{
    const uint8_t *header = segment->header;
    if (segment->payload == 0 || segment->length > LONGEST_PACKET)
        return false;
    if (segment->protocol == IP_UDP)
        return read16(header + UDP_CHECKSUM) && read16(header + UDP_LENGTH) == segment->length - segment->transport &&
               !goes_to_many(segment);
    return segment->headers >= segment->transport + TCP_HEADER && !(header[TCP_OFFSET] & 0x0F) &&
           (header[TCP_FLAGS] & ~FLAG_PSH) == FLAG_ACK;
}

/* IPv4's own checksum too: a header that the system would refuse must not get a right one from us. */
bool mergeable_intact(const struct segment *segment)
{
    if (is_ipv4(segment) && checksum_fold(checksum_add(0, segment->packet, segment->transport)) != 0xFFFF)
        return false;
    size_t covered = segment->length - segment->transport;
    uint64_t pseudo = checksum_pseudo(segment->packet, segment->protocol, (uint32_t)covered);
    return checksum_fold(checksum_add(pseudo, segment->header, covered)) == 0xFFFF;
}

bool mergeable_same_addresses(const uint8_t *packet, const uint8_t *other)
{
    if (packet[0] >> 4 != other[0] >> 4)
        return false;
    return packet[0] >> 4 == 4 ? !memcmp(packet + 12, other + 12, 8) : !memcmp(packet + 8, other + 8, 32);
}

bool mergeable_same_flow(const struct segment *first, const struct segment *other)
{
    return first->protocol == other->protocol && !memcmp(first->header, other->header, 4) &&
           mergeable_same_addresses(first->packet, other->packet);
}

/* Everything but lengths, checksums and the IPv4 number. */
static bool same_ip(const uint8_t *one, const uint8_t *other)
{
    if (one[0] >> 4 == 4)
        return one[1] == other[1] && !memcmp(one + 6, other + 6, 4);
    return !memcmp(one, other, 4) && one[7] == other[7];
}

static bool same_tcp(const struct segment *first, const struct segment *segment)
{
    const uint8_t *one = first->header;
    const uint8_t *other = segment->header;
    return segment->headers == first->headers &&
           !memcmp(one + TCP_ACKNOWLEDGEMENT, other + TCP_ACKNOWLEDGEMENT, 4) &&
           !memcmp(one + TCP_WINDOW, other + TCP_WINDOW, 2) && !memcmp(one + TCP_URGENT, other + TCP_URGENT, 2) &&
           !memcmp(one + TCP_HEADER, other + TCP_HEADER, first->headers - first->transport - TCP_HEADER);
}

bool mergeable_follows(const struct segment *first, uint32_t count, const struct segment *segment)
{
    if (!same_ip(first->packet, segment->packet))
        return false;
    /* The kernel counts the number up; it means nothing where nothing may be cut further (RFC 6864 section 4.1). */
    bool has_number = is_ipv4(first) && !(read16(first->packet + 6) & IP_DONT_FRAGMENT);
    if (has_number && read16(segment->packet + 4) != (uint16_t)(read16(first->packet + 4) + count))
        return false;
    return first->protocol == IP_UDP || same_tcp(first, segment);
}
