/* When the calls of a shard want to be looked at: a wheel of milliseconds.
 *
 * No deadline of a call lies farther ahead than the acknowledgement's delay, 100 ms: one turn of the
 * wheel is enough, and a call that is met too early is put back.
 */
#ifndef OPENPPTP_WHEEL_H
#define OPENPPTP_WHEEL_H

#include "base.h"
#include "call.h"

#define WHEEL_PLACES 256

struct wheel {
    struct call *places[WHEEL_PLACES];
    uint32_t armed;
    int64_t turned; /* the millisecond up to which calls were taken */
};

/* See to it that the call is met at `when` or earlier. */
void wheel_arm(struct wheel *wheel, struct call *call, seconds when);

/* Meet it no more. */
void wheel_disarm(struct wheel *wheel, struct call *call);

/* Take off all calls that are due and return them as a list by in.later; not armed any more. */
struct call *wheel_due(struct wheel *wheel, seconds now);

/* When the first call wants to be met; negative when none does. */
seconds wheel_next(const struct wheel *wheel);

#endif
