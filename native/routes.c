/* Calls by inside destination: one open-addressing hash table for networks of all lengths, one for identifiers. */
#include "routes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define FIRST_ROOM 64u
#define MULTIPLIER 0x9e3779b97f4a7c15u /* where the system has no chance to give */

void routes_begin(struct routes *routes)
{
    memset(routes, 0, sizeof *routes);
    if (getrandom(&routes->multiplier, sizeof routes->multiplier, GRND_NONBLOCK) !=
        (ssize_t)sizeof routes->multiplier)
        routes->multiplier = MULTIPLIER;
    routes->multiplier |= 1;
}

void routes_end(struct routes *routes)
{
    free(routes->networks.slots);
    free(routes->identifiers.slots);
    memset(routes, 0, sizeof *routes);
}

/* --- the hash table: multiply-shift (M. Dietzfelbinger), linear probing, no tombstones */

static inline uint32_t home(const struct destinations *all, uint64_t multiplier, uint64_t key)
{
    return (uint32_t)((key * multiplier) >> all->shift);
}

/* The place of a key, or the free one where it belongs; at least half of all are free. */
static inline uint32_t seek(const struct destinations *all, uint64_t multiplier, uint64_t key)
{
    uint32_t at = home(all, multiplier, key);
    while (all->slots[at].call && all->slots[at].key != key)
        at = (at + 1) & (all->room - 1);
    return at;
}

static inline struct call *find(const struct destinations *all, uint64_t multiplier, uint64_t key)
{
    return all->used ? all->slots[seek(all, multiplier, key)].call : NULL;
}

static int reserve(struct destinations *all, uint64_t multiplier, uint32_t more)
{
    if (more > ROUTES_MOST || all->used > ROUTES_MOST - more)
        return -ENOSPC;
    uint32_t room = all->room ? all->room : FIRST_ROOM;
    while (room < 2 * (all->used + more))
        room *= 2;
    if (room == all->room)
        return 0;
    struct destinations larger = {
        .slots = calloc(room, sizeof *larger.slots),
        .room = room,
        .shift = 64 - (uint32_t)__builtin_ctz(room),
        .used = all->used,
    };
    if (!larger.slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < all->room; i++)
        if (all->slots[i].call)
            larger.slots[seek(&larger, multiplier, all->slots[i].key)] = all->slots[i];
    free(all->slots);
    *all = larger;
    return 0;
}

/* Return whether the key was new. */
static bool put(struct destinations *all, uint64_t multiplier, uint64_t key, struct call *call)
{
    struct destination *slot = &all->slots[seek(all, multiplier, key)];
    bool is_new = !slot->call;
    all->used += is_new;
    *slot = (struct destination){key, call};
    return is_new;
}

/* Return whether the key led to the call. Those behind move up, so that nobody's search ends at the hole. */
static bool take_out(struct destinations *all, uint64_t multiplier, uint64_t key, const struct call *call)
{
    if (!all->used)
        return false;
    uint32_t hole = seek(all, multiplier, key);
    if (all->slots[hole].call != call)
        return false;
    uint32_t last = all->room - 1;
    for (uint32_t at = (hole + 1) & last; all->slots[at].call; at = (at + 1) & last) {
        uint32_t wanted = home(all, multiplier, all->slots[at].key);
        if (((at - wanted) & last) >= ((at - hole) & last)) {
            all->slots[hole] = all->slots[at];
            hole = at;
        }
    }
    all->slots[hole].call = NULL;
    all->used--;
    return true;
}

/* --- what the keys mean */

static inline uint64_t network_key(uint32_t address, uint32_t length)
{
    uint32_t mask = length ? UINT32_MAX << (ADDRESS_BITS - length) : 0;
    return (uint64_t)length << ADDRESS_BITS | (address & mask);
}

static inline uint64_t identifier_key(const uint8_t *identifier)
{
    return (uint64_t)read32(identifier) << 32 | read32(identifier + 4);
}

int routes_reserve(struct routes *routes, uint32_t networks, uint32_t identifiers)
{
    int failed = networks ? reserve(&routes->networks, routes->multiplier, networks) : 0;
    if (!failed && identifiers)
        failed = reserve(&routes->identifiers, routes->multiplier, identifiers);
    return failed;
}

void routes_add(struct routes *routes, const struct engine_prefix *prefix, struct call *call)
{
    uint32_t length = prefix->length;
    if (put(&routes->networks, routes->multiplier, network_key(prefix->network, length), call)) {
        routes->of_length[length]++;
        routes->lengths |= 1ull << length;
    }
}

void routes_remove(struct routes *routes, const struct engine_prefix *prefix, const struct call *call)
{
    uint32_t length = prefix->length;
    if (take_out(&routes->networks, routes->multiplier, network_key(prefix->network, length), call) &&
        --routes->of_length[length] == 0)
        routes->lengths &= ~(1ull << length);
}

struct call *routes_find(const struct routes *routes, uint32_t destination)
{
    for (uint64_t left = routes->lengths; left;) {
        uint32_t length = 63 - (uint32_t)__builtin_clzll(left);
        struct call *call = find(&routes->networks, routes->multiplier, network_key(destination, length));
        if (call)
            return call;
        left &= ~(1ull << length);
    }
    return NULL;
}

void routes_add_identifier(struct routes *routes, const uint8_t *identifier, struct call *call)
{
    put(&routes->identifiers, routes->multiplier, identifier_key(identifier), call);
}

void routes_remove_identifier(struct routes *routes, const uint8_t *identifier, const struct call *call)
{
    take_out(&routes->identifiers, routes->multiplier, identifier_key(identifier), call);
}

struct call *routes_find_identifier(const struct routes *routes, const uint8_t *identifier)
{
    return find(&routes->identifiers, routes->multiplier, identifier_key(identifier));
}
