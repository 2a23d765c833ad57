/* What of the carrier needs no privileges: headers, and what is refused. tests/netns/test_carrier.py has the rest. */
#include "carrier_parts.h"

#include <stdlib.h>

#include "check.h"
#include "ip.h"

static void headers_end_where_the_packet_begins(void)
{
    struct ethernet_route route = {.interface_index = 2, .mtu = 1500, .header = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8}};
    struct call call = {.peer = 0xC0000201, .local = 0xC6336402, .route = &route};
    struct carrier_shard shard = {.lifetime = 64, .service = 0xB8, .dont_fragment = true};
    uint8_t octets[64] = {0};
    memset(octets + 40, 0xEE, 24);
    ethernet_write(octets + 40, &shard, &call, 24, 0x1234);
    static const uint8_t header[18] = {0x45, 0xB8, 0, 44, 0x12, 0x34, 0x40, 0, 64, 47};
    CHECK(octets[5] == 0 && octets[40] == 0xEE);
    CHECK(memcmp(octets + 6, route.header, 14) == 0);
    CHECK(memcmp(octets + 20, header, 10) == 0);
    CHECK(read32(octets + 32) == call.local && read32(octets + 36) == call.peer);
    CHECK(checksum_fold(checksum_add(0, octets + 20, 20)) == 0xFFFF);
}

static void only_what_fits_the_route_goes_by_it(void)
{
    struct ethernet_route route = {.interface_index = 2, .mtu = 1400};
    struct call call = {.peer = 1, .local = 2, .route = &route};
    struct carrier_shard shard = {.ethernet = 5};
    struct outgoing *packet = calloc(1, sizeof *packet);
    packet->call = &call;
    packet->start = 34;
    packet->length = 1380;
    CHECK(ethernet_leads(&shard, packet));
    packet->length = 1381;
    CHECK(!ethernet_leads(&shard, packet));
    packet->length = 65535;
    CHECK(!ethernet_leads(&shard, packet));
    packet->length = 100;
    packet->start = 33;
    CHECK(!ethernet_leads(&shard, packet));
    packet->start = 40;
    call.local = 0; /* the IP stack chooses */
    CHECK(!ethernet_leads(&shard, packet));
    call.local = 2;
    route.interface_index = 0;
    CHECK(!ethernet_leads(&shard, packet));
    route.interface_index = 2;
    shard.ethernet = -1;
    CHECK(!ethernet_leads(&shard, packet));
    free(packet);
}

/* Every length of every header, in memory of its own size. */
static void unwrapping_reads_no_more_than_is_there(void)
{
    struct incoming packet;
    for (size_t held = 0; held < 70; held++) {
        uint8_t *octets = calloc(1, held + 1);
        for (unsigned int first = 0; first < 256; first++) {
            octets[0] = (uint8_t)first;
            for (uint16_t total = 0; total < 90; total++) {
                if (held >= 4)
                    write16(octets + 2, total);
                if (carrier_unwrap(&packet, octets, held, held + 10)) {
                    CHECK(first >= 0x45 && first <= 0x4F && packet.octets <= octets + held);
                    CHECK(packet.octets + packet.length <= octets + held + 10);
                }
            }
        }
        free(octets);
    }
}

static void filters_lead_nowhere_but_forward(void)
{
    static const uint32_t interfaces[CARRIER_RINGS] = {1, 2, 3, 4};
    for (uint32_t shards = 1; shards < 4; shards++)
        for (uint32_t count = 0; count <= CARRIER_RINGS; count++) {
            struct filter both[2];
            filter_raw(&both[0], interfaces, count, shards, shards - 1);
            filter_ring(&both[1], shards, shards - 1);
            for (size_t which = 0; which < 2; which++) {
                struct filter *filter = &both[which];
                CHECK(filter->length <= FILTER_MOST);
                for (uint16_t i = 0; i < filter->length; i++)
                    if (BPF_CLASS(filter->code[i].code) == BPF_JMP)
                        CHECK(i + 1 + filter->code[i].jt < filter->length &&
                              i + 1 + filter->code[i].jf < filter->length);
            }
        }
}

static void without_sockets_nothing_happens(void)
{
    struct carrier *carrier = carrier_new(2);
    struct incoming packets[4];
    struct pollfd descriptors[CARRIER_DESCRIPTORS];
    CHECK(carrier_receive(carrier, 1, packets, 4) == 0);
    CHECK(carrier_descriptors(carrier, 1, descriptors) == 0);
    CHECK(carrier_open_ring(carrier, 1) < 0);
    CHECK(carrier_close_ring(carrier, 1) < 0);
    CHECK(carrier_attach_raw(carrier, 2, 0) < 0);
    struct ethernet_route route = {0};
    struct call call = {.route = &route};
    struct outgoing *packet = calloc(1, sizeof *packet);
    packet->call = &call;
    struct outgoing *one[1] = {packet};
    CHECK(carrier_send(carrier, 0, one, 1) == 1 && packet->lost);
    free(packet);
    struct engine_totals totals = {0};
    carrier_totals(carrier, &totals);
    CHECK(totals.outside_full == 1 && totals.sent_raw == 0);
    carrier_free(carrier);
}

int main(void)
{
    headers_end_where_the_packet_begins();
    only_what_fits_the_route_goes_by_it();
    unwrapping_reads_no_more_than_is_there();
    filters_lead_nowhere_but_forward();
    without_sockets_nothing_happens();
    DONE();
}
