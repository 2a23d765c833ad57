/* Measures the cryptography of stateless MPPE-128, key changes included, beside the kernel's way of doing it.
 *
 * Prints JSON: nanoseconds for each packet, medians of runs that alternate, and the ratio. Shapes: bulk is one call's
 * packets, sessions as many calls as packets, alone one packet at a time, mixed one call's packets of any length.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernel_mppe.h"
#include "lanes.h"
#include "sha1.h"

#define RUNS 5
#define RING 128
#define LONGEST 1400

struct shape {
    const char *name;
    uint32_t length; /* 0: any */
    size_t packets;  /* in a batch */
    bool sessions;   /* each packet of another call */
};

static const struct shape SHAPES[] = {
    {"bulk_1400", 1400, BATCH, false},
    {"bulk_512", 512, BATCH, false},
    {"bulk_64", 64, BATCH, false},
    {"sessions_1400", 1400, BATCH, true},
    {"sessions_64", 64, BATCH, true},
    {"mixed", 0, BATCH, false},
    {"alone_1400", 1400, 1, false},
    {"alone_64", 64, 1, false},
};

struct bench {
    struct key_chain chains[BATCH];
    struct kernel_mppe kernels[BATCH];
    uint8_t rings[BATCH][RING][16];
    uint8_t clear[BATCH][LONGEST];
    uint8_t ours[BATCH][LONGEST];
    uint8_t theirs[BATCH][LONGEST];
    uint32_t lengths[BATCH];
    struct cipher_batch batch;
};

/* Of this thread, whatever else the machine does. */
static double nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void begin(struct bench *bench, const struct shape *shape)
{
    srand(1);
    for (size_t number = 0; number < BATCH; number++) {
        struct key_chain *chain = &bench->chains[number];

        *chain = (struct key_chain){.start = {{(uint8_t)(number + 1)}, 16, 128}, .capacity = RING};
        chain->ring = bench->rings[number];
        initial_key(&chain->start, chain->last);
        kernel_mppe_begin(&bench->kernels[number], chain->start.start_key);
        chain->want = shape->sessions ? 1 : (uint32_t)shape->packets;
        bench->batch.chains[0] = chain;
        bench->batch.chains_count = 1;
        lanes_run(&bench->batch); /* the keys of a batch are made beside the batch before it */
        bench->lengths[number] = shape->length != 0 ? shape->length : 40 + (uint32_t)rand() % (LONGEST - 40);
        for (size_t octet = 0; octet < LONGEST; octet++)
            bench->clear[number][octet] = (uint8_t)rand();
    }
}

static void encrypt_ours(struct bench *bench, const struct shape *shape)
{
    struct cipher_batch *batch = &bench->batch;

    for (size_t number = 0; number < shape->packets; number++) {
        struct key_chain *chain = &bench->chains[shape->sessions ? number : 0];
        uint64_t key = chain->derived - (shape->sessions ? 1 : shape->packets - number);
        struct cipher_job *job = &batch->jobs[number];

        memcpy(job->key, chain->ring[key & (RING - 1)], 16);
        job->key_length = 16;
        job->in = bench->clear[number];
        job->out = bench->ours[number];
        job->length = bench->lengths[number];
        if (shape->sessions || number == 0) {
            chain->want = shape->sessions ? 1 : (uint32_t)shape->packets;
            batch->chains[batch->chains_count++] = chain;
        }
    }
    batch->jobs_count = shape->packets;
    lanes_run(batch);
}

static void encrypt_theirs(struct bench *bench, const struct shape *shape)
{
    for (size_t number = 0; number < shape->packets; number++)
        kernel_mppe_packet(&bench->kernels[shape->sessions ? number : 0], bench->theirs[number], bench->clear[number],
                           bench->lengths[number]);
}

static double measure(struct bench *bench, const struct shape *shape,
                      void (*encrypt)(struct bench *bench, const struct shape *shape))
{
    size_t times = 12800 / shape->packets;
    double began = nanoseconds();

    for (size_t time = 0; time < times; time++)
        encrypt(bench, shape);
    return (nanoseconds() - began) / (double)times / (double)shape->packets;
}

static int ascending(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;

    return (difference > 0) - (difference < 0);
}

static bool same_octets(struct bench *bench, const struct shape *shape)
{
    for (unsigned batch = 0; batch < 3; batch++) {
        encrypt_ours(bench, shape);
        encrypt_theirs(bench, shape);
        for (size_t number = 0; number < shape->packets; number++) {
            if (memcmp(bench->ours[number], bench->theirs[number], bench->lengths[number]) != 0)
                return false;
        }
    }
    return true;
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof *bench);

    if (bench == NULL)
        return 1;
    printf("{\"sha1_native\": %s, \"lanes_native\": %s", sha1_is_native() ? "true" : "false",
           lanes_is_native() ? "true" : "false");
    for (size_t number = 0; number < sizeof SHAPES / sizeof *SHAPES; number++) {
        const struct shape *shape = &SHAPES[number];
        double ours[RUNS], theirs[RUNS];

        begin(bench, shape);
        if (!same_octets(bench, shape)) {
            fprintf(stderr, "%s: our octets are not the kernel's\n", shape->name);
            return 1;
        }
        for (unsigned run = 0; run < RUNS; run++) {
            ours[run] = measure(bench, shape, encrypt_ours);
            theirs[run] = measure(bench, shape, encrypt_theirs);
        }
        qsort(ours, RUNS, sizeof *ours, ascending);
        qsort(theirs, RUNS, sizeof *theirs, ascending);
        printf(",\n \"%s\": {\"ours\": %.0f, \"kernel\": %.0f, \"ratio\": %.3f}", shape->name, ours[RUNS / 2],
               theirs[RUNS / 2], ours[RUNS / 2] / theirs[RUNS / 2]);
    }
    printf("}\n");
    free(bench);
    return 0;
}
