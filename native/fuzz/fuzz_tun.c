/* Frames of the TUN device into the segmenter, what it cuts into the merger, and packets straight into the merger.
 *
 * The input is a list of orders of six octets, each for one packet or large segment that is nearly right: octets at
 * random are never merged. What would be TCP with FIN is UDP. An input that begins with 0xFF is one frame as it stands.
 * Whatever comes, each packet that went in comes out once, in the order of its flow, alone or as part of a frame that
 * is cut into the same packets.
 */
#include <stdio.h>

#include "../merge.h"
#include "../segment.h"
#include "../tests/packets.h"

enum { MOST_PACKETS = 200, ORDER = 6, LARGEST = 8192 + 256 };
enum { SIX = 0x01, FLOW = 0x06, PUSH = 0x08, LARGE = 0x10, DAMAGE_BEFORE = 0x20, DAMAGE_AFTER = 0x40, FULL = 0x80 };

struct packet {
    uint8_t *octets;
    size_t length;
};

struct list {
    struct packet packets[MOST_PACKETS];
    size_t count;
};

static struct list given;
static struct list came;

#define MUST(condition)                                                                                               \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                            \
            abort();                                                                                                  \
        }                                                                                                             \
    } while (0)

static void append(struct list *list, const uint8_t *octets, size_t length)
{
    MUST(list->count < MOST_PACKETS);
    list->packets[list->count++] = (struct packet){copy_of(octets, length), length};
}

static void empty(struct list *list)
{
    while (list->count)
        free(list->packets[--list->count].octets);
}

/* Whether a cut packet's own lengths and checksums are right. */
static void look_at(const uint8_t *packet, size_t length)
{
    bool is_ipv4 = packet[0] >> 4 == 4;
    MUST((is_ipv4 ? ipv4_length(packet, length) : ipv6_length(packet, length)) == length);
    uint8_t protocol = packet[9];
    size_t transport = is_ipv4 ? (packet[0] & 15u) * 4u : ipv6_transport(packet, length, &protocol);
    MUST(transport < length);
    MUST(!is_ipv4 || one_by_one(0, packet, transport) == 0xFFFF);
    uint64_t pseudo = one_by_one(protocol + (length - transport), is_ipv4 ? packet + 12 : packet + 8, is_ipv4 ? 8 : 32);
    MUST(one_by_one(pseudo, packet + transport, length - transport) == 0xFFFF);
}

/* Cut a frame; append the packets to the list. The payload is the same octets, in order. */
static bool cut(const uint8_t *frame, size_t length, struct list *list)
{
    struct segmenter segmenter;
    static uint8_t to[TUN_MOST];
    uint8_t *exact = copy_of(frame, length);
    bool taken = segment_begin(&segmenter, exact, length);
    size_t expected;
    while (taken && list->count < MOST_PACKETS && (expected = segment_next_length(&segmenter)) > 0) {
        size_t position = segmenter.position;
        MUST(expected <= length - TUN_HEADER);
        MUST(segment_next(&segmenter, to, expected - 1) == 0);
        MUST(segment_next(&segmenter, to, expected) == expected);
        size_t payload = expected - segmenter.headers;
        MUST(segmenter.position == position + payload && segmenter.position <= segmenter.length);
        MUST(!memcmp(to + segmenter.headers, segmenter.packet + position, payload));
        if (segmenter.kind != KIND_NONE)
            look_at(to, expected);
        append(list, to, expected);
    }
    free(exact);
    return taken;
}

static bool take(void *context, const struct iovec *pieces, int count, uint32_t packets)
{
    (void)context;
    static uint8_t frame[TUN_MOST];
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        MUST(length + pieces[i].iov_len <= sizeof frame);
        memcpy(frame + length, pieces[i].iov_base, pieces[i].iov_len);
        length += pieces[i].iov_len;
    }
    size_t before = came.count;
    MUST(packets <= MERGE_PIECES && cut(frame, length, &came));
    if (length > TUN_HEADER)
        MUST(came.count == before + packets);
    else
        append(&came, frame, 0);
    return true;
}

/* The same but for what a number that says nothing (RFC 6864) may become, and the two ways to write a sum of 0. */
static bool is_same(const struct packet *one, const struct packet *other)
{
    if (one->length != other->length)
        return false;
    if (!memcmp(one->octets, other->octets, one->length))
        return true;
    bool is_ipv4 = one->octets[0] == 0x45;
    bool is_udp = one->length > 9 && one->octets[is_ipv4 ? 9 : 6] == IP_UDP;
    size_t sum = (is_ipv4 ? 20 : 40) + (is_udp ? UDP_CHECKSUM : TCP_CHECKSUM);
    bool may_differ[3] = {is_ipv4 && one->octets[6] & 0x40, is_ipv4, true}; /* number, IPv4 checksum, TCP's or UDP's */
    for (size_t i = 0; i < one->length; i++) {
        bool excused = (may_differ[0] && (i == 4 || i == 5)) || (may_differ[1] && (i == 10 || i == 11)) ||
                       (may_differ[2] && (i == sum || i == sum + 1) && read16(one->octets + sum) % 0xFFFF == 0 &&
                        read16(other->octets + sum) % 0xFFFF == 0);
        if (one->octets[i] != other->octets[i] && !excused)
            return false;
    }
    return true;
}

static bool is_consistent(const struct packet *packet)
{
    return ipv4_length(packet->octets, packet->length) || ipv6_length(packet->octets, packet->length);
}

static bool is_merged(uint8_t protocol)
{
    return protocol == IP_TCP || protocol == IP_UDP;
}

static bool same_flow(const struct packet *one, const struct packet *other)
{
    const uint8_t *octets = one->octets;
    size_t from = octets[0] == 0x45 ? 12 : 8;
    size_t ports = octets[0] == 0x45 ? 20 : 40;
    return is_consistent(one) && is_consistent(other) && one->length >= ports + 4 && other->length >= ports + 4 &&
           octets[0] == other->octets[0] && is_merged(octets[ports == 20 ? 9 : 6]) &&
           octets[ports == 20 ? 9 : 6] == other->octets[ports == 20 ? 9 : 6] &&
           !memcmp(octets + from, other->octets + from, ports + 4 - from);
}

static void compare(void)
{
    size_t place[MOST_PACKETS];
    bool used[MOST_PACKETS] = {false};
    MUST(given.count == came.count);
    for (size_t i = 0; i < given.count; i++) {
        place[i] = 0;
        while (place[i] < came.count &&
               (used[place[i]] || !is_same(&given.packets[i], &came.packets[place[i]])))
            place[i]++;
        MUST(place[i] < came.count);
        used[place[i]] = true;
        for (size_t before = 0; before < i; before++)
            MUST(place[before] < place[i] || !same_flow(&given.packets[before], &given.packets[i]));
    }
}

/* Make one packet or large segment as six octets order it. */
static void obey(const uint8_t *order, uint32_t sequences[8])
{
    static uint8_t frame[LARGEST];
    uint8_t *packet = frame + TUN_HEADER;
    bool is_large = order[0] & LARGE;
    uint32_t *sequence = &sequences[order[0] & (FLOW | SIX)];
    size_t payload = order[0] & FULL ? 64 : order[2] * (is_large ? 16u : 1u);
    uint8_t flags = (uint8_t)((FLAG_ACK | (order[0] & PUSH ? FLAG_PSH : 0)) ^ order[1]);
    int version = order[0] & SIX ? 6 : 4;
    bool is_udp = order[1] & FLAG_FIN;
    size_t transport = version == 4 ? 20 : 40;
    size_t length = is_udp ? write_udp(packet, version, order[0] & FLOW, *sequence, payload)
                           : write_tcp(packet, version, order[0] & FLOW, *sequence, flags, payload);
    uint8_t kind = version == 4 ? KIND_TCP_V4 : KIND_TCP_V6;
    struct offload offload = {NEEDS_CHECKSUM, is_udp ? KIND_UDP : kind, 0, order[5],
                              (uint16_t)transport, is_udp ? UDP_CHECKSUM : TCP_CHECKSUM};
    memcpy(frame, &offload, sizeof offload);
    *sequence += (uint32_t)payload;
    uint8_t *damaged = is_large ? frame + order[3] % (TUN_HEADER + length - payload) : packet + order[3] % length;
    if (order[0] & DAMAGE_BEFORE) {
        *damaged ^= order[4];
        if (length >= 40) /* it may say now that it is IPv6 */
            seal(packet, length, is_udp ? IP_UDP : IP_TCP);
    }
    if (order[0] & DAMAGE_AFTER)
        *damaged ^= order[4];
    if (!is_large)
        append(&given, packet, length);
    else
        cut(frame, TUN_HEADER + length, &given);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t length)
{
    struct merger merger;
    if (!merge_begin(&merger, take, NULL))
        return 0;
    merger.datagrams = length == 0 || octets[length - 1] % 8; /* rarely a device without */
    uint32_t sequences[8] = {0, 1, 0xFFFFFF00, 3, 4, 5, 6, 7};
    if (length > 0 && octets[0] == 0xFF) {
        if (!cut(octets + 1, length - 1, &given))
            append(&given, octets + 1, length - 1);
    } else {
        for (; length >= ORDER && given.count < MOST_PACKETS; octets += ORDER, length -= ORDER)
            obey(octets, sequences);
    }
    for (size_t i = 0; i < given.count; i++)
        merge_take(&merger, given.packets[i].octets, given.packets[i].length);
    merge_flush(&merger);
    MUST(merger.open == 0 && merger.merged <= given.count && merger.refused == 0);
    merge_end(&merger);
    compare();
    empty(&given);
    empty(&came);
    return 0;
}
