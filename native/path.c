/* One call's packets, both ways: functions in the order a packet meets them; the decisions are datapath/path.py's.
 *
 * Outwards: mtu, rate, MPPE, PPP header, sequence number, acknowledgement riding along, GRE. Inwards: place in the
 * sequence, MPPE, order, inner header and source; control protocols go up.
 */
#include "path.h"

#include <errno.h>
#include <stdlib.h>

#include "ip.h"

enum {
    PPP_IPV4 = 0x0021,
    PPP_IPV6 = 0x0057,
    PPP_MPPE = 0x00FD,
    PPP_CONTROL = 0x8000, /* RFC 1661 section 2: from here on they are about the link, below are data */
};

enum { ROUTER_ADVERTISEMENT = 134, REDIRECT = 137 };

static const uint8_t ADDRESS_CONTROL[2] = {0xFF, 0x03};
static const uint8_t LINK_LOCAL[8] = {0xFE, 0x80}; /* RFC 4291 section 2.5.6: before the interface identifier */

/* One packet from outside, on its way through the window. */
struct arrived {
    const uint8_t *frame; /* the whole PPP frame; once decrypted, the datagram that was in it */
    uint32_t length;
    uint32_t sequence;
    uint16_t protocol;
    uint16_t header; /* octets before the information field */
    bool decrypted;
    uint8_t *plain;  /* room for what is still to be decrypted */
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

/* --- what the driver tells */

int path_begin(struct call *call, uint32_t receive_window, uint32_t first_sequence)
{
    memset(&call->out, 0, sizeof call->out);
    memset(&call->in, 0, sizeof call->in);
    acknowledgement_begin(&call->owed, receive_window);
    window_begin(&call->in.window);
    call->out.next_sequence = first_sequence;
    call->in.peer_has = first_sequence - 1;
    return 0;
}

static void drop_kept(void *context, void *item)
{
    (void)context;
    free(item);
}

void path_end(struct call *call)
{
    path_encryption_down(call);
    window_end(&call->in.window, drop_kept, NULL);
    free(call->allowed);
    call->allowed = NULL;
    call->allowed_count = 0;
    call->open = false;
}

int path_interface_up(struct call *call, const struct engine_inside *inside, const struct engine_prefix *allowed,
                      uint32_t allowed_count)
{
    struct engine_prefix *copy = NULL;
    for (uint32_t i = 0; i < allowed_count; i++) {
        if (allowed[i].length > 32) {
            return -EINVAL;
        }
    }
    if (allowed_count) {
        copy = malloc(allowed_count * sizeof *copy);
        if (!copy) {
            return -ENOMEM;
        }
        memcpy(copy, allowed, allowed_count * sizeof *copy);
    }
    free(call->allowed);
    call->allowed = copy;
    call->allowed_count = allowed_count;
    call->inside = *inside;
    if (call->inside.mtu > LONGEST_INNER) {
        call->inside.mtu = LONGEST_INNER; /* a slot holds no more */
    }
    bucket_begin(&call->out.bucket, &inside->rate_out);
    bucket_begin(&call->in.bucket, &inside->rate_in);
    call->open = true;
    return 0;
}

void path_interface_down(struct call *call)
{
    call->open = false;
}

int path_encryption_up(struct call *call, const struct engine_encryption *send,
                       const struct engine_encryption *receive)
{
    path_encryption_down(call);
    const struct window *window = &call->in.window;
    int error = encryptor_begin(&call->out.encryptor, send);
    if (!error) {
        error = decryptor_begin(&call->in.decryptor, receive, window->begun ? &window->highest : NULL);
    }
    if (error) {
        path_encryption_down(call);
    }
    return error;
}

void path_encryption_down(struct call *call)
{
    encryptor_end(&call->out.encryptor);
    decryptor_end(&call->in.decryptor);
}

/* --- inside to outside */

enum admission path_admit(struct call *call, const uint8_t *packet, size_t length)
{
    struct engine_counters *counters = &call->out.counters;
    if (unlikely(!call->open || !call->connected)) {
        COUNT(counters->dropped_not_open);
        return OUTWARD_DROPPED;
    }
    bool is_ipv4 = length && packet[0] >> 4 == 4;
    if (unlikely(!(is_ipv4 ? ipv4_length(packet, length) : ipv6_length(packet, length)))) {
        COUNT(counters->dropped_malformed);
        return OUTWARD_DROPPED;
    }
    if (unlikely(!is_ipv4 && !call->inside.has_peer_identifier)) {
        COUNT(counters->dropped_not_open);
        return OUTWARD_DROPPED;
    }
    if (unlikely(!call->out.encryptor.on && call->inside.encryption_required)) {
        COUNT(counters->dropped_not_encrypted);
        return OUTWARD_DROPPED;
    }
    return likely(length <= call->inside.mtu) ? OUTWARD_READY : OUTWARD_TOO_BIG;
}

void path_dropped_too_big(struct call *call)
{
    COUNT(call->out.counters.dropped_too_big);
}

/* Write GRE before the PPP frame that begins here, with the next number and the acknowledgement that is owed. */
static void number_frame(struct call *call, struct outgoing *slot, uint8_t *frame, const uint8_t *end)
{
    uint32_t sequence = call->out.next_sequence;
    __atomic_store_n(&call->out.next_sequence, sequence + 1, __ATOMIC_RELAXED);
    uint32_t number;
    bool rides = acknowledgement_take(&call->owed, &number);
    uint8_t *begin = gre_encode(frame, call->peer_call_id, (uint16_t)(end - frame), &sequence, rides ? &number : NULL);
    slot->call = call;
    slot->start = (uint16_t)(begin - slot->octets);
    slot->length = (uint16_t)(end - begin);
    slot->lost = false;
}

bool path_encapsulate(struct call *call, struct outgoing *slot, size_t length, struct cipher_batch *batch,
                      seconds now)
{
    struct engine_counters *counters = &call->out.counters;
    uint8_t *begin = slot->octets + SLOT_INNER;
    const uint8_t *end = begin + length;
    uint16_t protocol = begin[0] >> 4 == 4 ? PPP_IPV4 : PPP_IPV6;
    if (unlikely(!bucket_take(&call->out.bucket, length, now))) {
        COUNT(counters->dropped_rate);
        return false;
    }
    if (call->out.encryptor.on) {
        /* The inner protocol is written in full, as Windows does: a peer that agreed to PFC may not expect it here. */
        begin -= 2;
        write16(begin, protocol);
        begin -= MPPE_HEADER;
        if (unlikely(!encryptor_encrypt(&call->out.encryptor, begin, length + 2, batch))) {
            COUNT(counters->dropped_queue_full);
            return false;
        }
        protocol = PPP_MPPE;
    }
    *--begin = (uint8_t)protocol;
    if (!call->inside.compress_protocol) {
        *--begin = (uint8_t)(protocol >> 8);
    }
    if (!call->inside.compress_address_control) {
        begin -= sizeof ADDRESS_CONTROL;
        memcpy(begin, ADDRESS_CONTROL, sizeof ADDRESS_CONTROL);
    }
    COUNT(counters->packets_out);
    COUNT_BY(counters->octets_out, length);
    __atomic_store(&counters->last_out, &now, __ATOMIC_RELAXED);
    number_frame(call, slot, begin, end);
    return true;
}

bool path_encapsulate_frame(struct call *call, struct outgoing *slot, const uint8_t *frame, size_t length)
{
    if (!call->connected) {
        COUNT(call->out.counters.dropped_not_open);
        return false;
    }
    if (length > LONGEST_INNER) {
        COUNT(call->out.counters.dropped_too_big);
        return false;
    }
    uint8_t *begin = slot->octets + SLOT_INNER;
    if (length) {
        memcpy(begin, frame, length);
    }
    number_frame(call, slot, begin, begin + length);
    return true;
}

/* --- outside to inside */

/* Read a PPP header (RFC 1661 section 2): return its octets, 0 when there is none that wire/ppp.py would take. Address,
 * Control and the protocol's high octet may be missing whether that was negotiated or not: peers compress early and
 * late. */
static uint16_t read_header(const uint8_t *frame, size_t length, uint16_t *protocol)
{
    uint16_t start = length >= 2 && memcmp(frame, ADDRESS_CONTROL, 2) == 0 ? 2 : 0;
    if (start >= length) {
        return 0;
    }
    if (frame[start] & 1) {
        *protocol = frame[start];
        return frame[start] == 0xFF ? 0 : (uint16_t)(start + 1);
    }
    if (start + 2u > length) {
        return 0;
    }
    *protocol = read16(frame + start);
    return (uint16_t)(start + 2);
}

void path_foresee(struct incoming *packet, struct cipher_batch *batch)
{
    const struct gre *gre = &packet->gre;
    packet->foreseen = -1;
    if (!packet->call || !gre->has_sequence || gre->length > RECEIVE_LIMIT) {
        return;
    }
    struct decryptor *decryptor = &packet->call->in.decryptor;
    uint16_t protocol;
    if (!decryptor->on || decryptor->stateful) {
        return;
    }
    uint16_t header = read_header(gre->payload, gre->length, &protocol);
    if (header && protocol == PPP_MPPE) {
        packet->foreseen = decryptor_foresee(decryptor, gre->payload + header, gre->length - header, gre->sequence,
                                             packet->plain, batch);
    }
}

/* Note what the peer has; a number never sent or gone back to is ignored. Cisco's first is 0xFFFFFFFF: nothing yet. */
static void acknowledged(struct call *call, uint32_t number)
{
    uint32_t last = __atomic_load_n(&call->out.next_sequence, __ATOMIC_RELAXED) - 1;
    int32_t outstanding = serial_distance(last, number);
    if (outstanding >= 0 && (uint32_t)outstanding <= last - call->in.peer_has) {
        call->in.peer_has = number;
    }
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
        if (signal == MPPE_GIVE_UP) {
            decryptor_end(&call->in.decryptor); /* said once; what still comes is not open */
        }
    }
    if (length) {
        arrived->header = read_header(arrived->plain, length, &arrived->protocol);
    }
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
        if ((uint64_t)(source ^ call->allowed[i].network) >> (32 - call->allowed[i].length) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether it comes from the peer's link-local address and does not play the router. */
static bool allowed_ipv6(const struct call *call, const uint8_t *packet, size_t length)
{
    if (memcmp(packet + 8, LINK_LOCAL, 8) != 0 || memcmp(packet + 16, call->inside.peer_identifier, 8) != 0) {
        return false;
    }
    uint8_t header = packet[6];
    size_t position = 40;
    /* Hop-by-hop options, routing, destination options (RFC 8200 section 4): each goes on by 8 octets at least. */
    while ((header == 0 || header == 43 || header == 60) && position + 2 <= length) {
        header = packet[position];
        position += 8 * (packet[position + 1] + 1u);
    }
    return header != IP_ICMPV6 || position >= length ||
           (packet[position] != ROUTER_ADVERTISEMENT && packet[position] != REDIRECT);
}

/* Hand a packet of IP to the inside; false when it was dropped, and its owner is still the caller's. */
static bool deliver_data(struct call *call, const struct arrived *arrived, void *owner, struct sink *sink, seconds now)
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
    if (arrived->protocol >= PPP_CONTROL) {
        sink->up(sink, call, arrived->frame, arrived->length);
    } else if ((arrived->protocol != PPP_IPV4 && arrived->protocol != PPP_IPV6) || !call->open) {
        COUNT(counters->dropped_not_open);
    } else if (!arrived->decrypted && (call->inside.encryption_required || call->out.encryptor.on)) {
        COUNT(counters->dropped_not_encrypted);
    } else if (deliver_data(call, arrived, owner, sink, now)) {
        return;
    }
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
    arrived->header = read_header(gre->payload, gre->length, &arrived->protocol);
    if (unlikely(!arrived->header)) {
        COUNT(call->in.counters.dropped_malformed);
        return false;
    }
    if (arrived->protocol == PPP_MPPE && call->in.decryptor.on && !call->in.decryptor.stateful) {
        return decrypt(call, arrived, far, packet->foreseen, sink, now);
    }
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
    if (gre->has_acknowledgement) {
        acknowledged(call, gre->acknowledgement); /* a wrong one does not make the data wrong */
    }
    if (!gre->has_sequence) {
        return;
    }
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
    if (!open_packet(packet, &arrived, place == PLACE_RESYNCHRONISED, sink, now)) {
        return;
    }
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

/* --- counting */

void path_counters(const struct call *call, struct engine_counters *sum)
{
    /* All before last_in are numbers of the same kind. */
    const size_t numbers = offsetof(struct engine_counters, last_in) / sizeof(uint64_t);
    const uint64_t *in = (const uint64_t *)&call->in.counters;
    const uint64_t *out = (const uint64_t *)&call->out.counters;
    uint64_t *both = (uint64_t *)sum;
    for (size_t i = 0; i < numbers; i++) {
        both[i] = __atomic_load_n(in + i, __ATOMIC_RELAXED) + __atomic_load_n(out + i, __ATOMIC_RELAXED);
    }
    __atomic_load(&call->in.counters.last_in, &sum->last_in, __ATOMIC_RELAXED);
    __atomic_load(&call->out.counters.last_out, &sum->last_out, __ATOMIC_RELAXED);
}
