/* The table of calls and the routes to them, against a list that is searched from end to end. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>

#include "check.h"

#define MANY 65536
#define STEPS 20000
#define CALLS 40
#define NETWORKS 6 /* of one call */

static struct table table;

static uint32_t chance(void)
{
    static uint64_t state = 2637;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static struct call *route_ipv4(uint32_t destination)
{
    uint8_t packet[20] = {0x45};
    write32(packet + 16, destination);
    return table_route(&table, packet, sizeof packet);
}

static struct call *route_identifier(const uint8_t *identifier)
{
    uint8_t packet[40] = {0x60};
    packet[24] = 0xfe;
    packet[25] = 0x80;
    memcpy(packet + 32, identifier, 8);
    return table_route(&table, packet, sizeof packet);
}

/* --- every Call ID open, each with an address and an identifier */

static void every_call_is_found(void)
{
    struct call *calls = aligned_alloc(_Alignof(struct call), MANY * sizeof *calls);
    memset(calls, 0, MANY * sizeof *calls);
    struct engine_prefix *addresses = calloc(MANY, sizeof *addresses);
    CHECK(table_begin(&table) == 0);
    for (uint32_t i = 0; i < MANY; i++) {
        addresses[i] = (struct engine_prefix){0x0a000000 + i, 32};
        calls[i].call_id = (uint16_t)i;
        calls[i].peer = i + 1;
        calls[i].allowed = &addresses[i];
        calls[i].allowed_count = 1;
        calls[i].inside.has_peer_identifier = 1;
        calls[i].inside.peer_identifier[0] = (uint8_t)(i >> 8); /* differ in their highest octets only, */
        calls[i].inside.peer_identifier[1] = (uint8_t)i;        /* as a peer that looks for collisions might choose */
        table.calls[i] = &calls[i];
        CHECK(table_attach(&table, &calls[i]) == 0);
    }
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < MANY; i++)
        wrong += route_ipv4(0x0a000000 + i) != &calls[i] ||
                 route_identifier(calls[i].inside.peer_identifier) != &calls[i] ||
                 table_find(&table, (uint16_t)i, i + 1) != &calls[i] || table_find(&table, (uint16_t)i, i) != NULL;
    CHECK(wrong == 0);
    CHECK(route_ipv4(0x0a000000 + MANY) == NULL);
    for (uint32_t i = 0; i < MANY; i += 2)
        table_detach(&table, &calls[i]);
    for (uint32_t i = 0; i < MANY; i++)
        wrong += route_ipv4(0x0a000000 + i) != (i % 2 ? &calls[i] : NULL) ||
                 route_identifier(calls[i].inside.peer_identifier) != (i % 2 ? &calls[i] : NULL);
    CHECK(wrong == 0);
    table_end(&table);
    free(addresses);
    free(calls);
}

/* --- calls that come and go with random networks */

struct model {
    struct call call;
    struct engine_prefix networks[NETWORKS];
};

static struct model models[CALLS];

/* Few bits, so that networks contain, equal and take over each other. */
static uint32_t some_address(void)
{
    return 0x0a000000 | (chance() & 7) << 29 | (chance() & 3) << 6 | (chance() & 3);
}

static bool leads_to(const struct engine_prefix *network, uint32_t address)
{
    for (uint32_t bit = 0; bit < network->length; bit++)
        if ((address ^ network->network) >> (31 - bit) & 1)
            return false;
    return true;
}

static bool is_same_network(const struct engine_prefix *one, const struct engine_prefix *other)
{
    return one->length == other->length && leads_to(one, other->network);
}

/* Each network once: whoever takes it over has it for good. */
struct owner {
    struct engine_prefix network;
    struct call *call;
};

static struct owner owners[CALLS * NETWORKS];
static uint32_t owners_count;

static void own(const struct engine_prefix *network, struct call *call)
{
    uint32_t i = 0;
    while (i < owners_count && !is_same_network(&owners[i].network, network))
        i++;
    owners_count += i == owners_count;
    owners[i] = (struct owner){*network, call};
}

static void disown(const struct call *call)
{
    for (uint32_t i = owners_count; i-- > 0;)
        if (owners[i].call == call)
            owners[i] = owners[--owners_count];
}

static struct call *expected(uint32_t address, struct call *anywhere)
{
    const struct owner *best = NULL;
    for (uint32_t i = 0; i < owners_count; i++)
        if (leads_to(&owners[i].network, address) && (!best || owners[i].network.length > best->network.length))
            best = &owners[i];
    return best ? best->call : anywhere;
}

static void networks_are_those_of_the_list(void)
{
    struct call *anywhere = NULL;
    uint32_t wrong = 0;
    CHECK(table_begin(&table) == 0);
    for (uint32_t step = 0; step < STEPS; step++) {
        struct model *model = &models[chance() % CALLS];
        struct call *call = &model->call;
        table_detach(&table, call);
        disown(call);
        if (anywhere == call)
            anywhere = NULL;
        if (chance() % 3) {
            call->allowed = model->networks;
            call->allowed_count = chance() % (NETWORKS + 1);
            for (uint32_t i = 0; i < call->allowed_count; i++)
                model->networks[i] = (struct engine_prefix){some_address(), chance() % 33};
            CHECK(table_attach(&table, call) == 0);
            for (uint32_t i = 0; i < call->allowed_count; i++)
                own(&model->networks[i], call);
            if (!call->allowed_count)
                anywhere = call;
        }
        for (uint32_t i = 0; i < 5; i++) {
            uint32_t address = some_address();
            wrong += route_ipv4(address) != expected(address, anywhere);
        }
    }
    CHECK(wrong == 0);
    for (uint32_t i = 0; i < CALLS; i++)
        table_detach(&table, &models[i].call);
    CHECK(table.routes->networks.used == 0);
    CHECK(table.routes->lengths == 0);
    table_end(&table);
}

/* --- what a packet may not be believed about */

/* B-088: an inside packet cut at any length; each in memory of its own, so that reading on would be noticed. */
static void short_packets_are_not_read_on(void)
{
    struct call anywhere = {.call_id = 1};
    CHECK(table_begin(&table) == 0);
    CHECK(table_attach(&table, &anywhere) == 0);
    for (size_t length = 0; length <= 40; length++) {
        for (int version = 0; version < 16; version++) {
            uint8_t *packet = malloc(length ? length : 1);
            memset(packet, 0, length ? length : 1);
            if (length)
                packet[0] = (uint8_t)(version << 4 | 5);
            if (version == 6 && length >= 26) {
                packet[24] = 0xfe;
                packet[25] = 0x80;
            }
            bool is_ip = length && (version == 4 || version == 6);
            CHECK(table_route(&table, packet, length) == (is_ip ? &anywhere : NULL));
            free(packet);
        }
    }
    table_end(&table);
}

static void what_cannot_be_added_leaves_nothing(void)
{
    struct engine_prefix networks[2] = {{0x0a000000, 8}, {0x0a000000, 33}};
    struct call call = {.allowed = networks, .allowed_count = 2};
    CHECK(table_begin(&table) == 0);
    CHECK(table_attach(&table, &call) == -EINVAL);
    CHECK(route_ipv4(0x0a000001) == NULL);
    CHECK(routes_reserve(table.routes, ROUTES_MOST + 1, 0) == -ENOSPC);
    table_detach(&table, &call);
    networks[1].length = 32;
    CHECK(table_attach(&table, &call) == 0);
    CHECK(routes_reserve(table.routes, ROUTES_MOST - 1, 0) == -ENOSPC);
    CHECK(route_ipv4(0x0a000001) == &call);
    table_end(&table);
    table_end(&table); /* what did not begin ends as well */
}

int main(void)
{
    every_call_is_found();
    networks_are_those_of_the_list();
    short_packets_are_not_read_on();
    what_cannot_be_added_leaves_nothing();
    DONE();
}
