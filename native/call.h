/* One call: what both directions need of it. */
#ifndef OPENPPTP_CALL_H
#define OPENPPTP_CALL_H

#include "base.h"
#include "bucket.h"
#include "engine.h"
#include "mppe.h"
#include "window.h"

/* Sends frames to a peer beside the IP stack, while it is known how. */
struct ethernet_route {
    uint32_t interface_index; /* 0: use the raw socket */
    uint32_t mtu;
    uint8_t header[14];
};

/* Inside to outside; written under the shard's outward lock. */
struct sender {
    uint32_t next_sequence; /* read by the receiver, relaxed */
    struct encryptor encryptor;
    struct bucket bucket;
    struct engine_counters counters;
};

/* Outside to inside; written under the shard's inward lock. */
struct receiver {
    struct window window;
    struct decryptor decryptor;
    struct bucket bucket;
    uint32_t peer_has; /* highest of our numbers the peer acknowledged */
    struct engine_counters counters;
    /* For the timer wheel of inward.c. */
    struct call *later;
    struct call **earlier;
    seconds armed; /* 0: not in the wheel */
};

struct call {
    uint16_t call_id;
    uint16_t peer_call_id;
    bool connected;
    bool open; /* data may flow */
    uint32_t peer;
    uint32_t local;
    struct engine_inside inside;
    struct engine_prefix *allowed; /* sources the peer may use and destinations that lead here; none: any */
    uint32_t allowed_count;
    struct acknowledgement owed;
    const struct ethernet_route *route; /* shared by all calls with this peer; never NULL */
    struct sender out __attribute__((aligned(64))); /* two threads write: not into one cache line */
    struct receiver in __attribute__((aligned(64)));
};

#endif
