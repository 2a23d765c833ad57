/* Which GRE packet is next, late or a duplicate, what is held for its forerunners, what we acknowledge.
 *
 * The decisions of datapath/window.py, number by number. A packet is first placed, then (once MPPE found it plausible)
 * accepted: what was only placed has changed nothing but the resynchronisation count.
 */
#include "window.h"

#include <stdlib.h>

#define ACK_DELAY 0.1    /* ours and Windows': seconds until an acknowledgement goes alone */
#define WINDOW 64        /* ours: what we name as Packet Recv. Window Size unless told otherwise */
#define MAX_WINDOW 1024  /* ours: some peers name 65,535 and mean nothing by it */
#define MAX_HELD 32      /* ours: packets held for a missing forerunner */
#define HOLD_LEAST 0.005 /* ours: seconds a packet is held on a path that loses but does not reorder */
#define HOLD_MOST 0.05   /* ours: and on one that reorders; more would be felt as delay */
#define MAX_JUMP 2047    /* ours: farther is believed only after RESYNC_AHEAD packets; also the reach of MPPE's count */
#define RESYNC_AHEAD 4   /* ours: packets in step with each other that make a far jump believable */
#define RESYNC_BEHIND 64 /* ours: and that make a restart behind believable, which late packets in a burst look like */
#define REMEMBERED 64    /* ours: numbers given up whose late coming is still told from a duplicate */

struct held {
    seconds arrived;
    void *item;
    uint32_t sequence;
};

struct given_up {
    seconds noticed;
    uint32_t sequence;
};

struct gap {
    uint32_t remembered;
    struct held held[MAX_HELD + 1]; /* window->held of them, in the order of their numbers */
    struct given_up given_up[REMEMBERED]; /* the oldest first */
};

/* --- what is owed */

void acknowledgement_begin(struct acknowledgement *owed, uint32_t window)
{
    uint32_t usable = window == 0 ? WINDOW : window > MAX_WINDOW ? MAX_WINDOW : window;
    owed->owed = 0;
    owed->since = 0;
    owed->half = usable > 1 ? usable / 2 : 1;
}

static uint32_t owed_packets(const struct acknowledgement *owed)
{
    return (uint32_t)(__atomic_load_n(&owed->owed, __ATOMIC_RELAXED) >> 32);
}

/* The word is all that the two threads share, so that nothing needs an order. */
static void owe(struct acknowledgement *owed, uint32_t highest, seconds now)
{
    uint64_t before = __atomic_load_n(&owed->owed, __ATOMIC_RELAXED);
    uint64_t packets;
    do {
        packets = before >> 32;
        packets += packets < owed->half; /* more makes it no more urgent */
    } while (!__atomic_compare_exchange_n(&owed->owed, &before, packets << 32 | highest, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    if (!(before >> 32))
        owed->since = now;
}

bool acknowledgement_take(struct acknowledgement *owed, uint32_t *number)
{
    if (!owed_packets(owed))
        return false;
    uint64_t taken = __atomic_exchange_n(&owed->owed, 0, __ATOMIC_RELAXED);
    *number = (uint32_t)taken;
    return taken >> 32;
}

bool acknowledgement_due(const struct acknowledgement *owed, seconds now)
{
    uint32_t packets = owed_packets(owed);
    return packets && (packets >= owed->half || now >= owed->since + ACK_DELAY);
}

/* --- where a packet stands */

void window_begin(struct window *window)
{
    memset(window, 0, sizeof *window);
    window->hold = HOLD_MOST;
}

void window_end(struct window *window, window_release drop, void *context)
{
    for (uint32_t i = 0; i < window->held; i++)
        drop(context, window->gap->held[i].item);
    free(window->gap);
    window->gap = NULL;
    window->held = 0;
}

static bool is_held(const struct window *window, uint32_t sequence)
{
    for (uint32_t i = 0; i < window->held; i++) {
        if (window->gap->held[i].sequence == sequence)
            return true;
    }
    return false;
}

static bool in_step(struct window *window, uint32_t sequence, uint32_t needed)
{
    int32_t ahead = serial_distance(sequence, window->stray);
    window->strays = window->strays && ahead > 0 && ahead <= MAX_HELD ? window->strays + 1 : 1;
    window->stray = sequence;
    if (window->strays < needed)
        return false;
    window->strays = 0;
    return true;
}

static void hold_longer(struct window *window, seconds wanted)
{
    seconds hold = wanted > window->hold ? wanted : window->hold;
    window->hold = hold < HOLD_MOST ? hold : HOLD_MOST;
}

/* Forget that a number was given up; false when it was not. */
static bool remember_no_more(struct gap *gap, uint32_t sequence, seconds *noticed)
{
    for (uint32_t i = 0; gap && i < gap->remembered; i++) {
        if (gap->given_up[i].sequence == sequence) {
            *noticed = gap->given_up[i].noticed;
            gap->remembered--;
            memmove(&gap->given_up[i], &gap->given_up[i + 1], (gap->remembered - i) * sizeof gap->given_up[0]);
            return true;
        }
    }
    return false;
}

enum place window_place(struct window *window, uint32_t sequence, seconds now, struct engine_counters *counters)
{
    if (unlikely(!window->begun)) {
        return PLACE_AHEAD; /* 0 or 1, or anything after a restart: the first number is the peer's choice */
    }
    int32_t distance = serial_distance(sequence, window->next);
    if (likely(distance >= 0 && distance <= MAX_JUMP))
        return is_held(window, sequence) ? PLACE_DUPLICATE : PLACE_AHEAD;
    bool is_far = distance > MAX_JUMP || distance < -MAX_JUMP;
    if (in_step(window, sequence, is_far ? RESYNC_AHEAD : RESYNC_BEHIND))
        return PLACE_RESYNCHRONISED;
    if (is_far)
        return PLACE_FAR;
    seconds noticed;
    if (remember_no_more(window->gap, sequence, &noticed)) {
        COUNT_BY(counters->lost, (uint64_t)-1);
        hold_longer(window, 1.5 * (now - noticed));
        return PLACE_LATE;
    }
    return distance >= -REMEMBERED ? PLACE_DUPLICATE : PLACE_LATE;
}

/* --- handing on */

static void begin_at(struct window *window, uint32_t sequence)
{
    window->begun = true;
    window->next = sequence + 1;
    window->highest = sequence;
    if (window->gap)
        window->gap->remembered = 0;
}

static void release_ready(struct window *window, window_release release, void *context)
{
    struct held *held = window->held ? window->gap->held : NULL;
    uint32_t ready = 0;
    while (ready < window->held && held[ready].sequence == window->next) {
        release(context, held[ready].item);
        window->next++;
        ready++;
    }
    if (!ready)
        return;
    window->held -= ready;
    if (window->held) {
        memmove(held, held + ready, window->held * sizeof *held);
        window->gap_since = held[0].arrived;
        for (uint32_t i = 1; i < window->held; i++)
            window->gap_since = held[i].arrived < window->gap_since ? held[i].arrived : window->gap_since;
    }
}

/* Remember the last numbers of a gap that is given up, forgetting the oldest for them. */
static void remember(struct gap *gap, uint32_t begin, uint32_t missing, seconds noticed)
{
    uint32_t added = missing < REMEMBERED ? missing : REMEMBERED;
    uint32_t kept = gap->remembered < REMEMBERED - added ? gap->remembered : REMEMBERED - added;
    memmove(gap->given_up, gap->given_up + gap->remembered - kept, kept * sizeof gap->given_up[0]);
    for (uint32_t i = 0; i < added; i++) {
        gap->given_up[kept + i] = (struct given_up){noticed, begin + missing - added + i};
    }
    gap->remembered = kept + added;
}

/* Give up what is missing before the first held item. */
static void skip_gap(struct window *window, struct engine_counters *counters, window_release release, void *context)
{
    uint32_t missing = window->gap->held[0].sequence - window->next;
    COUNT_BY(counters->lost, missing);
    remember(window->gap, window->next, missing, window->gap_since);
    window->next += missing;
    release_ready(window, release, context);
}

bool window_is_next(const struct window *window, uint32_t sequence)
{
    return !window->held && (sequence == window->next || !window->begun);
}

void window_pass(struct window *window, struct acknowledgement *owed, uint32_t sequence, seconds now)
{
    window->strays = 0;
    if (likely(window->begun)) {
        window->next = sequence + 1;
        window->highest = sequence; /* nothing is held, so nothing higher has come */
    } else {
        begin_at(window, sequence);
    }
    owe(owed, sequence, now);
}

/* Count from a number that is far off; all that was held goes first. */
static void jump(struct window *window, uint32_t sequence, struct engine_counters *counters, window_release release,
                 void *context)
{
    release_ready(window, release, context);
    while (window->held)
        skip_gap(window, counters, release, context);
    int32_t ahead = serial_distance(sequence, window->next);
    COUNT_BY(counters->lost, ahead > 0 ? (uint64_t)ahead : 0);
    begin_at(window, sequence);
}

/* Put an item in its place among those held; there is room. */
static void hold_item(struct window *window, uint32_t sequence, void *item, seconds now)
{
    struct held *held = window->gap->held;
    uint32_t place = window->held;
    while (place && serial_distance(held[place - 1].sequence, sequence) > 0)
        place--;
    memmove(held + place + 1, held + place, (window->held - place) * sizeof *held);
    held[place] = (struct held){now, item, sequence};
    window->held++;
}

bool window_accept(struct window *window, struct acknowledgement *owed, uint32_t sequence, void *item, seconds now,
                   struct engine_counters *counters, window_release release, void *context)
{
    int32_t distance = serial_distance(sequence, window->next);
    bool is_jump = !window->begun || distance < 0 || distance > MAX_JUMP;
    if (!is_jump && !window->gap) {
        window->gap = calloc(1, sizeof *window->gap);
        if (!window->gap)
            return false;
    }
    window->strays = 0;
    if (is_jump) {
        if (window->begun)
            jump(window, sequence, counters, release, context);
        else
            begin_at(window, sequence);
        release(context, item);
        owe(owed, window->highest, now);
        return true;
    }
    if (serial_distance(sequence, window->highest) > 0) {
        window->highest = sequence;
    } else if (window->held) {
        COUNT(counters->late_recovered);
        hold_longer(window, 2 * (now - window->gap_since));
    }
    if (!window->held)
        window->gap_since = now;
    hold_item(window, sequence, item, now);
    release_ready(window, release, context);
    while (window->held > MAX_HELD)
        skip_gap(window, counters, release, context);
    owe(owed, window->highest, now);
    return true;
}

/* --- time */

void window_expire(struct window *window, seconds now, struct engine_counters *counters, window_release release,
                   void *context)
{
    while (window->held && now >= window->gap_since + window->hold) {
        skip_gap(window, counters, release, context);
        seconds shorter = 0.9 * window->hold;
        window->hold = shorter > HOLD_LEAST ? shorter : HOLD_LEAST;
    }
}

bool window_deadline(const struct window *window, const struct acknowledgement *owed, seconds *when)
{
    bool is_owed = owed_packets(owed);
    seconds held_until = window->gap_since + window->hold;
    if (is_owed)
        *when = owed->since + ACK_DELAY;
    if (window->held && (!is_owed || held_until < *when))
        *when = held_until;
    return is_owed || window->held;
}

void window_rest(struct window *window)
{
    if (!window->held) {
        free(window->gap);
        window->gap = NULL;
    }
}
