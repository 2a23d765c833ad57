/* Outside to inside: GRE packets, decrypted in lanes, judged in order of arrival, merged on the way to the TUN device.
 *
 * A batch is gone through twice. What will most likely be decrypted is foreseen and done in lanes; then each packet is
 * judged exactly as if it had come alone, which uses the foreseen plain text or, where it was foreseen wrongly, not.
 */
#include "inward.h"

#include <errno.h>
#include <stdlib.h>

static struct inward *whole(struct sink *sink)
{
    return (struct inward *)sink;
}

/* Write what the merger holds, then free the packets that had been held for their forerunners. */
static void flush_inside(struct inward *inward)
{
    merge_flush(&inward->merger);
    for (size_t i = 0; i < inward->owners_count; i++)
        free(inward->owners[i]);
    inward->owners_count = 0;
}

static void flush_outside(struct inward *inward)
{
    if (!inward->count)
        return;
    inward->send(inward, inward->ready, inward->count);
    for (size_t i = 0; i < inward->count; i++)
        if (inward->ready[i]->lost)
            COUNT(inward->ready[i]->call->in.counters.dropped_queue_full);
    inward->count = 0;
}

static void put_inside(struct sink *sink, struct call *call, const uint8_t *packet, size_t length, void *owner)
{
    struct inward *inward = whole(sink);
    if (inward->deliver) {
        inward->deliver(inward, call, packet, length);
        free(owner);
        return;
    }
    merge_take(&inward->merger, packet, length);
    if (owner)
        inward->owners[inward->owners_count++] = owner;
    if (inward->owners_count == OWNERS)
        flush_inside(inward);
}

static void put_outside(struct sink *sink, struct call *call, const uint8_t *packet, size_t length)
{
    struct inward *inward = whole(sink);
    struct outgoing *slot = &inward->slots[inward->count];
    slot->call = call;
    slot->lost = false;
    slot->start = SLOT_INNER;
    slot->length = (uint16_t)length;
    memcpy(slot->octets + SLOT_INNER, packet, length);
    inward->ready[inward->count++] = slot;
    if (inward->count == ACKNOWLEDGEMENTS || inward->deliver)
        flush_outside(inward);
}

static void put_up(struct sink *sink, struct call *call, const uint8_t *frame, size_t length)
{
    struct inward *inward = whole(sink);
    inward->event(inward, call, ENGINE_UP, frame, length);
}

static void put_lost(struct sink *sink, struct call *call, bool gave_up)
{
    struct inward *inward = whole(sink);
    inward->event(inward, call, gave_up ? ENGINE_GAVE_UP : ENGINE_LOST_STEP, NULL, 0);
}

int inward_begin(struct inward *inward, merge_write write, void *context)
{
    inward->sink = (struct sink){put_inside, put_outside, put_up, put_lost};
    inward->context = context;
    inward->plain = malloc((size_t)BATCH * SLOT_OCTETS);
    inward->slots = calloc(ACKNOWLEDGEMENTS, sizeof(struct outgoing));
    bool merges = merge_begin(&inward->merger, write, context);
    if (inward->plain && inward->slots && merges)
        return 0;
    inward_end(inward);
    return -ENOMEM;
}

void inward_end(struct inward *inward)
{
    merge_end(&inward->merger);
    free(inward->plain);
    free(inward->slots);
    inward->plain = NULL;
    inward->slots = NULL;
}

/* Read the GRE header and find the call; packet->call stays NULL for what is dropped. Nothing is ever answered here. */
static void place(struct inward *inward, const struct table *table, struct incoming *packet)
{
    packet->call = NULL;
    packet->foreseen = -1;
    if (!gre_decode(&packet->gre, packet->octets, packet->length)) {
        COUNT(inward->malformed);
        return;
    }
    struct call *call = table_find(table, packet->gre.call_id, packet->source);
    /* A ring also shows what this host only forwards, to others. */
    if (!call || (packet->destination && call->local && packet->destination != call->local)) {
        COUNT(inward->unknown);
        return;
    }
    packet->call = call;
}

void inward_take(struct inward *inward, const struct table *table, size_t count, seconds now)
{
    for (size_t i = 0; i < count; i++) {
        struct incoming *packet = &inward->packets[i];
        packet->plain = inward->plain + i * SLOT_OCTETS;
        place(inward, table, packet);
        if (packet->call)
            path_foresee(packet, &inward->batch);
    }
    lanes_run(&inward->batch);
    for (size_t i = 0; i < count; i++)
        if (inward->packets[i].call)
            path_decapsulate(&inward->packets[i], &inward->sink, now);
    for (size_t i = 0; i < count; i++)
        if (inward->packets[i].call)
            inward_arm(inward, inward->packets[i].call);
    flush_inside(inward);
    flush_outside(inward);
}

void inward_tick(struct inward *inward, seconds now)
{
    struct call *next;
    for (struct call *call = wheel_due(&inward->wheel, now); call; call = next) {
        next = call->in.later;
        call->in.later = NULL;
        seconds when;
        if (path_deadline(call, &when) && when <= now)
            path_tick(call, &inward->sink, now);
        inward_arm(inward, call);
    }
    flush_inside(inward);
    flush_outside(inward);
}

void inward_arm(struct inward *inward, struct call *call)
{
    seconds when;
    if (path_deadline(call, &when))
        wheel_arm(&inward->wheel, call, when);
}
