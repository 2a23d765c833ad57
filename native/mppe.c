/* MPPE: the encryptor, and the decryptor when every packet has its own key; mppe_stateful.c has the other one.
 *
 * A packet is decrypted with keys derived beside the state and changes the state only when what comes out is plausible:
 * a forged or damaged packet changes nothing. The chain of stateless keys does not depend on the data, so keys derived
 * ahead for a forged packet are kept and serve the real ones: far counts cost an attacker's victim each key once. What
 * lies farther ahead than is kept is derived anew for each attempt; so each that fails is followed by a rest.
 */
#include "mppe.h"

#include <errno.h>
#include <stdlib.h>

#include "chain.h"
#include "ip.h"
#include "mppe_stateful.h"

#define MAX_JUMP 2047        /* ours: keys derived ahead for one packet and kept; a farther count is a late packet's */
#define KEPT_KEYS 64         /* ours: keys of skipped packets, for those that come late; the bits of `used` */
#define REORDERED 32         /* ours: how far before the first packet after keys were set one may have been sent */
#define SANITY_BAD 100       /* Linux ppp_mppe: a bit no sender sets; halved by each good packet */
#define SANITY_LIMIT 1600
#define HOPELESS_PACKETS 100 /* ours: so many that do not decrypt, and none that does for HOPELESS_TIME, may be the end */
#define HOPELESS_TIME 60.0

/* --- our half */

int encryptor_begin(struct encryptor *encryptor, const struct engine_encryption *encryption)
{
    encryptor_end(encryptor);
    if (!chain_begin(&encryptor->chain, encryption))
        return -EINVAL;
    encryptor->stateful = encryption->stateful;
    if (encryptor->stateful) {
        encryptor->rc4 = malloc(sizeof *encryptor->rc4);
        if (!encryptor->rc4)
            return -ENOMEM;
        rc4_begin(encryptor->rc4, encryptor->chain.last, encryptor->chain.start.length);
    }
    encryptor->on = true;
    return 0;
}

void encryptor_end(struct encryptor *encryptor)
{
    chain_end(&encryptor->chain);
    if (encryptor->rc4) {
        explicit_bzero(encryptor->rc4, sizeof *encryptor->rc4);
        free(encryptor->rc4);
    }
    explicit_bzero(encryptor, sizeof *encryptor);
}

/* The RFC's receiver reads the next packet with the current key, Linux's always with the next. They agree only on a flag
 * packet, where the key changes for both; so the count goes on to the next flag, as if those between had been lost. No
 * key stream is used twice this way, which the RFC's own manner cannot say. */
void encryptor_flush(struct encryptor *encryptor)
{
    if (encryptor->stateful)
        encryptor->count |= MPPE_FLAG;
}

/* The first packet does not say FLUSHED, although RFC 3078 section 3.1 would have it so: Linux takes the bit as a change
 * of key and never sets it there itself, and for all others it makes no difference. */
static void encrypt_stateful(struct encryptor *encryptor, uint8_t *header, size_t datagram_length)
{
    uint32_t word = MPPE_ENCRYPTED | encryptor->count;
    if (mppe_is_flag(encryptor->count)) {
        struct key_chain *chain = &encryptor->chain;
        next_key(&chain->start, chain->last);
        rc4_begin(encryptor->rc4, chain->last, chain->start.length);
        word |= MPPE_FLUSHED;
    }
    write16(header, (uint16_t)word);
    rc4_crypt(encryptor->rc4, header + MPPE_HEADER, header + MPPE_HEADER, datagram_length);
}

static bool encrypt_stateless(struct encryptor *encryptor, uint8_t *header, size_t datagram_length,
                              struct cipher_batch *batch)
{
    struct key_chain *chain = &encryptor->chain;
    uint64_t number = encryptor->number;
    if (unlikely(batch->jobs_count == BATCH))
        lanes_run(batch);
    const uint8_t *key = chain_key(chain, number ? number - 1 : 0, number);
    if (!key)
        return false;
    write16(header, (uint16_t)(MPPE_FLUSHED | MPPE_ENCRYPTED | encryptor->count));
    chain_order_job(chain, key, header + MPPE_HEADER, header + MPPE_HEADER, datagram_length, batch);
    encryptor->number++;
    /* One key for each used: so many are ahead of the next batch as the largest one took. */
    chain_order(chain, number, chain->want + 1, batch);
    return true;
}

bool encryptor_encrypt(struct encryptor *encryptor, uint8_t *header, size_t datagram_length,
                       struct cipher_batch *batch)
{
    if (encryptor->stateful)
        encrypt_stateful(encryptor, header, datagram_length);
    else if (!encrypt_stateless(encryptor, header, datagram_length, batch))
        return false;
    encryptor->count = (encryptor->count + 1) & MPPE_COUNT;
    return true;
}

void encryptor_rest(struct encryptor *encryptor)
{
    chain_rewind(&encryptor->chain, encryptor->number);
}

/* --- the peer's half */

int decryptor_begin(struct decryptor *decryptor, const struct engine_encryption *encryption, const uint32_t *sequence)
{
    decryptor_end(decryptor);
    if (!chain_begin(&decryptor->chain, encryption))
        return -EINVAL;
    decryptor->stateful = encryption->stateful;
    decryptor->latest = -1;
    decryptor->has_sequence = sequence;
    if (sequence)
        decryptor->sequence = *sequence;
    if (decryptor->stateful && !stateful_begin(decryptor))
        return -ENOMEM;
    decryptor->on = true;
    return 0;
}

void decryptor_end(struct decryptor *decryptor)
{
    stateful_end(decryptor);
    chain_end(&decryptor->chain);
    explicit_bzero(decryptor, sizeof *decryptor);
}

enum mppe_signal decryptor_insane(struct decryptor *decryptor)
{
    decryptor->sanity += SANITY_BAD;
    return decryptor->sanity > SANITY_LIMIT ? MPPE_GIVE_UP : MPPE_NONE;
}

static bool is_stateless_packet(const uint8_t *information)
{
    const uint32_t bits = MPPE_FLUSHED | MPPE_ENCRYPTED;
    return (read16(information) & bits) == bits;
}

/* How far the count may have gone on, and how far it has but for whole turns. */
static int64_t room_for(const struct decryptor *decryptor, uint32_t sequence)
{
    int64_t room = decryptor->has_sequence ? serial_distance(sequence, decryptor->sequence) : MAX_JUMP;
    return decryptor->latest < 0 ? room + REORDERED : room;
}

static int64_t steps_ahead(const struct decryptor *decryptor, const uint8_t *information)
{
    return (read16(information) - decryptor->latest) & MPPE_COUNT;
}

/* Return which packet near the newest this is, something negative when the sequence number says it cannot be. */
static int64_t packet_number(const struct decryptor *decryptor, const uint8_t *information, uint32_t sequence, bool far)
{
    int64_t ahead = steps_ahead(decryptor, information);
    int64_t room = room_for(decryptor, sequence);
    if (ahead > MAX_JUMP || !ahead) {
        ahead -= MPPE_COUNTS;
        return room <= ahead && !far ? decryptor->latest + ahead : -1;
    }
    /* A Linux sender without a route counts a packet in MPPE that GRE then does not number: each packet that failed
     * since the last good one may have come after one of those. */
    return ahead <= room + decryptor->failed ? decryptor->latest + ahead : -1;
}

/* Whether a packet with this number was not decrypted yet, nor is forgotten. */
static bool is_open(const struct decryptor *decryptor, int64_t number)
{
    int64_t before = decryptor->latest - number;
    if (number < 0 || !before || before > KEPT_KEYS)
        return false;
    return before < 0 || !(decryptor->used >> (before - 1) & 1);
}

/* The oldest key to keep: the one before those of late packets, from which they can be made again. */
static uint64_t oldest_key(const struct decryptor *decryptor)
{
    return decryptor->latest > KEPT_KEYS ? (uint64_t)(decryptor->latest - KEPT_KEYS - 1) : 0;
}

/* Never decrypt this one again, so that no packet is taken twice. */
static void use(struct decryptor *decryptor, int64_t number, uint32_t sequence)
{
    int64_t steps = number - decryptor->latest;
    if (steps < 0) {
        decryptor->used |= 1ull << (-steps - 1);
        return;
    }
    decryptor->used = steps < KEPT_KEYS ? decryptor->used << steps : 0;
    if (decryptor->latest >= 0 && steps <= KEPT_KEYS)
        decryptor->used |= 1ull << (steps - 1);
    decryptor->latest = number;
    decryptor->has_sequence = true;
    decryptor->sequence = sequence;
    decryptor->clear = 0;
}

/* Whether what does not decrypt comes from the peer: the session has worked, and it may be a forger's. Then the peer's
 * frames in clear follow each other; where it is the peer's, their numbers leave room for it. */
static bool is_the_peers(const struct decryptor *decryptor)
{
    if (decryptor->latest < 0)
        return true;
    if (!decryptor->clear)
        return false;
    return (int64_t)serial_distance(decryptor->clear_at, decryptor->sequence) - decryptor->clear >= HOPELESS_PACKETS;
}

static enum mppe_signal failure(struct decryptor *decryptor, seconds now)
{
    if (!decryptor->has_good_at) {
        decryptor->has_good_at = true;
        decryptor->good_at = now;
    }
    decryptor->failed++;
    bool hopeless = decryptor->failed >= HOPELESS_PACKETS && now - decryptor->good_at >= HOPELESS_TIME;
    return hopeless && is_the_peers(decryptor) ? MPPE_GIVE_UP : MPPE_NONE;
}

void decryptor_passed(struct decryptor *decryptor, uint32_t sequence)
{
    decryptor->clear += decryptor->clear < UINT32_MAX;
    decryptor->clear_at = sequence;
}

int64_t decryptor_foresee(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                          uint32_t sequence, uint8_t *plain, struct cipher_batch *batch)
{
    if (decryptor->stateful || information_length <= MPPE_HEADER || !is_stateless_packet(information)
        || batch->jobs_count == BATCH)
        return -1;
    struct key_chain *chain = &decryptor->chain;
    int64_t number = packet_number(decryptor, information, sequence, false);
    /* Whether a far count is worth so many keys, decrypt decides when the packet's place is known. */
    if (!is_open(decryptor, number) || (uint64_t)number >= chain->derived + KEPT_KEYS + BATCH)
        return -1;
    uint64_t oldest = oldest_key(decryptor);
    const uint8_t *key = chain_key(chain, oldest, (uint64_t)number);
    if (!key)
        return -1;
    chain_order_job(chain, key, information + MPPE_HEADER, plain, information_length - MPPE_HEADER, batch);
    /* As many ahead of the last one as this batch has brought: the next will bring no fewer. None for a far count. */
    int64_t brought = number - decryptor->latest;
    if (brought > 0 && brought <= KEPT_KEYS + BATCH) {
        uint64_t end = (uint64_t)(number + 1 + (brought < BATCH ? brought : BATCH));
        if (end > chain->derived)
            chain_order(chain, oldest, (uint32_t)(end - chain->derived), batch);
    }
    return number;
}

/* Decrypt with a key, NULL when memory was short; false when the packet is not believed. */
static bool open_with(const struct decryptor *decryptor, const uint8_t *key, const uint8_t *information, size_t length,
                      uint8_t *plain)
{
    if (!key)
        return false;
    struct rc4 rc4;
    rc4_begin(&rc4, key, decryptor->chain.start.length);
    rc4_crypt(&rc4, plain, information + MPPE_HEADER, length);
    return plausible(plain, length);
}

/* Decrypt the first packet after a long loss and return its number, something negative when it is none. The loss may
 * hide whole turns of the count; nearly all packets carry one, so the longest jump is meant. */
static int64_t reach(struct decryptor *decryptor, const uint8_t *information, size_t length, uint32_t sequence,
                     seconds now, uint8_t *plain)
{
    int64_t ahead = steps_ahead(decryptor, information);
    int64_t room = room_for(decryptor, sequence);
    room = room < REACH ? room : REACH;
    if (room > ahead)
        ahead += (room - ahead) / MPPE_COUNTS * MPPE_COUNTS;
    if (ahead <= MAX_JUMP || ahead > room || now < decryptor->rest_until)
        return -1;
    struct key_chain beyond;
    int64_t number = decryptor->latest + ahead;
    if (!chain_beyond(&decryptor->chain, (uint64_t)number, &beyond))
        return -1;
    bool is_good = open_with(decryptor, chain_key(&beyond, (uint64_t)number, (uint64_t)number), information, length,
                             plain);
    chain_end(is_good ? &decryptor->chain : &beyond);
    if (is_good) {
        decryptor->chain = beyond;
        return number;
    }
    decryptor->rest_until = now + (seconds)(ahead - MAX_JUMP) * REACH_REST;
    return -1;
}

size_t decryptor_decrypt(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                         uint32_t sequence, seconds now, bool far, int64_t foreseen, uint8_t *plain,
                         enum mppe_signal *signal)
{
    *signal = MPPE_NONE;
    if (information_length <= MPPE_HEADER)
        return 0;
    if (decryptor->stateful)
        return stateful_decrypt(decryptor, information, information_length, sequence, now, far, plain, signal);
    if (!is_stateless_packet(information)) {
        *signal = decryptor_insane(decryptor);
        return 0;
    }
    size_t length = information_length - MPPE_HEADER;
    int64_t number = packet_number(decryptor, information, sequence, far);
    bool is_good = is_open(decryptor, number);
    if (likely(is_good && number == foreseen))
        is_good = plausible(plain, length);
    else if (is_good)
        is_good = open_with(decryptor, chain_key(&decryptor->chain, oldest_key(decryptor), (uint64_t)number),
                            information, length, plain);
    if (unlikely(!is_good)) {
        number = reach(decryptor, information, length, sequence, now, plain);
        if (number < 0) {
            *signal = failure(decryptor, now);
            return 0;
        }
    }
    use(decryptor, number, sequence);
    decryptor->sanity >>= 1;
    decryptor->failed = 0;
    decryptor->has_good_at = true;
    decryptor->good_at = now;
    return length;
}

void decryptor_rest(struct decryptor *decryptor)
{
    int64_t latest = decryptor->latest;
    int64_t kept = latest < KEPT_KEYS ? latest : KEPT_KEYS;
    uint64_t open = 0; /* as in `used`: those that may still come late */
    if (kept > 0)
        open = ~decryptor->used & (~0ull >> (KEPT_KEYS - kept));
    int64_t number = open ? latest - (KEPT_KEYS - __builtin_clzll(open)) : latest + 1;
    chain_rewind(&decryptor->chain, (uint64_t)number);
}
