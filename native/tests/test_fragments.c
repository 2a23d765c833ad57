/* Reassembly beside the IP stack: every order, repetitions, contradictions, bounds. */
#include "fragments.h"

#include <stdlib.h>

#include "check.h"

static uint8_t data[70000];

static struct fragment piece(uint32_t offset, uint32_t length, bool more)
{
    return (struct fragment){.source = 1,
                             .destination = 2,
                             .identification = 3,
                             .offset = offset,
                             .more = more,
                             .octets = data + offset,
                             .held = length,
                             .length = length,
                             .second = 100};
}

static bool add(struct fragments *fragments, uint32_t offset, uint32_t length, bool more, struct whole *whole)
{
    /* In memory of its own size, so that a sanitizer sees what is read beyond it. */
    struct fragment fragment = piece(offset, length, more);
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, data + offset, length);
    fragment.octets = exact;
    bool done = fragments_add(fragments, &fragment, whole);
    free(exact);
    return done;
}

static void every_order(void)
{
    static const uint32_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct fragments *fragments = fragments_new();
    for (size_t i = 0; i < 6; i++) {
        struct whole whole;
        for (size_t j = 0; j < 3; j++) {
            uint32_t number = orders[i][j];
            bool done = add(fragments, number * 480, number == 2 ? 37 : 480, number != 2, &whole);
            CHECK(done == (j == 2));
        }
        CHECK(whole.length == 997 && memcmp(whole.octets, data, 997) == 0);
    }
    fragments_free(fragments);
}

static void repetition_changes_nothing(void)
{
    struct fragments *fragments = fragments_new();
    struct whole whole;
    CHECK(!add(fragments, 0, 80, true, &whole));
    CHECK(!add(fragments, 0, 80, true, &whole));
    CHECK(add(fragments, 80, 9, false, &whole));
    CHECK(whole.length == 89 && memcmp(whole.octets, data, 89) == 0);
    fragments_free(fragments);
}

/* RFC 5722: who overlaps attacks. */
static void contradictions_end_it(void)
{
    struct fragments *fragments = fragments_new();
    struct whole whole;
    CHECK(!add(fragments, 0, 80, true, &whole));
    CHECK(!add(fragments, 72, 80, true, &whole));
    CHECK(!add(fragments, 80, 8, false, &whole)); /* begins anew, without the first */
    CHECK(!add(fragments, 160, 8, false, &whole)); /* a second end */
    CHECK(!add(fragments, 400, 80, true, &whole));
    CHECK(!add(fragments, 80, 80, false, &whole)); /* an end before what is there */
    CHECK(!add(fragments, 0, 80, true, &whole));
    fragments_free(fragments);
}

static void impossible_ones_are_left(void)
{
    struct fragments *fragments = fragments_new();
    struct whole whole;
    CHECK(!add(fragments, 0, 0, true, &whole));
    CHECK(!add(fragments, 8, 0, false, &whole));
    CHECK(!add(fragments, 0, 13, true, &whole));
    CHECK(!add(fragments, 65528, 8, false, &whole));
    CHECK(!add(fragments, 65528, 1480, true, &whole));
    fragments_free(fragments);
}

static void the_longest_keeps_its_length(void)
{
    struct fragments *fragments = fragments_new();
    struct whole whole = {0};
    bool done = false;
    for (uint32_t offset = 0; offset < 65515; offset += 1480)
        done = add(fragments, offset, offset + 1480 < 65515 ? 1480 : 65515 - offset, offset + 1480 < 65515, &whole);
    CHECK(done && whole.length == 65515 && memcmp(whole.octets, data, FRAGMENTS_KEPT) == 0);
    fragments_free(fragments);
}

static void cut_fragments_are_not_read_beyond_what_is_there(void)
{
    struct fragments *fragments = fragments_new();
    struct whole whole;
    uint8_t *octets = malloc(100);
    memset(octets, 7, 100);
    struct fragment fragment = piece(0, 4000, true);
    fragment.octets = octets;
    fragment.held = 100;
    CHECK(!fragments_add(fragments, &fragment, &whole));
    CHECK(add(fragments, 4000, 8, false, &whole) && whole.length == 4008 && whole.octets[99] == 7);
    free(octets);
    fragments_free(fragments);
}

static void others_do_not_mix(void)
{
    struct fragments *fragments = fragments_new();
    struct whole whole;
    CHECK(!add(fragments, 0, 80, true, &whole));
    struct fragment other = piece(80, 8, false);
    other.source = 9;
    CHECK(!fragments_add(fragments, &other, &whole));
    other = piece(80, 8, false);
    other.identification = 9;
    CHECK(!fragments_add(fragments, &other, &whole));
    other = piece(80, 8, false);
    other.second = 106; /* the first has waited too long */
    CHECK(!fragments_add(fragments, &other, &whole));
    fragments_free(fragments);
}

/* A flood of first fragments takes the place of the oldest, and what follows at once still finds its own. */
static void a_flood_is_bounded(void)
{
    struct fragments *fragments = fragments_new();
    struct whole whole;
    for (uint32_t number = 0; number < 100000; number++) {
        struct fragment fragment = piece(0, 80, true);
        fragment.identification = (uint16_t)number;
        fragment.source = number;
        CHECK(!fragments_add(fragments, &fragment, &whole));
    }
    CHECK(!add(fragments, 0, 80, true, &whole));
    CHECK(add(fragments, 80, 8, false, &whole));
    fragments_free(fragments);
}

int main(void)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    every_order();
    repetition_changes_nothing();
    contradictions_end_it();
    impossible_ones_are_left();
    the_longest_keeps_its_length();
    cut_fragments_are_not_read_beyond_what_is_there();
    others_do_not_mix();
    a_flood_is_bounded();
    DONE();
}
