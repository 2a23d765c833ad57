/* Inner IP headers and the Internet checksum. */
#ifndef OPENPPTP_IP_H
#define OPENPPTP_IP_H

#include "base.h"

enum { IP_TCP = 6, IP_UDP = 17, IP_ICMP = 1, IP_ICMPV6 = 58 };
/* The word with the fragment's offset. */
enum {
    IP_RESERVED = 0x8000,
    IP_DONT_FRAGMENT = 0x4000,
    IP_MORE_FRAGMENTS = 0x2000,
    IP_OFFSET = 0x1FFF,
    IP_FRAGMENTED = IP_MORE_FRAGMENTS | IP_OFFSET
};

enum { IPV6_HOP_BY_HOP = 0, IPV6_ROUTING = 43, IPV6_DESTINATION = 60 };

/* A packet's own length, 0 when its header is not consistent; the rest is padding (datapath/path.py). */
size_t ipv4_length(const uint8_t *packet, size_t length);
size_t ipv6_length(const uint8_t *packet, size_t length);

/* Where what follows the extension headers of an IPv6 packet begins, perhaps beyond its end, and which protocol it is
 * (RFC 8200 section 4: hop-by-hop options, routing, destination options; nothing else is passed over). */
size_t ipv6_transport(const uint8_t *packet, size_t length, uint8_t *protocol);

/* Can decrypted octets be a PPP datagram that was meant for us (datapath/plausible.py)? */
bool plausible(const uint8_t *datagram, size_t length);

/* Add octets to a running sum (RFC 1071); all pieces but the last of even length. Fold makes the 16-bit sum, not yet
 * complemented. The sums are of 16-bit words in network order. */
uint64_t checksum_add(uint64_t sum, const uint8_t *octets, size_t length);
uint16_t checksum_fold(uint64_t sum);

/* Sum of the pseudo header of TCP or UDP over the packet's IPv4 or IPv6 header. */
uint64_t checksum_pseudo(const uint8_t *packet, uint8_t protocol, uint32_t transport_length);

#endif
