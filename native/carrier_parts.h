/* The carrier's inside: what its roads (carrier_raw.c, carrier_ring.c, carrier_ethernet.c) share. */
#ifndef OPENPPTP_CARRIER_PARTS_H
#define OPENPPTP_CARRIER_PARTS_H

#include <linux/filter.h>
#include <sys/socket.h>

#include "carrier.h"
#include "fragments.h"

#define GRE_PROTOCOL 47 /* IANA */
#define GRE_PPP 0x880B  /* RFC 2637 section 4.1: Protocol Type */
#define IPV4_HEADER 20
#define ETHERNET_HEADER 14

#define SHARE_OCTETS 2048 /* received of one packet: whole for all that a path takes */
#define SHARES (2 * BATCH) /* a batch from the raw socket, of which all may be malformed, and one from rings */
#define LONGEST_PACKET 65535

/* A packet ring of one device (packet(7), TPACKET_V2: it wakes us for each packet, V3 only by a timer). */
struct ring {
    uint32_t interface_index;
    int descriptor; /* -1: none */
    bool closing;   /* takes nothing more, but may still hold packets */
    uint8_t *frames;
    uint32_t next; /* the frame we look at next */
    uint32_t held; /* frames before it that we have not given back */
};

struct carrier_shard {
    uint32_t number;
    int raw;      /* its owner's; -1: none */
    int ethernet; /* -1: none */
    uint8_t service; /* of the IPv4 headers we write ourselves, as of those the raw socket writes */
    uint8_t lifetime;
    bool dont_fragment;
    struct ring rings[CARRIER_RINGS];
    struct fragments *fragments; /* NULL before the first ring */
    uint32_t turn;
    bool idle; /* nothing had arrived when we looked last */
    size_t shares_used;
    uint8_t *shares; /* SHARES, then LONGEST_PACKET octets: the true length of a cut packet stays in bounds */
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    uint64_t malformed;
    uint64_t received_raw;
    uint64_t received_ring;
    uint64_t sent_raw; /* these have several writers */
    uint64_t sent_ethernet;
    uint64_t outside_full;
};

struct carrier {
    uint32_t shards_count;
    uint32_t rings_count;
    uint32_t rings[CARRIER_RINGS]; /* interface indexes */
    uint16_t identification; /* of the IPv4 headers we write */
    struct carrier_shard shards[];
};

/* carrier_filter.c: classic BPF programs; both see a packet from its IPv4 header on.
 * What a ring takes and what the raw socket leaves to it is the same, but for fragments: the raw socket never sees
 * those, only the whole. */
#define FILTER_MOST 40
struct filter {
    struct sock_filter code[FILTER_MOST];
    uint16_t length;
};
void filter_raw(struct filter *filter, const uint32_t *interfaces, uint32_t count, uint32_t shards, uint32_t shard);
void filter_ring(struct filter *filter, uint32_t shards, uint32_t shard);
void filter_nothing(struct filter *filter);
int filter_attach(int descriptor, const struct filter *filter);

/* Strip the IPv4 header: `held` octets of a packet of `length` are there. False when it has no whole header. */
bool carrier_unwrap(struct incoming *packet, const uint8_t *octets, size_t held, size_t length);

/* carrier_raw.c */
size_t raw_receive(struct carrier_shard *shard, struct incoming *packets, size_t room);
/* Both send a run of at most BATCH packets, and return how many were lost. */
size_t raw_send(struct carrier_shard *shard, struct outgoing *const *packets, size_t count);

/* carrier_ethernet.c */
int ethernet_open(void);
bool ethernet_leads(const struct carrier_shard *shard, const struct outgoing *packet);
size_t ethernet_send(struct carrier *carrier, struct carrier_shard *shard, struct outgoing *const *packets,
                     size_t count);
void ethernet_write(uint8_t *end, const struct carrier_shard *shard, const struct call *call, size_t length,
                    uint16_t identification);

/* carrier_ring.c */
int ring_open(struct ring *ring, uint32_t interface_index, uint32_t shards, uint32_t shard);
void ring_end(struct ring *ring);
size_t ring_receive(struct carrier *carrier, struct carrier_shard *shard, struct ring *ring, struct incoming *packets,
                    size_t room);
void ring_release(struct ring *ring);
bool ring_is_empty(const struct ring *ring);
void ring_clear_error(const struct ring *ring);

/* Room for one packet that cannot stay where it was received; at most SHARES between two releases. */
static inline uint8_t *share(struct carrier_shard *shard)
{
    return shard->shares + SHARE_OCTETS * shard->shares_used++;
}

#endif
