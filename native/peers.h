/* How frames reach each peer: one route for all calls between two addresses. Not locked: engine.c is. */
#ifndef OPENPPTP_PEERS_H
#define OPENPPTP_PEERS_H

#include "base.h"
#include "call.h"

#define PEERS_CHAINS 1024

struct peer {
    struct ethernet_route route; /* first: a call points to it */
    uint32_t address;
    uint32_t local;
    uint32_t calls;
    struct peer *next;
};

struct peers {
    struct peer *chains[PEERS_CHAINS];
};

/* The peer, made when there is none; counts one call more. NULL when memory is short. */
struct peer *peers_hold(struct peers *peers, uint32_t address, uint32_t local);

/* The peer if there is one. */
struct peer *peers_find(const struct peers *peers, uint32_t address, uint32_t local);

/* One call less; the last one frees it. */
void peers_drop(struct peers *peers, uint32_t address, uint32_t local);

#endif
