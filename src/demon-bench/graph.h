/*
 * Graphs beside git: commits in bulk, reading at any commit, and what history is asked.
 */
#ifndef DEMON_BENCH_GRAPH_H
#define DEMON_BENCH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

/** One figure. Rates: more is better on both sides; without git there is no bare side. */
struct graph_result {
	const char *name;
	const char *unit;
	double ours;
	double bare;
	char note[512];
};

#define GRAPH_COUNT 5

/** Measures in databases below @p dir; results are in the order of their names. */
void graph_measure(const char *dir, bool quick, struct graph_result results[GRAPH_COUNT]);

#endif
