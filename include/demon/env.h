/*
 * The seam to time and chance. A store is opened with one of these; nothing below the programs
 * asks the machine for the time or for random bytes in another way, so a test can hold both.
 */
#ifndef DEMON_ENV_H
#define DEMON_ENV_H

#include <demon/err.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t demon_time;  /* milliseconds since the Unix epoch, UTC; may jump */
typedef int64_t demon_ticks; /* microseconds of a monotonic clock with an arbitrary start */

/** Sources of time and randomness. Callable from any thread; ctx is handed back to each. */
struct demon_env {
	demon_time (*now)(void *ctx);
	demon_ticks (*mono)(void *ctx);
	/* Fills n unpredictable bytes; must not fail (the real one aborts the process). */
	void (*random)(void *ctx, void *bytes, size_t n);
	void *ctx;
};

/** The machine's clocks and its random generator. Static storage, any thread. */
DEMON_API const struct demon_env *demon_env_real(void);

#endif
