/* PPP headers as PPTP carries them: no flags, no escapes, no FCS (RFC 1661 section 2; wire/ppp.py). */
#ifndef OPENPPTP_PPP_H
#define OPENPPTP_PPP_H

#include "base.h"

enum {
    PPP_IPV4 = 0x0021,
    PPP_IPV6 = 0x0057,
    PPP_MPPE = 0x00FD,    /* also any other compressed datagram (RFC 1962 section 2) */
    PPP_CONTROL = 0x8000, /* from here on they are about the link, below are data */
};

#define PPP_ADDRESS_CONTROL 0xFF03 /* RFC 1662 section 3.1: All-Stations address, Unnumbered Information */

/* Return how many octets the header has, 0 when it is cut or cannot be. Address, Control and the protocol's high octet
 * may be missing whether that was negotiated or not: peers compress early and late. */
static inline uint16_t ppp_read_header(const uint8_t *frame, size_t length, uint16_t *protocol)
{
    uint16_t start = length >= 2 && read16(frame) == PPP_ADDRESS_CONTROL ? 2 : 0;
    if (start >= length)
        return 0;
    if (frame[start] & 1) {
        *protocol = frame[start];
        return frame[start] == 0xFF ? 0 : (uint16_t)(start + 1);
    }
    if (start + 2u > length)
        return 0;
    *protocol = read16(frame + start);
    return (uint16_t)(start + 2);
}

/* Write the header of a data packet so that it ends before `end`; return where it begins. */
static inline uint8_t *ppp_write_header(uint8_t *end, uint16_t protocol, bool compress_address_control,
                                        bool compress_protocol)
{
    *--end = (uint8_t)protocol;
    if (!compress_protocol || protocol > 0xFF)
        *--end = (uint8_t)(protocol >> 8);
    if (!compress_address_control) {
        end -= 2;
        write16(end, PPP_ADDRESS_CONTROL);
    }
    return end;
}

#endif
