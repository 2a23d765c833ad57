/* Large segments from the TUN device, cut into the packets that the tunnel carries.
 *
 * The header that the device writes is believed only where the packet itself says the same: a wrong length in it must
 * never become a read beyond the frame, nor a packet that nobody sent.
 */
#include "segment.h"

#include "ip.h"
#include "offload.h"

/* Where TCP or UDP begins; 0 when the IP header does not fit the packet, or what follows is a piece of something. */
static size_t find_transport(const uint8_t *packet, size_t length, uint8_t *protocol)
{
    if (length > 0 && packet[0] >> 4 == 4) {
        if (ipv4_length(packet, length) != length || read16(packet + 6) & IP_FRAGMENTED)
            return 0;
        *protocol = packet[9];
        return (packet[0] & 0x0Fu) * 4u;
    }
    return ipv6_length(packet, length) == length && length > 0 ? ipv6_transport(packet, length, protocol) : 0;
}

/* Complete the checksum that the system left to us. */
static bool complete_checksum(struct segmenter *segmenter, const struct offload *offload)
{
    size_t start = offload->checksum_start;
    size_t place = start + offload->checksum_offset;
    if (segmenter->length == 0 || start < (segmenter->packet[0] >> 4 == 6 ? 40 : 20) || place + 2 > segmenter->length)
        return false;
    uint64_t sum = checksum_add(0, segmenter->packet + start, segmenter->length - start);
    uint16_t checksum = (uint16_t)~checksum_fold(sum);
    write16(segmenter->packet + place, checksum ? checksum : 0xFFFF); /* in UDP 0 would say: none */
    return true;
}

/* Find the headers of a large segment; false when one does not fit what is said of it. */
static bool find_headers(struct segmenter *segmenter, const struct offload *offload)
{
    const uint8_t *packet = segmenter->packet;
    size_t length = segmenter->length;
    uint8_t protocol = 0;
    size_t transport = find_transport(packet, length, &protocol);
    bool is_udp = segmenter->kind == KIND_UDP;
    if (!transport || transport + (is_udp ? UDP_HEADER : TCP_HEADER) > length)
        return false;
    if (protocol != (is_udp ? IP_UDP : IP_TCP))
        return false;
    if (!is_udp && packet[0] >> 4 != (segmenter->kind == KIND_TCP_V4 ? 4 : 6))
        return false;
    size_t header = is_udp ? UDP_HEADER : (packet[transport + TCP_OFFSET] >> 4) * 4u;
    if (!is_udp && (header < TCP_HEADER || transport + header > length))
        return false;
    if (is_udp && read16(packet + transport + UDP_LENGTH) != length - transport)
        return false;
    if (offload->flags & NEEDS_CHECKSUM && (offload->checksum_start != transport ||
                                            offload->checksum_offset != (is_udp ? UDP_CHECKSUM : TCP_CHECKSUM)))
        return false;
    segmenter->transport = transport;
    segmenter->headers = transport + header;
    segmenter->position = segmenter->headers;
    segmenter->pseudo = checksum_pseudo(packet, protocol, 0);
    return true;
}

bool segment_begin(struct segmenter *segmenter, uint8_t *frame, size_t length)
{
    struct offload offload;
    if (length < TUN_HEADER || length > TUN_MOST)
        return false;
    memcpy(&offload, frame, sizeof offload);
    *segmenter = (struct segmenter){.packet = frame + TUN_HEADER, .length = length - TUN_HEADER};
    if (offload.kind == KIND_NONE)
        return !(offload.flags & NEEDS_CHECKSUM) || complete_checksum(segmenter, &offload);
    segmenter->kind = (uint8_t)(offload.kind & ~KIND_ECN);
    segmenter->size = offload.size;
    switch (offload.kind) {
    case KIND_TCP_V4:
    case KIND_TCP_V6:
    case KIND_TCP_V4 | KIND_ECN:
    case KIND_TCP_V6 | KIND_ECN:
    case KIND_UDP:
        return offload.size > 0 && offload.headers <= segmenter->length && find_headers(segmenter, &offload);
    default:
        return false;
    }
}

bool segment_is_large(const struct segmenter *segmenter)
{
    return segmenter->size && segmenter->length - segmenter->headers > segmenter->size;
}

size_t segment_next_length(const struct segmenter *segmenter)
{
    size_t rest = segmenter->length - segmenter->position;
    if (segmenter->number && !rest)
        return 0;
    return segmenter->headers + (segmenter->size && rest > segmenter->size ? segmenter->size : rest);
}

/* Length, number and checksum of one packet's IP header. */
static void write_ip(const struct segmenter *segmenter, uint8_t *to, size_t length)
{
    if (to[0] >> 4 == 6) {
        write16(to + 4, (uint16_t)(length - 40));
        return;
    }
    write16(to + 2, (uint16_t)length);
    write16(to + 4, (uint16_t)(read16(to + 4) + segmenter->number));
    write16(to + 10, 0);
    write16(to + 10, (uint16_t)~checksum_fold(checksum_add(0, to, segmenter->transport)));
}

static void write_transport(const struct segmenter *segmenter, uint8_t *to, size_t length, bool is_last)
{
    uint8_t *header = to + segmenter->transport;
    size_t covered = length - segmenter->transport;
    uint8_t *checksum = header + TCP_CHECKSUM;
    if (segmenter->kind == KIND_UDP) {
        checksum = header + UDP_CHECKSUM;
        write16(header + UDP_LENGTH, (uint16_t)covered);
    } else {
        size_t before = segmenter->position - segmenter->headers;
        write32(header + TCP_SEQUENCE, read32(header + TCP_SEQUENCE) + (uint32_t)before);
        if (!is_last)
            header[TCP_FLAGS] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
        if (segmenter->number)
            header[TCP_FLAGS] &= (uint8_t)~FLAG_CWR;
    }
    write16(checksum, 0);
    uint16_t sum = (uint16_t)~checksum_fold(checksum_add(segmenter->pseudo + covered, header, covered));
    write16(checksum, segmenter->kind == KIND_UDP && !sum ? 0xFFFF : sum);
}

size_t segment_next(struct segmenter *segmenter, uint8_t *to, size_t room)
{
    size_t length = segment_next_length(segmenter);
    if (!length || length > room)
        return 0;
    size_t payload = length - segmenter->headers;
    memcpy(to, segmenter->packet, segmenter->headers);
    memcpy(to + segmenter->headers, segmenter->packet + segmenter->position, payload);
    if (segmenter->kind != KIND_NONE) {
        write_ip(segmenter, to, length);
        write_transport(segmenter, to, length, segmenter->position + payload == segmenter->length);
    }
    segmenter->position += payload;
    segmenter->number++;
    return length;
}
