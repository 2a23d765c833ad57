/* What the C tests are written with: CHECK says where a condition did not hold and goes on; main ends with DONE. */
#ifndef OPENPPTP_CHECK_H
#define OPENPPTP_CHECK_H

#include <stdio.h>

static int checks_failed;

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                            \
            checks_failed++;                                                                                          \
        }                                                                                                             \
    } while (0)

#define DONE() return checks_failed == 0 ? 0 : 1

#endif
