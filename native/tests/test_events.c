/* The queue of the slow path; its threads run with ThreadSanitizer too: TSAN. */
#include "events.h"

#include <poll.h>
#include <stdlib.h>

#include "check.h"

#define PUTTERS 3
#define PUTS 20000

static struct events events;
static struct engine_event event;
static uint8_t octets[2048];

static bool is_readable(void)
{
    struct pollfd descriptor = {.fd = events.descriptor, .events = POLLIN};
    return poll(&descriptor, 1, 0) == 1;
}

static bool put(uint16_t call_id, uint8_t filling, size_t length)
{
    uint8_t frame[2048];
    memset(frame, filling, sizeof frame);
    return events_put(&events, ENGINE_UP, call_id, frame, length);
}

static bool take(void)
{
    return events_take(&events, &event, octets, sizeof octets);
}

static bool take_is(uint32_t way, uint16_t call_id, uint32_t length)
{
    return take() && event.way == way && event.call_id == call_id && event.length == length;
}

static void events_come_out_in_order_and_unchanged(void)
{
    CHECK(events_begin(&events, true) == 0);
    CHECK(!take() && !is_readable());
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < 100; i++)
            CHECK(put((uint16_t)(i * 655), (uint8_t)(i + round), (i * 37 + round) % 1600));
        CHECK(is_readable());
        for (uint32_t i = 0; i < 100; i++) {
            uint32_t length = (i * 37 + round) % 1600;
            CHECK(take_is(ENGINE_UP, (uint16_t)(i * 655), length));
            CHECK(!length || (octets[0] == (uint8_t)(i + round) && octets[length - 1] == (uint8_t)(i + round)));
        }
        CHECK(!take() && !is_readable());
    }
    CHECK(events.dropped == 0);
    events_end(&events);
}

static void what_is_longer_than_the_room_is_cut(void)
{
    CHECK(events_begin(&events, true) == 0);
    CHECK(put(7, 0xaa, 1000) && put(7, 0xbb, 10));
    octets[100] = 0;
    CHECK(events_take(&events, &event, octets, 100) && event.length == 100 && octets[99] == 0xaa && octets[100] == 0);
    CHECK(events_take(&events, &event, NULL, 0) && event.length == 0);
    CHECK(!is_readable());
    events_end(&events);
}

static void a_flooded_call_leaves_room_to_the_others_and_signals_always_find_some(void)
{
    CHECK(events_begin(&events, true) == 0);
    uint32_t taken = 0;
    for (uint32_t i = 0; i < 1000; i++)
        taken += put(7, 0, 100);
    CHECK(taken == EVENTS_OF_A_CALL && events.dropped == 1000 - EVENTS_OF_A_CALL);
    CHECK(put(8, 0, 100));
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(events_put(&events, ENGINE_LOST_STEP, 7, NULL, 0));
        CHECK(events_put(&events, ENGINE_GAVE_UP, 7, NULL, 0));
    }
    for (uint32_t i = 0; i < EVENTS_OF_A_CALL; i++)
        CHECK(take_is(ENGINE_UP, 7, 100));
    CHECK(take_is(ENGINE_UP, 8, 100));
    CHECK(take_is(ENGINE_LOST_STEP, 7, 0) && take_is(ENGINE_GAVE_UP, 7, 0) && !take());
    CHECK(events_put(&events, ENGINE_LOST_STEP, 7, NULL, 0) && take_is(ENGINE_LOST_STEP, 7, 0));
    events_end(&events);
}

static void all_that_waits_is_bounded(void)
{
    CHECK(events_begin(&events, true) == 0);
    uint32_t taken = 0;
    for (uint32_t i = 0; i < 10000; i++)
        taken += put((uint16_t)i, 0, 1500);
    CHECK(taken * 1500 <= EVENTS_OCTETS && taken * 1520 > EVENTS_OCTETS - 1520);
    CHECK(events.dropped == 10000 - taken);
    CHECK(events_put(&events, ENGINE_GAVE_UP, 9, NULL, 0));
    for (uint32_t i = 0; i < taken; i++)
        CHECK(take());
    CHECK(take_is(ENGINE_GAVE_UP, 9, 0) && put(7, 0, 1500));
    CHECK(!events_put(&events, ENGINE_UP, 7, octets, EVENTS_OCTETS + 1)); /* nothing of it is read */
    events_end(&events);
}

static void memory_mode_drops_nothing(void)
{
    uint8_t *large = calloc(1, 100000);
    CHECK(events_begin(&events, false) == 0);
    for (uint32_t i = 0; i < 5000; i++)
        CHECK(put(7, 0, 1500) && events_put(&events, ENGINE_LOST_STEP, 7, NULL, 0));
    CHECK(events_put(&events, ENGINE_INSIDE, 7, large, 100000));
    for (uint32_t i = 0; i < 5000; i++)
        CHECK(take_is(ENGINE_UP, 7, 1500) && take_is(ENGINE_LOST_STEP, 7, 0));
    CHECK(events_take(&events, &event, large, 100000) && event.length == 100000 && !take() && !is_readable());
    CHECK(events.dropped == 0);
    put(7, 0, 100);
    events_end(&events); /* with something in it */
    events_end(&events);
    free(large);
}

static void what_waits_of_a_closed_call_is_forgotten(void)
{
    CHECK(events_begin(&events, true) == 0);
    CHECK(put(7, 1, 10) && put(8, 2, 10) && put(7, 3, 10));
    events_put(&events, ENGINE_GAVE_UP, 7, NULL, 0);
    events_forget(&events, 7);
    CHECK(is_readable() && put(7, 4, 11)); /* the number is used again */
    CHECK(events_put(&events, ENGINE_GAVE_UP, 7, NULL, 0));
    CHECK(take_is(ENGINE_UP, 8, 10) && take_is(ENGINE_UP, 7, 11) && octets[0] == 4);
    CHECK(take_is(ENGINE_GAVE_UP, 7, 0) && !take() && !is_readable());
    CHECK(put(7, 1, 10));
    events_forget(&events, 9);
    events_forget(&events, 7);
    CHECK(!is_readable() && !take());
    for (uint32_t i = 0; i < EVENTS_OF_A_CALL; i++)
        CHECK(put(7, 0, 10)); /* its share is whole again */
    CHECK(!put(7, 0, 10));
    events_end(&events);
}

/* A thousand sessions end at once, each with much waiting, and one lives. */
static void many_closings(void)
{
    CHECK(events_begin(&events, true) == 0);
    for (uint32_t i = 0; i < 40000; i++)
        put((uint16_t)(i % 1000), 0, 60);
    CHECK(put(2000, 5, 60));
    for (uint32_t i = 0; i < 1000; i++)
        events_forget(&events, (uint16_t)i);
    CHECK(is_readable() && take_is(ENGINE_UP, 2000, 60) && octets[0] == 5 && !is_readable() && !take());
    events_end(&events);
}

static void *put_many(void *argument)
{
    const uint16_t *call_id = argument;
    uint8_t frame[64];
    for (uint32_t i = 0; i < PUTS;) {
        memset(frame, 0, sizeof frame);
        write32(frame, i);
        if (events_put(&events, ENGINE_UP, *call_id, frame, 4 + i % 60))
            i++;
    }
    return NULL;
}

/* The calls 1, 2 and 3 come through whole and in order while 4 is used and closed again and again. */
static void threads_put_while_one_takes(void)
{
    CHECK(events_begin(&events, true) == 0);
    pthread_t threads[PUTTERS];
    static uint16_t call_ids[PUTTERS] = {1, 2, 3};
    uint32_t next[PUTTERS] = {0};
    for (uint32_t i = 0; i < PUTTERS; i++)
        CHECK(pthread_create(&threads[i], NULL, put_many, &call_ids[i]) == 0);
    uint32_t wrong = 0;
    uint32_t taken = 0;
    while (taken < PUTTERS * PUTS) {
        struct pollfd descriptor = {.fd = events.descriptor, .events = POLLIN};
        poll(&descriptor, 1, -1);
        put(4, 0, 50);
        events_forget(&events, 4);
        while (take()) {
            uint32_t *expected = &next[event.call_id - 1];
            wrong += read32(octets) != *expected || event.length != 4 + *expected % 60;
            (*expected)++;
            taken++;
        }
    }
    for (uint32_t i = 0; i < PUTTERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(wrong == 0 && !is_readable() && !take());
    events_end(&events);
}

int main(void)
{
    events_come_out_in_order_and_unchanged();
    what_is_longer_than_the_room_is_cut();
    a_flooded_call_leaves_room_to_the_others_and_signals_always_find_some();
    all_that_waits_is_bounded();
    memory_mode_drops_nothing();
    what_waits_of_a_closed_call_is_forgotten();
    many_closings();
    threads_put_while_one_takes();
    DONE();
}
