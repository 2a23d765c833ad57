/* What the tests shared with datapath/path.py cannot reach: whose memory is, what is foreseen, two threads. TSAN */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

static bool memory_is_short;
#define malloc(size) (memory_is_short ? NULL : malloc(size))
#include "../decapsulate.c"
#undef malloc

#define ANN 0x0A000002u
#define BOB 0x0A000001u
#define SIZE 60

/* Notes what a path hands on; checks that it may be read. */
struct notes {
    struct sink sink;
    uint32_t numbers[1024]; /* of the inside packets, as packet() wrote them */
    uint32_t inside;
    uint32_t owned;
    uint32_t outside;
    uint32_t up;
    uint32_t lost;
};

static void note_inside(struct sink *sink, struct call *call, const uint8_t *packet, size_t length, void *owner)
{
    struct notes *notes = (struct notes *)sink;
    CHECK(call->open && length == SIZE && read16(packet + 2) == SIZE);
    notes->numbers[notes->inside++ % 1024] = read32(packet + 20);
    notes->owned += owner != NULL;
    free(owner);
}

static void note_outside(struct sink *sink, struct call *call, const uint8_t *packet, size_t length)
{
    struct gre gre;
    CHECK(call->connected && gre_decode(&gre, packet, length) && gre.has_acknowledgement && !gre.has_sequence);
    ((struct notes *)sink)->outside++;
}

static void note_up(struct sink *sink, struct call *call, const uint8_t *frame, size_t length)
{
    CHECK(call && length && frame[0] != 0xFE);
    ((struct notes *)sink)->up++;
}

static void note_lost(struct sink *sink, struct call *call, bool gave_up)
{
    CHECK(call && !gave_up);
    ((struct notes *)sink)->lost++;
}

static const struct sink NOTES = {note_inside, note_outside, note_up, note_lost};

static struct engine_encryption encryption(bool stateful)
{
    struct engine_encryption agreed = {.key_bits = 128, .stateful = stateful};
    for (uint8_t i = 0; i < 16; i++)
        agreed.start_key[i] = (uint8_t)(7 * i);
    return agreed;
}

/* Two ends with data flowing: the sender sends as Ann, the receiver takes only that. */
struct ends {
    struct call sender;
    struct call receiver;
    struct notes notes;
    struct cipher_batch batch;
};

static void set_keys(struct call *call, bool stateful)
{
    struct engine_encryption agreed = encryption(stateful);
    CHECK(path_encryption_up(call, &agreed, &agreed) == 0);
}

static struct ends *open_ends(bool encrypted, bool stateful)
{
    struct ends *ends = calloc(1, sizeof *ends);
    struct engine_inside inside = {.mtu = 1400};
    struct engine_prefix ann = {ANN, 32};
    path_begin(&ends->sender, 0, 0xFFFFFFF0);
    path_begin(&ends->receiver, 0, 0);
    ends->sender.connected = ends->receiver.connected = true;
    CHECK(path_interface_up(&ends->sender, &inside, NULL, 0) == 0);
    CHECK(path_interface_up(&ends->receiver, &inside, &ann, 1) == 0);
    if (encrypted) {
        set_keys(&ends->sender, stateful);
        set_keys(&ends->receiver, stateful);
    }
    ends->notes.sink = NOTES;
    return ends;
}

static void close_ends(struct ends *ends)
{
    path_end(&ends->sender);
    path_end(&ends->receiver);
    free(ends);
}

static void write_packet(uint8_t *to, uint32_t source, uint32_t number)
{
    memset(to, 0, SIZE);
    to[0] = 0x45;
    to[3] = SIZE;
    to[8] = 64;
    to[9] = IP_UDP;
    write32(to + 12, source);
    write32(to + 16, BOB);
    write32(to + 20, number);
}

/* One GRE packet in memory of exactly its size, so that a sanitizer sees each octet read too much. */
struct wire {
    uint8_t *octets;
    size_t length;
};

static struct wire send_packet(struct ends *ends, uint32_t source, uint32_t number)
{
    struct outgoing *slot = calloc(1, sizeof *slot);
    write_packet(slot->octets + SLOT_INNER, source, number);
    CHECK(path_admit(&ends->sender, slot->octets + SLOT_INNER, SIZE) == OUTWARD_READY);
    CHECK(path_encapsulate(&ends->sender, slot, SIZE, &ends->batch, number));
    lanes_run(&ends->batch);
    CHECK(slot->start >= 14 + 20);
    struct wire wire = {malloc(slot->length), slot->length};
    memcpy(wire.octets, slot->octets + slot->start, slot->length);
    free(slot);
    return wire;
}

static bool read_wire(struct ends *ends, const struct wire *wire, struct incoming *packet, uint8_t *plain)
{
    *packet = (struct incoming){.octets = wire->octets, .length = (uint32_t)wire->length, .call = &ends->receiver,
                                .foreseen = -1, .plain = plain};
    return gre_decode(&packet->gre, wire->octets, wire->length);
}

/* Deliver one packet and forget it: what was held must be held elsewhere. */
static void receive(struct ends *ends, struct wire wire, seconds now)
{
    struct incoming packet;
    uint8_t *plain = malloc(SLOT_OCTETS);
    if (read_wire(ends, &wire, &packet, plain))
        path_decapsulate(&packet, &ends->notes.sink, now);
    memset(wire.octets, 0xFE, wire.length);
    memset(plain, 0xFE, SLOT_OCTETS);
    free(wire.octets);
    free(plain);
}

static void expect_numbers(const struct notes *notes, uint32_t count)
{
    CHECK(notes->inside == count);
    for (uint32_t i = 0; i < notes->inside && i < count; i++)
        CHECK(notes->numbers[i] == i);
}

static void what_is_held_has_memory_of_its_own(bool encrypted, bool stateful)
{
    struct ends *ends = open_ends(encrypted, stateful);
    struct wire wires[6];
    for (uint32_t i = 0; i < 6; i++)
        wires[i] = send_packet(ends, ANN, i);
    static const uint32_t order[] = {0, 2, 4, 3, 5, 1};
    for (uint32_t i = 0; i < 6; i++)
        receive(ends, wires[order[i]], 0.001);
    expect_numbers(&ends->notes, 6);
    CHECK(ends->notes.owned == 5 && ends->notes.lost == 0);
    close_ends(ends);
}

static void what_is_held_at_the_end_is_freed(bool encrypted, bool stateful)
{
    struct ends *ends = open_ends(encrypted, stateful);
    for (uint32_t i = 0; i < 20; i++) {
        struct wire wire = send_packet(ends, ANN, i);
        if (i == 1)
            free(wire.octets);
        else
            receive(ends, wire, 0);
    }
    CHECK(ends->notes.inside == 1 && ends->receiver.in.window.held == 18);
    close_ends(ends);
}

static void what_is_held_and_then_dropped_is_freed(void)
{
    struct ends *ends = open_ends(false, false);
    receive(ends, send_packet(ends, ANN, 0), 0);
    free(send_packet(ends, ANN, 1).octets);
    for (uint32_t i = 2; i < 12; i++)
        receive(ends, send_packet(ends, BOB, i), 0);
    path_tick(&ends->receiver, &ends->notes.sink, 1);
    CHECK(ends->notes.inside == 1 && ends->receiver.in.counters.dropped_source == 10);
    CHECK(ends->receiver.in.counters.lost == 1 && ends->notes.outside == 1);
    close_ends(ends);
}

/* What came before the keys is opened when its turn comes, whatever the mode. */
static void keys_may_come_while_packets_wait(bool stateful)
{
    struct ends *ends = open_ends(true, stateful);
    path_encryption_down(&ends->receiver);
    struct wire wires[4];
    for (uint32_t i = 0; i < 4; i++)
        wires[i] = send_packet(ends, ANN, i);
    receive(ends, wires[0], 0);
    CHECK(ends->receiver.in.counters.dropped_not_open == 1);
    receive(ends, wires[2], 0);
    receive(ends, wires[3], 0);
    set_keys(&ends->receiver, stateful);
    set_keys(&ends->sender, stateful);
    free(wires[1].octets);
    path_tick(&ends->receiver, &ends->notes.sink, 1);
    CHECK(ends->notes.inside + ends->receiver.in.counters.dropped_not_decryptable == 2);
    path_encryption_down(&ends->receiver);
    receive(ends, send_packet(ends, ANN, 0), 1);
    CHECK(ends->receiver.in.counters.dropped_not_open == 2);
    close_ends(ends);
}

/* Run what was sent through one end in batches of 64, foreseen or not. */
static void run_batches(struct ends *ends, struct wire *wires, size_t count, bool foreseen, uint32_t *hits)
{
    static uint8_t plain[BATCH][SLOT_OCTETS];
    struct incoming packets[BATCH];
    for (size_t done = 0; done < count; done += BATCH) {
        size_t size = count - done < BATCH ? count - done : BATCH;
        memset(plain, 0xFE, sizeof plain);
        for (size_t i = 0; i < size; i++) {
            CHECK(read_wire(ends, &wires[done + i], &packets[i], plain[i]));
            if (foreseen)
                path_foresee(&packets[i], &ends->batch);
        }
        lanes_run(&ends->batch);
        for (size_t i = 0; i < size; i++) {
            *hits += packets[i].foreseen >= 0;
            path_decapsulate(&packets[i], &ends->notes.sink, (double)done);
        }
    }
    path_tick(&ends->receiver, &ends->notes.sink, 1e6);
}

/* Loss, doubles, reordering, damage: with foresight everything is decided as without. */
static void foresight_changes_no_decision(uint32_t luck)
{
    enum { SENT = 500 };
    struct ends *ends[2] = {open_ends(true, false), open_ends(true, false)};
    struct wire wires[2 * SENT];
    struct wire all[SENT];
    size_t count = 0;
    for (uint32_t i = 0; i < SENT; i++)
        all[i] = send_packet(ends[0], ANN, i);
    for (uint32_t i = 0; i < SENT; i++) {
        luck = luck * 1664525 + 1013904223;
        uint32_t fate = (luck >> 16) % 32;
        uint32_t other = i + (luck >> 24) % 6;
        if (fate == 0)
            continue;
        if (fate < 4 && other < SENT) { /* swap with a later one */
            struct wire swapped = all[i];
            all[i] = all[other];
            all[other] = swapped;
        }
        if (fate == 4)
            all[i].octets[all[i].length - 1 - (luck >> 8) % 62] ^= 0x55;
        wires[count++] = all[i];
        if (fate == 5)
            wires[count++] = all[i];
    }
    uint32_t hits[2] = {0, 0};
    run_batches(ends[0], wires, count, true, &hits[0]);
    run_batches(ends[1], wires, count, false, &hits[1]);
    CHECK(hits[0] > count * 9 / 10 && hits[1] == 0);
    CHECK(ends[0]->notes.inside == ends[1]->notes.inside && ends[0]->notes.inside > SENT * 8 / 10);
    CHECK(memcmp(ends[0]->notes.numbers, ends[1]->notes.numbers, sizeof ends[0]->notes.numbers) == 0);
    struct engine_counters counters[2];
    path_counters(&ends[0]->receiver, &counters[0]);
    path_counters(&ends[1]->receiver, &counters[1]);
    CHECK(memcmp(&counters[0], &counters[1], sizeof counters[0]) == 0);
    for (uint32_t i = 0; i < SENT; i++)
        free(all[i].octets);
    close_ends(ends[0]);
    close_ends(ends[1]);
}

static void packets_in_order_need_no_memory(void)
{
    struct ends *ends = open_ends(true, false);
    struct wire wires[BATCH];
    for (uint32_t i = 0; i < BATCH; i++)
        wires[i] = send_packet(ends, ANN, i);
    uint32_t hits = 0;
    memory_is_short = true;
    run_batches(ends, wires, BATCH, true, &hits);
    memory_is_short = false;
    expect_numbers(&ends->notes, BATCH);
    CHECK(hits == BATCH && ends->notes.owned == 0);
    for (uint32_t i = 0; i < BATCH; i++)
        free(wires[i].octets);
    close_ends(ends);
}

static void without_memory_a_packet_ahead_is_dropped_as_late(void)
{
    struct ends *ends = open_ends(false, false);
    struct wire wires[3];
    for (uint32_t i = 0; i < 3; i++)
        wires[i] = send_packet(ends, ANN, i);
    receive(ends, wires[0], 0);
    memory_is_short = true;
    receive(ends, wires[2], 0);
    memory_is_short = false;
    CHECK(ends->receiver.in.counters.dropped_late == 1 && ends->receiver.in.window.held == 0);
    receive(ends, wires[1], 0);
    expect_numbers(&ends->notes, 2);
    close_ends(ends);
}

/* B-042, B-110: each length, also foreseen, is read only as far as it goes. */
static void every_truncation_is_read_only_to_its_end(bool encrypted, bool stateful)
{
    struct ends *ends = open_ends(encrypted, stateful);
    struct wire whole = send_packet(ends, ANN, 0);
    for (uint32_t length = 0; length <= whole.length - GRE_MOST; length++) {
        struct incoming packet = {.call = &ends->receiver, .foreseen = -1, .plain = malloc(length ? length : 1)};
        uint8_t *payload = malloc(length ? length : 1);
        memcpy(payload, whole.octets + 12, length);
        packet.gre = (struct gre){.has_sequence = true, .sequence = length, .payload = payload, .length = length};
        path_foresee(&packet, &ends->batch);
        lanes_run(&ends->batch);
        path_decapsulate(&packet, &ends->notes.sink, 0);
        free(payload);
        free(packet.plain);
    }
    CHECK(ends->notes.inside == 0 && ends->notes.up == 0);
    free(whole.octets);
    close_ends(ends);
}

/* B-057. */
static void frames_too_long_are_not_foreseen_and_dropped(void)
{
    struct ends *ends = open_ends(true, false);
    uint8_t *payload = calloc(1, RECEIVE_LIMIT + 1);
    uint8_t plain[SLOT_OCTETS];
    memcpy(payload, "\xfd\x90\x00", 3);
    struct incoming packet = {.call = &ends->receiver, .plain = plain};
    packet.gre = (struct gre){.has_sequence = true, .payload = payload, .length = RECEIVE_LIMIT};
    path_foresee(&packet, &ends->batch);
    CHECK(packet.foreseen == 0);
    lanes_run(&ends->batch);
    packet.gre.length++;
    path_foresee(&packet, &ends->batch);
    CHECK(packet.foreseen == -1 && ends->batch.jobs_count == 0);
    path_decapsulate(&packet, &ends->notes.sink, 0);
    CHECK(ends->receiver.in.counters.dropped_too_big == 1);
    packet.call = NULL;
    packet.gre.length = 30;
    path_foresee(&packet, &ends->batch);
    CHECK(packet.foreseen == -1);
    free(payload);
    close_ends(ends);
}

static void the_mtu_is_what_a_slot_holds_at_most(void)
{
    struct ends *ends = open_ends(true, false);
    struct engine_inside inside = {.mtu = 9000, .compress_protocol = false};
    struct outgoing *slot = calloc(1, sizeof *slot);
    uint8_t *packet = slot->octets + SLOT_INNER;
    CHECK(path_interface_up(&ends->sender, &inside, NULL, 0) == 0);
    write_packet(packet, ANN, 0);
    write16(packet + 2, LONGEST_INNER);
    CHECK(path_admit(&ends->sender, packet, LONGEST_INNER) == OUTWARD_READY);
    CHECK(path_encapsulate(&ends->sender, slot, LONGEST_INNER, &ends->batch, 0));
    lanes_run(&ends->batch);
    CHECK(slot->start + slot->length == SLOT_OCTETS);
    uint8_t longer[LONGEST_INNER + 1];
    memcpy(longer, packet, SIZE);
    write_packet(longer, ANN, 0);
    write16(longer + 2, LONGEST_INNER + 1);
    CHECK(path_admit(&ends->sender, longer, sizeof longer) == OUTWARD_TOO_BIG);
    CHECK(!path_encapsulate_frame(&ends->sender, slot, longer, sizeof longer));
    CHECK(path_encapsulate_frame(&ends->sender, slot, longer, LONGEST_INNER));
    free(slot);
    close_ends(ends);
}

/* B-088. */
static void prefixes_of_every_length_are_told_apart(void)
{
    struct call call = {.connected = true};
    struct engine_inside inside = {.mtu = 1400};
    uint8_t packet[SIZE];
    path_begin(&call, 0, 0);
    for (uint32_t length = 0; length <= 32; length++) {
        struct engine_prefix prefix = {ANN, length};
        CHECK(path_interface_up(&call, &inside, &prefix, 1) == 0);
        write_packet(packet, ANN, 0);
        CHECK(allowed_ipv4(&call, packet));
        write_packet(packet, length ? ANN ^ 1u << (32 - length) : ~ANN, 0);
        CHECK(allowed_ipv4(&call, packet) == (length == 0));
        write_packet(packet, length < 32 ? ANN ^ 1u << (31 - length) : ANN, 0);
        CHECK(allowed_ipv4(&call, packet));
    }
    struct engine_prefix wrong = {ANN, 33};
    CHECK(path_interface_up(&call, &inside, &wrong, 1) == -EINVAL && call.allowed_count == 1);
    path_end(&call);
}

static void rates_limit_each_way_by_itself(void)
{
    struct ends *ends = open_ends(false, false);
    struct engine_inside inside = {.mtu = 1400, .rate_out = {8 * SIZE, 2 * SIZE}};
    struct outgoing *slot = calloc(1, sizeof *slot);
    CHECK(path_interface_up(&ends->sender, &inside, NULL, 0) == 0);
    static const seconds when[] = {0, 0, 0, 0.5, 1.6, 1.6};
    static const bool passes[] = {true, true, false, false, true, false};
    for (int i = 0; i < 6; i++) {
        write_packet(slot->octets + SLOT_INNER, ANN, 0);
        CHECK(path_encapsulate(&ends->sender, slot, SIZE, &ends->batch, when[i]) == passes[i]);
    }
    struct engine_counters counters;
    path_counters(&ends->sender, &counters);
    CHECK(counters.dropped_rate == 3 && counters.packets_out == 3 && counters.last_out > 1.5);
    CHECK(ends->sender.out.next_sequence == 0xFFFFFFF3);
    inside.rate_in = inside.rate_out;
    inside.rate_out = (struct engine_rate){0, 0};
    CHECK(path_interface_up(&ends->sender, &inside, NULL, 0) == 0);
    CHECK(path_interface_up(&ends->receiver, &inside, NULL, 0) == 0);
    for (uint32_t i = 0; i < 5; i++)
        receive(ends, send_packet(ends, ANN, i), 0);
    expect_numbers(&ends->notes, 2);
    CHECK(ends->receiver.in.counters.dropped_rate == 3);
    free(slot);
    close_ends(ends);
}

static void *keep_sending(void *context)
{
    struct ends *ends = context;
    struct outgoing *slot = calloc(1, sizeof *slot);
    struct gre gre;
    for (int i = 0; i < 20000; i++) {
        CHECK(path_encapsulate_frame(&ends->receiver, slot, (const uint8_t *)"\xc0\x21", 2));
        CHECK(gre_decode(&gre, slot->octets + slot->start, slot->length));
    }
    free(slot);
    return NULL;
}

/* One thread each way, and one that counts: nothing is shared but what is atomic. */
static void both_ways_at_once(void)
{
    struct ends *ends = open_ends(false, false);
    uint8_t payload[2 + SIZE] = {0, 0x21};
    struct engine_counters counters;
    pthread_t sender;
    write_packet(payload + 2, ANN, 0);
    CHECK(!pthread_create(&sender, NULL, keep_sending, ends));
    for (uint32_t i = 0; i < 20000; i++) {
        struct incoming packet = {.call = &ends->receiver, .foreseen = -1};
        packet.gre = (struct gre){.has_sequence = true, .sequence = i, .payload = payload, .length = sizeof payload,
                                  .has_acknowledgement = true, .acknowledgement = i / 2};
        path_decapsulate(&packet, &ends->notes.sink, i);
        path_counters(&ends->receiver, &counters);
    }
    pthread_join(sender, NULL);
    CHECK(ends->notes.inside == 20000 && counters.packets_in == 20000);
    close_ends(ends);
}

int main(void)
{
    static const bool modes[][2] = {{false, false}, {true, false}, {true, true}};
    for (int i = 0; i < 3; i++) {
        what_is_held_has_memory_of_its_own(modes[i][0], modes[i][1]);
        what_is_held_at_the_end_is_freed(modes[i][0], modes[i][1]);
        every_truncation_is_read_only_to_its_end(modes[i][0], modes[i][1]);
    }
    what_is_held_and_then_dropped_is_freed();
    keys_may_come_while_packets_wait(false);
    keys_may_come_while_packets_wait(true);
    for (uint32_t luck = 1; luck <= 5; luck++)
        foresight_changes_no_decision(luck);
    packets_in_order_need_no_memory();
    without_memory_a_packet_ahead_is_dropped_as_late();
    frames_too_long_are_not_foreseen_and_dropped();
    the_mtu_is_what_a_slot_holds_at_most();
    prefixes_of_every_length_are_told_apart();
    rates_limit_each_way_by_itself();
    both_ways_at_once();
    DONE();
}
