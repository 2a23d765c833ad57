/* Where the packets of a shard leave: by the carrier and the TUN queue, or, in memory mode, into the events. */
#include <errno.h>
#include <unistd.h>

#include "shards.h"

static void to_events(struct engine *engine, uint32_t way, struct outgoing *const *packets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        events_put(&engine->events, way, packets[i]->call->call_id, packets[i]->octets + packets[i]->start,
                   packets[i]->length);
}

static void send(struct shard *shard, struct outgoing *const *packets, size_t count)
{
    if (shard->engine->memory)
        to_events(shard->engine, ENGINE_OUTSIDE, packets, count);
    else
        carrier_send(shard->engine->carrier, shard->number, packets, count);
}

static void send_outward(struct outward *outward, struct outgoing *const *packets, size_t count)
{
    send(outward->context, packets, count);
}

static void send_inward(struct inward *inward, struct outgoing *const *packets, size_t count)
{
    send(inward->context, packets, count);
}

/* Only memory mode hands packets over one by one; otherwise the merger writes them. */
static void deliver(struct inward *inward, struct call *call, const uint8_t *packet, size_t length)
{
    struct shard *shard = inward->context;
    events_put(&shard->engine->events, ENGINE_INSIDE, call->call_id, packet, length);
}

static void event(struct inward *inward, struct call *call, uint32_t way, const uint8_t *octets, size_t length)
{
    struct shard *shard = inward->context;
    events_put(&shard->engine->events, way, call->call_id, octets, length);
}

bool doors_write(void *context, const struct iovec *pieces, int count, uint32_t packets)
{
    struct shard *shard = context;
    (void)packets;
    if (shard->tun < 0)
        return false;
    ssize_t written;
    do
        written = writev(shard->tun, pieces, count);
    while (written < 0 && errno == EINTR);
    return written >= 0;
}

static void answer(struct outward *outward, const uint8_t *packet, size_t length)
{
    static const uint8_t plain[TUN_HEADER];
    struct shard *shard = outward->context;
    if (shard->engine->memory) {
        events_put(&shard->engine->events, ENGINE_INSIDE, 0, packet, length);
        return;
    }
    struct iovec pieces[2] = {{(void *)plain, sizeof plain}, {(void *)packet, length}};
    doors_write(shard, pieces, 2, 1);
}

void doors_prepare(struct shard *shard)
{
    bool memory = shard->engine->memory;
    shard->outward.context = shard;
    shard->outward.send = send_outward;
    shard->outward.answer = answer;
    shard->inward.context = shard;
    shard->inward.send = send_inward;
    shard->inward.event = event;
    shard->inward.deliver = memory ? deliver : NULL;
}
