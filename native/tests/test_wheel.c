/* The wheel of deadlines: met when due, not before, however long nobody looked. */
#include "wheel.h"

#include <stdlib.h>

#include "check.h"

static size_t length(const struct call *due)
{
    size_t count = 0;
    for (; due; due = due->in.later)
        count++;
    return count;
}

static void test_a_call_is_met_when_it_is_due_and_once(void)
{
    struct wheel wheel = {0};
    struct call call = {0};
    CHECK(wheel_due(&wheel, 50.0) == NULL && wheel_next(&wheel) < 0);
    wheel_arm(&wheel, &call, 50.1);
    CHECK(wheel_next(&wheel) == 50.1);
    CHECK(wheel_due(&wheel, 50.0999) == NULL);
    CHECK(wheel_due(&wheel, 50.1) == &call);
    CHECK(wheel_due(&wheel, 51.0) == NULL && wheel.armed == 0);
}

static void test_an_earlier_deadline_counts_and_a_later_one_waits(void)
{
    struct wheel wheel = {0};
    struct call call = {0};
    wheel_due(&wheel, 1.0);
    wheel_arm(&wheel, &call, 1.1);
    wheel_arm(&wheel, &call, 1.2);
    CHECK(wheel_next(&wheel) == 1.1);
    wheel_arm(&wheel, &call, 1.005);
    CHECK(wheel_next(&wheel) == 1.005 && wheel.armed == 1);
    CHECK(wheel_due(&wheel, 1.0051) == &call);
}

static void test_what_was_disarmed_is_not_met(void)
{
    struct wheel wheel = {0};
    struct call calls[3] = {0};
    for (int i = 0; i < 3; i++)
        wheel_arm(&wheel, &calls[i], 7.05);
    wheel_disarm(&wheel, &calls[1]);
    wheel_disarm(&wheel, &calls[1]);
    struct call *due = wheel_due(&wheel, 7.06);
    CHECK(length(due) == 2);
    for (; due; due = due->in.later)
        CHECK(due != &calls[1]);
}

static void test_all_are_met_after_a_long_sleep(void)
{
    struct wheel wheel = {0};
    struct call *calls = aligned_alloc(_Alignof(struct call), 1000 * sizeof *calls);
    if (!calls)
        return;
    memset(calls, 0, 1000 * sizeof *calls);
    wheel_due(&wheel, 10.0);
    for (int i = 0; i < 1000; i++)
        wheel_arm(&wheel, &calls[i], 10.0 + i * 0.0001);
    CHECK(length(wheel_due(&wheel, 10.0499)) == 500);
    CHECK(length(wheel_due(&wheel, 4000.0)) == 500);
    CHECK(wheel.armed == 0);
    free(calls);
}

static void test_a_deadline_that_has_passed_when_it_is_armed_is_met_at_the_next_look(void)
{
    struct wheel wheel = {0};
    struct call call = {0};
    wheel_due(&wheel, 20.0);
    wheel_arm(&wheel, &call, 19.9);
    CHECK(wheel_next(&wheel) == 19.9);
    CHECK(wheel_due(&wheel, 20.0) == &call);
}

int main(void)
{
    test_a_call_is_met_when_it_is_due_and_once();
    test_an_earlier_deadline_counts_and_a_later_one_waits();
    test_what_was_disarmed_is_not_met();
    test_all_are_met_after_a_long_sleep();
    test_a_deadline_that_has_passed_when_it_is_armed_is_met_at_the_next_look();
    DONE();
}
