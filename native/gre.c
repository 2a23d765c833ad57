/* Enhanced GRE of PPTP as octets (RFC 2637 section 4.1); accepts and writes what wire/gre.py does. */
#include "gre.h"

#define PROTOCOL_TYPE 0x880B

/* C, R, s, Recur and Flags are zero, K is set, Ver is 1; only S and A vary. */
#define BARE 0x2001
#define SEQUENCE 0x1000
#define ACKNOWLEDGEMENT 0x0080
#define FIXED (0xFFFF & ~(SEQUENCE | ACKNOWLEDGEMENT))

bool gre_decode(struct gre *gre, const uint8_t *packet, size_t length)
{
    if (length < 8)
        return false;
    uint16_t flags = read16(packet);
    if (read16(packet + 2) != PROTOCOL_TYPE || (flags & FIXED) != BARE)
        return false;
    bool has_sequence = flags & SEQUENCE;
    gre->has_acknowledgement = flags & ACKNOWLEDGEMENT;
    size_t start = 8 + (has_sequence ? 4u : 0u) + (gre->has_acknowledgement ? 4u : 0u);
    if (length < start)
        return false;
    gre->length = read16(packet + 4);
    gre->call_id = read16(packet + 6);
    gre->sequence = has_sequence ? read32(packet + 8) : 0;
    gre->acknowledgement = gre->has_acknowledgement ? read32(packet + start - 4) : 0;
    gre->payload = packet + start;
    gre->has_sequence = has_sequence && gre->length;
    /* What follows the payload is padding of a short Ethernet frame; a payload must have a number. */
    return gre->length <= length - start && (has_sequence || !gre->length);
}

uint8_t *gre_encode(uint8_t *end, uint16_t peer_call_id, uint16_t payload, const uint32_t *sequence,
                    const uint32_t *acknowledgement)
{
    uint16_t flags = BARE;
    uint8_t *begin = end;
    if (acknowledgement) {
        begin -= 4;
        write32(begin, *acknowledgement);
        flags |= ACKNOWLEDGEMENT;
    }
    if (sequence) {
        begin -= 4;
        write32(begin, *sequence);
        flags |= SEQUENCE;
    }
    begin -= 8;
    write16(begin, flags);
    write16(begin + 2, PROTOCOL_TYPE);
    write16(begin + 4, sequence ? payload : 0);
    write16(begin + 6, peer_call_id);
    return begin;
}
