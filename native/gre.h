/* Enhanced GRE of PPTP (RFC 2637 section 4.1). */
#ifndef OPENPPTP_GRE_H
#define OPENPPTP_GRE_H

#include "base.h"

#define GRE_MOST 16 /* octets of the longest header */

struct gre {
    uint16_t call_id;
    bool has_sequence; /* false when there is no payload, whatever the packet said */
    bool has_acknowledgement;
    uint32_t sequence;
    uint32_t acknowledgement;
    const uint8_t *payload;
    uint32_t length; /* of the payload, without padding */
};

/* Read one packet; false for all that wire/gre.py refuses. */
bool gre_decode(struct gre *gre, const uint8_t *packet, size_t length);

/* Write the header of a payload (sequence not NULL) or of a lone acknowledgement so that it ends before `end`;
 * return where it begins. */
uint8_t *gre_encode(uint8_t *end, uint16_t peer_call_id, uint16_t payload, const uint32_t *sequence,
                    const uint32_t *acknowledgement);

#endif
