/* The engine: the native data path of OpenPPTP. This header is all that others see of it.
 *
 * Python opens, configures and closes calls, and exchanges control-protocol PPP frames (the slow path); data packets
 * pass between the GRE socket and the TUN device in the threads that run engine_run. Addresses are IPv4 numbers in host
 * order. What returns int returns 0, or a negative errno. The binding reads this file: keep to plain declarations.
 */
#ifndef OPENPPTP_ENGINE_H
#define OPENPPTP_ENGINE_H

#include <stdint.h>

struct engine;

/* Directions a thread can serve. */
enum { ENGINE_OUTWARD = 0, ENGINE_INWARD = 1 };

/* Where octets that leave the engine go, or what befell a call; as datapath/path.py's Way. */
enum { ENGINE_INSIDE = 0, ENGINE_OUTSIDE = 1, ENGINE_UP = 2, ENGINE_LOST_STEP = 3, ENGINE_GAVE_UP = 4 };

/* One direction of MPPE as CCP agreed on it. */
struct engine_encryption {
    uint8_t start_key[16]; /* the first 8 octets count when key_bits is 40 or 56 */
    uint32_t key_bits;     /* 40, 56 or 128 */
    int32_t stateful;
};

/* An IPv4 address (length 32) or network. */
struct engine_prefix {
    uint32_t network;
    uint32_t length;
};

/* Token bucket; bits_per_second 0 is no limit. */
struct engine_rate {
    uint64_t bits_per_second;
    uint64_t burst_octets;
};

/* What data a call may carry and how its frames are written. */
struct engine_inside {
    uint32_t mtu;
    int32_t encryption_required;
    int32_t compress_address_control;
    int32_t compress_protocol;
    int32_t clamp_segment_size; /* of TCP, to what mtu leaves */
    int32_t has_peer_identifier;
    uint8_t peer_identifier[8];
    struct engine_rate rate_in;  /* from the peer */
    struct engine_rate rate_out; /* to the peer */
};

/* What passed one call and what did not; the names are those of datapath/seam.py's Counters. */
struct engine_counters {
    uint64_t packets_in;
    uint64_t octets_in;
    uint64_t packets_out;
    uint64_t octets_out;
    uint64_t acks_sent;
    uint64_t lost;
    uint64_t late_recovered;
    uint64_t dropped_duplicate;
    uint64_t dropped_late;
    uint64_t dropped_malformed;
    uint64_t dropped_not_open;
    uint64_t dropped_not_encrypted;
    uint64_t dropped_not_decryptable;
    uint64_t dropped_source;
    uint64_t dropped_too_big;
    uint64_t dropped_rate;
    uint64_t dropped_queue_full;
    double last_in;  /* monotonic seconds of the last data packet from the peer, 0 when there was none */
    double last_out; /* and to the peer */
};

/* What belonged to no call, and the engine as a whole. */
struct engine_totals {
    uint64_t calls;
    uint64_t malformed;       /* GRE nobody could read */
    uint64_t unknown;         /* GRE of no call, or from elsewhere than its peer */
    uint64_t unrouted;        /* inside packets of no call */
    uint64_t slow_path_full;  /* control-protocol frames dropped because Python did not take them in time */
    uint64_t inside_full;     /* packets the TUN device did not take */
    uint64_t outside_full;    /* packets the socket did not take */
    uint64_t segments_out;    /* packets cut from large segments */
    uint64_t segments_in;     /* packets merged into large segments */
    uint64_t sent_raw;        /* packets sent through the raw socket */
    uint64_t sent_ethernet;   /* and beside the IP stack */
    uint64_t received_raw;
    uint64_t received_ring;
};

/* Something for the slow path; in memory mode also what would have gone inside or outside. */
struct engine_event {
    uint32_t way;
    uint32_t call_id;
    uint32_t length; /* of the octets copied out beside it */
};

/* One packet of a batch: where it lies in the octets given beside it. */
struct engine_packet {
    uint32_t offset;
    uint32_t length;
    uint32_t source;      /* outside packets only */
    uint32_t destination; /* outside packets only */
};

/* Make an engine without sockets; shards is the number of threads in each direction. NULL when memory is short. */
struct engine *engine_new(uint32_t shards);

/* Free everything; no thread may be in engine_run any more. Descriptors given to the engine stay their owner's. */
void engine_free(struct engine *engine);

/* What of the processor is used, in words, for the log. */
const char *engine_features(void);

/* Calls. receive_window 0 is our usual one; first_sequence is 0 but in tests. */
int engine_open_call(struct engine *engine, uint16_t call_id, uint32_t peer, uint32_t local,
                     uint32_t receive_window, uint32_t first_sequence);
int engine_connect_call(struct engine *engine, uint16_t call_id, uint16_t peer_call_id);
int engine_send_frame(struct engine *engine, uint16_t call_id, const uint8_t *frame, uint32_t length);
int engine_encryption_up(struct engine *engine, uint16_t call_id, const struct engine_encryption *send,
                         const struct engine_encryption *receive);
int engine_encryption_down(struct engine *engine, uint16_t call_id);
int engine_encryption_flush(struct engine *engine, uint16_t call_id);
int engine_interface_up(struct engine *engine, uint16_t call_id, const struct engine_inside *inside,
                        const struct engine_prefix *allowed, uint32_t allowed_count);
int engine_interface_down(struct engine *engine, uint16_t call_id);
int engine_close_call(struct engine *engine, uint16_t call_id, struct engine_counters *last);
int engine_counters(struct engine *engine, uint16_t call_id, struct engine_counters *now);
void engine_totals(struct engine *engine, struct engine_totals *totals);

/* The slow path: a descriptor that is readable while events wait. engine_next_event returns 1 and one event, or 0. */
int engine_event_descriptor(struct engine *engine);
int engine_next_event(struct engine *engine, struct engine_event *event, uint8_t *octets, uint32_t room);

/* Doors, before engine_run: for each shard one raw GRE socket and one TUN queue (with IFF_VNET_HDR), and whether it
 * takes several datagrams as one large one (Linux 6.2). */
int engine_attach_gre(struct engine *engine, uint32_t shard, int descriptor);
int engine_attach_tun(struct engine *engine, uint32_t shard, int descriptor, int32_t merges_udp);

/* Take GRE that arrives at an Ethernet device from a packet ring, beside the raw socket; may be asked at any time. */
int engine_open_ring(struct engine *engine, uint32_t interface_index);
int engine_close_ring(struct engine *engine, uint32_t interface_index);

/* Send a peer's packets as Ethernet frames while the route is known; header is destination, source, type. Packets
 * longer than mtu, and all after engine_forget_route, go through the raw socket. */
int engine_set_route(struct engine *engine, uint32_t peer, uint32_t local, uint32_t interface_index,
                     const uint8_t *header, uint32_t mtu);
int engine_forget_route(struct engine *engine, uint32_t peer, uint32_t local);

/* Serve one direction of one shard until engine_stop; each from a thread of its own. */
int engine_run(struct engine *engine, uint32_t direction, uint32_t shard);
void engine_stop(struct engine *engine);

/* Memory mode, without threads or doors: feed packets, then draw with engine_next_event all that follows, in order. */
int engine_take_outside(struct engine *engine, const uint8_t *octets, const struct engine_packet *packets,
                        uint32_t count, double now);
int engine_take_inside(struct engine *engine, const uint8_t *octets, const struct engine_packet *packets,
                       uint32_t count, double now);
int engine_tick(struct engine *engine, double now);
double engine_deadline(struct engine *engine); /* when engine_tick will next have something to do; negative: never */

#endif
