/* Where inside packets go: calls by IPv4 network, the longest prefix first, and by IPv6 interface identifier. */
#ifndef OPENPPTP_ROUTES_H
#define OPENPPTP_ROUTES_H

#include "base.h"
#include "engine.h"

#define ROUTES_MOST (1u << 20) /* ours: networks of all calls together, and identifiers */
#define ADDRESS_BITS 32

struct call;

struct destination {
    uint64_t key;
    struct call *call; /* NULL: free */
};

/* Calls by key: a hash table of which at least half is free. */
struct destinations {
    struct destination *slots;
    uint32_t room;  /* a power of two, 0 before the first */
    uint32_t shift; /* of the hash: its highest bits count */
    uint32_t used;
};

struct routes {
    struct destinations networks; /* key: prefix length, then network */
    struct destinations identifiers;
    uint64_t lengths; /* one bit for each prefix length in use: an address alone costs one look */
    uint32_t of_length[ADDRESS_BITS + 1];
    uint64_t multiplier; /* by chance: a peer, who may choose its identifier, shall not choose its place */
};

void routes_begin(struct routes *routes);
void routes_end(struct routes *routes);

/* Make room for so many more, so that adding them cannot fail: -ENOMEM when memory is short, -ENOSPC beyond all bounds. */
int routes_reserve(struct routes *routes, uint32_t networks, uint32_t identifiers);

/* Lead there, whoever had it before; host bits of the network do not count. There must be room. */
void routes_add(struct routes *routes, const struct engine_prefix *prefix, struct call *call);
void routes_add_identifier(struct routes *routes, const uint8_t *identifier, struct call *call);

/* Lead there no more, if it is this call that it leads to. */
void routes_remove(struct routes *routes, const struct engine_prefix *prefix, const struct call *call);
void routes_remove_identifier(struct routes *routes, const uint8_t *identifier, const struct call *call);

/* The call for a destination; NULL: none. */
struct call *routes_find(const struct routes *routes, uint32_t destination);
struct call *routes_find_identifier(const struct routes *routes, const uint8_t *identifier);

#endif
