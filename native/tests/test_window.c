/* What the tests shared with datapath/window.py cannot reach: whose items are, memory that is short, two threads. TSAN */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

static bool memory_is_short;
#define calloc(count, size) (memory_is_short ? NULL : calloc(count, size))
#include "../window.c"

struct subject {
    struct window window;
    struct acknowledgement owed;
    struct engine_counters counters;
    uint32_t handed[256];
    uint32_t count;
    uint32_t dropped;
};

static void hand_on(void *context, void *item)
{
    struct subject *subject = context;
    if (subject->count < 256)
        subject->handed[subject->count++] = *(uint32_t *)item;
    free(item);
}

static void drop(void *context, void *item)
{
    struct subject *subject = context;
    subject->dropped++;
    free(item);
}

static void begin(struct subject *subject)
{
    memset(subject, 0, sizeof *subject);
    window_begin(&subject->window);
    acknowledgement_begin(&subject->owed, 0);
}

/* Offer a packet that carries its own number; false when there was no memory. */
static bool give(struct subject *subject, uint32_t sequence, seconds now)
{
    enum place place = window_place(&subject->window, sequence, now, &subject->counters);
    if (place != PLACE_AHEAD && place != PLACE_RESYNCHRONISED)
        return true;
    uint32_t *item = malloc(sizeof *item);
    *item = sequence;
    if (window_is_next(&subject->window, sequence)) {
        window_pass(&subject->window, &subject->owed, sequence, now);
        hand_on(subject, item);
        return true;
    }
    if (window_accept(&subject->window, &subject->owed, sequence, item, now, &subject->counters, hand_on, subject))
        return true;
    free(item);
    return false;
}

static void items_held_at_the_end_are_given_back(void)
{
    struct subject subject;
    begin(&subject);
    for (uint32_t i = 0; i < MAX_HELD; i++)
        give(&subject, 10 + 2 * i, 0);
    window_end(&subject.window, drop, &subject);
    CHECK(subject.count == 1 && subject.dropped == MAX_HELD - 1);
    window_end(&subject.window, drop, &subject);
    CHECK(subject.dropped == MAX_HELD - 1);
}

static void held_items_stand_in_order_across_the_wrap(void)
{
    static const uint32_t sent[] = {0xFFFFFFFD, 1, 0xFFFFFFFF, 0, 2, 0xFFFFFFFE};
    struct subject subject;
    begin(&subject);
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++)
        give(&subject, sent[i], 0);
    CHECK(subject.count == 6 && subject.window.held == 0);
    for (uint32_t i = 0; i < 6; i++)
        CHECK(subject.handed[i] == 0xFFFFFFFD + i);
    window_end(&subject.window, drop, &subject);
}

static void the_gap_rests_only_when_nothing_is_held(void)
{
    struct subject subject;
    begin(&subject);
    give(&subject, 0, 0);
    CHECK(!subject.window.gap);
    give(&subject, 2, 0);
    window_rest(&subject.window);
    CHECK(subject.window.gap && subject.window.held == 1);
    give(&subject, 1, 0);
    window_rest(&subject.window);
    CHECK(!subject.window.gap && subject.count == 3);
    CHECK(window_place(&subject.window, 1, 0, &subject.counters) == PLACE_DUPLICATE);
    give(&subject, 3, 0);
    CHECK(subject.count == 4);
}

static void without_memory_nothing_is_held_and_nothing_changes(void)
{
    struct subject subject;
    begin(&subject);
    give(&subject, 0, 0);
    uint32_t number;
    CHECK(acknowledgement_take(&subject.owed, &number) && number == 0);
    memory_is_short = true;
    CHECK(!give(&subject, 2, 0));
    memory_is_short = false;
    CHECK(!acknowledgement_take(&subject.owed, &number));
    CHECK(subject.window.highest == 0 && subject.window.next == 1);
    give(&subject, 1, 0);
    give(&subject, 2, 0);
    CHECK(subject.count == 3);
}

static void only_the_newest_numbers_given_up_are_remembered(void)
{
    struct subject subject;
    begin(&subject);
    give(&subject, 0, 0);
    for (uint32_t i = 1; i <= 50; i++) { /* gives up 3 * i - 2 and 3 * i - 1, two at a time */
        give(&subject, 3 * i, i);
        window_expire(&subject.window, i + 0.5, &subject.counters, hand_on, &subject);
    }
    CHECK(subject.counters.lost == 100 && subject.window.gap->remembered == REMEMBERED);
    CHECK(window_place(&subject.window, 149, 60, &subject.counters) == PLACE_LATE);
    CHECK(window_place(&subject.window, 149, 60, &subject.counters) == PLACE_DUPLICATE);
    CHECK(window_place(&subject.window, 55, 60, &subject.counters) == PLACE_LATE && subject.counters.lost == 98);
    CHECK(window_place(&subject.window, 53, 60, &subject.counters) == PLACE_LATE && subject.counters.lost == 98);
    give(&subject, 1000, 61);
    window_expire(&subject.window, 62, &subject.counters, hand_on, &subject);
    CHECK(subject.window.gap->remembered == REMEMBERED && subject.window.gap->given_up[0].sequence == 1000 - REMEMBERED);
    window_end(&subject.window, drop, &subject);
}

/* B-049, B-050: whatever comes, in whatever order, each number is handed on at most once between two jumps. */
static void any_numbers_leave_the_window_whole(void)
{
    struct subject subject;
    begin(&subject);
    uint32_t luck = 1;
    for (uint32_t i = 0; i < 20000; i++) {
        luck = luck * 1664525 + 1013904223;
        uint32_t number = i + (luck >> 8) % 80;
        if ((luck >> 24) % 97 == 0)
            number += luck;
        give(&subject, number, i * 0.001);
        subject.count = 0;
        if (luck >> 30 == 0)
            window_expire(&subject.window, i * 0.001, &subject.counters, hand_on, &subject);
        CHECK(subject.window.held <= MAX_HELD);
    }
    window_end(&subject.window, drop, &subject);
}

static void *take_until_the_last(void *context)
{
    struct subject *subject = context;
    uint32_t before = 0;
    uint32_t number = 0;
    while (number != 100000) {
        if (acknowledgement_take(&subject->owed, &number)) {
            CHECK(serial_distance(number, before) > 0);
            before = number;
        }
    }
    return NULL;
}

static void the_sender_takes_what_the_receiver_owes(void)
{
    struct subject subject;
    begin(&subject);
    pthread_t sender;
    CHECK(!pthread_create(&sender, NULL, take_until_the_last, &subject));
    for (uint32_t sequence = 1; sequence <= 100000; sequence++) {
        window_pass(&subject.window, &subject.owed, sequence, sequence);
        acknowledgement_due(&subject.owed, sequence);
    }
    pthread_join(sender, NULL);
    uint32_t number;
    CHECK(!acknowledgement_take(&subject.owed, &number));
}

int main(void)
{
    items_held_at_the_end_are_given_back();
    held_items_stand_in_order_across_the_wrap();
    the_gap_rests_only_when_nothing_is_held();
    without_memory_nothing_is_held_and_nothing_changes();
    only_the_newest_numbers_given_up_are_remembered();
    any_numbers_leave_the_window_whole();
    the_sender_takes_what_the_receiver_owes();
    DONE();
}
