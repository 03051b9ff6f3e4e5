/*
 * Waiting for a condition with a limit of time, which a jump of the wall clock does not move.
 */
#ifndef DEMON_COND_H
#define DEMON_COND_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/** Initialises a condition variable whose deadlines are those of demon_cond_in(). */
void demon_cond_init(pthread_cond_t *cond);

/** The moment @p ms from now, for pthread_cond_timedwait(). */
struct timespec demon_cond_in(int64_t ms);

#endif
