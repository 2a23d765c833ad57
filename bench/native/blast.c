/* Drives many TCP connections at once and counts what arrives.
 *
 *   blast serve PORT COUNT                      takes COUNT connections, does what the other end asks of it
 *   blast connect PORT MODE SECONDS             one connection for each line "SOURCE DESTINATION" of standard input
 *
 * MODE is up, down or both, as the connecting end sees it. That end names the span in which both ends count, by the
 * clock they share, once all connections are open. Each prints one line of JSON: octets received in the span, of all
 * connections and of the poorest.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (128 << 10) /* octets a write */
#define UNSENT (64 << 10) /* octets of a connection that wait to be sent: a thousand deep queues would miss every cache */
#define MOST 4096         /* connections */
#define EVENTS 64
#define WARM_UP 1.0 /* seconds from the last connection to the span */
#define PATIENCE 30 /* seconds until all connections are open, or their ends said what they want */

/* The first octets of each connection, from the connecting end; both ends are one machine. */
struct wish {
    double from;
    double until;
    uint32_t connecting_sends;
    uint32_t serving_sends;
};

struct stream {
    int tcp; /* -1: broken */
    uint64_t received; /* in the span */
};

static struct stream streams[MOST];
static uint8_t chunk[CHUNK];
static struct wish wish;

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

static struct sockaddr_in address_of(const char *address, uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        fail(address);
    }
    return name;
}

/* A TCP socket on which nothing waits for ever. */
static int bounded(int tcp)
{
    struct timeval patience = {.tv_sec = PATIENCE};
    int unsent = UNSENT;
    setsockopt(tcp, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    setsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(tcp, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return tcp;
}

/* Whether nothing is gained by another attempt. */
static bool broken(ssize_t done)
{
    return done == 0 || (done < 0 && errno != EAGAIN && errno != EINTR);
}

static bool take_event(struct stream *stream, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        ssize_t done = recv(stream->tcp, chunk, sizeof chunk, 0);
        double time = now();
        if (broken(done)) {
            return false;
        }
        if (done > 0 && time >= wish.from && time < wish.until) {
            stream->received += (uint64_t)done;
        }
    }
    return !(events & EPOLLOUT) || !broken(send(stream->tcp, chunk, sizeof chunk, MSG_NOSIGNAL));
}

static void run(int count, bool sends)
{
    struct epoll_event events[EVENTS];
    int poller = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN | (sends ? EPOLLOUT : 0), .data.ptr = &streams[i]};
        if (fcntl(streams[i].tcp, F_SETFL, O_NONBLOCK) != 0 ||
            epoll_ctl(poller, EPOLL_CTL_ADD, streams[i].tcp, &event) != 0) {
            fail("cannot watch a connection");
        }
    }
    while (now() < wish.until) {
        int ready = epoll_wait(poller, events, EVENTS, 50);
        for (int i = 0; i < ready; i++) {
            struct stream *stream = events[i].data.ptr;
            if (stream->tcp >= 0 && !take_event(stream, events[i].events) && now() < wish.until) {
                close(stream->tcp);
                stream->tcp = -1;
            }
        }
    }
}

static void print(int count)
{
    uint64_t all = 0, poorest = UINT64_MAX;
    int lost = 0;
    for (int i = 0; i < count; i++) {
        all += streams[i].received;
        poorest = streams[i].received < poorest ? streams[i].received : poorest;
        lost += streams[i].tcp < 0;
    }
    printf("{\"octets\": %" PRIu64 ", \"poorest\": %" PRIu64 ", \"broken\": %d, \"seconds\": %.6f}\n", all,
           count ? poorest : 0, lost, wish.until - wish.from);
}

static int serve(uint16_t port, int count)
{
    struct sockaddr_in name = address_of("0.0.0.0", port);
    int listener = bounded(socket(AF_INET, SOCK_STREAM, 0)), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(listener, MOST) != 0) {
        fail("cannot listen");
    }
    puts("ready");
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        streams[i].tcp = bounded(accept(listener, NULL, NULL));
        if (streams[i].tcp < 0) {
            fail("not all connections came");
        }
    }
    for (int i = 0; i < count; i++) {
        if (recv(streams[i].tcp, &wish, sizeof wish, MSG_WAITALL) != sizeof wish) {
            fail("an end did not say what it wants");
        }
    }
    run(count, wish.serving_sends);
    print(count);
    return 0;
}

static int connect_all(uint16_t port)
{
    char source[64], destination[64];
    int count = 0;
    while (count < MOST && scanf("%63s %63s", source, destination) == 2) {
        struct sockaddr_in here = address_of(source, 0), there = address_of(destination, port);
        int tcp = bounded(socket(AF_INET, SOCK_STREAM, 0));
        if (bind(tcp, (struct sockaddr *)&here, sizeof here) != 0 ||
            connect(tcp, (struct sockaddr *)&there, sizeof there) != 0) {
            fail(destination);
        }
        streams[count++].tcp = tcp;
    }
    return count;
}

static int ask(uint16_t port, const char *mode, double seconds)
{
    int count = connect_all(port);
    wish.from = now() + WARM_UP;
    wish.until = wish.from + seconds;
    wish.connecting_sends = strcmp(mode, "down") != 0;
    wish.serving_sends = strcmp(mode, "up") != 0;
    for (int i = 0; i < count; i++) {
        if (send(streams[i].tcp, &wish, sizeof wish, MSG_NOSIGNAL) != sizeof wish) {
            fail("cannot say what this end wants");
        }
    }
    run(count, wish.connecting_sends);
    print(count);
    return 0;
}

int main(int count, char **words)
{
    struct rlimit files = {MOST + 64, MOST + 64};
    setrlimit(RLIMIT_NOFILE, &files);
    if (count == 4 && strcmp(words[1], "serve") == 0 && atoi(words[3]) <= MOST) {
        return serve((uint16_t)atoi(words[2]), atoi(words[3]));
    }
    if (count == 5 && strcmp(words[1], "connect") == 0) {
        return ask((uint16_t)atoi(words[2]), words[3], atof(words[4]));
    }
    fputs("usage: blast serve PORT COUNT | blast connect PORT up|down|both SECONDS\n", stderr);
    return 2;
}
