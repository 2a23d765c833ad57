/* Runs a fuzz target (LLVMFuzzerTestOneInput) under gcc: seeded, deterministic, keeps what reaches new code.
 *
 * With clang leave this file out and link with -fsanitize=fuzzer instead. The input of each run lies in a shared
 * mapping of the file --crash names, so whatever ends the process, that file holds what it was given.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 8192
#define POOL 4096
#define EDGES 65536

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t length);
__attribute__((weak)) int LLVMFuzzerInitialize(int *count, char ***arguments);
void __sanitizer_cov_trace_pc(void);

struct input {
    uint8_t *octets;
    size_t length;
};

static struct input pool[POOL];
static size_t pooled;
static uint64_t state;
static uint8_t reached[EDGES];
static size_t edges;

/* gcc calls this at each edge of the rooms (-fsanitize-coverage=trace-pc); places are relative to this function, so
 * that they do not change with where the program was loaded. */
void __sanitizer_cov_trace_pc(void)
{
    uintptr_t place = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__sanitizer_cov_trace_pc;
    uint8_t *edge = &reached[(place ^ place >> 16) % EDGES];
    edges += *edge == 0;
    *edge = 1;
}

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t number = state += 0x9e3779b97f4a7c15u;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

static size_t below(size_t limit)
{
    return limit == 0 ? 0 : (size_t)(draw() % limit);
}

static void keep(const uint8_t *octets, size_t length)
{
    size_t place = pooled < POOL ? pooled++ : below(POOL);
    uint8_t *copy = malloc(length + 1);
    if (copy == NULL)
        return;
    memcpy(copy, octets, length);
    free(pool[place].octets);
    pool[place] = (struct input){copy, length};
}

/* Write a number that tends to be at the edge of something, in 1, 2 or 4 octets. */
static void write_edge(uint8_t *octets, size_t length)
{
    static const uint32_t numbers[] = {0,     1,          2,          0x7f,       0x80,       0xff,  0x100, 1500,
                                       2047,  4095,       0x7fff,     0x8000,     0xfffe,     0xffff, 0x10000,
                                       0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    uint32_t number = numbers[below(sizeof numbers / sizeof *numbers)];
    size_t width = (size_t)1 << below(3);
    if (length < width)
        return;
    size_t at = below(length - width + 1);
    for (size_t index = 0; index < width; index++)
        octets[at + index] = (uint8_t)(number >> 8 * (width - 1 - index));
}

/* Put a piece of another input in, over or between. */
static size_t mix(uint8_t *octets, size_t length)
{
    const struct input *other = &pool[below(pooled)];
    if (other->length == 0)
        return length;
    size_t from = below(other->length);
    size_t piece = 1 + below(other->length - from);
    size_t at = below(length + 1);
    bool between = draw() & 1;
    if (piece > LONGEST - (between ? length : at))
        piece = LONGEST - (between ? length : at);
    if (between)
        memmove(octets + at + piece, octets + at, length - at);
    memcpy(octets + at, other->octets + from, piece);
    if (between)
        return length + piece;
    return at + piece > length ? at + piece : length;
}

static size_t repeat(uint8_t *octets, size_t length)
{
    if (length == 0)
        return 0;
    size_t from = below(length);
    size_t piece = 1 + below(length - from);
    for (size_t times = 1 + below(8); times > 0 && length + piece <= LONGEST; times--) {
        memmove(octets + from + piece, octets + from, length - from);
        length += piece;
    }
    return length;
}

static size_t cut(uint8_t *octets, size_t length)
{
    if (length == 0 || (draw() & 1))
        return below(length + 1);
    size_t from = below(length);
    size_t piece = 1 + below(length - from);
    memmove(octets + from, octets + from + piece, length - from - piece);
    return length - piece;
}

static size_t mutate(uint8_t *octets, size_t length)
{
    switch (below(8)) {
    case 0:
        return cut(octets, length);
    case 1:
        return mix(octets, length);
    case 2:
        return repeat(octets, length);
    case 3:
        while (length < LONGEST && below(16) != 0)
            octets[length++] = (uint8_t)draw();
        return length;
    case 4:
    case 5:
        write_edge(octets, length);
        return length;
    case 6:
        if (length > 0)
            octets[below(length)] = (uint8_t)draw();
        return length;
    default:
        if (length > 0)
            octets[below(length)] ^= (uint8_t)(1u << below(8));
        return length;
    }
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* In the order of names: the order of a directory is not the same everywhere. */
static void read_corpus(const char *directory)
{
    char *names[POOL];
    size_t count = 0;
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        perror(directory);
        exit(2);
    }
    for (struct dirent *entry; count < POOL && (entry = readdir(listing)) != NULL;)
        if (entry->d_name[0] != '.')
            names[count++] = strdup(entry->d_name);
    closedir(listing);
    qsort(names, count, sizeof *names, by_name);
    for (size_t index = 0; index < count; index++) {
        char path[4096];
        uint8_t octets[LONGEST];
        snprintf(path, sizeof path, "%s/%s", directory, names[index]);
        FILE *file = fopen(path, "rb");
        if (file != NULL) {
            keep(octets, fread(octets, 1, sizeof octets, file));
            fclose(file);
        }
        free(names[index]);
    }
}

struct crash {
    int descriptor;
    uint8_t *octets;
};

static struct crash crash_open(const char *path)
{
    struct crash crash = {open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), MAP_FAILED};
    if (crash.descriptor >= 0 && ftruncate(crash.descriptor, LONGEST) == 0)
        crash.octets = mmap(NULL, LONGEST, PROT_READ | PROT_WRITE, MAP_SHARED, crash.descriptor, 0);
    if (crash.octets == MAP_FAILED) {
        perror(path);
        exit(2);
    }
    return crash;
}

/* The target gets a copy of exactly the length: a read beyond it is seen. */
static void run(struct crash *crash, const uint8_t *octets, size_t length)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    if (exact == NULL)
        exit(2);
    memcpy(exact, octets, length);
    memcpy(crash->octets, octets, length);
    if (length < LONGEST)
        memset(crash->octets + length, 0, LONGEST - length);
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fuzz(struct crash *crash, uint64_t runs)
{
    uint8_t octets[LONGEST];
    for (size_t index = 0, count = pooled; index < count; index++)
        run(crash, pool[index].octets, pool[index].length);
    if (pooled == 0)
        keep(octets, 0);
    double begun = now();
    for (uint64_t done = 0; done < runs; done++) {
        /* Half of the time what was found last: it is nearest to what is new. */
        const struct input *from = &pool[(draw() & 1) && pooled > 16 ? pooled - 1 - below(16) : below(pooled)];
        size_t length = from->length;
        memcpy(octets, from->octets, length);
        for (size_t changes = 1 + below(6); changes > 0; changes--)
            length = mutate(octets, length);
        size_t before = edges;
        run(crash, octets, length);
        if (edges > before)
            keep(octets, length);
    }
    double took = now() - begun;
    printf("%llu runs, %.0f a second, %zu places reached, %zu inputs kept\n", (unsigned long long)runs,
           took > 0 ? (double)runs / took : 0.0, edges, pooled);
}

/* Run one file as it is, to see a crash again. */
static int again(struct crash *crash, const char *path)
{
    uint8_t octets[LONGEST];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 2;
    }
    size_t length = fread(octets, 1, sizeof octets, file);
    fclose(file);
    run(crash, octets, length);
    return 0;
}

int main(int count, char **arguments)
{
    uint64_t runs = 100000;
    const char *path = "crash";
    const char *corpus = NULL;
    const char *only = NULL;
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&count, &arguments);
    for (int index = 1; index + 1 < count; index += 2) {
        if (strcmp(arguments[index], "--runs") == 0)
            runs = strtoull(arguments[index + 1], NULL, 10);
        else if (strcmp(arguments[index], "--seed") == 0)
            state = strtoull(arguments[index + 1], NULL, 10);
        else if (strcmp(arguments[index], "--corpus") == 0)
            corpus = arguments[index + 1];
        else if (strcmp(arguments[index], "--crash") == 0)
            path = arguments[index + 1];
        else if (strcmp(arguments[index], "--file") == 0)
            only = arguments[index + 1];
        else
            count = 0;
    }
    if (count % 2 == 0) {
        fprintf(stderr, "usage: %s [--runs N] [--seed S] [--corpus DIRECTORY] [--crash FILE] [--file FILE]\n",
                arguments[0]);
        return 2;
    }
    if (corpus != NULL)
        read_corpus(corpus);
    struct crash crash = crash_open(path);
    if (only != NULL)
        return again(&crash, only);
    fuzz(&crash, runs);
    unlink(path);
    for (size_t index = 0; index < pooled; index++)
        free(pool[index].octets);
    return 0;
}
