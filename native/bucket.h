/* Token bucket: what one call may carry in one direction (datapath/bucket.py). */
#ifndef OPENPPTP_BUCKET_H
#define OPENPPTP_BUCKET_H

#include "base.h"
#include "engine.h"

struct bucket {
    double rate;  /* octets a second; 0 is no limit */
    double burst; /* octets */
    double level;
    seconds filled;
};

void bucket_begin(struct bucket *bucket, const struct engine_rate *rate);

/* Take so many octets; false when they are not there. */
bool bucket_take(struct bucket *bucket, size_t octets, seconds now);

#endif
