/* The decryptor when one key stream runs through many packets (RFC 3078 sections 7.2 and 8.2).
 *
 * There is no state of discarding: after a loss no count fits until a flushed packet comes, while a forged packet out
 * of step leaves the real ones decryptable.
 */
#include "mppe_stateful.h"

#include <stdlib.h>

#include "ip.h"

#define RESET_INTERVAL 0.1 /* ours: seconds between two requests for a reset */
#define MAX_RESETS 100     /* ours: more requests than this end the session */
#define GOOD_STRETCH 32    /* ours: good packets that make up for one request */
#define KEYS_TRIED 8       /* ours: keys tried for one flushed packet */

struct stateful_decryptor {
    struct rc4 rc4;
    bool has_reset_at;
    uint16_t expected;
    uint32_t resets;
    uint32_t unanswered; /* requests since the last good packet: so many flushed packets may have been lost, each a key
                          * change to Linux */
    uint32_t good;
    seconds reset_at;
};

bool stateful_begin(struct decryptor *decryptor)
{
    decryptor->steps = calloc(1, sizeof *decryptor->steps);
    if (!decryptor->steps)
        return false;
    rc4_begin(&decryptor->steps->rc4, decryptor->chain.last, decryptor->chain.start.length);
    return true;
}

void stateful_end(struct decryptor *decryptor)
{
    if (!decryptor->steps)
        return;
    explicit_bzero(decryptor->steps, sizeof *decryptor->steps);
    free(decryptor->steps);
    decryptor->steps = NULL;
}

/* Decrypt with the key stream as it runs on; a packet that was not meant is taken back. */
static bool continue_stream(struct stateful_decryptor *steps, const uint8_t *ciphertext, size_t length, uint8_t *plain)
{
    struct rc4 before = steps->rc4;
    rc4_crypt(&steps->rc4, plain, ciphertext, length);
    if (plausible(plain, length))
        return true;
    steps->rc4 = before;
    return false;
}

/* How many whole turns of the count a long loss hides, the peer having flushed a few times since. */
static uint32_t turns(uint32_t ahead, int64_t room)
{
    int64_t most = (room < REACH ? room : REACH) + KEYS_TRIED * (MPPE_FLAG + 1);
    return most > ahead ? (uint32_t)(most - ahead) / MPPE_COUNTS : 0;
}

/* Decrypt with new tables, by the RFC with the current key, by Linux with the next one: plausible decides. */
static bool restart_stream(struct decryptor *decryptor, uint32_t count, int64_t room, const uint8_t *ciphertext,
                           size_t length, seconds now, uint8_t *plain)
{
    struct stateful_decryptor *steps = decryptor->steps;
    struct key_chain *chain = &decryptor->chain;
    uint8_t key[sizeof chain->last];
    memcpy(key, chain->last, sizeof key);
    uint32_t ahead = (count - steps->expected) & MPPE_COUNT;
    uint32_t changes = (ahead + (steps->expected & MPPE_FLAG)) >> 8;
    uint32_t turned = now < decryptor->rest_until ? 0 : turns(ahead, room) * (MPPE_COUNTS >> 8);
    for (changes += turned + mppe_is_flag(count); changes > 0; changes--)
        next_key(&chain->start, key);
    uint32_t tries = steps->unanswered + 2 < KEYS_TRIED ? steps->unanswered + 2 : KEYS_TRIED;
    for (; tries > 0; tries--) {
        struct rc4 rc4;
        rc4_begin(&rc4, key, chain->start.length);
        rc4_crypt(&rc4, plain, ciphertext, length);
        if (plausible(plain, length)) {
            memcpy(chain->last, key, sizeof key);
            steps->rc4 = rc4;
            return true;
        }
        next_key(&chain->start, key);
    }
    if (turned)
        decryptor->rest_until = now + turned * REACH_REST;
    return false;
}

static enum mppe_signal lost_step(struct stateful_decryptor *steps, seconds now)
{
    if (steps->has_reset_at && now - steps->reset_at < RESET_INTERVAL)
        return MPPE_NONE;
    steps->has_reset_at = true;
    steps->reset_at = now;
    steps->resets++;
    steps->unanswered++;
    return steps->resets <= MAX_RESETS ? MPPE_RESET : MPPE_GIVE_UP;
}

/* How far the sequence numbers have gone on. */
static int64_t room_for(const struct decryptor *decryptor, uint32_t sequence, bool far)
{
    return decryptor->has_sequence && !far ? serial_distance(sequence, decryptor->sequence) : 0;
}

/* Whether a flushed packet's count has gone farther than its sequence number allows: an old one sent again. Each flush
 * that was asked for may have gone on by 255 (encryptor_flush). */
static bool is_old(const struct stateful_decryptor *steps, uint32_t count, int64_t room)
{
    int64_t flushes = (int64_t)steps->unanswered + 2;
    return room > 0 && ((count - steps->expected) & MPPE_COUNT) > room + flushes * (MPPE_FLAG + 1);
}

size_t stateful_decrypt(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                        uint32_t sequence, seconds now, bool far, uint8_t *plain, enum mppe_signal *signal)
{
    struct stateful_decryptor *steps = decryptor->steps;
    uint32_t word = read16(information);
    uint32_t count = word & MPPE_COUNT;
    const uint8_t *ciphertext = information + MPPE_HEADER;
    size_t length = information_length - MPPE_HEADER;
    if (!(word & MPPE_ENCRYPTED) || (mppe_is_flag(count) && !(word & MPPE_FLUSHED))) {
        *signal = decryptor_insane(decryptor);
        return 0;
    }
    if (word & MPPE_FLUSHED) {
        int64_t room = room_for(decryptor, sequence, far);
        if (is_old(steps, count, room))
            return 0;
        if (!restart_stream(decryptor, count, room, ciphertext, length, now, plain)) {
            *signal = lost_step(steps, now);
            return 0;
        }
    } else if (count == steps->expected) {
        if (!continue_stream(steps, ciphertext, length, plain))
            return 0; /* had it been real, the next count will tell */
    } else {
        *signal = lost_step(steps, now);
        return 0;
    }
    steps->expected = (count + 1) & MPPE_COUNT;
    decryptor->has_sequence = true;
    decryptor->sequence = sequence;
    decryptor->sanity >>= 1;
    steps->unanswered = 0;
    steps->good++;
    if (steps->good % GOOD_STRETCH == 0 && steps->resets)
        steps->resets--;
    return length;
}
