/* The slow path: what the threads have for Python, through a bounded queue and an eventfd. */
#ifndef OPENPPTP_EVENTS_H
#define OPENPPTP_EVENTS_H

#include <pthread.h>

#include "base.h"
#include "engine.h"

#define EVENTS_OCTETS (4u << 20) /* all that may wait */
#define EVENTS_OF_A_CALL 64      /* frames of one call that may wait: one flooded call leaves room to the others */

struct events {
    pthread_mutex_t lock;
    int descriptor; /* eventfd, readable while something waits */
    uint64_t dropped;
    bool bounded;   /* false in memory mode: nothing is dropped */
    struct event_queue *queue;
};

int events_begin(struct events *events, bool bounded);
void events_end(struct events *events);

/* Copy one event in; false, counted, when there is no room. ENGINE_LOST_STEP and ENGINE_GAVE_UP always find room; where
 * one of a kind waits for a call already, a second one says nothing more and is left out (not in memory mode). */
bool events_put(struct events *events, uint32_t way, uint16_t call_id, const uint8_t *octets, size_t length);

/* Copy the oldest out; false when nothing waits. Longer than room is cut. */
bool events_take(struct events *events, struct engine_event *event, uint8_t *octets, uint32_t room);

/* Forget what waits of a call that is closed: its number may be used again. */
void events_forget(struct events *events, uint16_t call_id);

#endif
