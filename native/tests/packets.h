/* Packets for the tests of the rooms that touch inner headers. */
#ifndef OPENPPTP_PACKETS_H
#define OPENPPTP_PACKETS_H

#include <stdlib.h>

#include "../ip.h"
#include "../offload.h"

#define HEADERS_V4 40 /* IPv4 and TCP without options */
#define HEADERS_V6 60

/* Memory of exactly this size, so that a read beyond it is seen. */
static inline uint8_t *copy_of(const uint8_t *octets, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    memcpy(copy, octets, length);
    return copy;
}

static inline uint16_t one_by_one(uint64_t sum, const uint8_t *octets, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? octets[i] : (uint32_t)octets[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)sum;
}

static inline void seal(uint8_t *packet, size_t length, uint8_t protocol)
{
    bool is_ipv4 = packet[0] >> 4 == 4;
    size_t ip = is_ipv4 ? 20 : 40;
    uint64_t pseudo = one_by_one(protocol + (length - ip), is_ipv4 ? packet + 12 : packet + 8, is_ipv4 ? 8 : 32);
    if (is_ipv4) {
        write16(packet + 10, 0);
        write16(packet + 10, (uint16_t)~one_by_one(0, packet, 20));
    }
    uint8_t *place = packet + ip + (protocol == IP_UDP ? UDP_CHECKSUM : TCP_CHECKSUM);
    write16(place, 0);
    uint16_t checksum = (uint16_t)~one_by_one(pseudo, packet + ip, length - ip);
    write16(place, protocol == IP_UDP && !checksum ? 0xFFFF : checksum);
}

/* Write right checksums into a TCP or UDP packet without IP options. */
static inline void seal_tcp(uint8_t *packet, size_t length)
{
    seal(packet, length, IP_TCP);
}

static inline void seal_udp(uint8_t *packet, size_t length)
{
    seal(packet, length, IP_UDP);
}

/* Write the IP header of a packet, but for its checksum; return where what follows begins. */
static inline size_t write_ip_header(uint8_t *to, int version, uint8_t protocol, size_t transport_length)
{
    if (version == 4) {
        memcpy(to, (uint8_t[]){0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, 20);
        write16(to + 2, (uint16_t)(20 + transport_length));
        return 20;
    }
    memset(to, 0, 40);
    to[0] = 0x60;
    write16(to + 4, (uint16_t)transport_length);
    to[6] = protocol;
    to[7] = 64;
    to[8] = to[24] = 0xFE;
    to[9] = to[25] = 0x80;
    to[23] = 1;
    to[39] = 2;
    return 40;
}

/* Write a TCP packet from port 1000 + flow to port 80, payload counted up from the sequence number. */
static inline size_t write_tcp(uint8_t *to, int version, uint8_t flow, uint32_t sequence, uint8_t flags, size_t payload)
{
    size_t ip = write_ip_header(to, version, IP_TCP, TCP_HEADER + payload);
    size_t length = ip + TCP_HEADER + payload;
    uint8_t *tcp = to + ip;
    memset(tcp, 0, TCP_HEADER);
    write16(tcp, (uint16_t)(1000 + flow));
    write16(tcp + 2, 80);
    write32(tcp + TCP_SEQUENCE, sequence);
    write32(tcp + TCP_ACKNOWLEDGEMENT, 99);
    tcp[TCP_OFFSET] = 0x50;
    tcp[TCP_FLAGS] = flags;
    write16(tcp + TCP_WINDOW, 500);
    for (size_t i = 0; i < payload; i++)
        tcp[TCP_HEADER + i] = (uint8_t)((sequence + i) * 7);
    seal_tcp(to, length);
    return length;
}

/* Write a datagram from port 1000 + flow to port 80, payload counted up from salt. */
static inline size_t write_udp(uint8_t *to, int version, uint8_t flow, uint32_t salt, size_t payload)
{
    size_t ip = write_ip_header(to, version, IP_UDP, UDP_HEADER + payload);
    size_t length = ip + UDP_HEADER + payload;
    uint8_t *udp = to + ip;
    write16(udp, (uint16_t)(1000 + flow));
    write16(udp + 2, 80);
    write16(udp + UDP_LENGTH, (uint16_t)(UDP_HEADER + payload));
    for (size_t i = 0; i < payload; i++)
        udp[UDP_HEADER + i] = (uint8_t)((salt + i) * 7);
    seal_udp(to, length);
    return length;
}

#endif
