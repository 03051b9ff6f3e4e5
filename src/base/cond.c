#include "cond.h"

#include <demon/env.h>

void demon_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

struct timespec demon_cond_in(int64_t ms)
{
	const struct demon_env *env = demon_env_real();
	demon_ticks until = env->mono(env->ctx) + ms * 1000;

	return (struct timespec){.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
}
