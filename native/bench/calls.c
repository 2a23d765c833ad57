/* What a call costs in memory: bench/calls COUNT prints JSON.
 *
 * Resident octets of the process with no call, with COUNT calls open and encrypted that never carried data, and after
 * each of them carried some both ways and fell idle again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shards.h"

#define SERVER 0x0a630001u
#define CLIENT 0x0a630002u
#define INSIDE 0x0a5b0000u /* the first call's peer has the next address */
#define BEHIND 0x0a5c0001u
#define CLIENT_CALL 7
#define PACKET 64
#define ROUNDS 4
#define ROOM 65535

static uint8_t frame[TUN_HEADER + PACKET];
static uint8_t room[ROOM];
static struct engine_counters last;

static size_t resident(void)
{
    unsigned long pages = 0, in_memory = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &pages, &in_memory) != 2)
        exit(1);
    fclose(file);
    return in_memory * (size_t)sysconf(_SC_PAGESIZE);
}

static void must(int result, const char *what)
{
    if (result) {
        fprintf(stderr, "%s: %s\n", what, strerror(-result));
        exit(1);
    }
}

static void open_call(struct engine *engine, uint16_t call, uint16_t peer_call, uint32_t peer, uint32_t local,
                      bool answers, uint32_t allowed)
{
    struct engine_encryption keys[2] = {{.key_bits = 128}, {.key_bits = 128}};
    struct engine_inside inside = {.mtu = 1400, .encryption_required = 1, .compress_address_control = 1,
                                   .compress_protocol = 1};
    struct engine_prefix prefix = {.network = allowed, .length = 32};
    keys[0].start_key[0] = 1;
    keys[1].start_key[0] = 2;
    must(engine_open_call(engine, call, peer, local, 0, 0), "open");
    must(engine_connect_call(engine, call, peer_call), "connect");
    must(engine_encryption_up(engine, call, &keys[answers], &keys[!answers]), "encryption");
    must(engine_interface_up(engine, call, &inside, &prefix, allowed ? 1 : 0), "interface");
}

static void write_packet(uint32_t source, uint32_t destination)
{
    uint8_t *ip = frame + TUN_HEADER;
    uint32_t sum = 0;
    memset(frame, 0, sizeof frame);
    ip[0] = 0x45;
    write16(ip + 2, PACKET);
    ip[8] = 64;
    ip[9] = 17;
    write32(ip + 12, source);
    write32(ip + 16, destination);
    for (int i = 0; i < 20; i += 2)
        sum += read16(ip + i);
    sum = (sum & 0xffff) + (sum >> 16);
    write16(ip + 10, (uint16_t)~(sum + (sum >> 16)));
    write16(ip + 24, PACKET - 20); /* of UDP; its checksum stays out */
}

/* Give the frame to one engine's inside and what it makes of it to the other's outside; return how many came out. */
static unsigned int carry(struct engine *from, uint32_t source, struct engine *to, uint32_t destination, double now)
{
    struct engine_packet packet = {.length = sizeof frame};
    struct engine_event event;
    unsigned int arrived = 0;
    must(engine_take_inside(from, frame, &packet, 1, now), "inside");
    while (engine_next_event(from, &event, room, ROOM)) {
        struct engine_packet outside = {.length = event.length, .source = source, .destination = destination};
        if (event.way == ENGINE_OUTSIDE)
            must(engine_take_outside(to, room, &outside, 1, now), "outside");
    }
    while (engine_next_event(to, &event, room, ROOM))
        arrived += event.way == ENGINE_INSIDE;
    return arrived;
}

static unsigned int exchange(struct engine *server, struct engine *client, uint16_t call, double now)
{
    unsigned int arrived = 0;
    open_call(client, CLIENT_CALL, call, SERVER, CLIENT, true, 0);
    for (int round = 0; round < ROUNDS; round++) {
        write_packet(INSIDE + call, BEHIND);
        arrived += carry(client, CLIENT, server, SERVER, now);
        write_packet(BEHIND, INSIDE + call);
        arrived += carry(server, SERVER, client, CLIENT, now);
    }
    must(engine_close_call(client, CLIENT_CALL, &last), "close");
    return arrived;
}

/* Let time pass until nothing is due; then let every call rest, as loop.c does after a while. */
static void fall_idle(struct engine *engine, int count)
{
    struct engine_event event;
    for (double due; (due = engine_deadline(engine)) >= 0;) {
        engine_tick(engine, due + 0.001);
        while (engine_next_event(engine, &event, room, ROOM))
            continue;
    }
    for (int number = 1; number <= count; number++) {
        struct call *call = engine->table.calls[number];
        encryptor_rest(&call->out.encryptor);
        decryptor_rest(&call->in.decryptor);
        window_rest(&call->in.window);
    }
}

int main(int words_count, char **words)
{
    int count = words_count == 2 ? atoi(words[1]) : 0;
    struct engine *server = engine_new(1), *client = engine_new(1);
    unsigned int arrived = 0;
    double now = 1000;
    if (count < 1 || count > 65000 || !server || !client)
        return 2;
    /* One call first, so that what the engines need once is there. */
    open_call(server, 65535, CLIENT_CALL, CLIENT, SERVER, false, INSIDE + 65535);
    exchange(server, client, 65535, now);
    must(engine_close_call(server, 65535, &last), "close");
    size_t before = resident();
    for (int call = 1; call <= count; call++)
        open_call(server, (uint16_t)call, CLIENT_CALL, CLIENT, SERVER, false, INSIDE + (uint32_t)call);
    size_t opened = resident();
    for (int call = 1; call <= count; call++)
        arrived += exchange(server, client, (uint16_t)call, now += 0.001);
    size_t busy = resident();
    fall_idle(server, count);
    size_t idle = resident();
    printf("{\"calls\": %d, \"arrived\": %u, \"expected\": %u, \"before\": %zu, \"opened\": %zu, \"busy\": %zu, "
           "\"idle\": %zu}\n", count, arrived, (unsigned int)count * 2 * ROUNDS, before, opened, busy, idle);
    engine_free(server);
    engine_free(client);
    return 0;
}
