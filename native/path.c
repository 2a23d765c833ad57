/* One call's packets: what the driver tells, and what is counted (datapath/path.py).
 *
 * Their way out is in encapsulate.c, their way in is in decapsulate.c.
 */
#include "path.h"

#include <errno.h>
#include <stdlib.h>

/* --- what the driver tells */

int path_begin(struct call *call, uint32_t receive_window, uint32_t first_sequence)
{
    memset(&call->out, 0, sizeof call->out);
    memset(&call->in, 0, sizeof call->in);
    acknowledgement_begin(&call->owed, receive_window);
    window_begin(&call->in.window);
    call->out.next_sequence = first_sequence;
    call->in.peer_has = first_sequence - 1;
    return 0;
}

static void drop_kept(void *context, void *item)
{
    (void)context;
    free(item);
}

void path_end(struct call *call)
{
    path_encryption_down(call);
    window_end(&call->in.window, drop_kept, NULL);
    free(call->allowed);
    call->allowed = NULL;
    call->allowed_count = 0;
    call->open = false;
}

int path_interface_up(struct call *call, const struct engine_inside *inside, const struct engine_prefix *allowed,
                      uint32_t allowed_count)
{
    struct engine_prefix *copy = NULL;
    for (uint32_t i = 0; i < allowed_count; i++) {
        if (allowed[i].length > 32)
            return -EINVAL;
    }
    if (allowed_count) {
        copy = malloc(allowed_count * sizeof *copy);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, allowed, allowed_count * sizeof *copy);
    }
    free(call->allowed);
    call->allowed = copy;
    call->allowed_count = allowed_count;
    call->inside = *inside;
    if (call->inside.mtu > LONGEST_INNER) {
        call->inside.mtu = LONGEST_INNER; /* a slot holds no more */
    }
    bucket_begin(&call->out.bucket, &inside->rate_out);
    bucket_begin(&call->in.bucket, &inside->rate_in);
    call->open = true;
    return 0;
}

void path_interface_down(struct call *call)
{
    call->open = false;
}

int path_encryption_up(struct call *call, const struct engine_encryption *send,
                       const struct engine_encryption *receive)
{
    path_encryption_down(call);
    const struct window *window = &call->in.window;
    int error = encryptor_begin(&call->out.encryptor, send);
    if (!error)
        error = decryptor_begin(&call->in.decryptor, receive, window->begun ? &window->highest : NULL);
    if (error)
        path_encryption_down(call);
    return error;
}

void path_encryption_down(struct call *call)
{
    encryptor_end(&call->out.encryptor);
    decryptor_end(&call->in.decryptor);
}

/* --- counting */

void path_counters(const struct call *call, struct engine_counters *sum)
{
    /* All before last_in are numbers of the same kind. */
    const size_t numbers = offsetof(struct engine_counters, last_in) / sizeof(uint64_t);
    const uint64_t *in = (const uint64_t *)&call->in.counters;
    const uint64_t *out = (const uint64_t *)&call->out.counters;
    uint64_t *both = (uint64_t *)sum;
    for (size_t i = 0; i < numbers; i++)
        both[i] = __atomic_load_n(in + i, __ATOMIC_RELAXED) + __atomic_load_n(out + i, __ATOMIC_RELAXED);
    __atomic_load(&call->in.counters.last_in, &sum->last_in, __ATOMIC_RELAXED);
    __atomic_load(&call->out.counters.last_out, &sum->last_out, __ATOMIC_RELAXED);
}
