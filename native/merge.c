/* TCP segments on their way to the TUN device, merged into large ones as the kernel's GRO does.
 *
 * What goes in large comes out of the kernel as if every packet had come alone: so only what a sender cut from one
 * piece is merged, and only when its checksum is right, because the device says of a large segment that it is.
 */
#include "merge.h"

#include <stdlib.h>

#include "ip.h"
#include "offload.h"
#include "segment.h"

enum { LONGEST_PACKET = 65535, LONGEST_HEADERS = 40 + 60 };

/* A TCP segment with data that may be merged, and where its parts are. */
struct segment {
    const uint8_t *packet;
    size_t length;
    size_t transport;
    size_t headers;
    const uint8_t *tcp;
    size_t payload;
};

struct merge_flow {
    struct segment first;
    uint32_t next_sequence;
    uint32_t count;   /* packets */
    size_t total;     /* octets of the merged packet */
    bool is_verified; /* the first packet's checksum, looked at when there is a second */
    bool has_push;
    uint8_t head[TUN_HEADER + LONGEST_HEADERS];
    struct iovec pieces[1 + MERGE_PIECES]; /* headers, then payloads */
};

bool merge_begin(struct merger *merger, merge_write write, void *context)
{
    *merger = (struct merger){.write = write, .context = context};
    merger->flows = calloc(MERGE_FLOWS, sizeof *merger->flows);
    for (size_t i = 0; merger->flows && i < MERGE_FLOWS; i++)
        merger->order[i] = &merger->flows[i];
    return merger->flows != NULL;
}

void merge_end(struct merger *merger)
{
    free(merger->flows);
    merger->flows = NULL;
    merger->open = 0;
}

static void write_out(struct merger *merger, const struct iovec *pieces, int count, uint32_t packets)
{
    if (!merger->write(merger->context, pieces, count, packets))
        COUNT_BY(merger->refused, packets);
    else if (packets > 1)
        COUNT_BY(merger->merged, packets);
}

static struct iovec piece(const uint8_t *octets, size_t length)
{
    return (struct iovec){(void *)(uintptr_t)octets, length};
}

/* Write one packet as it came; the empty header leaves its checksum to the receiver. */
static void write_single(struct merger *merger, const uint8_t *packet, size_t length)
{
    static const uint8_t empty[TUN_HEADER];
    struct iovec pieces[2] = {piece(empty, sizeof empty), piece(packet, length)};
    write_out(merger, pieces, 2, 1);
}

static void write_merged(struct merger *merger, struct merge_flow *flow)
{
    const struct segment *first = &flow->first;
    bool is_ipv4 = first->packet[0] >> 4 == 4;
    struct offload offload = {
        .flags = NEEDS_CHECKSUM,
        .kind = is_ipv4 ? KIND_TCP_V4 : KIND_TCP_V6,
        .headers = (uint16_t)first->headers,
        .size = (uint16_t)first->payload,
        .checksum_start = (uint16_t)first->transport,
        .checksum_offset = TCP_CHECKSUM,
    };
    memcpy(flow->head, &offload, sizeof offload);
    uint8_t *head = flow->head + TUN_HEADER;
    memcpy(head, first->packet, first->headers);
    if (is_ipv4) {
        write16(head + 2, (uint16_t)flow->total);
        write16(head + 10, 0);
        write16(head + 10, (uint16_t)~checksum_fold(checksum_add(0, head, first->transport)));
    } else {
        write16(head + 4, (uint16_t)(flow->total - first->transport));
    }
    uint8_t *tcp = head + first->transport;
    if (flow->has_push)
        tcp[TCP_FLAGS] |= FLAG_PSH;
    uint64_t pseudo = checksum_pseudo(head, IP_TCP, (uint32_t)(flow->total - first->transport));
    write16(tcp + TCP_CHECKSUM, checksum_fold(pseudo));
    flow->pieces[0] = piece(flow->head, TUN_HEADER + first->headers);
    write_out(merger, flow->pieces, (int)flow->count + 1, flow->count);
}

/* Write the open flow that is at this place of the order, and close it. */
static void close_flow(struct merger *merger, uint32_t place)
{
    struct merge_flow *flow = merger->order[place];
    if (flow->count > 1)
        write_merged(merger, flow);
    else
        write_single(merger, flow->first.packet, flow->first.length);
    merger->open--;
    memmove(&merger->order[place], &merger->order[place + 1], (merger->open - place) * sizeof merger->order[0]);
    merger->order[merger->open] = flow;
}

/* What may be in the same flow: ports count only where they can be read. */
static bool same_addresses(const uint8_t *one, const uint8_t *other)
{
    if (one[0] >> 4 != other[0] >> 4)
        return false;
    return one[0] >> 4 == 4 ? !memcmp(one + 12, other + 12, 8) : !memcmp(one + 8, other + 8, 32);
}

/* Write all open flows between these addresses. */
static void close_between(struct merger *merger, const uint8_t *packet)
{
    for (uint32_t place = 0; place < merger->open;) {
        if (same_addresses(merger->order[place]->first.packet, packet))
            close_flow(merger, place);
        else
            place++;
    }
}

/* The place of the open flow of this segment; merger->open when there is none. */
static uint32_t find_flow(const struct merger *merger, const struct segment *segment)
{
    uint32_t place = 0;
    for (; place < merger->open; place++) {
        const struct segment *first = &merger->order[place]->first;
        if (!memcmp(first->tcp, segment->tcp, 4) && same_addresses(first->packet, segment->packet))
            break;
    }
    return place;
}

enum reading { OTHER, UNCLEAR, TCP };

/* Find TCP behind plain headers. UNCLEAR: it may be TCP behind headers or in a fragment that are not merged. */
static enum reading read_segment(struct segment *segment, const uint8_t *packet, size_t length)
{
    *segment = (struct segment){.packet = packet, .length = length};
    if (ipv4_length(packet, length)) {
        if (packet[9] != IP_TCP)
            return OTHER;
        segment->transport = 20;
        if (packet[0] != 0x45 || read16(packet + 6) & (IP_FRAGMENTED | IP_RESERVED) || read16(packet + 2) != length)
            return UNCLEAR;
    } else if (ipv6_length(packet, length)) {
        if (packet[6] == IP_UDP || packet[6] == IP_ICMPV6)
            return OTHER;
        segment->transport = 40;
        if (packet[6] != IP_TCP || 40u + read16(packet + 4) != length)
            return UNCLEAR;
    } else {
        return OTHER;
    }
    if (segment->transport + TCP_HEADER > length)
        return UNCLEAR;
    segment->tcp = packet + segment->transport;
    segment->headers = segment->transport + (segment->tcp[TCP_OFFSET] >> 4) * 4u;
    segment->payload = segment->headers <= length ? length - segment->headers : 0;
    return TCP;
}

/* Whether it may be part of a larger segment at all, its checksum apart. */
static bool can_merge(const struct segment *segment)
{
    const uint8_t *tcp = segment->tcp;
    return segment->payload > 0 && segment->headers >= segment->transport + TCP_HEADER && !(tcp[TCP_OFFSET] & 0x0F) &&
           (tcp[TCP_FLAGS] & ~FLAG_PSH) == FLAG_ACK && segment->length <= LONGEST_PACKET;
}

/* IPv4's own checksum too: a header that the system would refuse must not get a right one from us. */
static bool is_intact(const struct segment *segment)
{
    if (segment->packet[0] >> 4 == 4 && checksum_fold(checksum_add(0, segment->packet, segment->transport)) != 0xFFFF)
        return false;
    size_t covered = segment->length - segment->transport;
    uint64_t pseudo = checksum_pseudo(segment->packet, IP_TCP, (uint32_t)covered);
    return checksum_fold(checksum_add(pseudo, segment->tcp, covered)) == 0xFFFF;
}

/* Everything but lengths, checksums and the IPv4 number. */
static bool same_ip(const uint8_t *one, const uint8_t *other)
{
    if (one[0] >> 4 == 4)
        return one[1] == other[1] && !memcmp(one + 6, other + 6, 4);
    return !memcmp(one, other, 4) && one[7] == other[7];
}

/* Whether the segment is what follows in the flow, with nothing new but data. */
static bool follows(const struct merge_flow *flow, const struct segment *segment)
{
    const struct segment *first = &flow->first;
    const uint8_t *one = first->tcp;
    const uint8_t *other = segment->tcp;
    if (read32(other + TCP_SEQUENCE) != flow->next_sequence || segment->headers != first->headers ||
        segment->payload > first->payload || flow->total + segment->payload > LONGEST_PACKET ||
        !same_ip(first->packet, segment->packet))
        return false;
    bool has_number = first->packet[0] >> 4 == 4 && !(read16(first->packet + 6) & IP_DONT_FRAGMENT);
    if (has_number && read16(segment->packet + 4) != (uint16_t)(read16(first->packet + 4) + flow->count))
        return false;
    return !memcmp(one + TCP_ACKNOWLEDGEMENT, other + TCP_ACKNOWLEDGEMENT, 4) &&
           !memcmp(one + TCP_WINDOW, other + TCP_WINDOW, 2) && !memcmp(one + TCP_URGENT, other + TCP_URGENT, 2) &&
           !memcmp(one + TCP_HEADER, other + TCP_HEADER, first->headers - first->transport - TCP_HEADER);
}

static void open_flow(struct merger *merger, const struct segment *segment)
{
    if (merger->open == MERGE_FLOWS)
        close_flow(merger, 0);
    struct merge_flow *flow = merger->order[merger->open++];
    flow->first = *segment;
    flow->next_sequence = read32(segment->tcp + TCP_SEQUENCE) + (uint32_t)segment->payload;
    flow->count = 1;
    flow->total = segment->length;
    flow->is_verified = false;
    flow->has_push = false;
    flow->pieces[1] = piece(segment->packet + segment->headers, segment->payload);
}

/* Add the segment to the flow at this place; true when it went in. */
static bool join(struct merger *merger, uint32_t place, const struct segment *segment)
{
    struct merge_flow *flow = merger->order[place];
    if (!follows(flow, segment))
        return false;
    flow->is_verified = flow->is_verified || is_intact(&flow->first);
    if (!flow->is_verified || !is_intact(segment))
        return false;
    flow->count++;
    flow->pieces[flow->count] = piece(segment->packet + segment->headers, segment->payload);
    flow->total += segment->payload;
    flow->next_sequence += (uint32_t)segment->payload;
    flow->has_push = segment->tcp[TCP_FLAGS] & FLAG_PSH;
    if (flow->has_push || segment->payload < flow->first.payload || flow->count == MERGE_PIECES)
        close_flow(merger, place);
    return true;
}

void merge_take(struct merger *merger, const uint8_t *packet, size_t length)
{
    struct segment segment;
    enum reading reading = read_segment(&segment, packet, length);
    if (reading == TCP) {
        uint32_t place = find_flow(merger, &segment);
        bool mergeable = can_merge(&segment);
        if (place < merger->open) {
            if (mergeable && join(merger, place, &segment))
                return;
            close_flow(merger, place);
        }
        if (mergeable && !(segment.tcp[TCP_FLAGS] & FLAG_PSH)) {
            open_flow(merger, &segment);
            return;
        }
    } else if (reading == UNCLEAR) {
        close_between(merger, packet);
    }
    write_single(merger, packet, length);
}

void merge_flush(struct merger *merger)
{
    while (merger->open)
        close_flow(merger, 0);
}
