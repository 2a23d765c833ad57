/* Sending as Ethernet frames, beside the IP stack: the IPv4 header is ours. Queueing disciplines still apply. */
#include "carrier_parts.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include "ip.h"

#define BUFFER_OCTETS (8 << 20) /* as net/gre.py asks for */
#define DONT_FRAGMENT 0x4000

int ethernet_open(void)
{
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* 0: receives nothing */
    if (descriptor < 0)
        return -1;
    int octets = BUFFER_OCTETS;
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
    return descriptor;
}

bool ethernet_leads(const struct carrier_shard *shard, const struct outgoing *packet)
{
    const struct ethernet_route *route = packet->call->route;
    return route->interface_index && shard->ethernet >= 0 && packet->call->local &&
           packet->length + (size_t)IPV4_HEADER <= route->mtu && packet->start >= IPV4_HEADER + ETHERNET_HEADER;
}

/* Write both headers so that they end before `end`, where the GRE header begins. */
void ethernet_write(uint8_t *end, const struct carrier_shard *shard, const struct call *call, size_t length,
                    uint16_t identification)
{
    uint8_t *header = end - IPV4_HEADER;
    header[0] = 0x45;
    header[1] = shard->service;
    write16(header + 2, (uint16_t)(IPV4_HEADER + length));
    write16(header + 4, identification);
    write16(header + 6, shard->dont_fragment ? DONT_FRAGMENT : 0);
    header[8] = shard->lifetime;
    header[9] = GRE_PROTOCOL;
    write16(header + 10, 0);
    write32(header + 12, call->local);
    write32(header + 16, call->peer);
    write16(header + 10, (uint16_t)~checksum_fold(checksum_add(0, header, IPV4_HEADER)));
    memcpy(header - ETHERNET_HEADER, call->route->header, ETHERNET_HEADER);
}

struct beside {
    struct sockaddr_ll device;
    struct iovec piece;
};

static void address(struct mmsghdr *message, struct beside *beside, struct outgoing *packet)
{
    beside->device = (struct sockaddr_ll){
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_IP),
        .sll_ifindex = (int)packet->call->route->interface_index,
        .sll_halen = ETH_ALEN,
    };
    beside->piece = (struct iovec){packet->octets + packet->start - IPV4_HEADER - ETHERNET_HEADER,
                                   packet->length + IPV4_HEADER + ETHERNET_HEADER};
    message->msg_hdr = (struct msghdr){
        .msg_name = &beside->device,
        .msg_namelen = sizeof beside->device,
        .msg_iov = &beside->piece,
        .msg_iovlen = 1,
    };
}

/* After an error: what is lost, and what the raw socket may still bring there (the device went down or away, and the
 * news has not reached us yet). Returns how many packets were dealt with. */
static size_t recover(struct carrier_shard *shard, struct outgoing *const *packets, size_t count, int problem,
                      size_t *lost)
{
    if (problem != EAGAIN && problem != ENOBUFS && problem != ENOMEM) {
        *lost += raw_send(shard, packets, 1);
        return 1;
    }
    size_t done = problem == EAGAIN ? count : 1;
    for (size_t i = 0; i < done; i++)
        packets[i]->lost = true;
    *lost += done;
    return done;
}

size_t ethernet_send(struct carrier *carrier, struct carrier_shard *shard, struct outgoing *const *packets,
                     size_t count)
{
    struct mmsghdr messages[BATCH];
    struct beside beside[BATCH];
    uint16_t identification = __atomic_fetch_add(&carrier->identification, (uint16_t)count, __ATOMIC_RELAXED);
    for (size_t i = 0; i < count; i++) {
        struct outgoing *packet = packets[i];
        packet->lost = false;
        ethernet_write(packet->octets + packet->start, shard, packet->call, packet->length, identification++);
        address(&messages[i], &beside[i], packet);
    }
    size_t lost = 0;
    size_t taken = 0;
    for (size_t begin = 0; begin < count;) {
        int sent = sendmmsg(shard->ethernet, messages + begin, (unsigned int)(count - begin), MSG_DONTWAIT);
        if (sent > 0) {
            begin += (size_t)sent;
            taken += (size_t)sent;
        } else if (errno != EINTR) {
            begin += recover(shard, packets + begin, count - begin, errno, &lost);
        }
    }
    __atomic_fetch_add(&shard->sent_ethernet, taken, __ATOMIC_RELAXED);
    return lost;
}
