/* A packet's way in, in the order it meets things: place in the sequence, PPP header, MPPE, order, inner header and
 * source; control protocols go up. The decisions are those of datapath/path.py. */
#include <stdlib.h>

#include "clamp.h"
#include "ip.h"
#include "path.h"
#include "ppp.h"

enum { ROUTER_ADVERTISEMENT = 134, REDIRECT = 137 };

static const uint8_t LINK_LOCAL[8] = {0xFE, 0x80}; /* RFC 4291 section 2.5.6: before the interface identifier */

/* One packet from outside, on its way through the window. */
struct arrived {
    const uint8_t *frame; /* the whole PPP frame; once decrypted, the datagram that was in it */
    uint32_t length;
    uint32_t sequence;
    uint16_t protocol;
    uint16_t header; /* octets before the information field */
    bool decrypted;
    uint8_t *plain;  /* room for what is still to be decrypted; NULL when it is kept and in clear */
};

/* The same in memory of its own, while it waits for its forerunners. */
struct kept {
    struct arrived arrived;
    uint8_t octets[];
};

/* What a released packet needs besides itself. */
struct delivery {
    struct call *call;
    struct sink *sink;
    seconds now;
};

void path_foresee(struct incoming *packet, struct cipher_batch *batch)
{
    const struct gre *gre = &packet->gre;
    packet->foreseen = -1;
    if (!packet->call || !gre->has_sequence || gre->length > RECEIVE_LIMIT)
        return;
    struct decryptor *decryptor = &packet->call->in.decryptor;
    uint16_t protocol;
    if (!decryptor->on || decryptor->stateful)
        return;
    uint16_t header = ppp_read_header(gre->payload, gre->length, &protocol);
    if (header && protocol == PPP_MPPE) {
        packet->foreseen = decryptor_foresee(decryptor, gre->payload + header, gre->length - header, gre->sequence,
                                             packet->plain, batch);
    }
}

/* Note what the peer has; a number never sent or gone back to is ignored. Cisco's first is 0xFFFFFFFF: nothing yet. */
static void acknowledged(struct call *call, uint32_t number)
{
    uint32_t next = __atomic_load_n(&call->out.next_sequence, __ATOMIC_RELAXED);
    int64_t outstanding = (int64_t)serial_distance(next, number) - 1;
    if (outstanding >= 0 && outstanding <= (uint32_t)(next - 1 - call->in.peer_has))
        call->in.peer_has = number;
}

/* Decrypt a packet into its room; false when it is not believed. */
static bool decrypt(struct call *call, struct arrived *arrived, bool far, int64_t foreseen, struct sink *sink,
                    seconds now)
{
    enum mppe_signal signal = MPPE_NONE;
    size_t length = decryptor_decrypt(&call->in.decryptor, arrived->frame + arrived->header,
                                      arrived->length - arrived->header, arrived->sequence, now, far, foreseen,
                                      arrived->plain, &signal);
    if (unlikely(signal != MPPE_NONE)) {
        sink->lost(sink, call, signal == MPPE_GIVE_UP);
        if (signal == MPPE_GIVE_UP)
            decryptor_end(&call->in.decryptor); /* said once; what still comes is not open */
    }
    if (length)
        arrived->header = ppp_read_header(arrived->plain, length, &arrived->protocol);
    if (unlikely(!length || !arrived->header)) {
        COUNT(call->in.counters.dropped_not_decryptable);
        return false;
    }
    arrived->frame = arrived->plain;
    arrived->length = (uint32_t)length;
    arrived->decrypted = true;
    return true;
}

static bool allowed_ipv4(const struct call *call, const uint8_t *packet)
{
    uint32_t source = read32(packet + 12);
    for (uint32_t i = 0; i < call->allowed_count; i++) {
        if ((uint64_t)(source ^ call->allowed[i].network) >> (32 - call->allowed[i].length) == 0)
            return true;
    }
    return false;
}

/* Whether it comes from the peer's link-local address and does not play the router. */
static bool allowed_ipv6(const struct call *call, const uint8_t *packet, size_t length)
{
    if (memcmp(packet + 8, LINK_LOCAL, 8) != 0 || memcmp(packet + 16, call->inside.peer_identifier, 8) != 0)
        return false;
    uint8_t header;
    size_t position = ipv6_transport(packet, length, &header);
    return header != IP_ICMPV6 || position >= length ||
           (packet[position] != ROUTER_ADVERTISEMENT && packet[position] != REDIRECT);
}

/* The frame where it may be changed: what came in clear may lie in memory that is not ours to write to. */
static uint8_t *writable(struct arrived *arrived, struct kept *kept)
{
    if (arrived->frame == arrived->plain)
        return arrived->plain;
    if (kept)
        return kept->octets;
    memcpy(arrived->plain, arrived->frame, arrived->length);
    arrived->frame = arrived->plain;
    return arrived->plain;
}

/* Hand a packet of IP to the inside; false when it was dropped, and its owner is still the caller's. */
static bool deliver_data(struct call *call, struct arrived *arrived, void *owner, struct sink *sink, seconds now)
{
    struct engine_counters *counters = &call->in.counters;
    const uint8_t *packet = arrived->frame + arrived->header;
    size_t length = arrived->length - arrived->header;
    bool is_ipv4 = arrived->protocol == PPP_IPV4;
    if (unlikely(!is_ipv4 && !call->inside.has_peer_identifier)) {
        COUNT(counters->dropped_not_open);
        return false;
    }
    length = is_ipv4 ? ipv4_length(packet, length) : ipv6_length(packet, length);
    if (unlikely(!length)) {
        COUNT(counters->dropped_malformed);
        return false;
    }
    if (call->allowed_count && !(is_ipv4 ? allowed_ipv4(call, packet) : allowed_ipv6(call, packet, length))) {
        COUNT(counters->dropped_source);
        return false;
    }
    if (unlikely(!bucket_take(&call->in.bucket, length, now))) {
        COUNT(counters->dropped_rate);
        return false;
    }
    COUNT(counters->packets_in);
    COUNT_BY(counters->octets_in, length);
    __atomic_store(&counters->last_in, &now, __ATOMIC_RELAXED);
    size_t start = call->inside.clamp_segment_size ? clamp_find(packet, length) : 0;
    if (unlikely(start)) {
        clamp_segment_size(writable(arrived, owner) + arrived->header, length, start, call->inside.mtu);
        packet = arrived->frame + arrived->header;
    }
    sink->inside(sink, call, packet, length, owner);
    return true;
}

/* Hand a packet, whose turn it is, to where it belongs; free its owner (NULL: none) unless the sink does. */
static void deliver(struct call *call, struct arrived *arrived, void *owner, struct sink *sink, seconds now)
{
    struct engine_counters *counters = &call->in.counters;
    if (arrived->protocol == PPP_MPPE && call->in.decryptor.on && !arrived->decrypted &&
        !decrypt(call, arrived, false, -1, sink, now)) {
        free(owner);
        return;
    }
    if (arrived->protocol >= PPP_CONTROL)
        sink->up(sink, call, arrived->frame, arrived->length);
    else if ((arrived->protocol != PPP_IPV4 && arrived->protocol != PPP_IPV6) || !call->open)
        COUNT(counters->dropped_not_open);
    else if (!arrived->decrypted && (call->inside.encryption_required || call->out.encryptor.on))
        COUNT(counters->dropped_not_encrypted);
    else if (deliver_data(call, arrived, owner, sink, now))
        return;
    free(owner);
}

static void deliver_kept(void *context, void *item)
{
    struct delivery *delivery = context;
    struct kept *kept = item;
    deliver(delivery->call, &kept->arrived, kept, delivery->sink, delivery->now);
}

/* Give a packet memory of its own, with room for what is still to be decrypted. */
static struct kept *keep(const struct arrived *arrived)
{
    bool is_opaque = arrived->protocol == PPP_MPPE && !arrived->decrypted;
    struct kept *kept = malloc(sizeof *kept + arrived->length * (is_opaque ? 2u : 1u));
    if (kept) {
        memcpy(kept->octets, arrived->frame, arrived->length);
        kept->arrived = *arrived;
        kept->arrived.frame = kept->octets;
        kept->arrived.plain = is_opaque ? kept->octets + arrived->length : NULL;
    }
    return kept;
}

static void acknowledge(struct call *call, struct sink *sink, seconds now)
{
    uint32_t number;
    if (call->connected && acknowledgement_due(&call->owed, now) && acknowledgement_take(&call->owed, &number)) {
        uint8_t header[GRE_MOST];
        uint8_t *begin = gre_encode(header + GRE_MOST, call->peer_call_id, 0, NULL, &number);
        COUNT(call->in.counters.acks_sent);
        sink->outside(sink, call, begin, (size_t)(header + GRE_MOST - begin));
    }
}

/* Read the PPP header, and decrypt if the packet can be decrypted out of order; false when it is not real. */
static bool open_packet(struct incoming *packet, struct arrived *arrived, bool far, struct sink *sink, seconds now)
{
    struct call *call = packet->call;
    const struct gre *gre = &packet->gre;
    if (unlikely(gre->length > RECEIVE_LIMIT)) {
        COUNT(call->in.counters.dropped_too_big);
        return false;
    }
    *arrived = (struct arrived){
        .frame = gre->payload, .length = gre->length, .sequence = gre->sequence, .plain = packet->plain};
    arrived->header = ppp_read_header(gre->payload, gre->length, &arrived->protocol);
    if (unlikely(!arrived->header)) {
        COUNT(call->in.counters.dropped_malformed);
        return false;
    }
    struct decryptor *decryptor = &call->in.decryptor;
    if (!decryptor->on || decryptor->stateful)
        return true;
    if (likely(arrived->protocol == PPP_MPPE))
        return decrypt(call, arrived, far, packet->foreseen, sink, now);
    decryptor_passed(decryptor, gre->sequence);
    return true;
}

/* Take a packet that must wait for its forerunners, or behind which others wait. */
static bool accept_kept(struct call *call, const struct arrived *arrived, struct sink *sink, seconds now)
{
    struct delivery delivery = {call, sink, now};
    struct kept *kept = keep(arrived);
    if (!kept || !window_accept(&call->in.window, &call->owed, arrived->sequence, kept, now, &call->in.counters,
                                deliver_kept, &delivery)) {
        free(kept);
        COUNT(call->in.counters.dropped_late);
        return false;
    }
    return true;
}

void path_decapsulate(struct incoming *packet, struct sink *sink, seconds now)
{
    struct call *call = packet->call;
    const struct gre *gre = &packet->gre;
    if (gre->has_acknowledgement)
        acknowledged(call, gre->acknowledgement); /* a wrong one does not make the data wrong */
    if (!gre->has_sequence)
        return;
    enum place place = window_place(&call->in.window, gre->sequence, now, &call->in.counters);
    if (unlikely(place == PLACE_DUPLICATE)) {
        COUNT(call->in.counters.dropped_duplicate);
        return;
    }
    if (unlikely(place == PLACE_LATE || place == PLACE_FAR)) {
        COUNT(call->in.counters.dropped_late);
        return;
    }
    struct arrived arrived;
    if (!open_packet(packet, &arrived, place == PLACE_RESYNCHRONISED, sink, now))
        return;
    if (likely(window_is_next(&call->in.window, gre->sequence))) {
        window_pass(&call->in.window, &call->owed, gre->sequence, now);
        deliver(call, &arrived, NULL, sink, now);
    } else if (!accept_kept(call, &arrived, sink, now)) {
        return;
    }
    acknowledge(call, sink, now);
}

/* --- time */

void path_tick(struct call *call, struct sink *sink, seconds now)
{
    struct delivery delivery = {call, sink, now};
    window_expire(&call->in.window, now, &call->in.counters, deliver_kept, &delivery);
    acknowledge(call, sink, now);
}

bool path_deadline(struct call *call, seconds *when)
{
    return call->connected && window_deadline(&call->in.window, &call->owed, when);
}
