/* The table of calls: packets from outside by Call ID and source, packets from inside by destination. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>

#define IPV4_LEAST 20
#define IPV6_LEAST 40

static const uint8_t LINK_LOCAL[8] = {0xfe, 0x80}; /* RFC 4291 section 2.5.6: before the interface identifier */

int table_begin(struct table *table)
{
    memset(table, 0, sizeof *table);
    table->routes = malloc(sizeof *table->routes);
    if (!table->routes)
        return -ENOMEM;
    routes_begin(table->routes);
    return 0;
}

void table_end(struct table *table)
{
    if (table->routes)
        routes_end(table->routes);
    free(table->routes);
    table->routes = NULL;
}

struct call *table_find(const struct table *table, uint16_t call_id, uint32_t source)
{
    struct call *call = table->calls[call_id];
    return call && call->peer == source ? call : NULL;
}

struct call *table_route(const struct table *table, const uint8_t *packet, size_t length)
{
    struct call *call = NULL;
    switch (length ? packet[0] >> 4 : 0) {
    case 4: /* a short one still goes where all goes: the call counts it */
        if (length >= IPV4_LEAST)
            call = routes_find(table->routes, read32(packet + 16));
        break;
    case 6:
        if (length >= IPV6_LEAST && !memcmp(packet + 24, LINK_LOCAL, sizeof LINK_LOCAL))
            call = routes_find_identifier(table->routes, packet + 32);
        break;
    default:
        return NULL;
    }
    return call ? call : table->anywhere;
}

int table_attach(struct table *table, struct call *call)
{
    table_detach(table, call);
    bool has_identifier = call->inside.has_peer_identifier;
    for (uint32_t i = 0; i < call->allowed_count; i++)
        if (call->allowed[i].length > ADDRESS_BITS)
            return -EINVAL;
    int failed = routes_reserve(table->routes, call->allowed_count, has_identifier);
    if (failed)
        return failed;
    for (uint32_t i = 0; i < call->allowed_count; i++)
        routes_add(table->routes, &call->allowed[i], call);
    if (has_identifier)
        routes_add_identifier(table->routes, call->inside.peer_identifier, call);
    if (!call->allowed_count)
        table->anywhere = call;
    return 0;
}

void table_detach(struct table *table, struct call *call)
{
    for (uint32_t i = 0; i < call->allowed_count; i++)
        if (call->allowed[i].length <= ADDRESS_BITS)
            routes_remove(table->routes, &call->allowed[i], call);
    if (call->inside.has_peer_identifier)
        routes_remove_identifier(table->routes, call->inside.peer_identifier, call);
    if (table->anywhere == call)
        table->anywhere = NULL;
}
