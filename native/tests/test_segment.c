/* Frames of the TUN device: what is cut, and headers that contradict the packet. */
#include "../segment.h"

#include "check.h"
#include "packets.h"

struct frame {
    struct offload offload;
    uint8_t packet[4096];
    size_t length;
};

static struct frame large(int version, size_t payload, uint16_t size)
{
    struct frame frame = {.offload = {.flags = NEEDS_CHECKSUM, .kind = version == 4 ? KIND_TCP_V4 : KIND_TCP_V6}};
    frame.length = write_tcp(frame.packet, version, 1, 0xFFFFFF00, FLAG_ACK | FLAG_PSH | FLAG_FIN | FLAG_CWR, payload);
    frame.offload.size = size;
    frame.offload.headers = (uint16_t)(frame.length - payload);
    frame.offload.checksum_start = version == 4 ? 20 : 40;
    frame.offload.checksum_offset = TCP_CHECKSUM;
    return frame;
}

static struct frame large_udp(size_t payload, uint16_t size)
{
    struct frame frame = large(4, payload, size);
    frame.offload.kind = KIND_UDP;
    frame.offload.headers = 28;
    frame.offload.checksum_offset = UDP_CHECKSUM;
    frame.packet[9] = IP_UDP;
    frame.length = 28 + payload;
    write16(frame.packet + 2, (uint16_t)frame.length);
    write16(frame.packet + 24, (uint16_t)(8 + payload));
    return frame;
}

/* Take a frame from memory that ends with it, cut it, look at each packet; return how many there were, -1: refused. */
static int cut(const struct frame *frame, size_t length)
{
    uint8_t *exact = malloc(TUN_HEADER + length);
    if (!exact)
        abort();
    memcpy(exact, &frame->offload, TUN_HEADER);
    memcpy(exact + TUN_HEADER, frame->packet, length);
    struct segmenter segmenter;
    int count = -1;
    if (segment_begin(&segmenter, exact, TUN_HEADER + length)) {
        bool is_large = segment_is_large(&segmenter);
        size_t expected;
        for (count = 0; (expected = segment_next_length(&segmenter)) > 0; count++) {
            uint8_t *to = malloc(expected);
            if (!to)
                abort();
            CHECK(segment_next(&segmenter, to, expected - 1) == 0);
            CHECK(segment_next(&segmenter, to, expected) == expected);
            free(to);
        }
        CHECK(is_large == (count > 1));
        CHECK(segment_next(&segmenter, exact, TUN_HEADER + length) == 0);
    }
    free(exact);
    return count;
}

static void packets_are_cut(void)
{
    struct frame frame = large(4, 1001, 500);
    frame.packet[4] = frame.packet[5] = 0xFF;
    struct segmenter segmenter;
    uint8_t to[600];
    CHECK(segment_begin(&segmenter, (uint8_t *)&frame, TUN_HEADER + frame.length));
    for (uint32_t number = 0; number < 3; number++) {
        size_t length = segment_next(&segmenter, to, sizeof to);
        CHECK(length == (number < 2 ? 540 : 41));
        CHECK(read16(to + 2) == length);
        CHECK(read16(to + 4) == (uint16_t)(0xFFFF + number));
        CHECK(read32(to + 24) == 0xFFFFFF00 + number * 500);
        CHECK(to[33] == (number == 0   ? FLAG_ACK | FLAG_CWR
                         : number == 1 ? FLAG_ACK
                                       : FLAG_ACK | FLAG_PSH | FLAG_FIN));
        uint8_t sealed[600];
        memcpy(sealed, to, length);
        seal_tcp(sealed, length);
        CHECK(!memcmp(sealed, to, length));
    }
}

static void counts(void)
{
    for (int version = 4; version <= 6; version += 2) {
        struct frame frame = large(version, 1000, 500);
        CHECK(cut(&frame, frame.length) == 2);
        frame.offload.kind |= KIND_ECN;
        frame.offload.headers = 0; /* a hint, and here a useless one */
        CHECK(cut(&frame, frame.length) == 2);
        frame.offload.size = 1;
        CHECK(cut(&frame, frame.length) == 1000);
        frame.offload.size = 0xFFFF;
        CHECK(cut(&frame, frame.length) == 1);
        frame = large(version, 0, 500);
        CHECK(cut(&frame, frame.length) == 1);
    }
    struct frame frame = large_udp(1000, 300);
    CHECK(cut(&frame, frame.length) == 4);
}

static void contradictions_are_refused(void)
{
    static const struct {
        const char *what;
        size_t place;
        uint8_t octet;
    } wrong[] = {
        {"kind unknown", 1, 2},          {"UDP fragments", 1, 3},       {"wrong version", 1, KIND_TCP_V6},
        {"ECN of nothing", 1, KIND_ECN}, {"ECN of UDP", 1, 0x85},       {"another protocol", 1, KIND_UDP},
        {"headers too long", 3, 0xFF},   {"size 0", 4, 0},              {"checksum elsewhere", 6, 24},
        {"checksum beyond", 7, 0xFF},    {"another checksum", 8, 6},    {"IP version", 10, 0x55},
        {"header too short", 10, 0x44},  {"header too long", 10, 0x4F}, {"total too short", 12, 0},
        {"total too long", 12, 0xFF},    {"more fragments", 16, 0x20},  {"later fragment", 17, 1},
        {"ICMP", 19, IP_ICMP},           {"TCP too short", 42, 0x40},   {"TCP beyond", 42, 0xF0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct frame frame = large(4, wrong[i].octet == 0xF0 ? 30 : 300, 100);
        ((uint8_t *)&frame)[wrong[i].place] = wrong[i].octet;
        if (cut(&frame, frame.length) != -1)
            fprintf(stderr, "taken: %s\n", wrong[i].what);
        CHECK(cut(&frame, frame.length) == -1);
    }
    struct frame udp = large_udp(1000, 300);
    udp.packet[25] ^= 1;
    CHECK(cut(&udp, udp.length) == -1);
}

static void every_truncation_is_refused(void)
{
    for (int version = 4; version <= 6; version += 2) {
        struct frame frame = large(version, 100, 30);
        for (size_t length = 0; length < frame.length; length++)
            CHECK(cut(&frame, length) == -1);
    }
    uint8_t short_frame[TUN_HEADER - 1] = {0};
    struct segmenter segmenter;
    for (size_t length = 0; length < TUN_HEADER; length++)
        CHECK(!segment_begin(&segmenter, short_frame, length));
}

static void extension_headers_before_tcp(void)
{
    struct frame frame = large(6, 100, 30);
    memmove(frame.packet + 48, frame.packet + 40, frame.length - 40);
    memset(frame.packet + 40, 0, 8);
    frame.packet[40] = IP_TCP;
    frame.packet[6] = IPV6_DESTINATION;
    frame.packet[5] = (uint8_t)(frame.packet[5] + 8);
    frame.length += 8;
    CHECK(cut(&frame, frame.length) == -1);
    frame.offload.checksum_start = 48;
    CHECK(cut(&frame, frame.length) == 4);
    frame.packet[41] = 255; /* leads out of the packet */
    CHECK(cut(&frame, frame.length) == -1);
    memset(frame.packet + 40, IPV6_HOP_BY_HOP, frame.length - 40);
    CHECK(cut(&frame, frame.length) == -1);
}

/* The system leaves the sum of the pseudo header in the checksum's place. */
static void checksum_is_completed(void)
{
    struct frame frame = large(4, 101, 0);
    frame.offload.kind = KIND_NONE;
    uint8_t sealed[200];
    memcpy(sealed, frame.packet, frame.length);
    write16(frame.packet + 36, checksum_fold(checksum_pseudo(frame.packet, IP_TCP, 121)));
    CHECK(cut(&frame, frame.length) == 1);
    struct segmenter segmenter;
    uint8_t to[200];
    struct frame copy = frame;
    CHECK(segment_begin(&segmenter, (uint8_t *)&copy, TUN_HEADER + copy.length));
    CHECK(segment_next(&segmenter, to, sizeof to) == frame.length);
    CHECK(!memcmp(to, sealed, frame.length));

    frame.offload.checksum_start = (uint16_t)(frame.length - 17);
    CHECK(cut(&frame, frame.length) == -1);
    frame.offload.checksum_start = 0xFFFF;
    frame.offload.checksum_offset = 0xFFFF;
    CHECK(cut(&frame, frame.length) == -1);
    frame.offload.checksum_start = 10; /* inside the IP header */
    frame.offload.checksum_offset = 0;
    CHECK(cut(&frame, frame.length) == -1);
}

/* Both ways to a checksum of 0, which in UDP would say that there is none. */
static void udp_checksum_is_never_zero(void)
{
    struct frame frame = large_udp(2, 300);
    CHECK(cut(&frame, frame.length) == 1);
    for (int alone = 0; alone < 2; alone++) {
        struct frame next = frame;
        uint64_t pseudo = checksum_pseudo(frame.packet, IP_UDP, 10);
        write16(next.packet + 26, 0);
        write16(next.packet + 28, 0);
        write16(next.packet + 28, (uint16_t)~checksum_fold(checksum_add(pseudo, next.packet + 20, 10)));
        if (alone) {
            next.offload.kind = KIND_NONE;
            write16(next.packet + 26, checksum_fold(pseudo));
        }
        struct segmenter segmenter;
        uint8_t to[64];
        CHECK(segment_begin(&segmenter, (uint8_t *)&next, TUN_HEADER + next.length));
        CHECK(segment_next(&segmenter, to, sizeof to) == 30);
        CHECK(read16(to + 26) == 0xFFFF);
    }
}

int main(void)
{
    _Static_assert(offsetof(struct frame, packet) == TUN_HEADER, "a frame as the device gives it");
    packets_are_cut();
    counts();
    contradictions_are_refused();
    every_truncation_is_refused();
    extension_headers_before_tcp();
    checksum_is_completed();
    udp_checksum_is_never_zero();
    DONE();
}
