/* MPPE: RFC 3078, with the keys of RFC 3079; the decisions are those of datapath/mppe.py. */
#ifndef OPENPPTP_MPPE_H
#define OPENPPTP_MPPE_H

#include "base.h"
#include "engine.h"
#include "lanes.h"

#define MPPE_HEADER 2

enum mppe_signal { MPPE_NONE, MPPE_RESET, MPPE_GIVE_UP };

/* Our half. A call that is idle holds no ring and no cipher state beyond what its mode needs. */
struct encryptor {
    bool on;
    bool stateful;
    uint16_t count; /* coherency count of the next packet */
    uint64_t number; /* stateless: number of the next packet's key in the chain */
    struct key_chain chain; /* stateful: its last key is the session key, and there is no ring */
    struct rc4 *rc4; /* stateful only */
};

/* The structure is all zeros or was begun before. Never while a batch has its jobs. */
int encryptor_begin(struct encryptor *encryptor, const struct engine_encryption *encryption);
void encryptor_end(struct encryptor *encryptor);

/* Answer a CCP Reset-Request: the next packet is one the peer can start again from. */
void encryptor_flush(struct encryptor *encryptor);

/* Write the two octets of the header and encrypt the datagram that follows them, in place: at once when stateful,
 * otherwise by a job in the batch. False when memory is short. */
bool encryptor_encrypt(struct encryptor *encryptor, uint8_t *header, size_t datagram_length,
                       struct cipher_batch *batch);

/* The peer's half; what only one of the modes needs is allocated. */
struct decryptor {
    bool on;
    bool stateful; /* then packets must be given in order */
    bool has_sequence;
    bool has_good_at;
    uint32_t sequence; /* of the newest packet decrypted; before the first, the highest seen when the keys were set */
    uint32_t sanity;
    uint32_t failed;
    seconds good_at;
    seconds rest_until; /* nothing far ahead is tried before */
    /* stateless */
    int64_t latest; /* number of the newest packet decrypted, -1 before the first; its count is that modulo 4096 */
    uint64_t used;  /* bit n: the packet n + 1 before the newest was decrypted; older ones are forgotten */
    uint32_t clear; /* frames in clear accepted since that packet */
    uint32_t clear_at; /* and the sequence number of the last one */
    struct key_chain chain; /* as in the encryptor */
    /* stateful */
    struct stateful_decryptor *steps;
};

/* sequence is the highest GRE number received so far; NULL when there is none. */
int decryptor_begin(struct decryptor *decryptor, const struct engine_encryption *encryption, const uint32_t *sequence);
void decryptor_end(struct decryptor *decryptor);

/* Stateless, first pass of a batch: say by which key the packet will most likely be decrypted, and order that work into
 * `plain` (information_length - 2 octets); return the key's number, -1 when nothing was ordered. Changes no decision. */
int64_t decryptor_foresee(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                          uint32_t sequence, uint8_t *plain, struct cipher_batch *batch);

/* Decrypt one information field into `plain`. foreseen is what decryptor_foresee returned for this packet (the plain
 * text lies there already when that key turns out to be the right one), -1 when it was not asked. Returns the length of
 * the datagram; 0 when the packet is not believed, with the signal. */
size_t decryptor_decrypt(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                         uint32_t sequence, seconds now, bool far, int64_t foreseen, uint8_t *plain,
                         enum mppe_signal *signal);

/* Stateless: note a frame in clear that was accepted: the peer's numbers have gone on to its own. */
void decryptor_passed(struct decryptor *decryptor, uint32_t sequence);

/* Give back what an idle call does not need (rings of keys); everything can be made again. */
void encryptor_rest(struct encryptor *encryptor);
void decryptor_rest(struct decryptor *decryptor);

#endif
