/* What the twin of the reference's tests cannot see of MPPE: batches, the ring of keys, and memory. */
#include <malloc.h>
#include <stdlib.h>

#include "call.h"
#include "check.h"
#include "mppe.h"

#define LONGEST 64
#define HEADER 0x9000 /* what every stateless packet says, beside its count */

struct packet {
    uint8_t octets[LONGEST];
    uint8_t plain[LONGEST];
    int64_t foreseen;
};

static const struct engine_encryption agreed = {.start_key = {1, 2, 3}, .key_bits = 128};
static const struct engine_encryption agreed_stateful = {.start_key = {1, 2, 3}, .key_bits = 128, .stateful = 1};

static struct encryptor encryptor;
static struct decryptor decryptor;
static struct cipher_batch batch;
static struct packet packets[200];

static void begin(const struct engine_encryption *encryption)
{
    CHECK(encryptor_begin(&encryptor, encryption) == 0);
    CHECK(decryptor_begin(&decryptor, encryption, NULL) == 0);
}

static void end(void)
{
    encryptor_end(&encryptor);
    decryptor_end(&decryptor);
    CHECK(!encryptor.on && !decryptor.on);
}

/* An IPv4 packet of 20 octets and a number behind it. */
static void write_datagram(uint8_t *datagram, uint32_t number)
{
    memset(datagram, 0, 26);
    datagram[1] = 0x21;
    datagram[2] = 0x45;
    datagram[5] = 20;
    write32(datagram + 22, number);
}

static bool is_datagram(const uint8_t *datagram, size_t length, uint32_t number)
{
    uint8_t expected[26];
    write_datagram(expected, number);
    return length == sizeof expected && !memcmp(datagram, expected, length);
}

/* Encrypt the next packets, in one batch. */
static void seal(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        write_datagram(packets[i].octets + MPPE_HEADER, first + i);
        CHECK(encryptor_encrypt(&encryptor, packets[i].octets, 26, &batch));
    }
    lanes_run(&batch);
}

static void foresee(struct packet *packet, uint32_t sequence)
{
    packet->foreseen = decryptor_foresee(&decryptor, packet->octets, 28, sequence, packet->plain, &batch);
}

static size_t open_one(struct packet *packet, uint32_t sequence)
{
    enum mppe_signal signal;
    size_t length = decryptor_decrypt(&decryptor, packet->octets, 28, sequence, 0, false, packet->foreseen,
                                      packet->plain, &signal);
    CHECK(signal == MPPE_NONE);
    return length;
}

/* Decrypt what seal made, in one batch. */
static void open_all(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        foresee(&packets[i], first + i);
    lanes_run(&batch);
    for (uint32_t i = 0; i < count; i++)
        CHECK(is_datagram(packets[i].plain, open_one(&packets[i], first + i), first + i));
}

/* Batches of every size, through several turns of the count; the numbers are the sequence numbers too. */
static void batches_of_every_size(void)
{
    uint32_t number = 0;
    begin(&agreed);
    for (uint32_t turn = 0; number < 3 * 4096; turn++) {
        uint32_t count = 1 + turn * 13 % BATCH;
        seal(number, count);
        open_all(number, count);
        number += count;
        if (turn % 29 == 28)
            encryptor_rest(&encryptor);
        if (turn % 31 == 30)
            decryptor_rest(&decryptor);
    }
    CHECK(decryptor.latest == number - 1);
    end();
}

/* Once a batch was seen, the next of the same size finds its keys, and the rings do not grow any more. */
static void keys_are_made_ahead(void)
{
    begin(&agreed);
    seal(0, BATCH);
    open_all(0, BATCH);
    CHECK(encryptor.chain.derived == 2 * BATCH);
    CHECK(decryptor.chain.derived == 2 * BATCH);
    for (uint32_t turn = 1; turn < 100; turn++) {
        seal(turn * BATCH, BATCH);
        open_all(turn * BATCH, BATCH);
        CHECK(encryptor.chain.derived == (turn + 2) * BATCH);
        CHECK(decryptor.chain.derived == (turn + 2) * BATCH);
    }
    CHECK(encryptor.chain.capacity <= 2 * BATCH);
    CHECK(decryptor.chain.capacity <= 4 * BATCH);
    end();
}

/* Both halves list their chain once, beside each other, and a full batch is run when one more packet comes. */
static void a_batch_holds_what_it_can(void)
{
    begin(&agreed);
    for (uint32_t i = 0; i < BATCH; i++) {
        write_datagram(packets[i].octets + MPPE_HEADER, i);
        CHECK(encryptor_encrypt(&encryptor, packets[i].octets, 26, &batch));
    }
    CHECK(batch.jobs_count == BATCH);
    CHECK(batch.chains_count == 1);
    write_datagram(packets[BATCH].octets + MPPE_HEADER, BATCH);
    CHECK(encryptor_encrypt(&encryptor, packets[BATCH].octets, 26, &batch));
    CHECK(batch.jobs_count == 1);
    lanes_run(&batch);
    for (uint32_t i = 0; i <= BATCH; i++)
        foresee(&packets[i], i);
    CHECK(packets[BATCH - 1].foreseen == BATCH - 1);
    CHECK(packets[BATCH].foreseen == -1);
    CHECK(batch.chains_count == 1);
    lanes_run(&batch);
    for (uint32_t i = 0; i <= BATCH; i++)
        CHECK(is_datagram(packets[i].plain, open_one(&packets[i], i), i));
    end();
}

/* What was foreseen for a packet whose key another one of the batch used, or that decrypt numbers otherwise. */
static void foreseen_wrongly(void)
{
    begin(&agreed);
    seal(0, 3);
    packets[3] = packets[1]; /* sent twice */
    packets[4] = packets[2];
    packets[4].octets[MPPE_HEADER] ^= 0x40; /* and damaged */
    foresee(&packets[0], 0);
    foresee(&packets[1], 1);
    foresee(&packets[3], 1);
    foresee(&packets[4], 2);
    foresee(&packets[2], 2);
    lanes_run(&batch);
    CHECK(packets[3].foreseen == 1);
    CHECK(is_datagram(packets[0].plain, open_one(&packets[0], 0), 0));
    CHECK(is_datagram(packets[1].plain, open_one(&packets[1], 1), 1));
    CHECK(open_one(&packets[3], 1) == 0);
    CHECK(packets[4].foreseen == 2);
    CHECK(open_one(&packets[4], 2) == 0);
    packets[2].foreseen = 7;
    memset(packets[2].plain, 0, sizeof packets[2].plain);
    CHECK(is_datagram(packets[2].plain, open_one(&packets[2], 2), 2));
    foresee(&packets[2], 3);
    CHECK(packets[2].foreseen == -1); /* it is used */
    end();
}

/* B-100: far counts are left to decrypt, which knows the packet's place; near ones order no more than a batch ahead. */
static void b100_forged_counts_are_not_worth_keys_ahead(void)
{
    begin(&agreed);
    seal(0, 1);
    open_all(0, 1);
    uint64_t derived = decryptor.chain.derived;
    write16(packets[0].octets, HEADER | 1500);
    foresee(&packets[0], 3000);
    CHECK(packets[0].foreseen == -1);
    CHECK(decryptor.chain.derived == derived);
    for (uint16_t count = 1; count < 2047; count++) {
        write16(packets[0].octets, HEADER | count);
        foresee(&packets[0], 3000);
        lanes_run(&batch);
    }
    CHECK(decryptor.chain.derived <= 2047);
    write16(packets[0].octets, HEADER | 2048);
    foresee(&packets[0], 3000);
    CHECK(packets[0].foreseen == -1);
    CHECK(decryptor.chain.capacity <= 4096);
    end();
}

/* B-101: a rest forgets no packet that may still come late, and takes none twice. */
static void b101_late_packets_after_a_rest(void)
{
    begin(&agreed);
    seal(0, 100);
    for (uint32_t i = 0; i < 100; i++)
        packets[i].foreseen = -1;
    for (uint32_t i = 0; i < 100; i++)
        if (i != 50 && i != 70 && i != 20)
            CHECK(open_one(&packets[i], i));
    for (int turn = 0; turn < 2; turn++) {
        decryptor_rest(&decryptor);
        CHECK(!decryptor.chain.ring);
        CHECK(!open_one(&packets[49], 49) && !open_one(&packets[99], 99) && !open_one(&packets[20], 20));
        uint32_t late = turn ? 50 : 70;
        CHECK(is_datagram(packets[late].plain, open_one(&packets[late], late), late));
        CHECK(!open_one(&packets[late], late));
    }
    decryptor_rest(&decryptor);
    decryptor_rest(&decryptor);
    encryptor_rest(&encryptor);
    encryptor_rest(&encryptor);
    seal(100, 1);
    open_all(100, 1);
    end();
}

/* B-101: the oldest key kept outlives a rest, and keys made for a batch that nothing came of. */
static void b101_the_oldest_key_is_kept(void)
{
    begin(&agreed);
    seal(0, 200);
    for (uint32_t i = 0; i <= 70; i++) {
        packets[i].foreseen = -1;
        if (i != 6)
            CHECK(open_one(&packets[i], i));
    }
    foresee(&packets[134], 134);
    foresee(&packets[198], 198);
    CHECK(packets[134].foreseen == 134 && packets[198].foreseen == 198);
    lanes_run(&batch);
    decryptor_rest(&decryptor);
    foresee(&packets[6], 6);
    CHECK(packets[6].foreseen == 6);
    lanes_run(&batch);
    CHECK(is_datagram(packets[6].plain, open_one(&packets[6], 6), 6));
    end();
}

/* An idle call is small: both directions, with what malloc adds. */
static void an_idle_call_is_small(void)
{
    const struct engine_encryption *encryptions[] = {&agreed, &agreed_stateful};
    for (int i = 0; i < 2; i++) {
        begin(encryptions[i]);
        for (uint32_t turn = 0; turn < 10; turn++) {
            seal(turn * BATCH, BATCH);
            open_all(turn * BATCH, BATCH);
        }
        encryptor_rest(&encryptor);
        decryptor_rest(&decryptor);
        CHECK(!encryptor.chain.ring && !decryptor.chain.ring);
        CHECK(!encryptor.rc4 == !i);
        size_t octets = sizeof(struct call) + 16;
        if (i)
            octets += malloc_usable_size(encryptor.rc4) + malloc_usable_size(decryptor.steps) + 2 * 16;
        CHECK(octets <= 2048);
        end();
    }
}

/* A first ring is enough for a call that only keeps alive; stateful ones have none. */
static void rings_begin_small(void)
{
    begin(&agreed);
    CHECK(!encryptor.chain.ring && !decryptor.chain.ring);
    seal(0, 1);
    open_all(0, 1);
    CHECK(encryptor.chain.capacity == 16 && decryptor.chain.capacity == 16);
    end();
    begin(&agreed_stateful);
    seal(0, 64);
    open_all(0, 64);
    CHECK(!encryptor.chain.ring && !decryptor.chain.ring && !batch.jobs_count && !batch.chains_count);
    end();
}

/* B-110: no octet beyond the information is read, which the sanitizer sees. */
static void b110_short_packets(void)
{
    const struct engine_encryption *encryptions[] = {&agreed, &agreed_stateful};
    for (int i = 0; i < 2; i++) {
        begin(encryptions[i]);
        for (size_t length = 0; length < 4; length++) {
            uint8_t *information = malloc(length ? length : 1);
            uint8_t plain[4];
            enum mppe_signal signal;
            if (!information)
                abort();
            memset(information, 0x90, length);
            int64_t foreseen = decryptor_foresee(&decryptor, information, length, 0, plain, &batch);
            lanes_run(&batch);
            CHECK(foreseen == -1 || length > MPPE_HEADER);
            CHECK(!decryptor_decrypt(&decryptor, information, length, 0, 0, false, foreseen, plain, &signal));
            free(information);
        }
        end();
    }
}

/* What was never begun may rest and end, and keys may be set anew without an end before. */
static void begun_anew(void)
{
    encryptor_rest(&encryptor);
    decryptor_rest(&decryptor);
    end();
    begin(&agreed);
    seal(0, 3);
    begin(&agreed_stateful);
    seal(0, 3);
    begin(&agreed);
    seal(0, 3);
    open_all(0, 3);
    end();
}

int main(void)
{
    batches_of_every_size();
    keys_are_made_ahead();
    a_batch_holds_what_it_can();
    foreseen_wrongly();
    b100_forged_counts_are_not_worth_keys_ahead();
    b101_late_packets_after_a_rest();
    b101_the_oldest_key_is_kept();
    an_idle_call_is_small();
    rings_begin_small();
    b110_short_packets();
    begun_anew();
    DONE();
}
