/* Token bucket, with the arithmetic of datapath/bucket.py: the same doubles, so the same decisions. */
#include "bucket.h"

#define BURST_TIME 0.125    /* ours: seconds of the rate that may come at once when nothing else is said */
#define BURST_LEAST 3000.0  /* ours: octets; less would not let two packets through */
#define NEVER (-1.0)        /* monotonic time is not negative */

void bucket_begin(struct bucket *bucket, const struct engine_rate *rate)
{
    bucket->rate = (double)rate->bits_per_second / 8;
    bucket->burst = (double)rate->burst_octets;
    if (!rate->burst_octets) {
        double burst = bucket->rate * BURST_TIME;
        bucket->burst = burst > BURST_LEAST ? burst : BURST_LEAST;
    }
    bucket->level = bucket->burst;
    bucket->filled = NEVER;
}

bool bucket_take(struct bucket *bucket, size_t octets, seconds now)
{
    if (bucket->rate <= 0)
        return true;
    if (bucket->filled >= 0) {
        double level = bucket->level + (now - bucket->filled) * bucket->rate;
        bucket->level = level < bucket->burst ? level : bucket->burst;
    }
    bucket->filled = now;
    if (bucket->level < (double)octets)
        return false;
    bucket->level -= (double)octets;
    return true;
}
