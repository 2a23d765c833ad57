/* TCP segments and UDP datagrams on their way to the TUN device, merged into large ones as the kernel's GRO does. */
#ifndef OPENPPTP_MERGE_H
#define OPENPPTP_MERGE_H

#include <sys/uio.h>

#include "base.h"
#include "lanes.h"

#define MERGE_FLOWS 8     /* open at once */
#define MERGE_PIECES 64   /* packets in one frame */

/* Writes one frame, TUN header first; the pieces are valid only during the call. False when it was not taken.
 * packets says how many packets the frame carries. */
typedef bool (*merge_write)(void *context, const struct iovec *pieces, int count, uint32_t packets);

struct merge_flow;

struct merger {
    merge_write write;
    void *context;
    bool datagrams; /* whether the device takes large UDP; TCP it always does */
    struct merge_flow *flows; /* MERGE_FLOWS of them */
    struct merge_flow *order[MERGE_FLOWS]; /* the open ones, oldest first, then the others */
    uint32_t open;
    uint64_t merged; /* packets that went as part of a larger one */
    uint64_t refused; /* packets that write did not take */
};

bool merge_begin(struct merger *merger, merge_write write, void *context);
void merge_end(struct merger *merger);

/* Take one packet whose IP header is consistent; its octets must stay where they are until merge_flush. What cannot be
 * merged is written at once, after what is open of its own flow. */
void merge_take(struct merger *merger, const uint8_t *packet, size_t length);

/* Write all that is open. */
void merge_flush(struct merger *merger);

#endif
