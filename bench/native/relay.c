/* A cable with faults: forwards Ethernet frames between two devices, and delays or drops some that carry GRE.
 *
 *   relay DEVICE DEVICE REORDERED LOST SEED     both of 1,000; ends when standard input ends, then prints JSON
 *
 * A reordered packet waits until 1 to 8 later ones have passed, at most HOLD. Both directions are alike.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define FRAME 2048
#define PLACES 8
#define HOLD 0.003 /* seconds; on a busy line PLACES pass much sooner */
#define HELD 64
#define BUFFER (64 << 20)
#define GRE 47

struct held {
    double until;
    int places; /* that must pass yet */
    size_t length;
    uint8_t frame[FRAME];
};

struct line { /* one direction */
    int from;
    int to;
    struct held held[HELD]; /* the oldest first */
    int count;
    uint64_t forwarded, reordered, lost, refused;
};

static uint64_t seed;
static int reorder_share, loss_share;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* xorshift64*: the same seed gives the same faults. */
static uint32_t chance(uint32_t sides)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * 2685821657736338717ull) >> 33) % sides;
}

static int packet_socket(const char *device)
{
    struct sockaddr_ll name = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int packet = socket(AF_PACKET, SOCK_RAW, 0), size = BUFFER, yes = 1;
    name.sll_ifindex = (int)if_nametoindex(device);
    if (packet < 0 || setsockopt(packet, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0 ||
        setsockopt(packet, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0 ||
        setsockopt(packet, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0 ||
        setsockopt(packet, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0 ||
        bind(packet, (struct sockaddr *)&name, sizeof name) != 0) {
        fail(device);
    }
    return packet;
}

static bool carries_gre(const uint8_t *frame, size_t length)
{
    return length >= 34 && frame[12] == 8 && frame[13] == 0 && frame[14] >> 4 == 4 && frame[23] == GRE;
}

static void send_all(struct line *line, struct mmsghdr *messages, unsigned int count)
{
    for (unsigned int done = 0; done < count;) {
        int taken = sendmmsg(line->to, messages + done, count - done, 0);
        if (taken < 0 && errno == EINTR) {
            continue;
        }
        if (taken <= 0) { /* this one is lost; the next may pass */
            line->refused++;
            taken = 1;
        }
        done += (unsigned int)taken;
    }
    line->forwarded += count;
}

/* Frames of one batch in the order they leave. */
struct departure {
    struct mmsghdr messages[BATCH + HELD];
    struct iovec vectors[BATCH + HELD];
    unsigned int count;
    uint8_t kept[HELD][FRAME]; /* frames that were held; the others lie where they were received */
    unsigned int kept_count;
};

static void depart(struct departure *departure, uint8_t *frame, size_t length)
{
    unsigned int place = departure->count++;
    departure->vectors[place] = (struct iovec){frame, length};
    departure->messages[place] = (struct mmsghdr){
        .msg_hdr = {.msg_iov = &departure->vectors[place], .msg_iovlen = 1},
    };
}

/* Let go what is held long enough; each that leaves is one more that passed those held before it. */
static void release(struct line *line, struct departure *departure, double time)
{
    for (int i = line->count - 1; i >= 0; i--) {
        struct held *held = &line->held[i];
        if (held->places > 0 && held->until > time) {
            continue;
        }
        if (departure->kept_count == HELD || departure->count == BATCH + HELD) {
            return;
        }
        uint8_t *copy = departure->kept[departure->kept_count++];
        memcpy(copy, held->frame, held->length);
        depart(departure, copy, held->length);
        memmove(held, held + 1, (size_t)(line->count - i - 1) * sizeof *held);
        line->count--;
        for (int earlier = 0; earlier < i; earlier++) {
            line->held[earlier].places--;
        }
    }
}

static void pass(struct line *line, struct departure *departure, uint8_t *frame, size_t length, double time)
{
    if (!carries_gre(frame, length)) {
        depart(departure, frame, length);
        return;
    }
    if (loss_share && chance(1000) < (uint32_t)loss_share) {
        line->lost++;
        return;
    }
    if (reorder_share && chance(1000) < (uint32_t)reorder_share && line->count < HELD) {
        struct held *held = &line->held[line->count++];
        *held = (struct held){.until = time + HOLD, .places = 1 + (int)chance(PLACES), .length = length};
        memcpy(held->frame, frame, length);
        line->reordered++;
        return;
    }
    depart(departure, frame, length);
    for (int i = 0; i < line->count; i++) {
        line->held[i].places--;
    }
    release(line, departure, time);
}

static void forward(struct line *line)
{
    static uint8_t frames[BATCH][FRAME];
    static struct departure departure;
    struct mmsghdr messages[BATCH] = {0};
    struct iovec vectors[BATCH];
    double time = now();
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){frames[i], FRAME};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    departure.count = departure.kept_count = 0;
    int count = recvmmsg(line->from, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        pass(line, &departure, frames[i], messages[i].msg_len, time);
    }
    release(line, &departure, time);
    send_all(line, departure.messages, departure.count);
}

static uint64_t overrun(int packet)
{
    struct tpacket_stats statistics = {0};
    socklen_t length = sizeof statistics;
    getsockopt(packet, SOL_PACKET, PACKET_STATISTICS, &statistics, &length);
    return statistics.tp_drops;
}

int main(int count, char **words)
{
    static struct line lines[2];
    if (count != 6) {
        fputs("usage: relay DEVICE DEVICE REORDERED LOST SEED\n", stderr);
        return 2;
    }
    lines[0].from = lines[1].to = packet_socket(words[1]);
    lines[1].from = lines[0].to = packet_socket(words[2]);
    reorder_share = atoi(words[3]);
    loss_share = atoi(words[4]);
    seed = strtoull(words[5], NULL, 10) * 2 + 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd waiting[3] = {
            {.fd = lines[0].from, .events = POLLIN}, {.fd = lines[1].from, .events = POLLIN}, {.fd = 0, .events = POLLIN}
        };
        poll(waiting, 3, lines[0].count || lines[1].count ? 1 : -1);
        if (waiting[2].revents) {
            break;
        }
        forward(&lines[0]);
        forward(&lines[1]);
    }
    printf("{\"forwarded\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"overrun\": %" PRIu64
           "}\n", lines[0].forwarded + lines[1].forwarded, lines[0].reordered + lines[1].reordered,
           lines[0].lost + lines[1].lost,
           lines[0].refused + lines[1].refused + overrun(lines[0].from) + overrun(lines[1].from));
    return 0;
}
