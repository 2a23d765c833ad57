/* Outside to inside: what one thread needs to take GRE packets and hand the inside what they carry. */
#ifndef OPENPPTP_INWARD_H
#define OPENPPTP_INWARD_H

#include "base.h"
#include "lanes.h"
#include "merge.h"
#include "path.h"
#include "table.h"
#include "wheel.h"

#define ACKNOWLEDGEMENTS 32 /* sent at once */
#define OWNERS 256          /* packets that were held and are not written yet */

struct inward {
    struct sink sink; /* first, so that the sink's functions find the rest */
    /* Send lone acknowledgements; set lost on what was not sent. */
    void (*send)(struct inward *inward, struct outgoing *const *packets, size_t count);
    /* Tell the slow path. */
    void (*event)(struct inward *inward, struct call *call, uint32_t way, const uint8_t *octets, size_t length);
    /* Hand one packet to the inside; NULL: by the merger. */
    void (*deliver)(struct inward *inward, struct call *call, const uint8_t *packet, size_t length);
    void *context; /* of these */
    struct incoming packets[BATCH];
    uint8_t *plain; /* SLOT_OCTETS for each of them */
    struct cipher_batch batch;
    struct merger merger;
    struct outgoing *slots; /* ACKNOWLEDGEMENTS of them */
    struct outgoing *ready[ACKNOWLEDGEMENTS];
    size_t count; /* of ready */
    void *owners[OWNERS];
    size_t owners_count;
    struct wheel wheel;
    uint64_t malformed;
    uint64_t unknown;
};

/* write is the merger's. */
int inward_begin(struct inward *inward, merge_write write, void *context);
void inward_end(struct inward *inward);

/* Take the first count of inward->packets, whose octets, length, source and destination are set; all calls are of this
 * inward's shard, under its lock. Everything that follows from them has left when this returns. */
void inward_take(struct inward *inward, const struct table *table, size_t count, seconds now);

/* Do what is due. */
void inward_tick(struct inward *inward, seconds now);

/* Look at the call when it wants to be looked at. */
void inward_arm(struct inward *inward, struct call *call);

#endif
