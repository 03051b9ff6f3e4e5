#include "fault.h"

#ifdef DEMON_FAULTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME(name, text) text,
static const char *const names[] = {DEMON_FAULT_LIST(NAME)};
#undef NAME

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum demon_fault armed = DEMON_FAULT_COUNT;
static unsigned countdown;
static unsigned triggered;
static bool armed_kill;

const char *demon_fault_name(enum demon_fault point)
{
	return point < DEMON_FAULT_COUNT ? names[point] : "?";
}

enum demon_fault demon_fault_find(const char *name)
{
	for (enum demon_fault i = 0; i < DEMON_FAULT_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return DEMON_FAULT_COUNT;
}

/* A test that misspells a point must not pass for want of a fault. */
static void arm_from_environment(void)
{
	const char *spec =
	    getenv("DEMON_FAULT"); /* NOLINT(concurrency-mt-unsafe): once, read only */
	char name[64];
	char action[8];
	unsigned nth;

	if (!spec)
		return;
	if (sscanf(spec, "%63[^:]:%u:%7s", name, &nth, action) != 3 || /* NOLINT(cert-err34-c) */
	    demon_fault_find(name) == DEMON_FAULT_COUNT) {
		(void)fprintf(stderr, "DEMON_FAULT: cannot understand '%s'\n", spec);
		abort();
	}
	armed = demon_fault_find(name);
	countdown = nth;
	armed_kill = strcmp(action, "kill") == 0;
}

bool demon_fault_hit(enum demon_fault point)
{
	bool hit = false;
	bool die = false;

	(void)pthread_once(&once, arm_from_environment);
	(void)pthread_mutex_lock(&lock);
	if (point == armed && countdown && --countdown == 0) {
		hit = true;
		die = armed_kill;
		triggered++;
	}
	(void)pthread_mutex_unlock(&lock);
	if (die)
		(void)kill(getpid(), SIGKILL);
	return hit;
}

void demon_fault_arm(enum demon_fault point, unsigned nth, bool die)
{
	(void)pthread_once(&once, arm_from_environment);
	(void)pthread_mutex_lock(&lock);
	armed = point;
	countdown = nth;
	triggered = 0;
	armed_kill = die;
	(void)pthread_mutex_unlock(&lock);
}

unsigned demon_fault_disarm(void)
{
	unsigned n;

	(void)pthread_mutex_lock(&lock);
	n = triggered;
	armed = DEMON_FAULT_COUNT;
	countdown = 0;
	triggered = 0;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

#else
typedef int demon_fault_compiled_out; /* a file needs a declaration */
#endif
