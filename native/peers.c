/* How frames reach each peer: one route for all calls between two addresses. */
#include "peers.h"

#include <stdlib.h>

static struct peer **chain(const struct peers *peers, uint32_t address, uint32_t local)
{
    uint32_t mixed = (address ^ local << 7) * 2654435761u;
    return (struct peer **)&peers->chains[mixed >> 22];
}

struct peer *peers_find(const struct peers *peers, uint32_t address, uint32_t local)
{
    struct peer *peer = *chain(peers, address, local);
    while (peer && (peer->address != address || peer->local != local))
        peer = peer->next;
    return peer;
}

struct peer *peers_hold(struct peers *peers, uint32_t address, uint32_t local)
{
    struct peer *peer = peers_find(peers, address, local);
    if (!peer) {
        peer = calloc(1, sizeof *peer);
        if (!peer)
            return NULL;
        struct peer **place = chain(peers, address, local);
        peer->address = address;
        peer->local = local;
        peer->next = *place;
        *place = peer;
    }
    peer->calls++;
    return peer;
}

void peers_drop(struct peers *peers, uint32_t address, uint32_t local)
{
    struct peer **place = chain(peers, address, local);
    while (*place && ((*place)->address != address || (*place)->local != local))
        place = &(*place)->next;
    struct peer *peer = *place;
    if (!peer || --peer->calls)
        return;
    *place = peer->next;
    free(peer);
}
