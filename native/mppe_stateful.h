/* What the two halves of the MPPE room, mppe.c and mppe_stateful.c, share. */
#ifndef OPENPPTP_MPPE_STATEFUL_H
#define OPENPPTP_MPPE_STATEFUL_H

#include "mppe.h"

/* RFC 3078 section 3.1: bits A and D, and the coherency count. */
#define MPPE_FLUSHED 0x8000
#define MPPE_ENCRYPTED 0x1000
#define MPPE_COUNT 0x0FFF
#define MPPE_COUNTS 4096
#define MPPE_FLAG 0xFF /* section 7.2: low octet of a count at which a stateful key changes */

#define REACH 262144     /* ours: packets lost in a row that are caught up with; some seconds of a fast line */
#define REACH_REST 20e-6 /* ours: seconds of rest for each key far ahead that was derived in vain */

/* Whether the key changes and the packet says FLUSHED. */
static inline bool mppe_is_flag(uint32_t count)
{
    return (count & MPPE_FLAG) == MPPE_FLAG;
}

/* Count a packet with bits that no sender sets. */
enum mppe_signal decryptor_insane(struct decryptor *decryptor);

/* False when memory is short; decryptor->chain is begun. */
bool stateful_begin(struct decryptor *decryptor);
void stateful_end(struct decryptor *decryptor);

/* decryptor_decrypt, the information longer than its header. */
size_t stateful_decrypt(struct decryptor *decryptor, const uint8_t *information, size_t information_length,
                        uint32_t sequence, seconds now, bool far, uint8_t *plain, enum mppe_signal *signal);

#endif
