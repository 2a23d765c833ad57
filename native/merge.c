/* TCP segments and UDP datagrams on their way to the TUN device, merged into large ones as the kernel's GRO does.
 *
 * Which of them may be merged says mergeable.c; here the flows are kept and written.
 */
#include "merge.h"

#include <stdlib.h>

#include "ip.h"
#include "mergeable.h"
#include "offload.h"
#include "segment.h"

struct merge_flow {
    struct segment first;
    uint32_t next_sequence; /* TCP only */
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

/* What the device is told: where to cut, and which checksum to complete. */
static struct offload describe(const struct segment *first)
{
    bool is_udp = first->protocol == IP_UDP;
    uint8_t tcp = first->packet[0] >> 4 == 4 ? KIND_TCP_V4 : KIND_TCP_V6;
    return (struct offload){
        .flags = NEEDS_CHECKSUM,
        .kind = is_udp ? KIND_UDP : tcp,
        .headers = (uint16_t)first->headers,
        .size = (uint16_t)first->payload,
        .checksum_start = (uint16_t)first->transport,
        .checksum_offset = is_udp ? UDP_CHECKSUM : TCP_CHECKSUM,
    };
}

static void write_merged(struct merger *merger, struct merge_flow *flow)
{
    const struct segment *first = &flow->first;
    struct offload offload = describe(first);
    memcpy(flow->head, &offload, sizeof offload);
    uint8_t *ip = flow->head + TUN_HEADER;
    uint8_t *transport = ip + first->transport;
    uint32_t covered = (uint32_t)(flow->total - first->transport);
    memcpy(ip, first->packet, first->headers);
    if (ip[0] >> 4 == 4) {
        write16(ip + 2, (uint16_t)flow->total);
        write16(ip + 10, 0);
        write16(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, first->transport)));
    } else {
        write16(ip + 4, (uint16_t)covered);
    }
    if (first->protocol == IP_UDP)
        write16(transport + UDP_LENGTH, (uint16_t)covered);
    else if (flow->has_push)
        transport[TCP_FLAGS] |= FLAG_PSH;
    uint64_t pseudo = checksum_pseudo(ip, first->protocol, covered);
    write16(transport + offload.checksum_offset, checksum_fold(pseudo));
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

/* Write all open flows to which this may belong: ports count only where they can be read. */
static void close_between(struct merger *merger, const struct segment *segment)
{
    for (uint32_t place = 0; place < merger->open;) {
        const struct segment *first = &merger->order[place]->first;
        bool may_be = !segment->protocol || first->protocol == segment->protocol;
        if (may_be && mergeable_same_addresses(first->packet, segment->packet))
            close_flow(merger, place);
        else
            place++;
    }
}

/* The place of the open flow of this segment; merger->open when there is none. */
static uint32_t find_flow(const struct merger *merger, const struct segment *segment)
{
    uint32_t place = 0;
    while (place < merger->open && !mergeable_same_flow(&merger->order[place]->first, segment))
        place++;
    return place;
}

static void open_flow(struct merger *merger, const struct segment *segment)
{
    if (merger->open == MERGE_FLOWS)
        close_flow(merger, 0);
    struct merge_flow *flow = merger->order[merger->open++];
    flow->first = *segment;
    flow->next_sequence = segment->sequence + (uint32_t)segment->payload;
    flow->count = 1;
    flow->total = segment->length;
    flow->is_verified = false;
    flow->has_push = false;
    flow->pieces[1] = piece(segment->packet + segment->headers, segment->payload);
}

/* Whether the flow may go on with this segment, their checksums apart. */
static bool goes_on(const struct merge_flow *flow, const struct segment *segment)
{
    return (segment->protocol == IP_UDP || segment->sequence == flow->next_sequence) &&
           segment->payload <= flow->first.payload && flow->total + segment->payload <= LONGEST_PACKET &&
           mergeable_follows(&flow->first, flow->count, segment);
}

/* Add the segment to the flow at this place; true when it went in. */
static bool join(struct merger *merger, uint32_t place, const struct segment *segment)
{
    struct merge_flow *flow = merger->order[place];
    if (!goes_on(flow, segment))
        return false;
    flow->is_verified = flow->is_verified || mergeable_intact(&flow->first);
    if (!flow->is_verified || !mergeable_intact(segment))
        return false;
    flow->count++;
    flow->pieces[flow->count] = piece(segment->packet + segment->headers, segment->payload);
    flow->total += segment->payload;
    flow->next_sequence += (uint32_t)segment->payload;
    flow->has_push = segment->push;
    if (flow->has_push || segment->payload < flow->first.payload || flow->count == MERGE_PIECES)
        close_flow(merger, place);
    return true;
}

void merge_take(struct merger *merger, const uint8_t *packet, size_t length)
{
    struct segment segment;
    enum reading reading = mergeable_read(&segment, packet, length, merger->datagrams);
    if (reading == PLAIN) {
        uint32_t place = find_flow(merger, &segment);
        bool mergeable = mergeable_kind(&segment);
        if (place < merger->open) {
            if (mergeable && join(merger, place, &segment))
                return;
            close_flow(merger, place);
        }
        if (mergeable && !segment.push) {
            open_flow(merger, &segment);
            return;
        }
    } else if (reading == UNCLEAR) {
        close_between(merger, &segment);
    }
    write_single(merger, packet, length);
}

void merge_flush(struct merger *merger)
{
    while (merger->open)
        close_flow(merger, 0);
}
