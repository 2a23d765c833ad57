/* Inner IP headers and the Internet checksum, against one octet at a time. */
#include "check.h"
#include "packets.h"

static void checksums(void)
{
    uint8_t octets[300];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(i * 37 + 200);
    for (size_t length = 0; length <= 290; length++) {
        for (size_t start = 0; start < 8; start++)
            CHECK(checksum_fold(checksum_add(5, octets + start, length)) == one_by_one(5, octets + start, length));
        uint8_t *exact = copy_of(octets, length);
        CHECK(checksum_fold(checksum_add(0, exact, length)) == one_by_one(0, octets, length));
        free(exact);
    }
    CHECK(checksum_fold(checksum_add(checksum_add(0, octets, 128), octets + 128, 67)) == one_by_one(0, octets, 195));
}

static void extremes(void)
{
    static uint8_t ones[65535];
    CHECK(checksum_fold(checksum_add(0, ones, sizeof ones)) == 0);
    memset(ones, 0xFF, sizeof ones);
    CHECK(checksum_fold(checksum_add(0, ones, sizeof ones)) == one_by_one(0, ones, sizeof ones));
    CHECK(checksum_fold(checksum_add(0, ones, 65534)) == 0xFFFF);
    CHECK(checksum_fold(UINT64_MAX) == 0xFFFF);
    CHECK(checksum_fold(0x10000) == 1);
}

static void lengths(void)
{
    uint8_t four[60] = {0x45, 0, 0, 40};
    CHECK(ipv4_length(four, 60) == 40);
    CHECK(ipv4_length(four, 40) == 40);
    CHECK(ipv4_length(four, 39) == 0);
    CHECK(ipv4_length(four, 19) == 0);
    four[0] = 0x44;
    CHECK(ipv4_length(four, 60) == 0);
    four[0] = 0x4B; /* a header longer than the packet */
    CHECK(ipv4_length(four, 60) == 0);
    CHECK(ipv6_length(four, 60) == 0);
    uint8_t six[60] = {0x60, 0, 0, 0, 0, 10};
    CHECK(ipv6_length(six, 60) == 50);
    CHECK(ipv6_length(six, 49) == 0);
    CHECK(ipv6_length(six, 39) == 0);
    CHECK(ipv4_length(six, 60) == 0);
}

static void extension_headers(void)
{
    uint8_t packet[72] = {0x60, 0, 0, 0, 0, 32};
    uint8_t protocol = 0;
    packet[6] = IPV6_HOP_BY_HOP;
    packet[40] = IPV6_DESTINATION;
    packet[48] = IP_TCP;
    packet[49] = 1;
    CHECK(ipv6_transport(packet, sizeof packet, &protocol) == 64 && protocol == IP_TCP);
    packet[49] = 255; /* leads out of the packet */
    CHECK(ipv6_transport(packet, sizeof packet, &protocol) > sizeof packet && protocol == IP_TCP);
    memset(packet + 40, 0, 32); /* nothing but hop-by-hop options */
    CHECK(ipv6_transport(packet, sizeof packet, &protocol) == 72 && protocol == IPV6_HOP_BY_HOP);
}

static void plausibility(void)
{
    uint8_t datagram[64] = {0x21, 0x45, 0, 0, 20};
    CHECK(plausible(datagram, 21));
    CHECK(!plausible(datagram, 20));
    memcpy(datagram, (uint8_t[]){0, 0x21, 0x45, 0, 0, 20}, 6);
    CHECK(plausible(datagram, 22));
    CHECK(!plausible(datagram, 1));
    memcpy(datagram, (uint8_t[]){0, 0x57, 0x60, 0, 0, 0, 0, 1}, 8);
    CHECK(plausible(datagram, 43));
    CHECK(!plausible(datagram, 42));
    memcpy(datagram, (uint8_t[]){0xC0, 0x21, 0x45}, 3);
    CHECK(!plausible(datagram, 64));
}

int main(void)
{
    checksums();
    extremes();
    lengths();
    extension_headers();
    plausibility();
    DONE();
}
