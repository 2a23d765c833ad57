/* Which call a packet belongs to: by Call ID and source from outside, by destination from inside
 * (datapath/table.py). Not locked: engine.c is. */
#ifndef OPENPPTP_TABLE_H
#define OPENPPTP_TABLE_H

#include "base.h"
#include "call.h"
#include "routes.h"

#define CALL_IDS 65536

struct table {
    struct call *calls[CALL_IDS];
    uint32_t count;
    struct call *anywhere; /* takes what no other call takes */
    struct routes *routes;
};

int table_begin(struct table *table);
void table_end(struct table *table); /* calls must be closed before */

/* The call of a received GRE packet; NULL when it is nobody's or comes from elsewhere. */
struct call *table_find(const struct table *table, uint16_t call_id, uint32_t source);

/* The call an inside packet goes to; NULL: none. Of any length: what is too short for its version has no destination. */
struct call *table_route(const struct table *table, const uint8_t *packet, size_t length);

/* Send inside packets for the call's allowed addresses, networks and peer identifier to it, or (none allowed) all that
 * no other call takes. A later call takes an address over. -ENOMEM, -ENOSPC, -EINVAL: nothing leads to it. */
int table_attach(struct table *table, struct call *call);

/* Send no more inside packets to it; an address another call took over stays that one's. Must come before the call's
 * allowed addresses or its peer identifier change: by them it is found what led here. */
void table_detach(struct table *table, struct call *call);

#endif
