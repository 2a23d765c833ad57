/* Memory mode: batches from a test or a fuzzer instead of from descriptors, on the first shard. */
#include <errno.h>

#include "shards.h"

int engine_take_outside(struct engine *engine, const uint8_t *octets, const struct engine_packet *packets,
                        uint32_t count, double now)
{
    struct inward *inward = &engine->shards[0].inward;
    for (uint32_t taken = 0; taken < count;) {
        uint32_t size = count - taken < BATCH ? count - taken : BATCH;
        for (uint32_t i = 0; i < size; i++) {
            const struct engine_packet *given = &packets[taken + i];
            struct incoming *packet = &inward->packets[i];
            packet->octets = octets + given->offset;
            packet->length = given->length;
            packet->source = given->source;
            packet->destination = given->destination;
        }
        pthread_rwlock_rdlock(&engine->table_lock);
        inward_take(inward, &engine->table, size, now);
        pthread_rwlock_unlock(&engine->table_lock);
        taken += size;
    }
    return 0;
}

static void send_all(struct engine *engine, double now)
{
    struct outward *outward = &engine->shards[0].outward;
    pthread_rwlock_rdlock(&engine->table_lock);
    outward_route(outward, &engine->table);
    outward_send(outward, 0, 1, now);
    pthread_rwlock_unlock(&engine->table_lock);
    outward_clear(outward);
}

int engine_take_inside(struct engine *engine, const uint8_t *octets, const struct engine_packet *packets,
                       uint32_t count, double now)
{
    struct outward *outward = &engine->shards[0].outward;
    for (uint32_t i = 0; i < count; i++) {
        if (packets[i].length > TUN_MOST)
            return -EMSGSIZE;
        uint8_t *room = outward_room(outward);
        if (!room) {
            send_all(engine, now);
            room = outward_room(outward);
        }
        memcpy(room, octets + packets[i].offset, packets[i].length);
        outward_add(outward, packets[i].length);
    }
    send_all(engine, now);
    return 0;
}

int engine_tick(struct engine *engine, double now)
{
    pthread_rwlock_rdlock(&engine->table_lock);
    inward_tick(&engine->shards[0].inward, now);
    pthread_rwlock_unlock(&engine->table_lock);
    return 0;
}

double engine_deadline(struct engine *engine)
{
    return wheel_next(&engine->shards[0].inward.wheel);
}
