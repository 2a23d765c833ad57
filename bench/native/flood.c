/* Sends plain UDP datagrams at a rate, and counts what arrives of them.
 *
 *   flood sink ADDRESS PORT                        ends when nothing came for a while after the first datagram
 *   flood send SOURCE ADDRESS PORT OCTETS RATE SECONDS   OCTETS of each IP packet; RATE a second, 0 for all it can
 *
 * Each prints one line of JSON. Every datagram carries its number, so that the sink can tell disorder.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define HEADERS 28        /* IPv4 and UDP */
#define MOST 2048
#define SILENCE 0.3       /* seconds after which the sink believes that it was all */
#define PATIENCE 10000    /* milliseconds after which it believes that nothing comes at all */
#define NAP 200000        /* nanoseconds between batches */
#define BUFFER (32 << 20) /* octets the sink may fall behind */

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

static struct sockaddr_in address_of(const char *address, const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        fail(address);
    }
    return name;
}

static int udp_at(const char *address, const char *port)
{
    struct sockaddr_in name = address_of(address, port);
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (udp < 0 || bind(udp, (struct sockaddr *)&name, sizeof name) != 0) {
        fail("cannot open the socket");
    }
    return udp;
}

static void prepare(struct mmsghdr messages[BATCH], struct iovec vectors[BATCH], uint8_t octets[BATCH][MOST],
                    size_t length)
{
    memset(messages, 0, BATCH * sizeof *messages);
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){octets[i], length};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
}

static void sink(int udp)
{
    static uint8_t octets[BATCH][MOST];
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    uint64_t received = 0, disordered = 0, next = 0;
    double first = 0, last = 0;
    int size = BUFFER;

    setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    puts("ready");
    fflush(stdout);
    struct pollfd waiting = {.fd = udp, .events = POLLIN};
    poll(&waiting, 1, PATIENCE);
    for (double heard = now(); now() < heard + SILENCE;) {
        prepare(messages, vectors, octets, MOST);
        int count = recvmmsg(udp, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) {
            uint64_t number;
            memcpy(&number, octets[i], sizeof number);
            disordered += number < next;
            next = number < next ? next : number + 1;
        }
        if (count > 0) {
            heard = last = now();
            first = received ? first : last;
            received += (uint64_t)count;
        }
        if (count < BATCH) { /* nobody waits at the socket: to be woken for each packet would cost more than the packet */
            nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
        }
    }
    printf("{\"received\": %" PRIu64 ", \"disordered\": %" PRIu64 ", \"seconds\": %.6f}\n", received, disordered,
           last - first);
}

static void flood(int udp, size_t length, double rate, double seconds)
{
    static uint8_t octets[BATCH][MOST];
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    uint64_t sent = 0, refused = 0;
    double began = now(), time;

    prepare(messages, vectors, octets, length);
    while ((time = now() - began) < seconds) {
        uint64_t offered = sent + refused;
        uint64_t due = rate > 0 ? (uint64_t)(rate * time) - offered : BATCH;
        if (rate > 0 && (double)offered >= rate * time) {
            due = 0;
        }
        unsigned int count = due < BATCH ? (unsigned int)due : BATCH;
        if (count == 0) {
            nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
            continue;
        }
        for (unsigned int i = 0; i < count; i++) {
            uint64_t number = offered + i;
            memcpy(octets[i], &number, sizeof number);
        }
        int taken = sendmmsg(udp, messages, count, 0);
        if (taken < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) {
            fail("cannot send");
        }
        sent += taken > 0 ? (uint64_t)taken : 0;
        refused += taken < 0 ? count : 0;
    }
    printf("{\"sent\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"seconds\": %.6f}\n", sent, refused, now() - began);
}

int main(int count, char **words)
{
    if (count == 4 && strcmp(words[1], "sink") == 0) {
        sink(udp_at(words[2], words[3]));
        return 0;
    }
    if (count == 8 && strcmp(words[1], "send") == 0) {
        int length = atoi(words[5]) - HEADERS, udp = udp_at(words[2], "0");
        struct sockaddr_in there = address_of(words[3], words[4]);
        if (length < 8 || length > MOST || connect(udp, (struct sockaddr *)&there, sizeof there) != 0) {
            fail("cannot send such packets there");
        }
        flood(udp, (size_t)length, atof(words[6]), atof(words[7]));
        return 0;
    }
    fputs("usage: flood sink ADDRESS PORT | flood send SOURCE ADDRESS PORT OCTETS RATE SECONDS\n", stderr);
    return 2;
}
