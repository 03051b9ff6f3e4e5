/*
 * The ritual engine: runs a second, rounds of a loop, and what runs that wait cost.
 */
#ifndef DEMON_BENCH_RITUALS_H
#define DEMON_BENCH_RITUALS_H

#include <stdbool.h>
#include <stddef.h>

/** One figure. Rates: more is better on both sides. */
struct ritual_result {
	const char *name;
	const char *unit;
	double ours;
	double bare;
	char note[512];
};

#define RITUAL_COUNT 3

/** Measures in databases below @p dir; results are in the order of their names. */
void rituals_measure(const char *dir, bool quick, struct ritual_result results[RITUAL_COUNT]);

#endif
