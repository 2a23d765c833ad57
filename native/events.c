/* A bounded queue of events in chunks of memory, and the eventfd that says whether one waits.
 *
 * A call that is closed leaves its events in the queue until they are met; that they are of an older life of its number
 * makes closing cheap.
 */
#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHUNK_OCTETS 65536u
#define NUMBERS 65536 /* Call IDs */

/* One event; its octets follow, and what aligns the next one. */
struct waiting {
    uint32_t length;
    uint32_t life; /* of the call when it was put */
    uint16_t call_id;
    uint16_t way;
};

struct chunk {
    struct chunk *next;
    uint32_t room;
    uint32_t begin; /* of the oldest event */
    uint32_t end;
    _Alignas(struct waiting) uint8_t octets[];
};

/* What waits of one call, and which life of its number this is. */
struct share {
    uint32_t life;
    uint32_t events;
    bool lost_step;
    bool gave_up;
};

struct event_queue {
    struct chunk *first;
    struct chunk *last;
    struct chunk *spare; /* so that a queue now empty, now not, asks for no memory */
    size_t octets;       /* in chunks, also of closed calls */
    uint32_t live;       /* events of open calls */
    struct share shares[NUMBERS];
};

int events_begin(struct events *events, bool bounded)
{
    memset(events, 0, sizeof *events);
    events->bounded = bounded;
    events->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (events->descriptor < 0)
        return -errno;
    events->queue = calloc(1, sizeof *events->queue);
    if (!events->queue) {
        close(events->descriptor);
        events->descriptor = -1;
        return -ENOMEM;
    }
    pthread_mutex_init(&events->lock, NULL);
    return 0;
}

static void drop_first(struct event_queue *queue)
{
    struct chunk *chunk = queue->first;
    queue->first = chunk->next;
    if (queue->spare || chunk->room != CHUNK_OCTETS)
        free(chunk);
    else
        queue->spare = chunk;
}

static void clear(struct event_queue *queue)
{
    while (queue->first)
        drop_first(queue);
    queue->last = NULL;
    queue->octets = 0;
}

void events_end(struct events *events)
{
    if (!events->queue)
        return;
    clear(events->queue);
    free(events->queue->spare);
    free(events->queue);
    events->queue = NULL;
    close(events->descriptor);
    events->descriptor = -1;
    pthread_mutex_destroy(&events->lock);
}

static size_t size_of(size_t length)
{
    size_t step = _Alignof(struct waiting);
    return sizeof(struct waiting) + (length + step - 1) / step * step;
}

/* Where the next event of this size may be written; NULL when memory is short. */
static struct waiting *room_for(struct event_queue *queue, size_t size)
{
    struct chunk *chunk = queue->last;
    if (!chunk || chunk->room - chunk->end < size) {
        size_t room = size > CHUNK_OCTETS ? size : CHUNK_OCTETS;
        chunk = room == CHUNK_OCTETS ? queue->spare : NULL;
        if (chunk)
            queue->spare = NULL;
        else
            chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
        *chunk = (struct chunk){.room = (uint32_t)room};
        if (queue->last)
            queue->last->next = chunk;
        else
            queue->first = chunk;
        queue->last = chunk;
    }
    struct waiting *waiting = (struct waiting *)(void *)(chunk->octets + chunk->end);
    chunk->end += (uint32_t)size;
    queue->octets += size;
    return waiting;
}

static void set_readable(struct events *events, bool readable)
{
    uint64_t one = 1;
    ssize_t done = readable ? write(events->descriptor, &one, sizeof one) : read(events->descriptor, &one, sizeof one);
    (void)done; /* it cannot fail: 1 after 0, and 0 after 1 */
}

/* Whether a signal of this kind waits already: Python learns no more from a second one, and so they are few. */
static bool *signal_flag(struct share *share, uint32_t way)
{
    return way == ENGINE_LOST_STEP ? &share->lost_step : way == ENGINE_GAVE_UP ? &share->gave_up : NULL;
}

static bool put(struct events *events, uint32_t way, uint16_t call_id, const uint8_t *octets, size_t length)
{
    if (length > EVENTS_OCTETS)
        return false;
    struct event_queue *queue = events->queue;
    struct share *share = &queue->shares[call_id];
    bool *signal = signal_flag(share, way);
    size_t size = size_of(length);
    if (events->bounded && signal && *signal)
        return true;
    if (events->bounded && !signal && (share->events >= EVENTS_OF_A_CALL || queue->octets + size > EVENTS_OCTETS))
        return false;
    struct waiting *waiting = room_for(queue, size);
    if (!waiting)
        return false;
    *waiting = (struct waiting){(uint32_t)length, share->life, call_id, (uint16_t)way};
    if (length)
        memcpy(waiting + 1, octets, length);
    if (signal)
        *signal = true;
    share->events++;
    if (queue->live++ == 0)
        set_readable(events, true);
    return true;
}

bool events_put(struct events *events, uint32_t way, uint16_t call_id, const uint8_t *octets, size_t length)
{
    pthread_mutex_lock(&events->lock);
    bool is_in = put(events, way, call_id, octets, length);
    if (!is_in)
        COUNT(events->dropped);
    pthread_mutex_unlock(&events->lock);
    return is_in;
}

/* Nothing lives in the queue any more. */
static void became_empty(struct events *events)
{
    clear(events->queue);
    set_readable(events, false);
}

/* The oldest event of an open call, those of closed ones before it dropped; there must be one. */
static struct waiting *oldest(struct event_queue *queue)
{
    for (;;) {
        struct chunk *chunk = queue->first;
        if (chunk->begin == chunk->end) { /* not the last: something lives behind it */
            drop_first(queue);
            continue;
        }
        struct waiting *waiting = (struct waiting *)(void *)(chunk->octets + chunk->begin);
        size_t size = size_of(waiting->length);
        chunk->begin += (uint32_t)size;
        queue->octets -= size;
        if (waiting->life == queue->shares[waiting->call_id].life)
            return waiting;
    }
}

bool events_take(struct events *events, struct engine_event *event, uint8_t *octets, uint32_t room)
{
    pthread_mutex_lock(&events->lock);
    struct event_queue *queue = events->queue;
    bool is_there = queue->live > 0;
    if (is_there) {
        const struct waiting *waiting = oldest(queue);
        uint32_t length = waiting->length < room ? waiting->length : room;
        *event = (struct engine_event){.way = waiting->way, .call_id = waiting->call_id, .length = length};
        if (length)
            memcpy(octets, waiting + 1, length);
        struct share *share = &queue->shares[waiting->call_id];
        bool *signal = signal_flag(share, waiting->way);
        if (signal)
            *signal = false;
        share->events--;
        if (--queue->live == 0)
            became_empty(events);
    }
    pthread_mutex_unlock(&events->lock);
    return is_there;
}

void events_forget(struct events *events, uint16_t call_id)
{
    pthread_mutex_lock(&events->lock);
    struct event_queue *queue = events->queue;
    struct share *share = &queue->shares[call_id];
    uint32_t forgotten = share->events;
    if (forgotten) {
        *share = (struct share){.life = share->life + 1};
        queue->live -= forgotten;
        if (queue->live == 0)
            became_empty(events);
    }
    pthread_mutex_unlock(&events->lock);
}
