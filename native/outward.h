/* Inside to outside: what one thread needs to take frames from a TUN queue and send them through the tunnels. */
#ifndef OPENPPTP_OUTWARD_H
#define OPENPPTP_OUTWARD_H

#include "base.h"
#include "lanes.h"
#include "path.h"
#include "segment.h"
#include "table.h"

#define FRAMES 64                        /* taken from the TUN queue at once */
#define FRAMES_OCTETS (4 * (TUN_MOST + 1)) /* and the room for them: four large ones */

/* One frame that was read; its call is found later, under the table's lock. */
struct frame {
    uint32_t offset;
    uint32_t length;
    struct call *call;
    struct segmenter segmenter;
};

struct outward {
    /* Take a batch that is ready; set lost on what was not sent. */
    void (*send)(struct outward *outward, struct outgoing *const *packets, size_t count);
    /* Hand an ICMP answer to the inside. */
    void (*answer)(struct outward *outward, const uint8_t *packet, size_t length);
    void *context; /* of send and answer */
    uint8_t *octets; /* FRAMES_OCTETS: the frames as read */
    struct frame frames[FRAMES];
    size_t frames_count;
    size_t filled; /* of octets */
    struct outgoing *slots; /* BATCH of them */
    struct outgoing *ready[BATCH];
    size_t count; /* of ready */
    struct cipher_batch batch;
    uint8_t *large; /* a packet that is too long for a slot or for its tunnel */
    uint64_t malformed;
    uint64_t unrouted;
    uint64_t segments;
};

int outward_begin(struct outward *outward);
void outward_end(struct outward *outward);

/* Where the next frame is to be read, TUN header first; NULL when those there must be taken first. */
uint8_t *outward_room(struct outward *outward);

/* A frame of so many octets was read there. */
void outward_add(struct outward *outward, size_t length);

/* Find the call of each frame; the table must not change until they are sent. */
void outward_route(struct outward *outward, const struct table *table);

/* Send the frames whose calls belong to one shard, under its outward lock. */
void outward_send(struct outward *outward, uint32_t shard, uint32_t shards, seconds now);

/* Forget the frames. */
void outward_clear(struct outward *outward);

#endif
