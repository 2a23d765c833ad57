/* Reassembly of IPv4 datagrams, bounded: the oldest goes when there are too many. */
#include "fragments.h"

#include <stdlib.h>

#define DATAGRAMS 64
#define LONGEST 65535
#define UNITS (LONGEST / 8 + 1) /* fragments begin at multiples of 8 octets */
#define PATIENCE 5              /* seconds; RFC 791 proposes 15, but at our rates the number comes again sooner */
#define PATIENCE_STARTS 1024    /* and so many datagrams begun since */

struct datagram {
    bool used;
    bool end_known;
    uint16_t identification;
    uint32_t source;
    uint32_t destination;
    uint32_t second;
    uint32_t start;  /* its place in the order of arrival */
    uint32_t units;  /* how many there are */
    uint32_t length; /* as far as we know; its own when the end is known */
    uint8_t there[UNITS / 8];
    uint8_t octets[FRAGMENTS_KEPT];
};

struct fragments {
    uint32_t starts;
    struct datagram datagrams[DATAGRAMS];
};

struct fragments *fragments_new(void)
{
    return calloc(1, sizeof(struct fragments));
}

void fragments_free(struct fragments *fragments)
{
    free(fragments);
}

static bool expired(const struct fragments *fragments, const struct datagram *datagram, uint32_t second)
{
    return second - datagram->second > PATIENCE || fragments->starts - datagram->start > PATIENCE_STARTS;
}

static struct datagram *begin(struct fragments *fragments, struct datagram *datagram, const struct fragment *fragment)
{
    *datagram = (struct datagram){
        .used = true,
        .identification = fragment->identification,
        .source = fragment->source,
        .destination = fragment->destination,
        .second = fragment->second,
        .start = fragments->starts++,
    };
    return datagram;
}

/* The datagram this belongs to; otherwise a new one, in place of the oldest if need be. */
static struct datagram *find(struct fragments *fragments, const struct fragment *fragment)
{
    struct datagram *place = &fragments->datagrams[0];
    for (size_t i = 0; i < DATAGRAMS; i++) {
        struct datagram *datagram = &fragments->datagrams[i];
        if (datagram->used && expired(fragments, datagram, fragment->second))
            datagram->used = false;
        if (datagram->used && datagram->identification == fragment->identification &&
            datagram->source == fragment->source && datagram->destination == fragment->destination)
            return datagram;
        if (place->used && (!datagram->used || serial_distance(datagram->start, place->start) < 0))
            place = datagram;
    }
    return begin(fragments, place, fragment);
}

static bool is_there(const struct datagram *datagram, uint32_t unit)
{
    return datagram->there[unit / 8] >> unit % 8 & 1;
}

/* How many of the units are there already. */
static uint32_t overlap(const struct datagram *datagram, uint32_t first, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t unit = first; unit < first + count; unit++)
        found += is_there(datagram, unit);
    return found;
}

static void store(struct datagram *datagram, const struct fragment *fragment, uint32_t first, uint32_t count)
{
    for (uint32_t unit = first; unit < first + count; unit++)
        datagram->there[unit / 8] |= (uint8_t)(1u << unit % 8);
    datagram->units += count;
    if (fragment->offset >= FRAGMENTS_KEPT)
        return;
    uint32_t room = FRAGMENTS_KEPT - fragment->offset;
    memcpy(datagram->octets + fragment->offset, fragment->octets, fragment->held < room ? fragment->held : room);
}

bool fragments_add(struct fragments *fragments, const struct fragment *fragment, struct whole *whole)
{
    uint32_t end = fragment->offset + fragment->length;
    if (!fragment->length || end > LONGEST - 20 || (fragment->more && fragment->length % 8))
        return false;
    struct datagram *datagram = find(fragments, fragment);
    uint32_t first = fragment->offset / 8;
    uint32_t count = (fragment->length + 7) / 8;
    uint32_t known = overlap(datagram, first, count);
    if (known == count)
        return false; /* the network repeated it */
    /* Fragments that overlap or contradict the end are an attack (RFC 5722 says so for IPv6): forget them all. */
    bool last = !fragment->more;
    if (known || (last ? datagram->end_known || end < datagram->length
                       : datagram->end_known && end > datagram->length)) {
        datagram->used = false;
        return false;
    }
    store(datagram, fragment, first, count);
    datagram->end_known |= last;
    if (end > datagram->length)
        datagram->length = end;
    if (!datagram->end_known || datagram->units < (datagram->length + 7) / 8)
        return false;
    datagram->used = false;
    *whole = (struct whole){datagram->octets, datagram->length};
    return true;
}
