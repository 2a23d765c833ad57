/* When the calls of a shard want to be looked at: a wheel of milliseconds. */
#include "wheel.h"

static int64_t millisecond(seconds when)
{
    return (int64_t)(when * 1000.0);
}

static void link_call(struct wheel *wheel, struct call *call, seconds when)
{
    /* A deadline may have passed when it becomes known; it is met at the next look, not a turn later. */
    int64_t turn = millisecond(when) > wheel->turned ? millisecond(when) : wheel->turned;
    struct call **place = &wheel->places[turn & (WHEEL_PLACES - 1)];
    call->in.armed = when;
    call->in.later = *place;
    call->in.earlier = place;
    if (*place)
        (*place)->in.earlier = &call->in.later;
    *place = call;
}

void wheel_arm(struct wheel *wheel, struct call *call, seconds when)
{
    if (call->in.earlier) {
        if (call->in.armed <= when)
            return;
        wheel_disarm(wheel, call);
    }
    link_call(wheel, call, when);
    wheel->armed++;
}

void wheel_disarm(struct wheel *wheel, struct call *call)
{
    if (!call->in.earlier)
        return;
    *call->in.earlier = call->in.later;
    if (call->in.later)
        call->in.later->in.earlier = call->in.earlier;
    call->in.earlier = NULL;
    call->in.later = NULL;
    wheel->armed--;
}

struct call *wheel_due(struct wheel *wheel, seconds now)
{
    int64_t end = millisecond(now);
    int64_t begin = wheel->turned;
    if (end - begin >= WHEEL_PLACES || begin > end)
        begin = end - WHEEL_PLACES + 1;
    wheel->turned = end;
    if (!wheel->armed)
        return NULL;
    struct call *due = NULL;
    for (int64_t turn = begin; turn <= end; turn++) {
        struct call *next;
        for (struct call *call = wheel->places[turn & (WHEEL_PLACES - 1)]; call; call = next) {
            next = call->in.later;
            if (call->in.armed > now)
                continue;
            wheel_disarm(wheel, call);
            call->in.later = due;
            due = call;
        }
    }
    return due;
}

seconds wheel_next(const struct wheel *wheel)
{
    seconds first = -1;
    if (!wheel->armed)
        return first;
    for (int64_t turn = 0; turn < WHEEL_PLACES; turn++) {
        for (const struct call *call = wheel->places[(wheel->turned + turn) & (WHEEL_PLACES - 1)]; call;
             call = call->in.later)
            if (first < 0 || call->in.armed < first)
                first = call->in.armed;
        if (first >= 0)
            break; /* what stands at a later place is due later */
    }
    return first;
}
