/* The engine's life, its calls, and what Python may ask of it. */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sha1.h"
#include "shards.h"

#define SHARDS_MOST 64

static int shard_begin(struct engine *engine, uint32_t number)
{
    struct shard *shard = &engine->shards[number];
    shard->engine = engine;
    shard->number = number;
    shard->tun = -1;
    pthread_mutex_init(&shard->reading, NULL);
    pthread_mutex_init(&shard->outward_lock, NULL);
    pthread_mutex_init(&shard->inward_lock, NULL);
    shard->wake[ENGINE_OUTWARD] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    shard->wake[ENGINE_INWARD] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shard->wake[ENGINE_OUTWARD] < 0 || shard->wake[ENGINE_INWARD] < 0)
        return -errno;
    int failed = outward_begin(&shard->outward);
    if (!failed)
        failed = inward_begin(&shard->inward, doors_write, shard);
    if (!failed)
        doors_prepare(shard);
    return failed;
}

static void shard_end(struct shard *shard)
{
    if (!shard->engine)
        return;
    outward_end(&shard->outward);
    inward_end(&shard->inward);
    for (int direction = 0; direction < 2; direction++)
        if (shard->wake[direction] >= 0)
            close(shard->wake[direction]);
    pthread_mutex_destroy(&shard->reading);
    pthread_mutex_destroy(&shard->outward_lock);
    pthread_mutex_destroy(&shard->inward_lock);
}

struct engine *engine_new(uint32_t shards)
{
    if (!shards || shards > SHARDS_MOST)
        return NULL;
    struct engine *engine = calloc(1, sizeof *engine + shards * sizeof(struct shard));
    if (!engine)
        return NULL;
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    /* Or two busy threads that take turns at reading would keep Python waiting for ever. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&engine->table_lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    engine->memory = true;
    engine->events.descriptor = -1;
    engine->carrier = carrier_new(shards);
    int failed = engine->carrier ? table_begin(&engine->table) : -ENOMEM;
    if (!failed)
        failed = events_begin(&engine->events, false);
    while (!failed && engine->shards_count < shards)
        failed = shard_begin(engine, engine->shards_count++);
    if (!failed)
        return engine;
    engine_free(engine);
    return NULL;
}

static void free_call(struct engine *engine, struct call *call)
{
    table_detach(&engine->table, call);
    wheel_disarm(&shard_of(engine, call->call_id)->inward.wheel, call);
    peers_drop(&engine->peers, call->peer, call->local);
    path_end(call);
    free(call);
}

void engine_free(struct engine *engine)
{
    for (uint32_t call_id = 0; call_id < CALL_IDS; call_id++)
        if (engine->table.calls[call_id])
            free_call(engine, engine->table.calls[call_id]);
    table_end(&engine->table);
    for (uint32_t number = 0; number < engine->shards_count; number++)
        shard_end(&engine->shards[number]);
    if (engine->events.descriptor >= 0)
        events_end(&engine->events);
    if (engine->carrier)
        carrier_free(engine->carrier);
    pthread_rwlock_destroy(&engine->table_lock);
    free(engine);
}

const char *engine_features(void)
{
    return sha1_is_native() ? "SHA-1 by the processor's instructions" : "portable SHA-1";
}

/* Nobody works on any batch from here to let_go. */
static struct call *hold(struct engine *engine, uint16_t call_id)
{
    pthread_rwlock_wrlock(&engine->table_lock);
    return engine->table.calls[call_id];
}

static int let_go(struct engine *engine, int result)
{
    pthread_rwlock_unlock(&engine->table_lock);
    return result;
}

static int add_call(struct engine *engine, struct call *call, uint32_t receive_window, uint32_t first_sequence)
{
    struct peer *peer = peers_hold(&engine->peers, call->peer, call->local);
    if (!peer)
        return -ENOMEM;
    call->route = &peer->route;
    int failed = path_begin(call, receive_window, first_sequence);
    if (failed) {
        peers_drop(&engine->peers, call->peer, call->local);
        return failed;
    }
    engine->table.calls[call->call_id] = call;
    engine->table.count++;
    return 0;
}

int engine_open_call(struct engine *engine, uint16_t call_id, uint32_t peer, uint32_t local,
                     uint32_t receive_window, uint32_t first_sequence)
{
    struct call *call = aligned_alloc(_Alignof(struct call), sizeof *call); /* its halves have their cache lines */
    if (!call)
        return -ENOMEM;
    memset(call, 0, sizeof *call);
    call->call_id = call_id;
    call->peer = peer;
    call->local = local;
    int failed = hold(engine, call_id) ? -EEXIST : add_call(engine, call, receive_window, first_sequence);
    let_go(engine, 0);
    if (failed)
        free(call);
    return failed;
}

int engine_connect_call(struct engine *engine, uint16_t call_id, uint16_t peer_call_id)
{
    struct call *call = hold(engine, call_id);
    if (!call)
        return let_go(engine, -ENOENT);
    call->peer_call_id = peer_call_id;
    call->connected = true;
    /* GRE may have come already, and is acknowledged now. */
    struct shard *shard = shard_of(engine, call_id);
    inward_arm(&shard->inward, call);
    let_go(engine, 0);
    shard_wake(shard, ENGINE_INWARD);
    return 0;
}

int engine_send_frame(struct engine *engine, uint16_t call_id, const uint8_t *frame, uint32_t length)
{
    struct shard *shard = shard_of(engine, call_id);
    struct outgoing slot;
    struct outgoing *ready = &slot;
    int result = 0;
    pthread_rwlock_rdlock(&engine->table_lock);
    struct call *call = engine->table.calls[call_id];
    if (!call) {
        result = -ENOENT;
    } else {
        pthread_mutex_lock(&shard->outward_lock);
        slot.call = call;
        slot.lost = false;
        if (path_encapsulate_frame(call, &slot, frame, length)) {
            shard->outward.send(&shard->outward, &ready, 1);
            if (slot.lost)
                COUNT(call->out.counters.dropped_queue_full);
        }
        pthread_mutex_unlock(&shard->outward_lock);
    }
    pthread_rwlock_unlock(&engine->table_lock);
    return result;
}

int engine_encryption_up(struct engine *engine, uint16_t call_id, const struct engine_encryption *send,
                         const struct engine_encryption *receive)
{
    struct call *call = hold(engine, call_id);
    return let_go(engine, call ? path_encryption_up(call, send, receive) : -ENOENT);
}

int engine_encryption_down(struct engine *engine, uint16_t call_id)
{
    struct call *call = hold(engine, call_id);
    if (call)
        path_encryption_down(call);
    return let_go(engine, call ? 0 : -ENOENT);
}

int engine_encryption_flush(struct engine *engine, uint16_t call_id)
{
    struct call *call = hold(engine, call_id);
    if (call)
        encryptor_flush(&call->out.encryptor);
    return let_go(engine, call ? 0 : -ENOENT);
}

int engine_interface_up(struct engine *engine, uint16_t call_id, const struct engine_inside *inside,
                        const struct engine_prefix *allowed, uint32_t allowed_count)
{
    struct call *call = hold(engine, call_id);
    if (!call)
        return let_go(engine, -ENOENT);
    table_detach(&engine->table, call);
    int failed = path_interface_up(call, inside, allowed, allowed_count);
    if (!failed)
        failed = table_attach(&engine->table, call);
    if (failed) {
        table_detach(&engine->table, call);
        path_interface_down(call);
    }
    return let_go(engine, failed);
}

int engine_interface_down(struct engine *engine, uint16_t call_id)
{
    struct call *call = hold(engine, call_id);
    if (call) {
        table_detach(&engine->table, call);
        path_interface_down(call);
    }
    return let_go(engine, call ? 0 : -ENOENT);
}

int engine_close_call(struct engine *engine, uint16_t call_id, struct engine_counters *last)
{
    struct call *call = hold(engine, call_id);
    if (!call)
        return let_go(engine, -ENOENT);
    path_counters(call, last);
    engine->table.calls[call_id] = NULL;
    engine->table.count--;
    events_forget(&engine->events, call_id);
    free_call(engine, call);
    return let_go(engine, 0);
}

int engine_counters(struct engine *engine, uint16_t call_id, struct engine_counters *now)
{
    pthread_rwlock_rdlock(&engine->table_lock);
    struct call *call = engine->table.calls[call_id];
    if (call)
        path_counters(call, now);
    pthread_rwlock_unlock(&engine->table_lock);
    return call ? 0 : -ENOENT;
}

static uint64_t seen(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void engine_totals(struct engine *engine, struct engine_totals *totals)
{
    memset(totals, 0, sizeof *totals);
    pthread_rwlock_rdlock(&engine->table_lock);
    totals->calls = engine->table.count;
    pthread_rwlock_unlock(&engine->table_lock);
    totals->slow_path_full = seen(&engine->events.dropped);
    for (uint32_t number = 0; number < engine->shards_count; number++) {
        const struct outward *outward = &engine->shards[number].outward;
        const struct inward *inward = &engine->shards[number].inward;
        totals->malformed += seen(&inward->malformed);
        totals->unknown += seen(&inward->unknown);
        totals->unrouted += seen(&outward->unrouted) + seen(&outward->malformed);
        totals->inside_full += seen(&inward->merger.refused);
        totals->segments_out += seen(&outward->segments);
        totals->segments_in += seen(&inward->merger.merged);
    }
    carrier_totals(engine->carrier, totals);
}

int engine_event_descriptor(struct engine *engine)
{
    return engine->events.descriptor;
}

int engine_next_event(struct engine *engine, struct engine_event *event, uint8_t *octets, uint32_t room)
{
    return events_take(&engine->events, event, octets, room);
}

int engine_attach_gre(struct engine *engine, uint32_t shard, int descriptor)
{
    if (shard >= engine->shards_count)
        return -EINVAL;
    engine->memory = false;
    engine->events.bounded = true;
    for (uint32_t number = 0; number < engine->shards_count; number++)
        doors_prepare(&engine->shards[number]);
    return carrier_attach_raw(engine->carrier, shard, descriptor);
}

int engine_attach_tun(struct engine *engine, uint32_t shard, int descriptor, int32_t merges_udp)
{
    if (shard >= engine->shards_count)
        return -EINVAL;
    hold(engine, 0);
    engine->shards[shard].inward.merger.datagrams = merges_udp != 0;
    let_go(engine, 0);
    __atomic_store_n(&engine->shards[shard].tun, descriptor, __ATOMIC_RELAXED);
    shard_wake(&engine->shards[shard], ENGINE_OUTWARD);
    return 0;
}

static void wake_inward(struct engine *engine)
{
    for (uint32_t number = 0; number < engine->shards_count; number++)
        shard_wake(&engine->shards[number], ENGINE_INWARD);
}

int engine_open_ring(struct engine *engine, uint32_t interface_index)
{
    hold(engine, 0); /* the rings change only while no thread uses them */
    int result = let_go(engine, carrier_open_ring(engine->carrier, interface_index));
    wake_inward(engine);
    return result;
}

int engine_close_ring(struct engine *engine, uint32_t interface_index)
{
    hold(engine, 0);
    int result = let_go(engine, carrier_close_ring(engine->carrier, interface_index));
    wake_inward(engine);
    return result;
}

int engine_set_route(struct engine *engine, uint32_t peer, uint32_t local, uint32_t interface_index,
                     const uint8_t *header, uint32_t mtu)
{
    hold(engine, 0);
    struct peer *known = peers_find(&engine->peers, peer, local);
    if (known) {
        known->route.interface_index = interface_index;
        known->route.mtu = mtu;
        memcpy(known->route.header, header, sizeof known->route.header);
    }
    return let_go(engine, known ? 0 : -ENOENT);
}

int engine_forget_route(struct engine *engine, uint32_t peer, uint32_t local)
{
    hold(engine, 0);
    struct peer *known = peers_find(&engine->peers, peer, local);
    if (known)
        known->route.interface_index = 0;
    return let_go(engine, known ? 0 : -ENOENT);
}
