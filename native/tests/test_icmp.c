/* Fragments and ICMP answers where a length lies; what they look like is in tests/native/test_icmp.py. */
#include "../icmp.h"

#include "check.h"
#include "packets.h"

static void fragments_end_where_the_packet_ends(void)
{
    uint8_t packet[200] = {0x46, 0, 0, 100, 0x12, 0x34, 0, 0, 64, 17};
    packet[20] = 0x94; /* router alert whose length leads out of the options */
    packet[21] = 200;
    uint8_t *exact = copy_of(packet, 100);
    struct fragmenter fragmenter;
    CHECK(fragment_begin(&fragmenter, exact, 100, 48));
    uint8_t to[48];
    size_t total = 0;
    size_t length;
    size_t count = 0;
    while ((length = fragment_next(&fragmenter, to, sizeof to)) > 0) {
        CHECK(length <= 48);
        CHECK(checksum_fold(checksum_add(0, to, (to[0] & 15u) * 4u)) == 0xFFFF);
        total += length - (to[0] & 15u) * 4u;
        count++;
    }
    CHECK(total == 76 && count == 4);
    CHECK(fragment_next(&fragmenter, to, sizeof to) == 0);
    free(exact);
}

static void what_must_not_or_cannot_be_cut(void)
{
    uint8_t packet[100] = {0x45, 0, 0, 100, 0, 0, 0x40, 0};
    struct fragmenter fragmenter;
    CHECK(!fragment_begin(&fragmenter, packet, 100, 60));
    packet[6] = 0;
    CHECK(!fragment_begin(&fragmenter, packet, 99, 60));
    CHECK(!fragment_begin(&fragmenter, packet, 100, 27));
    CHECK(!fragment_begin(&fragmenter, packet, 0, 60));
    CHECK(fragment_begin(&fragmenter, packet, 100, 28));
    uint8_t to[28];
    CHECK(fragment_next(&fragmenter, to, 27) == 0); /* no room */
    CHECK(fragment_next(&fragmenter, to, 28) == 28);
}

static void answers_to_short_packets(void)
{
    uint8_t to[ICMP_MOST];
    static const uint8_t four[20] = {0x4F, 0, 0, 20, 0, 0, 0, 0, 64, IP_ICMP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
    static const uint8_t six[40] = {0x60, 0, 0, 0, 0, 0, IP_ICMPV6, 64, 0xFE, 0x80};
    for (size_t length = 0; length <= 20; length++) {
        uint8_t *exact = copy_of(four, length);
        CHECK(too_big(to, exact, length, 1400) == 0);
        free(exact);
    }
    for (size_t length = 0; length <= 40; length++) {
        uint8_t *exact = copy_of(six, length);
        CHECK(too_big(to, exact, length, 1400) == 0);
        free(exact);
    }
}

int main(void)
{
    fragments_end_where_the_packet_ends();
    what_must_not_or_cannot_be_cut();
    answers_to_short_packets();
    DONE();
}
