/* The raw socket's road, there on every host (net/gre.py): the kernel reassembles, routes and fragments. */
#include "carrier_parts.h"

#include <errno.h>
#include <netinet/in.h>

size_t raw_receive(struct carrier_shard *shard, struct incoming *packets, size_t room)
{
    if (shard->raw < 0)
        return 0;
    for (size_t i = 0; i < room; i++) {
        shard->pieces[i] = (struct iovec){share(shard), SHARE_OCTETS};
        shard->messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &shard->pieces[i], .msg_iovlen = 1}};
    }
    int arrived = recvmmsg(shard->raw, shard->messages, (unsigned int)room, MSG_DONTWAIT | MSG_TRUNC, NULL);
    shard->shares_used -= arrived > 0 ? room - (size_t)arrived : room;
    size_t count = 0;
    for (int i = 0; i < arrived; i++) {
        size_t length = shard->messages[i].msg_len;
        size_t held = length < SHARE_OCTETS ? length : SHARE_OCTETS;
        if (carrier_unwrap(&packets[count], shard->pieces[i].iov_base, held, length))
            count++;
        else
            COUNT(shard->malformed);
    }
    COUNT_BY(shard->received_raw, count);
    return count;
}

/* What the system is told beside one packet. */
struct beside {
    struct sockaddr_in peer;
    struct iovec piece;
    _Alignas(struct cmsghdr) char source[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

/* A multi-homed host must answer from where the control connection was made: the source is told per packet. */
static void address(struct mmsghdr *message, struct beside *beside, struct outgoing *packet)
{
    beside->peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(packet->call->peer)};
    beside->piece = (struct iovec){packet->octets + packet->start, packet->length};
    message->msg_hdr = (struct msghdr){
        .msg_name = &beside->peer,
        .msg_namelen = sizeof beside->peer,
        .msg_iov = &beside->piece,
        .msg_iovlen = 1,
        .msg_control = beside->source,
        .msg_controllen = sizeof beside->source,
    };
    struct in_pktinfo source = {.ipi_spec_dst.s_addr = htonl(packet->call->local)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message->msg_hdr);
    header->cmsg_len = CMSG_LEN(sizeof source);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    memcpy(CMSG_DATA(header), &source, sizeof source);
}

size_t raw_send(struct carrier_shard *shard, struct outgoing *const *packets, size_t count)
{
    struct mmsghdr messages[BATCH];
    struct beside beside[BATCH];
    for (size_t i = 0; i < count; i++) {
        packets[i]->lost = false;
        address(&messages[i], &beside[i], packets[i]);
    }
    size_t lost = 0;
    for (size_t begin = 0; begin < count;) {
        int sent = sendmmsg(shard->raw, messages + begin, (unsigned int)(count - begin), MSG_DONTWAIT);
        if (sent > 0) {
            begin += (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        /* A full buffer takes none of the others either; any other error is this packet's own. */
        size_t end = errno == EAGAIN || errno == EBADF ? count : begin + 1;
        while (begin < end) {
            packets[begin++]->lost = true;
            lost++;
        }
    }
    __atomic_fetch_add(&shard->sent_raw, count - lost, __ATOMIC_RELAXED);
    return lost;
}
