/* The threads: each waits for packets of one direction of one shard, takes a batch, and waits again. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "shards.h"

#define REST_AFTER 10.0  /* seconds without data after which a call gives back what it can make again */
#define REST_EVERY 1.0   /* seconds between two looks at a part of the calls */
#define REST_PARTS 16    /* so many looks make up one round */
#define BROKEN_PAUSE 100 /* milliseconds between two tries at a device that is down */
#define FEW 8            /* packets of a batch after which the inward thread looks for their answers */

static seconds monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (seconds)now.tv_sec + (seconds)now.tv_nsec * 1e-9;
}

void shard_wake(struct shard *shard, uint32_t direction)
{
    eventfd_write(shard->wake[direction], 1);
}

static void woken(struct shard *shard, uint32_t direction)
{
    eventfd_t value;
    eventfd_read(shard->wake[direction], &value);
}

static bool running(const struct engine *engine)
{
    return !atomic_load_explicit(&engine->stopped, memory_order_relaxed);
}

/* --- inside to outside */

/* Read frames until the queue is empty or the room is full; returns a negative errno when the device gives none. */
static int read_frames(struct outward *outward, int tun)
{
    uint8_t *room;
    while ((room = outward_room(outward))) {
        ssize_t length = read(tun, room, TUN_MOST);
        if (length > 0)
            outward_add(outward, (size_t)length);
        else if (length == 0 || errno != EINTR)
            return length == 0 ? -EIO : -errno;
    }
    return 0;
}

static void send_frames(struct shard *shard)
{
    struct engine *engine = shard->engine;
    struct outward *outward = &shard->outward;
    seconds now = monotonic();
    pthread_rwlock_rdlock(&engine->table_lock);
    outward_route(outward, &engine->table);
    for (uint32_t number = 0; number < engine->shards_count; number++) {
        pthread_mutex_lock(&engine->shards[number].outward_lock);
        outward_send(outward, number, engine->shards_count, now);
        pthread_mutex_unlock(&engine->shards[number].outward_lock);
    }
    pthread_rwlock_unlock(&engine->table_lock);
    outward_clear(outward);
}

/* Take what waits in the TUN queue; returns how many frames it was, or a negative errno when the device gives none. */
static int take_frames(struct shard *shard, int tun)
{
    if (tun < 0)
        return -EAGAIN;
    int problem = read_frames(&shard->outward, tun);
    int count = (int)shard->outward.frames_count;
    if (count)
        send_frames(shard);
    return count ? count : problem;
}

static int serve_outward(struct shard *shard)
{
    struct pollfd watched[2] = {{shard->wake[ENGINE_OUTWARD], POLLIN, 0}, {-1, POLLIN, 0}};
    while (running(shard->engine)) {
        watched[1].fd = __atomic_load_n(&shard->tun, __ATOMIC_RELAXED);
        pthread_mutex_lock(&shard->reading);
        int problem = take_frames(shard, watched[1].fd);
        pthread_mutex_unlock(&shard->reading);
        if (problem > 0)
            continue;
        if (problem == -EBADFD)
            return problem; /* the device was deleted: it will be readable for ever and give nothing */
        bool broken = problem && problem != -EAGAIN;
        poll(watched, broken ? 1 : 2, broken ? BROKEN_PAUSE : -1);
        if (watched[0].revents)
            woken(shard, ENGINE_OUTWARD);
    }
    return 0;
}

/* Take answers that the inside gave while the packets they answer were written: they wait already, and to wake the
 * outward thread for them takes longer than to send them. */
static void take_answers(struct shard *shard)
{
    if (pthread_mutex_trylock(&shard->reading))
        return; /* it is awake */
    take_frames(shard, __atomic_load_n(&shard->tun, __ATOMIC_RELAXED));
    pthread_mutex_unlock(&shard->reading);
}

/* --- outside to inside */

/* Take one batch; returns how many packets it had. */
static size_t take_packets(struct shard *shard, seconds *next)
{
    struct engine *engine = shard->engine;
    struct inward *inward = &shard->inward;
    pthread_rwlock_rdlock(&engine->table_lock);
    pthread_mutex_lock(&shard->inward_lock);
    size_t count = carrier_receive(engine->carrier, shard->number, inward->packets, BATCH);
    seconds now = monotonic();
    inward_tick(inward, now);
    if (count) {
        inward_take(inward, &engine->table, count, now);
        carrier_release(engine->carrier, shard->number);
    }
    *next = wheel_next(&inward->wheel);
    pthread_mutex_unlock(&shard->inward_lock);
    pthread_rwlock_unlock(&engine->table_lock);
    return count;
}

static void rest_call(struct shard *shard, struct call *call, seconds before)
{
    pthread_mutex_lock(&shard->outward_lock);
    bool rests = call->out.counters.last_out < before && call->in.counters.last_in < before;
    if (rests)
        encryptor_rest(&call->out.encryptor);
    pthread_mutex_unlock(&shard->outward_lock);
    if (!rests)
        return;
    decryptor_rest(&call->in.decryptor);
    window_rest(&call->in.window);
}

/* Let one part of the calls rest. */
static void rest_part(struct shard *shard, uint32_t part, seconds now)
{
    struct engine *engine = shard->engine;
    pthread_rwlock_rdlock(&engine->table_lock);
    pthread_mutex_lock(&shard->inward_lock);
    for (uint32_t call_id = part; call_id < CALL_IDS; call_id += REST_PARTS) {
        struct call *call = engine->table.calls[call_id];
        if (call && shard_of(engine, call->call_id) == shard)
            rest_call(shard, call, now - REST_AFTER);
    }
    pthread_mutex_unlock(&shard->inward_lock);
    pthread_rwlock_unlock(&engine->table_lock);
}

/* Milliseconds to wait, rounded up: what is due is due when the clock has passed it. */
static int patience(seconds next, seconds now, uint32_t parts_left)
{
    seconds wait = parts_left ? REST_EVERY : -1;
    if (next >= 0 && (wait < 0 || next - now < wait))
        wait = next > now ? next - now : 0;
    return wait < 0 ? -1 : (int)(wait * 1000.0) + (wait > 0);
}

static int serve_inward(struct shard *shard)
{
    struct engine *engine = shard->engine;
    struct pollfd watched[1 + CARRIER_DESCRIPTORS] = {{shard->wake[ENGINE_INWARD], POLLIN, 0}};
    uint32_t parts_left = 0; /* of the round over resting calls that follows the last activity */
    seconds rested = 0;
    while (running(engine)) {
        seconds next;
        size_t taken = take_packets(shard, &next);
        if (taken) {
            if (taken <= FEW)
                take_answers(shard);
            parts_left = 2 * REST_PARTS;
            continue;
        }
        seconds now = monotonic();
        if (parts_left && now - rested >= REST_EVERY) {
            rest_part(shard, parts_left-- % REST_PARTS, now);
            rested = now;
        }
        pthread_rwlock_rdlock(&engine->table_lock);
        size_t count = 1 + (size_t)carrier_descriptors(engine->carrier, shard->number, watched + 1);
        pthread_rwlock_unlock(&engine->table_lock);
        poll(watched, count, patience(next, now, parts_left));
        if (watched[0].revents)
            woken(shard, ENGINE_INWARD);
    }
    return 0;
}

int engine_run(struct engine *engine, uint32_t direction, uint32_t shard)
{
    if (shard >= engine->shards_count || direction > ENGINE_INWARD)
        return -EINVAL;
    char name[16];
    snprintf(name, sizeof name, "pptp-%s%u", direction == ENGINE_INWARD ? "in" : "out", shard % 100u);
    pthread_setname_np(pthread_self(), name);
    struct shard *served = &engine->shards[shard];
    return direction == ENGINE_INWARD ? serve_inward(served) : serve_outward(served);
}

void engine_stop(struct engine *engine)
{
    atomic_store(&engine->stopped, true);
    for (uint32_t number = 0; number < engine->shards_count; number++) {
        shard_wake(&engine->shards[number], ENGINE_OUTWARD);
        shard_wake(&engine->shards[number], ENGINE_INWARD);
    }
}
