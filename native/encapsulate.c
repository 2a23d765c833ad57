/* A packet's way out, in the order it meets things: mtu, rate, MPPE, PPP header, sequence number, the acknowledgement
 * that rides along, GRE. The decisions are those of datapath/path.py. */
#include "clamp.h"
#include "ip.h"
#include "path.h"
#include "ppp.h"

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
    size_t start = call->inside.clamp_segment_size ? clamp_find(begin, length) : 0;
    if (unlikely(start))
        clamp_segment_size(begin, length, start, call->inside.mtu);
    if (call->out.encryptor.on) {
        /* The inner protocol is written in full, as Windows does: a peer that agreed to PFC may not expect it here. */
        begin = ppp_write_header(begin, protocol, true, false) - MPPE_HEADER;
        if (unlikely(!encryptor_encrypt(&call->out.encryptor, begin, length + 2, batch))) {
            COUNT(counters->dropped_queue_full);
            return false;
        }
        protocol = PPP_MPPE;
    }
    begin = ppp_write_header(begin, protocol, call->inside.compress_address_control, call->inside.compress_protocol);
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
    if (length)
        memcpy(begin, frame, length);
    number_frame(call, slot, begin, begin + length);
    return true;
}
