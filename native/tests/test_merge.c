/* What is merged for the TUN device, what passes as it is, and in which order. */
#include "../merge.h"

#include "../segment.h"
#include "check.h"
#include "packets.h"

#define LOG 32

/* What was written: how many packets in each frame, how long, and the octets of the last. */
static struct {
    int count;
    uint32_t packets[LOG];
    size_t length[LOG];
    uint8_t last[TUN_MOST];
    bool refuse;
} written;

static bool write_frame(void *context, const struct iovec *pieces, int count, uint32_t packets)
{
    (void)context;
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        CHECK(length + pieces[i].iov_len <= sizeof written.last);
        memcpy(written.last + length, pieces[i].iov_base, pieces[i].iov_len);
        length += pieces[i].iov_len;
    }
    if (written.count < LOG) {
        written.packets[written.count] = packets;
        written.length[written.count] = length - TUN_HEADER;
    }
    written.count++;
    return !written.refuse;
}

static uint8_t storage[80][1600];
static size_t stored;
static struct merger merger;

static void begin(void)
{
    memset(&written, 0, sizeof written);
    stored = 0;
    CHECK(merge_begin(&merger, write_frame, NULL));
}

/* Flush and say whether the frames held so many packets; the list ends with 0. */
static bool came(const uint32_t *packets)
{
    merge_flush(&merger);
    merge_end(&merger);
    int count = 0;
    bool same = true;
    for (; packets[count]; count++)
        same = same && count < written.count && written.packets[count] == packets[count];
    return same && count == written.count;
}
#define CAME(...) CHECK(came((const uint32_t[]){__VA_ARGS__, 0}))

static uint8_t *make(int version, uint8_t flow, uint32_t sequence, uint8_t flags, size_t payload)
{
    write_tcp(storage[stored], version, flow, sequence, flags, payload);
    return storage[stored++];
}

static void take(const uint8_t *packet)
{
    size_t total = packet[0] >> 4 == 4 ? read16(packet + 2) : 40u + read16(packet + 4);
    merge_take(&merger, packet, total);
}

static void give(uint8_t flow, uint32_t sequence, uint8_t flags, size_t payload)
{
    take(make(4, flow, sequence, flags, payload));
}

static void segments_become_one_frame(void)
{
    for (int version = 4; version <= 6; version += 2) {
        begin();
        for (uint32_t i = 0; i < 3; i++)
            take(make(version, 0, 0xFFFFFF00 + i * 1000, i == 2 ? FLAG_ACK | FLAG_PSH : FLAG_ACK, i == 2 ? 7 : 1000));
        CHECK(written.count == 1); /* without a flush */
        struct offload offload;
        memcpy(&offload, written.last, sizeof offload);
        size_t ip = version == 4 ? 20 : 40;
        CHECK(offload.flags == NEEDS_CHECKSUM);
        CHECK(offload.kind == (version == 4 ? KIND_TCP_V4 : KIND_TCP_V6));
        CHECK(offload.headers == ip + 20 && offload.size == 1000);
        CHECK(offload.checksum_start == ip && offload.checksum_offset == TCP_CHECKSUM);
        uint8_t whole[3000];
        size_t length = write_tcp(whole, version, 0, 0xFFFFFF00, FLAG_ACK | FLAG_PSH, 2007);
        write16(whole + ip + TCP_CHECKSUM, checksum_fold(checksum_pseudo(whole, IP_TCP, 2027)));
        CHECK(written.length[0] == length);
        CHECK(!memcmp(written.last + TUN_HEADER, whole, length));
        CHECK(merger.merged == 3);
        CAME(3);
    }
}

static void what_closes_a_frame(void)
{
    begin();
    give(0, 0, FLAG_ACK, 100);
    give(0, 100, FLAG_ACK | FLAG_PSH, 100);
    give(0, 200, FLAG_ACK, 100);
    give(0, 300, FLAG_ACK, 99);
    give(0, 399, FLAG_ACK, 100);
    give(0, 499, FLAG_ACK, 101);
    give(0, 600, FLAG_ACK | FLAG_PSH, 101);
    give(0, 701, FLAG_ACK | FLAG_PSH, 101);
    CAME(2, 2, 1, 2, 1);
}

static void what_has_no_data_or_other_flags_passes_behind_its_flow(void)
{
    static const uint8_t flags[] = {FLAG_ACK | FLAG_FIN, FLAG_ACK | 0x02, FLAG_ACK | 0x04, FLAG_ACK | 0x20,
                                    FLAG_ACK | 0x40,     FLAG_ACK | 0x80, 0};
    for (size_t i = 0; i < sizeof flags; i++) {
        begin();
        give(0, 0, FLAG_ACK, 100);
        give(0, 100, FLAG_ACK, 100);
        give(0, 200, flags[i], 100);
        give(0, 300, FLAG_ACK, 0);
        CHECK(written.count == 3);
        CAME(2, 1, 1);
    }
}

/* Packets of one connection that may not be in one frame: what differs in the second, by place. */
static void nothing_else_may_differ(void)
{
    static const struct {
        int version;
        size_t place;
    } other[] = {{4, 1},  {4, 8},  {4, 24}, {4, 28}, {4, 34}, {4, 32}, {4, 38}, {6, 1},
                 {6, 3},  {6, 7},  {6, 44}, {6, 48}, {6, 54}, {4, 12}, {4, 16}, {4, 20},
                 {4, 22}, {6, 10}, {6, 25}, {6, 40}, {6, 42}, {4, 6},  {4, 7}};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        begin();
        take(make(other[i].version, 0, 0, FLAG_ACK, 100));
        uint8_t *second = make(other[i].version, 0, 100, FLAG_ACK, 100);
        second[other[i].place] ^= other[i].place == 32 ? 1 : 0x20;
        seal_tcp(second, other[i].version == 4 ? 140 : 160);
        take(second);
        CAME(1, 1);
    }
}

static void options_word_for_word(void)
{
    for (int same = 0; same < 2; same++) {
        begin();
        for (uint32_t i = 0; i < 2; i++) {
            uint8_t *packet = make(4, 0, i * 88, FLAG_ACK, 100); /* 12 octets of it become options */
            packet[32] = 0x80;
            memset(packet + 40, 1, 12);
            packet[51] = same ? 1 : (uint8_t)i;
            seal_tcp(packet, 140);
            take(packet);
        }
        if (same)
            CAME(2);
        else
            CAME(1, 1);
    }
}

static void ipv4_numbers(void)
{
    static const struct {
        uint8_t flags;
        uint16_t step;
        uint32_t frames;
    } wanted[] = {{0x40, 0, 1}, {0x40, 1, 1}, {0x40, 77, 1}, {0, 1, 1}, {0, 0, 2}, {0, 2, 2}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        begin();
        for (uint32_t n = 0; n < 2; n++) {
            uint8_t *packet = make(4, 0, n * 100, FLAG_ACK, 100);
            packet[6] = wanted[i].flags;
            write16(packet + 4, (uint16_t)(0xFFFF + n * wanted[i].step));
            seal_tcp(packet, 140);
            take(packet);
        }
        merge_flush(&merger);
        CHECK(written.count == (int)wanted[i].frames);
        merge_end(&merger);
    }
}

static void damaged_packets_pass_as_they_are(void)
{
    static const size_t places[] = {11, 36, 45, 139};
    for (uint32_t wrong = 0; wrong < 3; wrong++) {
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            begin();
            for (uint32_t n = 0; n < 3; n++) {
                uint8_t *packet = make(4, 0, n * 100, FLAG_ACK, 100);
                packet[places[i]] ^= n == wrong ? 0x10 : 0;
                take(packet);
            }
            merge_flush(&merger);
            CHECK(merger.merged == (wrong == 1 ? 0 : 2));
            static const uint32_t frames[3][4] = {{1, 2, 0}, {1, 1, 1, 0}, {2, 1, 0}};
            CHECK(came(frames[wrong]));
        }
    }
}

static void what_is_not_plain_passes_behind_its_addresses(void)
{
    static const struct {
        size_t place;
        uint8_t octet;
    } changes[] = {{0, 0x46}, {6, 0x20}, {6, 0x80}, {7, 1}, {32, 0xF0}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        begin();
        give(0, 0, FLAG_ACK, 10);
        give(0, 10, FLAG_ACK, 10);
        give(1, 0, FLAG_ACK, 10);
        uint8_t *packet = make(4, 0, 20, FLAG_ACK, 10);
        packet[changes[i].place] = changes[i].octet;
        take(packet);
        CHECK(written.packets[0] == 2);
        CHECK(written.count == (changes[i].place == 32 ? 2 : 3));
        merge_end(&merger);
    }
    begin();
    take(make(6, 0, 0, FLAG_ACK, 10));
    uint8_t *extended = make(6, 0, 10, FLAG_ACK, 10);
    extended[6] = IPV6_DESTINATION;
    take(extended);
    CHECK(written.count == 2);
    CAME(1, 1);
}

static void other_protocols_wait_for_nothing(void)
{
    begin();
    give(0, 0, FLAG_ACK, 10);
    uint8_t *udp = make(4, 0, 10, FLAG_ACK, 10);
    udp[9] = IP_UDP;
    take(udp);
    merge_take(&merger, udp, 3);
    merge_take(&merger, udp, 0);
    CHECK(written.count == 3);
    give(0, 10, FLAG_ACK, 10);
    CAME(1, 1, 1, 2);
}

/* --- datagrams */

static void begin_with_datagrams(void)
{
    begin();
    merger.datagrams = true;
}

static uint8_t *make_udp(int version, uint8_t flow, uint32_t salt, size_t payload)
{
    write_udp(storage[stored], version, flow, salt, payload);
    return storage[stored++];
}

static void datagrams_become_one_frame(void)
{
    for (int version = 4; version <= 6; version += 2) {
        begin_with_datagrams();
        for (uint32_t i = 0; i < 3; i++)
            take(make_udp(version, 0, i * 1000, i == 2 ? 7 : 1000));
        CHECK(written.count == 1); /* without a flush */
        struct offload offload;
        memcpy(&offload, written.last, sizeof offload);
        size_t ip = version == 4 ? 20 : 40;
        CHECK(offload.flags == NEEDS_CHECKSUM && offload.kind == KIND_UDP);
        CHECK(offload.headers == ip + 8 && offload.size == 1000);
        CHECK(offload.checksum_start == ip && offload.checksum_offset == UDP_CHECKSUM);
        uint8_t whole[3000];
        size_t length = write_udp(whole, version, 0, 0, 2007);
        write16(whole + ip + UDP_CHECKSUM, checksum_fold(checksum_pseudo(whole, IP_UDP, 2015)));
        CHECK(written.length[0] == length);
        CHECK(!memcmp(written.last + TUN_HEADER, whole, length));
        CHECK(merger.merged == 3);
        CAME(3);
    }
}

static void a_lone_datagram_passes_as_it_is(void)
{
    begin_with_datagrams();
    uint8_t *packet = make_udp(4, 0, 0, 100);
    take(packet);
    CHECK(written.count == 0);
    merge_flush(&merger);
    CHECK(!memcmp(written.last, (uint8_t[TUN_HEADER]){0}, TUN_HEADER));
    CHECK(written.length[0] == 128 && !memcmp(written.last + TUN_HEADER, packet, 128));
    CAME(1);
}

static void a_shorter_datagram_ends_a_frame_and_a_longer_one_begins_one(void)
{
    static const size_t payloads[] = {100, 100, 99, 100, 101, 101, 8, 8, 0, 8};
    begin_with_datagrams();
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
        take(make_udp(4, 0, 0, payloads[i]));
    CAME(3, 1, 3, 1, 1, 1);
}

/* What differs in the second of two datagrams. */
static void nothing_but_data_may_differ_in_datagrams(void)
{
    static const struct {
        int version;
        size_t place;
    } other[] = {{4, 1},  {4, 6},  {4, 8},  {4, 12}, {4, 16}, {4, 20}, {4, 22}, {4, 25}, {6, 1},
                 {6, 3},  {6, 7},  {6, 10}, {6, 25}, {6, 40}, {6, 42}, {6, 45}};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        begin_with_datagrams();
        take(make_udp(other[i].version, 0, 0, 100));
        uint8_t *second = make_udp(other[i].version, 0, 100, 100);
        second[other[i].place] ^= 0x40;
        seal_udp(second, other[i].version == 4 ? 128 : 148);
        take(second);
        CAME(1, 1);
    }
}

static void ipv4_numbers_of_datagrams_count_up_or_mean_nothing(void)
{
    static const struct {
        uint8_t flags;
        uint16_t step;
        uint32_t frames;
    } wanted[] = {{0x40, 0, 1}, {0x40, 77, 1}, {0, 1, 1}, {0, 0, 3}, {0, 2, 3}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        begin_with_datagrams();
        for (uint32_t n = 0; n < 3; n++) {
            uint8_t *packet = make_udp(4, 0, n, 100);
            packet[6] = wanted[i].flags;
            write16(packet + 4, (uint16_t)(0xFFFE + n * wanted[i].step));
            seal_udp(packet, 128);
            take(packet);
        }
        merge_flush(&merger);
        CHECK(written.count == (int)wanted[i].frames);
        merge_end(&merger);
    }
}

static void a_datagram_without_a_right_checksum_passes_behind_its_flow(void)
{
    static const size_t places[] = {10, 26, 27, 28, 127}; /* of which the first is IPv4's own */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        begin_with_datagrams();
        for (uint32_t n = 0; n < 4; n++) {
            uint8_t *packet = make_udp(4, 0, n, 100);
            packet[places[i]] ^= n == 2;
            take(packet);
        }
        CAME(2, 1, 1);
    }
    begin_with_datagrams();
    for (uint32_t n = 0; n < 4; n++) {
        uint8_t *packet = make_udp(4, 0, n, 100);
        write16(packet + 20 + UDP_CHECKSUM, 0); /* none */
        take(packet);
    }
    CHECK(written.count == 4);
    CAME(1, 1, 1, 1);
}

static void what_goes_to_many_is_not_merged(void)
{
    static const uint8_t groups[][4] = {{224, 0, 0, 251}, {239, 1, 2, 3}, {255, 255, 255, 255}};
    for (size_t i = 0; i < 3; i++) {
        begin_with_datagrams();
        for (uint32_t n = 0; n < 2; n++) {
            uint8_t *packet = make_udp(4, 0, n, 100);
            memcpy(packet + 16, groups[i], 4);
            seal_udp(packet, 128);
            take(packet);
        }
        CHECK(written.count == 2);
        CAME(1, 1);
    }
    begin_with_datagrams();
    for (uint32_t n = 0; n < 2; n++) {
        uint8_t *packet = make_udp(6, 0, n, 100);
        packet[24] = 0xFF;
        seal_udp(packet, 148);
        take(packet);
    }
    CAME(1, 1);
}

static void fragments_of_datagrams_pass_behind_their_addresses_but_not_tcp_s(void)
{
    begin_with_datagrams();
    take(make_udp(4, 0, 0, 100));
    take(make_udp(4, 0, 0, 100));
    take(make_udp(4, 1, 0, 100));
    give(0, 0, FLAG_ACK, 10);
    uint8_t *fragment = make_udp(4, 0, 0, 100);
    fragment[6] = 0x20;
    take(fragment);
    CHECK(written.count == 3 && written.packets[0] == 2);
    CAME(2, 1, 1, 1);
}

static void tcp_and_udp_of_the_same_ports_are_two_flows(void)
{
    begin_with_datagrams();
    for (uint32_t n = 0; n < 2; n++) {
        give(0, n * 100, FLAG_ACK, 100);
        take(make_udp(4, 0, n, 100));
    }
    CAME(2, 2);
}

static void frames_of_datagrams_are_bounded(void)
{
    begin_with_datagrams();
    for (uint32_t i = 0; i < MERGE_PIECES + 1; i++)
        take(make_udp(4, 0, i, 8));
    CAME(MERGE_PIECES, 1);
    begin_with_datagrams();
    for (uint32_t i = 0; i < 44; i++) /* 65,535 octets less the headers hold 43 of them */
        take(make_udp(6, 0, i, 1500));
    CHECK(written.length[0] == 48 + 43 * 1500);
    CAME(43, 1);
}

static void where_the_device_does_not_take_large_udp_datagrams_wait_for_nothing(void)
{
    for (int version = 4; version <= 6; version += 2) {
        begin();
        take(make_udp(version, 0, 0, 100));
        take(make_udp(version, 0, 0, 100));
        CHECK(written.count == 2);
        CAME(1, 1);
    }
}

static void flows_are_merged_beside_each_other_and_the_oldest_gives_way(void)
{
    begin();
    for (uint32_t i = 0; i < 2; i++) {
        for (uint8_t flow = 0; flow < MERGE_FLOWS; flow++)
            give(flow, i * 100, FLAG_ACK, 100);
    }
    CHECK(written.count == 0);
    give(MERGE_FLOWS, 0, FLAG_ACK, 10);
    CHECK(written.count == 1);
    CHECK(read16(written.last + TUN_HEADER + 20) == 1000);
    give(3, 200, FLAG_ACK | FLAG_PSH, 5); /* one in the middle closes */
    CHECK(written.count == 2 && written.packets[1] == 3);
    give(1, 200, FLAG_ACK, 100);
    CAME(2, 3, 3, 2, 2, 2, 2, 2, 1);
}

static void frames_are_bounded(void)
{
    begin();
    for (uint32_t i = 0; i < MERGE_PIECES + 1; i++)
        give(0, i * 8, FLAG_ACK, 8);
    CAME(MERGE_PIECES, 1);
    begin();
    for (uint32_t i = 0; i < 44; i++) /* 65,535 octets less the headers hold 43 of them, and 995 octets more */
        give(0, i * 1500, FLAG_ACK, 1500);
    CHECK(written.length[0] == 40 + 43 * 1500);
    CAME(43, 1);
}

static void what_was_not_taken_is_counted(void)
{
    begin();
    written.refuse = true;
    give(0, 0, FLAG_ACK, 100);
    give(0, 100, FLAG_ACK | FLAG_PSH, 100);
    give(0, 200, FLAG_ACK, 0);
    CHECK(merger.refused == 3 && merger.merged == 0);
    written.refuse = false;
    give(0, 200, FLAG_ACK, 100);
    give(0, 300, FLAG_ACK | FLAG_PSH, 100);
    CHECK(merger.refused == 3 && merger.merged == 2);
    CAME(2, 1, 2);
}

int main(void)
{
    segments_become_one_frame();
    what_closes_a_frame();
    what_has_no_data_or_other_flags_passes_behind_its_flow();
    nothing_else_may_differ();
    options_word_for_word();
    ipv4_numbers();
    damaged_packets_pass_as_they_are();
    what_is_not_plain_passes_behind_its_addresses();
    other_protocols_wait_for_nothing();
    flows_are_merged_beside_each_other_and_the_oldest_gives_way();
    frames_are_bounded();
    what_was_not_taken_is_counted();
    datagrams_become_one_frame();
    a_lone_datagram_passes_as_it_is();
    a_shorter_datagram_ends_a_frame_and_a_longer_one_begins_one();
    nothing_but_data_may_differ_in_datagrams();
    ipv4_numbers_of_datagrams_count_up_or_mean_nothing();
    a_datagram_without_a_right_checksum_passes_behind_its_flow();
    what_goes_to_many_is_not_merged();
    fragments_of_datagrams_pass_behind_their_addresses_but_not_tcp_s();
    tcp_and_udp_of_the_same_ports_are_two_flows();
    frames_of_datagrams_are_bounded();
    where_the_device_does_not_take_large_udp_datagrams_wait_for_nothing();
    DONE();
}
