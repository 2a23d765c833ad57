/* One call's packets, both ways: functions in the order a packet meets them (datapath/path.py). */
#ifndef OPENPPTP_PATH_H
#define OPENPPTP_PATH_H

#include "base.h"
#include "call.h"
#include "gre.h"
#include "lanes.h"

#define RECEIVE_LIMIT 1600 /* octets of a PPP frame */
#define SLOT_OCTETS 2048
#define SLOT_INNER 64      /* where an inner packet lies in a slot: before it Ethernet, IPv4, GRE, PPP, MPPE */
#define LONGEST_INNER (SLOT_OCTETS - SLOT_INNER)

/* One packet on its way out. */
struct outgoing {
    struct call *call;
    uint16_t start; /* of the GRE header */
    uint16_t length; /* of GRE header and payload */
    bool lost;      /* set by the carrier when it was not taken */
    uint8_t octets[SLOT_OCTETS];
};

/* One packet on its way in. */
struct incoming {
    const uint8_t *octets; /* GRE header first; stay until the batch is done */
    uint32_t length;
    uint32_t source;
    uint32_t destination;
    struct call *call;  /* NULL: of no call */
    struct gre gre;
    int64_t foreseen;   /* by path_foresee; -1: nothing */
    uint8_t *plain;     /* SLOT_OCTETS for what is decrypted; stay until the batch is done */
};

/* Where a path puts what follows from a packet, in order. */
struct sink {
    /* A packet for the inside. owner is NULL, or memory the sink must free() once the octets are written. */
    void (*inside)(struct sink *sink, struct call *call, const uint8_t *packet, size_t length, void *owner);
    /* A lone acknowledgement, GRE header only; copied before the function returns. */
    void (*outside)(struct sink *sink, struct call *call, const uint8_t *packet, size_t length);
    /* A control-protocol frame; copied before the function returns. */
    void (*up)(struct sink *sink, struct call *call, const uint8_t *frame, size_t length);
    /* Stateful MPPE lost step (ask for a reset) or MPPE gave up (end the session). */
    void (*lost)(struct sink *sink, struct call *call, bool gave_up);
};

enum admission { OUTWARD_READY, OUTWARD_DROPPED, OUTWARD_TOO_BIG };

int path_begin(struct call *call, uint32_t receive_window, uint32_t first_sequence);
void path_end(struct call *call);
int path_interface_up(struct call *call, const struct engine_inside *inside, const struct engine_prefix *allowed,
                      uint32_t allowed_count);
void path_interface_down(struct call *call);
int path_encryption_up(struct call *call, const struct engine_encryption *send,
                       const struct engine_encryption *receive);
void path_encryption_down(struct call *call);

/* Whether a packet of this length and header may go out, before it is copied anywhere: counts what may not.
 * OUTWARD_TOO_BIG: fragment it or answer it (icmp.h), then call path_dropped_too_big. */
enum admission path_admit(struct call *call, const uint8_t *packet, size_t length);
void path_dropped_too_big(struct call *call);

/* Number and wrap the admitted packet that lies at slot->octets + SLOT_INNER; its encryption may be left to the batch.
 * False when it was dropped after all (rate limit, memory). */
bool path_encapsulate(struct call *call, struct outgoing *slot, size_t length, struct cipher_batch *batch,
                      seconds now);

/* Number and wrap a control-protocol frame, in clear. False when the call is not connected or the frame too long. */
bool path_encapsulate_frame(struct call *call, struct outgoing *slot, const uint8_t *frame, size_t length);

/* First pass over a batch: order the decryption that will most likely be wanted. Changes no decision. */
void path_foresee(struct incoming *packet, struct cipher_batch *batch);

/* Second pass, in order of arrival, after lanes_run. */
void path_decapsulate(struct incoming *packet, struct sink *sink, seconds now);

/* Hand on what was held long enough, send an acknowledgement that can wait no longer. */
void path_tick(struct call *call, struct sink *sink, seconds now);

/* When path_tick will next have something to do; false: never. */
bool path_deadline(struct call *call, seconds *when);

/* Both directions' counters in one. */
void path_counters(const struct call *call, struct engine_counters *sum);

#endif
