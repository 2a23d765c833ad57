/* The roads the carrier's packets take: which one a packet takes, and what all have in common. */
#include "carrier_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RAW_FIRST_EVERY 8 /* batches in which rings may keep the raw socket, which costs a call, from its turn */

struct carrier *carrier_new(uint32_t shards)
{
    struct carrier *carrier = calloc(1, sizeof *carrier + shards * sizeof carrier->shards[0]);
    if (!carrier)
        return NULL;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    carrier->identification = (uint16_t)(now.tv_nsec >> 4);
    carrier->shards_count = shards;
    for (uint32_t number = 0; number < shards; number++) {
        struct carrier_shard *shard = &carrier->shards[number];
        shard->number = number;
        shard->raw = shard->ethernet = -1;
        for (size_t i = 0; i < CARRIER_RINGS; i++)
            shard->rings[i].descriptor = -1;
    }
    return carrier;
}

void carrier_free(struct carrier *carrier)
{
    for (uint32_t number = 0; number < carrier->shards_count; number++) {
        struct carrier_shard *shard = &carrier->shards[number];
        for (size_t i = 0; i < CARRIER_RINGS; i++)
            ring_end(&shard->rings[i]);
        if (shard->ethernet >= 0)
            close(shard->ethernet);
        fragments_free(shard->fragments);
        free(shard->shares);
    }
    free(carrier);
}

static int filter_share(struct carrier *carrier, struct carrier_shard *shard)
{
    struct filter filter;
    filter_raw(&filter, carrier->rings, carrier->rings_count, carrier->shards_count, shard->number);
    return filter_attach(shard->raw, &filter);
}

/* What the kernel writes into the headers of the raw socket's packets we write into our own. */
static void learn_header(struct carrier_shard *shard)
{
    int value;
    socklen_t length = sizeof value;
    shard->service = getsockopt(shard->raw, IPPROTO_IP, IP_TOS, &value, &length) ? 0 : (uint8_t)value;
    length = sizeof value;
    shard->lifetime = getsockopt(shard->raw, IPPROTO_IP, IP_TTL, &value, &length) ? 64 : (uint8_t)value;
    length = sizeof value;
    bool known = !getsockopt(shard->raw, IPPROTO_IP, IP_MTU_DISCOVER, &value, &length);
    shard->dont_fragment = known && (value == IP_PMTUDISC_DO || value == IP_PMTUDISC_PROBE);
}

int carrier_attach_raw(struct carrier *carrier, uint32_t number, int descriptor)
{
    if (number >= carrier->shards_count)
        return -EINVAL;
    struct carrier_shard *shard = &carrier->shards[number];
    if (!shard->shares) {
        shard->shares = calloc(1, SHARES * SHARE_OCTETS + LONGEST_PACKET);
        if (!shard->shares)
            return -ENOMEM;
    }
    shard->raw = descriptor;
    if (carrier->shards_count > 1 || carrier->rings_count) {
        int result = filter_share(carrier, shard);
        if (result) {
            shard->raw = -1;
            return result;
        }
    }
    learn_header(shard);
    if (shard->ethernet < 0)
        shard->ethernet = ethernet_open(); /* where that may not be, the raw socket sends all */
    return 0;
}

/* --- rings */

static int filter_shares(struct carrier *carrier)
{
    int problem = 0;
    for (uint32_t number = 0; number < carrier->shards_count; number++) {
        int result = filter_share(carrier, &carrier->shards[number]);
        problem = problem ? problem : result;
    }
    return problem;
}

static struct ring *free_ring(struct carrier_shard *shard)
{
    struct ring *closing = NULL;
    for (size_t i = 0; i < CARRIER_RINGS; i++) {
        if (shard->rings[i].descriptor < 0)
            return &shard->rings[i];
        if (shard->rings[i].closing)
            closing = &shard->rings[i];
    }
    if (closing)
        ring_end(closing);
    return closing;
}

static int open_ring(struct carrier *carrier, struct carrier_shard *shard, uint32_t interface_index)
{
    if (shard->raw < 0)
        return -ENOTCONN; /* without a raw socket the kernel would answer what the ring takes */
    if (!shard->fragments)
        shard->fragments = fragments_new();
    struct ring *ring = free_ring(shard);
    if (!shard->fragments || !ring)
        return -ENOMEM;
    return ring_open(ring, interface_index, carrier->shards_count, shard->number);
}

static struct ring *find_ring(struct carrier_shard *shard, uint32_t interface_index)
{
    for (size_t i = 0; i < CARRIER_RINGS; i++) {
        struct ring *ring = &shard->rings[i];
        if (ring->descriptor >= 0 && !ring->closing && ring->interface_index == interface_index)
            return ring;
    }
    return NULL;
}

static void end_rings(struct carrier *carrier, uint32_t interface_index)
{
    for (uint32_t number = 0; number < carrier->shards_count; number++) {
        struct ring *ring = find_ring(&carrier->shards[number], interface_index);
        if (ring)
            ring_end(ring);
    }
}

static bool has_ring(const struct carrier *carrier, uint32_t interface_index)
{
    for (uint32_t i = 0; i < carrier->rings_count; i++)
        if (carrier->rings[i] == interface_index)
            return true;
    return false;
}

/* The rings come first, then the raw sockets leave to them what is theirs: a packet that arrives in between arrives
 * twice, and the window drops one. The other way round it would be lost. */
int carrier_open_ring(struct carrier *carrier, uint32_t interface_index)
{
    if (!interface_index)
        return -EINVAL;
    if (has_ring(carrier, interface_index))
        return 0;
    if (carrier->rings_count == CARRIER_RINGS)
        return -ENOSPC;
    int result = 0;
    for (uint32_t number = 0; number < carrier->shards_count && !result; number++)
        result = open_ring(carrier, &carrier->shards[number], interface_index);
    if (!result) {
        carrier->rings[carrier->rings_count++] = interface_index;
        result = filter_shares(carrier);
        if (!result)
            return 0;
        carrier->rings_count--;
        filter_shares(carrier);
    }
    end_rings(carrier, interface_index);
    return result;
}

int carrier_close_ring(struct carrier *carrier, uint32_t interface_index)
{
    if (!has_ring(carrier, interface_index))
        return -ENOENT;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < carrier->rings_count; i++)
        if (carrier->rings[i] != interface_index)
            carrier->rings[kept++] = carrier->rings[i];
    carrier->rings_count = kept;
    int result = filter_shares(carrier);
    struct filter nothing;
    filter_nothing(&nothing);
    for (uint32_t number = 0; number < carrier->shards_count; number++) {
        struct ring *ring = find_ring(&carrier->shards[number], interface_index);
        if (!ring)
            continue;
        if (filter_attach(ring->descriptor, &nothing) || ring_is_empty(ring))
            ring_end(ring);
        else
            ring->closing = true; /* what it holds is taken first (carrier_receive) */
    }
    return result;
}

int carrier_descriptors(struct carrier *carrier, uint32_t number, struct pollfd *descriptors)
{
    struct carrier_shard *shard = &carrier->shards[number];
    int count = 0;
    if (shard->raw >= 0)
        descriptors[count++] = (struct pollfd){.fd = shard->raw, .events = POLLIN};
    for (size_t i = 0; i < CARRIER_RINGS; i++)
        if (shard->rings[i].descriptor >= 0)
            descriptors[count++] = (struct pollfd){.fd = shard->rings[i].descriptor, .events = POLLIN};
    return count;
}

/* --- packets */

bool carrier_unwrap(struct incoming *packet, const uint8_t *octets, size_t held, size_t length)
{
    if (held < IPV4_HEADER || octets[0] >> 4 != 4)
        return false;
    size_t header = (octets[0] & 15u) * 4u;
    size_t total = read16(octets + 2);
    if (header < IPV4_HEADER || header > held || total < header || total > length)
        return false;
    packet->octets = octets + header;
    packet->length = (uint32_t)(total - header);
    packet->source = read32(octets + 12);
    packet->destination = read32(octets + 16);
    return true;
}

static size_t rings_receive(struct carrier *carrier, struct carrier_shard *shard, struct incoming *packets,
                            size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < CARRIER_RINGS; i++) {
        struct ring *ring = &shard->rings[i];
        if (ring->descriptor < 0)
            continue;
        if (ring->closing && ring_is_empty(ring) && !ring->held)
            ring_end(ring);
        else if (count < room)
            count += ring_receive(carrier, shard, ring, packets + count, room - count);
    }
    return count;
}

/* An error of a device that went down would keep the ring's descriptor readable for ever: seen when we are woken and
 * there is nothing. */
static void clear_errors(struct carrier_shard *shard)
{
    for (size_t i = 0; i < CARRIER_RINGS; i++)
        if (shard->rings[i].descriptor >= 0)
            ring_clear_error(&shard->rings[i]);
}

size_t carrier_receive(struct carrier *carrier, uint32_t number, struct incoming *packets, size_t room)
{
    struct carrier_shard *shard = &carrier->shards[number];
    size_t count = 0;
    room = room < BATCH ? room : BATCH;
    shard->shares_used = 0;
    bool raw_first = ++shard->turn % RAW_FIRST_EVERY == 0;
    if (raw_first)
        count = raw_receive(shard, packets, room);
    if (count < room)
        count += rings_receive(carrier, shard, packets + count, room - count);
    if (!count && !raw_first)
        count = raw_receive(shard, packets, room);
    if (!count) {
        carrier_release(carrier, number); /* what was malformed */
        if (shard->idle)
            clear_errors(shard);
    }
    shard->idle = !count;
    return count;
}

void carrier_release(struct carrier *carrier, uint32_t number)
{
    struct carrier_shard *shard = &carrier->shards[number];
    for (size_t i = 0; i < CARRIER_RINGS; i++)
        if (shard->rings[i].held)
            ring_release(&shard->rings[i]);
}

size_t carrier_send(struct carrier *carrier, uint32_t number, struct outgoing *const *packets, size_t count)
{
    struct carrier_shard *shard = &carrier->shards[number];
    size_t lost = 0;
    for (size_t begin = 0; begin < count;) {
        bool ethernet = ethernet_leads(shard, packets[begin]);
        size_t end = begin + 1;
        while (end < count && end - begin < BATCH && ethernet_leads(shard, packets[end]) == ethernet)
            end++;
        if (ethernet)
            lost += ethernet_send(carrier, shard, packets + begin, end - begin);
        else
            lost += raw_send(shard, packets + begin, end - begin);
        begin = end;
    }
    if (lost)
        __atomic_fetch_add(&shard->outside_full, lost, __ATOMIC_RELAXED);
    return lost;
}

void carrier_totals(struct carrier *carrier, struct engine_totals *totals)
{
    for (uint32_t number = 0; number < carrier->shards_count; number++) {
        struct carrier_shard *shard = &carrier->shards[number];
        totals->malformed += __atomic_load_n(&shard->malformed, __ATOMIC_RELAXED);
        totals->outside_full += __atomic_load_n(&shard->outside_full, __ATOMIC_RELAXED);
        totals->sent_raw += __atomic_load_n(&shard->sent_raw, __ATOMIC_RELAXED);
        totals->sent_ethernet += __atomic_load_n(&shard->sent_ethernet, __ATOMIC_RELAXED);
        totals->received_raw += __atomic_load_n(&shard->received_raw, __ATOMIC_RELAXED);
        totals->received_ring += __atomic_load_n(&shard->received_ring, __ATOMIC_RELAXED);
    }
}
