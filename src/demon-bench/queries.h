/*
 * Reading from a log of a million events: what serves a list, a run, and the events of a run.
 */
#ifndef DEMON_BENCH_QUERIES_H
#define DEMON_BENCH_QUERIES_H

#include <demon/store.h>
#include <stddef.h>

/** One query: median milliseconds through the library, and of the bare statement. */
struct query_result {
	const char *name;
	double ours_ms;
	double bare_ms;
};

#define QUERY_COUNT 3

/**
 * Fills a new store at @p path with @p runs runs of 5 events each, and measures the queries on runs
 * picked by a fixed seed.
 */
void queries_measure(const char *path, size_t runs, struct query_result results[QUERY_COUNT]);

#endif
