/* Which call a packet belongs to: by Call ID and source from outside, by destination from inside
 * (datapath/table.py). Not locked: engine.c is. */
#ifndef OPENPPTP_TABLE_H
#define OPENPPTP_TABLE_H

#include "base.h"
#include "call.h"

#define CALL_IDS 65536

struct table {
    struct call *calls[CALL_IDS];
    uint32_t count;
    struct call *anywhere; /* takes what no other call takes */
    struct routes *routes; /* IPv4 destinations: exact, then longest prefix */
    struct identifiers *identifiers; /* IPv6 link-local destinations, by interface identifier */
};

int table_begin(struct table *table);
void table_end(struct table *table); /* calls must be closed before */

/* The call of a received GRE packet; NULL when it is nobody's or comes from elsewhere. */
struct call *table_find(const struct table *table, uint16_t call_id, uint32_t source);

/* The call an inside packet goes to, by its header (at least 20 or 40 octets, as its version says); NULL: none. */
struct call *table_route(const struct table *table, const uint8_t *packet, size_t length);

/* Send inside packets for the call's allowed addresses, networks and peer identifier to it, or (none allowed) all that
 * no other call takes. A later call takes an address over. */
int table_attach(struct table *table, struct call *call);

/* Send no more inside packets to it; an address another call took over stays that one's. */
void table_detach(struct table *table, struct call *call);

#endif
