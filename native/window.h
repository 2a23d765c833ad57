/* Which GRE packet is next, late or a duplicate, what is held for its forerunners, what we acknowledge
 * (datapath/window.py; RFC 2637 section 4). */
#ifndef OPENPPTP_WINDOW_H
#define OPENPPTP_WINDOW_H

#include "base.h"
#include "engine.h"

enum place { PLACE_AHEAD, PLACE_RESYNCHRONISED, PLACE_DUPLICATE, PLACE_LATE, PLACE_FAR };

/* What is owed to the peer: the receiving thread adds to it, the one that sends takes it, neither waits. Only the
 * receiving thread asks whether it is due. */
struct acknowledgement {
    uint64_t owed; /* atomic: packets since the last one (0: nothing is owed), then the highest number accepted */
    seconds since; /* of the first of those packets */
    uint32_t half; /* of the window: so many packets and it goes alone */
};

/* Owe nothing yet to a peer that was told this window; 0 is as good as nothing said. */
void acknowledgement_begin(struct acknowledgement *owed, uint32_t window);

/* Return true and the number once when one is owed. */
bool acknowledgement_take(struct acknowledgement *owed, uint32_t *number);

/* Whether it can wait no longer for a packet to ride on. */
bool acknowledgement_due(const struct acknowledgement *owed, seconds now);

struct gap; /* what is held and what was given up; allocated when a packet is first missing */

struct window {
    bool begun;
    uint32_t next;    /* sequence number handed on next */
    uint32_t highest;
    uint32_t held;    /* how many are held */
    uint32_t stray;
    uint32_t strays;
    seconds hold;
    seconds gap_since;
    struct gap *gap;
};

/* Hands on one held item in its turn. */
typedef void (*window_release)(void *context, void *item);

void window_begin(struct window *window);
/* Forget what is held, handing each to drop. */
void window_end(struct window *window, window_release drop, void *context);

/* Say where a packet stands; RESYNCHRONISED is granted once. */
enum place window_place(struct window *window, uint32_t sequence, seconds now, struct engine_counters *counters);

/* Whether the packet, whose place allows it, may be handed on at once: it is next and nothing is held. */
bool window_is_next(const struct window *window, uint32_t sequence);

/* Accept a packet that is handed on at once by the caller (window_is_next). */
void window_pass(struct window *window, struct acknowledgement *owed, uint32_t sequence, seconds now);

/* Accept any other: held, and what became ready released in order (itself perhaps among it). False when memory is
 * short: nothing has changed, the item stays the caller's. */
bool window_accept(struct window *window, struct acknowledgement *owed, uint32_t sequence, void *item, seconds now,
                   struct engine_counters *counters, window_release release, void *context);

/* Release what has been held long enough; the numbers before it are lost. */
void window_expire(struct window *window, seconds now, struct engine_counters *counters, window_release release,
                   void *context);

/* When expire or a due acknowledgement will next have something; false: never. */
bool window_deadline(const struct window *window, const struct acknowledgement *owed, seconds *when);

/* Give back the gap's memory when nothing is held. */
void window_rest(struct window *window);

#endif
