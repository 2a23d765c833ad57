/* Inside to outside: frames from a TUN queue, cut, encrypted in lanes, sent in batches. */
#include "outward.h"

#include <errno.h>
#include <stdlib.h>

#include "icmp.h"

int outward_begin(struct outward *outward)
{
    outward->octets = malloc(FRAMES_OCTETS);
    outward->slots = calloc(BATCH, sizeof(struct outgoing));
    outward->large = malloc(TUN_MOST);
    if (outward->octets && outward->slots && outward->large)
        return 0;
    outward_end(outward);
    return -ENOMEM;
}

void outward_end(struct outward *outward)
{
    free(outward->octets);
    free(outward->slots);
    free(outward->large);
    outward->octets = NULL;
    outward->slots = NULL;
    outward->large = NULL;
}

uint8_t *outward_room(struct outward *outward)
{
    if (outward->frames_count == FRAMES || FRAMES_OCTETS - outward->filled < TUN_MOST)
        return NULL;
    return outward->octets + outward->filled;
}

void outward_add(struct outward *outward, size_t length)
{
    struct frame *frame = &outward->frames[outward->frames_count++];
    frame->offset = (uint32_t)outward->filled;
    frame->length = (uint32_t)length;
    outward->filled += (length + 7) & ~(size_t)7; /* whole words: the next header lies aligned */
}

void outward_route(struct outward *outward, const struct table *table)
{
    for (size_t i = 0; i < outward->frames_count; i++) {
        struct frame *frame = &outward->frames[i];
        frame->call = NULL;
        if (!segment_begin(&frame->segmenter, outward->octets + frame->offset, frame->length)) {
            COUNT(outward->malformed);
            continue;
        }
        frame->call = table_route(table, segment_header(&frame->segmenter), frame->segmenter.length);
        if (!frame->call)
            COUNT(outward->unrouted);
    }
}

/* Encrypt and send what is ready. */
static void flush(struct outward *outward)
{
    lanes_run(&outward->batch);
    if (!outward->count)
        return;
    outward->send(outward, outward->ready, outward->count);
    for (size_t i = 0; i < outward->count; i++)
        if (unlikely(outward->ready[i]->lost))
            COUNT(outward->ready[i]->call->out.counters.dropped_queue_full);
    outward->count = 0;
}

/* The slot for the next packet; what is ready is sent first when there is none. */
static struct outgoing *next_slot(struct outward *outward, struct call *call)
{
    if (outward->count == BATCH)
        flush(outward);
    struct outgoing *slot = &outward->slots[outward->count];
    slot->call = call;
    slot->lost = false;
    return slot;
}

/* Wrap the admitted packet that lies in the slot. */
static void wrap(struct outward *outward, struct outgoing *slot, size_t length, seconds now)
{
    if (path_encapsulate(slot->call, slot, length, &outward->batch, now))
        outward->ready[outward->count++] = slot;
}

/* Send the packet in outward->large in pieces, or tell its sender that it is too long. */
static void take_too_big(struct outward *outward, struct call *call, size_t length, bool answer, seconds now)
{
    struct fragmenter fragmenter;
    uint32_t mtu = call->inside.mtu;
    if (fragment_begin(&fragmenter, outward->large, length, mtu)) {
        size_t piece;
        for (;;) {
            struct outgoing *slot = next_slot(outward, call);
            piece = fragment_next(&fragmenter, slot->octets + SLOT_INNER, LONGEST_INNER);
            if (!piece)
                return;
            wrap(outward, slot, piece, now);
        }
    }
    path_dropped_too_big(call);
    uint8_t message[ICMP_MOST];
    size_t size = answer ? too_big(message, outward->large, length, mtu) : 0;
    if (size) {
        flush(outward); /* so that answers stand in order with what was sent */
        outward->answer(outward, message, size);
    }
}

static void take_frame(struct outward *outward, struct frame *frame, seconds now)
{
    struct segmenter *segmenter = &frame->segmenter;
    struct call *call = frame->call;
    bool large = segment_is_large(segmenter);
    bool answer = true; /* one answer for a large segment: its sender sends all of it again */
    size_t length;
    while ((length = segment_next_length(segmenter)) > 0) {
        struct outgoing *slot = next_slot(outward, call);
        bool fits = length <= LONGEST_INNER;
        uint8_t *packet = fits ? slot->octets + SLOT_INNER : outward->large;
        length = segment_next(segmenter, packet, fits ? LONGEST_INNER : TUN_MOST);
        if (!length)
            return;
        if (large)
            COUNT(outward->segments);
        enum admission verdict = path_admit(call, packet, length);
        if (verdict == OUTWARD_READY) {
            wrap(outward, slot, length, now);
        } else if (verdict == OUTWARD_TOO_BIG) {
            if (fits)
                memcpy(outward->large, packet, length);
            take_too_big(outward, call, length, answer, now);
            answer = false;
        }
    }
}

void outward_send(struct outward *outward, uint32_t shard, uint32_t shards, seconds now)
{
    for (size_t i = 0; i < outward->frames_count; i++) {
        struct frame *frame = &outward->frames[i];
        if (frame->call && frame->call->call_id % shards == shard)
            take_frame(outward, frame, now);
    }
    flush(outward);
}

void outward_clear(struct outward *outward)
{
    outward->frames_count = 0;
    outward->filled = 0;
}
