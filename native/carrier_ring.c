/* Receiving from packet rings, beside the IP stack: what that would have checked and reassembled is done here. */
#include "carrier_parts.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ip.h"

#define FRAME_OCTETS 2048
#define FRAMES 4096 /* as many packets as wait in a raw socket's buffer of 8 MB */
#define BLOCK_OCTETS (64 << 10) /* allocated in one piece by the kernel */
#define RING_OCTETS ((size_t)FRAME_OCTETS * FRAMES)

static int prepare(struct ring *ring, const struct filter *filter)
{
    int version = TPACKET_V2, on = 1;
    struct tpacket_req shape = {BLOCK_OCTETS, RING_OCTETS / BLOCK_OCTETS, FRAME_OCTETS, FRAMES};
    if (setsockopt(ring->descriptor, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
        setsockopt(ring->descriptor, SOL_PACKET, PACKET_RX_RING, &shape, sizeof shape))
        return -errno;
    void *frames = mmap(NULL, RING_OCTETS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor, 0);
    if (frames == MAP_FAILED)
        return -errno;
    ring->frames = frames;
    setsockopt(ring->descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on); /* unknown before Linux 4.20 */
    int result = filter_attach(ring->descriptor, filter);
    if (result)
        return result;
    struct sockaddr_ll device = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)ring->interface_index};
    return bind(ring->descriptor, (struct sockaddr *)&device, sizeof device) ? -errno : 0;
}

int ring_open(struct ring *ring, uint32_t interface_index, uint32_t shards, uint32_t shard)
{
    struct filter filter;
    filter_ring(&filter, shards, shard);
    /* Protocol 0: nothing arrives before the filter is there and the device is named. */
    int descriptor = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    *ring = (struct ring){.interface_index = interface_index, .descriptor = descriptor};
    int result = prepare(ring, &filter);
    if (result)
        ring_end(ring);
    return result;
}

void ring_end(struct ring *ring)
{
    if (ring->descriptor < 0)
        return;
    if (ring->frames)
        munmap(ring->frames, RING_OCTETS);
    close(ring->descriptor);
    *ring = (struct ring){.descriptor = -1};
}

static struct tpacket2_hdr *frame(const struct ring *ring, uint32_t number)
{
    return (struct tpacket2_hdr *)(ring->frames + (size_t)FRAME_OCTETS * (number % FRAMES));
}

static bool is_ours(const struct tpacket2_hdr *header)
{
    return __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

bool ring_is_empty(const struct ring *ring)
{
    return !is_ours(frame(ring, ring->next));
}

void ring_clear_error(const struct ring *ring)
{
    int error;
    socklen_t length = sizeof error;
    getsockopt(ring->descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
}

/* The whole of which this was the last fragment to arrive, if it is what a ring takes and of this shard. */
static bool reassemble(struct carrier *carrier, struct carrier_shard *shard, struct incoming *packet,
                       const struct fragment *fragment)
{
    struct whole whole;
    if (!fragments_add(shard->fragments, fragment, &whole) || whole.length < 8)
        return false;
    if ((whole.octets[1] & 7) != 1 || read16(whole.octets + 2) != GRE_PPP ||
        read16(whole.octets + 6) % carrier->shards_count != shard->number)
        return false;
    uint8_t *octets = share(shard);
    memcpy(octets, whole.octets, whole.length < SHARE_OCTETS ? whole.length : SHARE_OCTETS);
    packet->octets = octets;
    packet->length = whole.length;
    return true;
}

/* A frame longer than the ring's is told with its true length, which must not lead out of the memory. */
static void move(struct carrier_shard *shard, struct incoming *packet, size_t held)
{
    uint8_t *octets = share(shard);
    memcpy(octets, packet->octets, held);
    packet->octets = octets;
}

static bool take(struct carrier *carrier, struct carrier_shard *shard, const struct tpacket2_hdr *header,
                 struct incoming *packet)
{
    const uint8_t *octets = (const uint8_t *)header + header->tp_net;
    size_t held = header->tp_snaplen;
    if (!carrier_unwrap(packet, octets, held, header->tp_len))
        return false;
    size_t skipped = (size_t)(packet->octets - octets);
    if (checksum_fold(checksum_add(0, octets, skipped)) != 0xFFFF)
        return false;
    size_t there = held - skipped < packet->length ? held - skipped : packet->length;
    uint16_t place = read16(octets + 6);
    if (place & 0x3FFF) {
        struct fragment fragment = {
            .source = packet->source,
            .destination = packet->destination,
            .identification = read16(octets + 4),
            .offset = (place & 0x1FFFu) * 8u,
            .more = place & 0x2000,
            .octets = packet->octets,
            .held = (uint32_t)there,
            .length = packet->length,
            .second = header->tp_sec,
        };
        return reassemble(carrier, shard, packet, &fragment);
    }
    if (there < packet->length)
        move(shard, packet, there);
    return true;
}

size_t ring_receive(struct carrier *carrier, struct carrier_shard *shard, struct ring *ring, struct incoming *packets,
                    size_t room)
{
    size_t count = 0;
    while (count < room && ring->held < FRAMES) {
        struct tpacket2_hdr *header = frame(ring, ring->next);
        if (!is_ours(header))
            break;
        __builtin_prefetch(frame(ring, ring->next + 1));
        if (take(carrier, shard, header, &packets[count]))
            count++;
        ring->next = (ring->next + 1) % FRAMES;
        ring->held++;
    }
    COUNT_BY(shard->received_ring, count);
    return count;
}

void ring_release(struct ring *ring)
{
    for (uint32_t number = ring->next + FRAMES - ring->held; ring->held; ring->held--, number++)
        __atomic_store_n(&frame(ring, number)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}
