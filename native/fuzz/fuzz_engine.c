/* The whole engine in memory mode: two of them joined by a wire that the input damages.
 *
 * The input is a script. Packets that one engine made reach the other whole, changed, twice, late or never; others are
 * the input's own. Whatever comes, what goes inside is IP of an allowed source, what goes outside is GRE, what goes up
 * is a control protocol, and nothing unencrypted passes where encryption is required.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "gre.h"
#include "ip.h"
#include "path.h"
#include "segment.h"

#define NEAR_ADDRESS 0x0a000001u
#define FAR_ADDRESS 0x0a000002u
#define NEAR_INSIDE 0x0a5b0001u
#define FAR_INSIDE 0x0a5b0002u
#define CALL 5
#define WIRE 64 /* packets that wait between the two */

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t length);

struct script {
    const uint8_t *octets;
    size_t left;
};

struct packet {
    uint8_t octets[2048];
    uint32_t length;
};

struct world {
    struct engine *near;
    struct engine *far;
    bool required;
    double now;
    struct packet wire[WIRE];
    size_t waiting;
};

static uint64_t packets;

static void report(void)
{
    printf("packets %llu\n", (unsigned long long)packets);
}

#define HOLDS(condition) ((condition) ? (void)0 : fail(#condition))

static void fail(const char *condition)
{
    fprintf(stderr, "does not hold: %s\n", condition);
    abort();
}

static uint8_t next(struct script *script)
{
    if (!script->left)
        return 0;
    script->left--;
    return *script->octets++;
}

/* The next octets of the script, at most count. */
static const uint8_t *piece(struct script *script, size_t *count)
{
    const uint8_t *begin = script->octets;
    if (*count > script->left)
        *count = script->left;
    script->octets += *count;
    script->left -= *count;
    return begin;
}

static void check(const struct world *world, const struct engine *engine, const struct engine_event *event,
                  const uint8_t *octets)
{
    struct gre gre;
    bool near = engine == world->near;
    switch (event->way) {
    case ENGINE_OUTSIDE:
        HOLDS(gre_decode(&gre, octets, event->length) && gre.call_id == CALL);
        HOLDS(gre.has_sequence || (gre.has_acknowledgement && event->length == 12));
        break;
    case ENGINE_INSIDE:
        HOLDS(event->length >= 20);
        if (octets[0] >> 4 == 4)
            HOLDS(ipv4_length(octets, event->length) == event->length);
        else
            HOLDS(ipv6_length(octets, event->length) == event->length);
        if (near && event->call_id == CALL && octets[0] >> 4 == 4)
            HOLDS(read32(octets + 12) == FAR_INSIDE);
        break;
    case ENGINE_UP:
        HOLDS(event->length >= 2 && event->length <= RECEIVE_LIMIT);
        break;
    default:
        HOLDS(event->length == 0);
    }
}

/* Draw what followed; what the engine sent waits on the wire. */
static void drain(struct world *world, struct engine *engine)
{
    struct engine_event event;
    uint8_t octets[4096];
    while (engine_next_event(engine, &event, octets, sizeof octets)) {
        check(world, engine, &event, octets);
        if (event.way == ENGINE_LOST_STEP)
            engine_encryption_flush(engine == world->near ? world->far : world->near, CALL);
        if (event.way == ENGINE_OUTSIDE && engine == world->far && world->waiting < WIRE) {
            struct packet *packet = &world->wire[world->waiting++];
            packet->length = event.length;
            memcpy(packet->octets, octets, event.length);
        }
    }
}

static void give(struct world *world, struct engine *engine, uint32_t source, const uint8_t *octets, size_t length)
{
    /* A copy of its own size, so that a read beyond its end is seen. */
    uint8_t *copy = malloc(length + !length);
    if (!copy)
        return;
    memcpy(copy, octets, length);
    struct engine_packet packet = {0, (uint32_t)length, source, 0};
    engine_take_outside(engine, copy, &packet, 1, world->now);
    free(copy);
    packets++;
    drain(world, engine);
}

static void give_inside(struct world *world, struct engine *engine, const uint8_t *octets, size_t length)
{
    struct engine_packet packet = {0, (uint32_t)length, 0, 0};
    engine_take_inside(engine, octets, &packet, 1, world->now);
    packets++;
    drain(world, engine);
}

/* The far end's host sends a datagram through the tunnel. */
static void far_sends(struct world *world, struct script *script)
{
    uint8_t frame[TUN_HEADER + 1500] = {0};
    uint8_t *packet = frame + TUN_HEADER;
    size_t size = 20 + (size_t)next(script) * 5;
    packet[0] = 0x45;
    write16(packet + 2, (uint16_t)size);
    packet[9] = IP_UDP;
    write32(packet + 12, FAR_INSIDE + (next(script) == 7));
    write32(packet + 16, NEAR_INSIDE);
    give_inside(world, world->far, frame, TUN_HEADER + size);
}

/* What waits on the wire arrives: all of it from one place on, damaged as the script says. */
static void arrive(struct world *world, struct script *script)
{
    uint8_t how = next(script);
    size_t first = how & 0x3f;
    size_t arriving = world->waiting > first ? world->waiting - first : 0;
    for (size_t i = 0; i < arriving; i++) {
        struct packet *packet = &world->wire[first + i];
        if (how & 0x40 && packet->length) {
            size_t at = next(script) % packet->length;
            packet->octets[at] ^= next(script);
        }
        give(world, world->near, FAR_ADDRESS, packet->octets, packet->length);
        if (how & 0x80)
            give(world, world->near, FAR_ADDRESS, packet->octets, packet->length);
    }
    world->waiting -= arriving;
}

/* A GRE packet whose header is right, with a payload and a number of the script's choice. */
static void forge(struct world *world, struct script *script)
{
    uint8_t octets[GRE_MOST + 512];
    uint32_t sequence = (uint32_t)next(script) | (uint32_t)next(script) << 8;
    if (next(script) & 1)
        sequence = 0u - sequence;
    size_t count = next(script);
    const uint8_t *body = piece(script, &count);
    memcpy(octets + GRE_MOST, body, count);
    uint8_t *begin = gre_encode(octets + GRE_MOST, CALL, (uint16_t)count, &sequence, NULL);
    give(world, world->near, FAR_ADDRESS, begin, (size_t)(octets + GRE_MOST + count - begin));
}

static void raw(struct world *world, struct script *script, bool inside)
{
    size_t count = next(script) | (size_t)(next(script) & 3) << 8;
    const uint8_t *octets = piece(script, &count);
    if (inside)
        give_inside(world, world->near, octets, count);
    else
        give(world, world->near, FAR_ADDRESS - (count & 1), octets, count);
}

static void pass_time(struct world *world, struct script *script)
{
    world->now += next(script) * 0.004;
    engine_tick(world->near, world->now);
    drain(world, world->near);
    engine_tick(world->far, world->now);
    drain(world, world->far);
}

static void keys(struct world *world, uint8_t how)
{
    static const uint32_t bits[] = {128, 56, 40, 128};
    struct engine_encryption one = {{1, 2, 3, 4, 5, 6, 7, 8, 9}, bits[how & 3], (how >> 2) & 1};
    struct engine_encryption other = one;
    other.start_key[0] = 9;
    engine_encryption_up(world->near, CALL, &one, &other);
    engine_encryption_up(world->far, CALL, &other, &one);
}

static void up(struct world *world, uint8_t how)
{
    struct engine_inside inside = {.mtu = 1400, .compress_protocol = how & 1, .compress_address_control = how & 1,
                                   .clamp_segment_size = how >> 2 & 1};
    struct engine_prefix allowed = {FAR_INSIDE, 32};
    inside.has_peer_identifier = how >> 1 & 1;
    if (how & 0x40)
        inside.rate_in = inside.rate_out = (struct engine_rate){100000, 0};
    engine_interface_up(world->far, CALL, &inside, NULL, 0);
    inside.encryption_required = world->required = how >> 2 & 1;
    engine_interface_up(world->near, CALL, &inside, &allowed, 1);
    if (how & 8)
        keys(world, how >> 4);
}

static void change(struct world *world, struct script *script)
{
    struct engine_counters last;
    uint8_t what = next(script);
    switch (what & 7) {
    case 0:
        engine_encryption_down(world->near, CALL);
        break;
    case 1:
        engine_interface_down(world->near, CALL);
        break;
    case 2:
        engine_encryption_flush(world->near, CALL);
        break;
    case 3:
        engine_close_call(world->near, CALL, &last);
        engine_open_call(world->near, CALL, FAR_ADDRESS, NEAR_ADDRESS, what, 0);
        engine_connect_call(world->near, CALL, CALL);
        break;
    case 4: {
        size_t count = next(script);
        const uint8_t *frame = piece(script, &count);
        if (count)
            engine_send_frame(world->near, CALL, frame, (uint32_t)count);
        drain(world, world->near);
        break;
    }
    default:
        up(world, next(script));
    }
}

/* Both engines are made once: a new one for each input would cost more than what it does. */
static void begin(struct world *world, struct script *script)
{
    static struct engine *near, *far;
    if (!near) {
        near = engine_new(1);
        far = engine_new(1);
        atexit(report);
    }
    world->near = near;
    world->far = far;
    world->now = 100.0;
    engine_open_call(near, CALL, FAR_ADDRESS, NEAR_ADDRESS, 0, 0);
    engine_open_call(far, CALL, NEAR_ADDRESS, FAR_ADDRESS, 0, next(script) ? 0 : 0xfffffff0u);
    engine_connect_call(near, CALL, CALL);
    engine_connect_call(far, CALL, CALL);
    up(world, next(script));
}

static void end(struct world *world)
{
    struct engine_counters last;
    struct engine_event event;
    uint8_t octets[1];
    engine_close_call(world->near, CALL, &last);
    engine_close_call(world->far, CALL, &last);
    while (engine_next_event(world->near, &event, octets, 0) || engine_next_event(world->far, &event, octets, 0))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t length)
{
    static struct world world;
    struct script script = {octets, length};
    world.waiting = 0;
    begin(&world, &script);
    while (script.left) {
        switch (next(&script) % 8) {
        case 0:
        case 1:
            far_sends(&world, &script);
            break;
        case 2:
        case 3:
            arrive(&world, &script);
            break;
        case 4:
            forge(&world, &script);
            break;
        case 5:
            raw(&world, &script, next(&script) & 1);
            break;
        case 6:
            pass_time(&world, &script);
            break;
        default:
            change(&world, &script);
        }
    }
    end(&world);
    return 0;
}
