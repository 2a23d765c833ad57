/* The engine's inside: what its control functions (engine.c), its threads (loop.c) and memory mode (memory.c) share.
 *
 * Locks. `table_lock` is held for reading by a thread while it works on a batch, for writing by whoever changes the
 * table, a call's settings or keys: then no batch is under way. Under it, a shard's `outward_lock` guards the sender
 * half of its calls, `inward_lock` the receiver half and the wheel. `reading`, taken before all of them, keeps the order
 * of what the TUN queue gives. A thread waits for packets without any lock.
 */
#ifndef OPENPPTP_SHARDS_H
#define OPENPPTP_SHARDS_H

#include <pthread.h>
#include <stdatomic.h>

#include "carrier.h"
#include "engine.h"
#include "events.h"
#include "inward.h"
#include "outward.h"
#include "peers.h"
#include "table.h"

struct shard {
    struct engine *engine;
    uint32_t number;
    int tun;     /* descriptor of its TUN queue, -1 when there is none */
    int wake[2]; /* eventfds that end a thread's waiting, by direction */
    pthread_mutex_t reading; /* whose turn it is to read the TUN queue and send what it gives */
    pthread_mutex_t outward_lock;
    pthread_mutex_t inward_lock;
    struct outward outward;
    struct inward inward;
};

struct engine {
    pthread_rwlock_t table_lock;
    struct table table;
    struct peers peers;
    struct events events;
    struct carrier *carrier;
    bool memory; /* no doors: what leaves goes to the events */
    atomic_bool stopped;
    uint32_t shards_count;
    struct shard shards[];
};

static inline struct shard *shard_of(struct engine *engine, uint16_t call_id)
{
    return &engine->shards[call_id % engine->shards_count];
}

/* End a thread's waiting. */
void shard_wake(struct shard *shard, uint32_t direction);

/* The workspaces' ways out (doors.c). */
void doors_prepare(struct shard *shard);
bool doors_write(void *shard, const struct iovec *pieces, int count, uint32_t packets);

#endif
