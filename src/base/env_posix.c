#include <demon/env.h>

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static demon_time real_now(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	if (clock_gettime(CLOCK_REALTIME, &ts))
		abort();
	return (demon_time)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static demon_ticks real_mono(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	if (clock_gettime(CLOCK_MONOTONIC, &ts))
		abort();
	return (demon_ticks)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Identities are made of these bytes: without them nothing may go on. */
static void real_random(void *ctx, void *bytes, size_t n)
{
	unsigned char *to = bytes;

	(void)ctx;
	while (n) {
		ssize_t got = getrandom(to, n, 0);

		if (got <= 0)
			abort();
		to += got;
		n -= (size_t)got;
	}
}

const struct demon_env *demon_env_real(void)
{
	static const struct demon_env real = {real_now, real_mono, real_random, NULL};

	return &real;
}
