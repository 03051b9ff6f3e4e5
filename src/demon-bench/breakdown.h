/*
 * What one event costs our side beyond its row, part by part.
 */
#ifndef DEMON_BENCH_BREAKDOWN_H
#define DEMON_BENCH_BREAKDOWN_H

struct breakdown {
	double write_us; /* making the canonical payload */
	double check_us; /* checking that it is canonical */
	double hash_us;  /* header and both digests */
};

/** Measures on the bench's event. */
struct breakdown breakdown_measure(void);

/** Median seconds of an fdatasync after a write of 4 KiB to a new file in @p dir. */
double fsync_measure(const char *dir);

#endif
