/* The engine's threads, with sockets of this process in place of the raw socket and the TUN device. TSAN */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "gre.h"
#include "ip.h"
#include "segment.h"

#define SHARDS 2
#define CALLS 8
#define ROUNDS 400
#define PEER 0xcb007101u
#define LOCAL 0xc6336401u
#define INSIDE 0x0a5b0000u

/* One end is the engine's, the other plays the network or the host. */
struct doors {
    int network[SHARDS][2];
    int host[SHARDS][2];
};

struct served {
    struct engine *engine;
    uint32_t direction;
    uint32_t shard;
    int result;
};

static void open_doors(struct doors *doors, struct engine *engine)
{
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, doors->network[shard]));
        CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, doors->host[shard]));
        CHECK(!engine_attach_gre(engine, shard, doors->network[shard][0]));
        CHECK(!engine_attach_tun(engine, shard, doors->host[shard][0], shard));
    }
}

static void close_doors(struct doors *doors)
{
    for (int shard = 0; shard < SHARDS; shard++)
        for (int end = 0; end < 2; end++) {
            close(doors->network[shard][end]);
            close(doors->host[shard][end]);
        }
}

static void *serve(void *given)
{
    struct served *served = given;
    served->result = engine_run(served->engine, served->direction, served->shard);
    return NULL;
}

static size_t ip_header(uint8_t *packet, uint8_t protocol, uint32_t source, uint32_t destination, size_t payload)
{
    memset(packet, 0, 20);
    packet[0] = 0x45;
    write16(packet + 2, (uint16_t)(20 + payload));
    packet[8] = 64;
    packet[9] = protocol;
    write32(packet + 12, source);
    write32(packet + 16, destination);
    return 20;
}

/* A PPP frame for a call arrives from the network. */
static void arrives(const struct doors *doors, uint16_t call_id, uint32_t sequence, const uint8_t *frame, size_t length)
{
    uint8_t octets[2048];
    memcpy(octets + 64, frame, length);
    uint8_t *begin = gre_encode(octets + 64, call_id, (uint16_t)length, &sequence, NULL);
    size_t size = (size_t)(octets + 64 + length - begin);
    ip_header(begin - 20, 47, PEER, LOCAL, size);
    /* Every raw socket gets every packet; the filters leave one to take it. */
    for (int shard = 0; shard < SHARDS; shard++)
        while (send(doors->network[shard][1], begin - 20, size + 20, 0) < 0 && errno == EAGAIN)
            poll(NULL, 0, 1);
}

static void open_call(struct engine *engine, uint16_t call_id)
{
    struct engine_inside inside = {.mtu = 1400};
    struct engine_prefix allowed = {INSIDE + call_id, 32};
    CHECK(!engine_open_call(engine, call_id, PEER, LOCAL, 0, 0));
    CHECK(!engine_connect_call(engine, call_id, call_id));
    CHECK(!engine_interface_up(engine, call_id, &inside, &allowed, 1));
}

static struct engine_event wait_for_event(struct engine *engine, uint8_t *octets, uint32_t room)
{
    struct engine_event event = {.call_id = 0};
    struct pollfd watched = {engine_event_descriptor(engine), POLLIN, 0};
    for (int tries = 0; tries < 100 && !engine_next_event(engine, &event, octets, room); tries++)
        poll(&watched, 1, 100);
    return event;
}

static ssize_t wait_for_inside(const struct doors *doors, uint8_t *octets, size_t room)
{
    struct pollfd watched[SHARDS];
    for (int shard = 0; shard < SHARDS; shard++)
        watched[shard] = (struct pollfd){doors->host[shard][1], POLLIN, 0};
    poll(watched, SHARDS, 10000);
    for (int shard = 0; shard < SHARDS; shard++)
        if (watched[shard].revents & POLLIN)
            return read(doors->host[shard][1], octets, room);
    return -1;
}

/* What comes from the network goes up or inside, while Python changes calls and the host sends. */
static void work(struct engine *engine, const struct doors *doors)
{
    static const uint8_t echo[] = {0xff, 0x03, 0xc0, 0x21, 9, 1, 0, 8, 1, 2, 3, 4};
    uint8_t octets[4096], data[64] = {0x00, 0x21};
    struct engine_counters counters;
    arrives(doors, 3, 0, echo, sizeof echo);
    struct engine_event event = wait_for_event(engine, octets, sizeof octets);
    CHECK(event.way == ENGINE_UP && event.call_id == 3 && event.length == sizeof echo);
    CHECK(!memcmp(octets, echo, sizeof echo));
    ip_header(data + 2, IP_UDP, INSIDE + 4, 0x0a5b00feu, 20);
    arrives(doors, 4, 0, data, 42);
    CHECK(wait_for_inside(doors, octets, sizeof octets) == TUN_HEADER + 40);
    CHECK(!memcmp(octets + TUN_HEADER, data + 2, 40));
    for (uint32_t round = 1; round < ROUNDS; round++) {
        uint16_t call_id = (uint16_t)(round % CALLS);
        uint8_t frame[TUN_HEADER + 40] = {0};
        ip_header(frame + TUN_HEADER, IP_UDP, 0x0a5b00feu, INSIDE + call_id, 20);
        if (write(doors->host[round % SHARDS][1], frame, sizeof frame) < 0)
            CHECK(errno == EAGAIN);
        arrives(doors, call_id, round, round & 1 ? echo : data, round & 1 ? sizeof echo : 42);
        engine_send_frame(engine, call_id, echo, sizeof echo);
        struct engine_encryption keys = {{1}, 128, round & 1};
        if (round % 7 == 0)
            engine_encryption_up(engine, call_id, &keys, &keys);
        if (round % 50 == 0) {
            CHECK(!engine_close_call(engine, call_id, &counters));
            open_call(engine, call_id);
        }
        while (engine_next_event(engine, &event, octets, sizeof octets))
            CHECK(event.way <= ENGINE_GAVE_UP);
        for (int shard = 0; shard < SHARDS; shard++)
            while (read(doors->host[shard][1], octets, sizeof octets) > 0)
                ;
        CHECK(!engine_counters(engine, call_id, &counters));
    }
}

static void test_threads_carry_packets_while_calls_change(void)
{
    struct doors doors;
    struct served served[2 * SHARDS];
    pthread_t threads[2 * SHARDS];
    struct engine *engine = engine_new(SHARDS);
    open_doors(&doors, engine);
    for (uint16_t call_id = 0; call_id < CALLS; call_id++)
        open_call(engine, call_id);
    for (uint32_t i = 0; i < 2 * SHARDS; i++) {
        served[i] = (struct served){engine, i & 1, i / 2, 1};
        pthread_create(&threads[i], NULL, serve, &served[i]);
    }
    work(engine, &doors);
    struct engine_totals totals = {.calls = 0};
    for (int tries = 0; tries < 1000 && totals.received_raw < ROUNDS; tries++) {
        poll(NULL, 0, 10);
        engine_totals(engine, &totals);
    }
    /* What arrives while its call is closed and opened anew is nobody's. */
    CHECK(totals.calls == CALLS && totals.received_raw >= ROUNDS && totals.malformed == 0);
    engine_stop(engine);
    for (int i = 0; i < 2 * SHARDS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(served[i].result == 0);
    }
    engine_free(engine);
    close_doors(&doors);
}

static void test_what_cannot_be_served_is_refused(void)
{
    struct engine *engine = engine_new(1);
    struct engine_counters counters;
    CHECK(engine_new(0) == NULL && engine_new(1000) == NULL);
    CHECK(engine_run(engine, ENGINE_INWARD, 1) == -EINVAL && engine_run(engine, 2, 0) == -EINVAL);
    CHECK(engine_attach_gre(engine, 1, 0) == -EINVAL && engine_attach_tun(engine, 1, 0, 0) == -EINVAL);
    CHECK(engine_connect_call(engine, 1, 1) == -ENOENT && engine_close_call(engine, 1, &counters) == -ENOENT);
    CHECK(!engine_open_call(engine, 1, PEER, LOCAL, 0, 0));
    CHECK(engine_open_call(engine, 1, PEER, LOCAL, 0, 0) == -EEXIST);
    CHECK(engine_set_route(engine, PEER + 1, LOCAL, 1, (const uint8_t[14]){0}, 1500) == -ENOENT);
    CHECK(!engine_set_route(engine, PEER, LOCAL, 1, (const uint8_t[14]){0}, 1500));
    engine_free(engine);
}

int main(void)
{
    test_threads_carry_packets_while_calls_change();
    test_what_cannot_be_served_is_refused();
    DONE();
}
