/*
 * Time for measuring, and medians.
 */
#ifndef DEMON_BENCH_CLOCK_H
#define DEMON_BENCH_CLOCK_H

#include <stddef.h>

/** Seconds of the monotonic clock. */
double clock_now(void);

/** Sorts @p values and returns the middle one. @p n is at least 1. */
double median(double *values, size_t n);

#endif
