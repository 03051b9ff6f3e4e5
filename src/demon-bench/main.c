/*
 * demon-bench: how fast the store is beside SQLite by itself.
 *
 * Each comparison runs both sides in turn, in many short slices, on databases with the same schema in
 * the same folder, and quotes the median of the ratios of neighbouring slices: what a noisy machine
 * leaves to trust. Absolute figures are medians, and belong to the machine they were taken on.
 */
#include "bare.h"
#include "breakdown.h"
#include "clock.h"
#include "ours.h"
#include "payload.h"

#include "base/bytes.h"
#include "base/json.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS_MAX 400
#define CALLERS    64

struct options {
	bool json;
	bool quick;
	const char *dir;
};

/* One comparison: slices of `ours` and `bare` in turn. */
struct result {
	const char *name;
	double ours;  /* events a second */
	double bare;
	double ratio;
	char note[512];
};

struct pair {
	struct demon_store *store;
	struct bare *bare;
	int64_t step_id;
};

/* A slice on one side: writes some events, returns how many. */
typedef size_t slice_fn(struct pair *pair, bool ours);

static size_t single(struct pair *pair, bool ours)
{
	for (int i = 0; i < 50; i++) {
		if (ours)
			ours_write(pair->store, 1, &pair->step_id);
		else
			bare_write(pair->bare, 1);
	}
	return 50;
}

static size_t concurrent(struct pair *pair, bool ours)
{
	if (ours)
		ours_write_concurrently(pair->store, CALLERS, 40, &pair->step_id);
	for (int i = 0; !ours && i < 40; i++)
		bare_write(pair->bare, CALLERS);
	return (size_t)CALLERS * 40;
}

static size_t batch(struct pair *pair, bool ours)
{
	if (ours)
		ours_write(pair->store, 1000, &pair->step_id);
	else
		bare_write(pair->bare, 1000);
	return 1000;
}

static double rate(slice_fn *fn, struct pair *pair, bool ours)
{
	double start = clock_now();
	size_t n = fn(pair, ours);

	return (double)n / (clock_now() - start);
}

/* The side that goes first changes every round, so that neither always meets a warm cache. */
static struct result compare(const char *name, slice_fn *fn, struct pair *pair, size_t rounds)
{
	double ours[ROUNDS_MAX];
	double bare[ROUNDS_MAX];
	double ratio[ROUNDS_MAX];
	struct result r = {.name = name};

	(void)rate(fn, pair, true);
	(void)rate(fn, pair, false);
	for (size_t i = 0; i < rounds; i++) {
		bool ours_first = i % 2 == 0;

		for (int k = 0; k < 2; k++) {
			bool side = (k == 0) == ours_first;

			*(side ? &ours[i] : &bare[i]) = rate(fn, pair, side);
		}
		ratio[i] = ours[i] / bare[i];
	}
	r.ours = median(ours, rounds);
	r.bare = median(bare, rounds);
	r.ratio = median(ratio, rounds);
	return r;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void open_pair(struct pair *pair, const char *dir)
{
	char path[4200];

	(void)snprintf(path, sizeof(path), "%s/bare.db", dir);
	demon_close(ours_open(path));
	pair->bare = bare_open(path);
	(void)snprintf(path, sizeof(path), "%s/ours.db", dir);
	pair->store = ours_open(path);
	pair->step_id = 1;
}

static void print_json(const struct result *results, size_t count)
{
	DEMON_BUF(out, 0);
	struct demon_jw w = demon_jw_begin(&out);

	for (size_t i = 0; i < count; i++) {
		const struct result *r = &results[i];
		struct demon_jw one = demon_jw_object(&w, r->name);
		DEMON_BUF(number, 0);

		demon_json_number(&number, (double)(long)(r->bare + 0.5));
		demon_jw_raw(&one, "bare", number.data, number.len);
		demon_jw_str(&one, "note", r->note);
		demon_buf_clear(&number);
		demon_json_number(&number, (double)(long)(r->ours + 0.5));
		demon_jw_raw(&one, "ours", number.data, number.len);
		demon_buf_clear(&number);
		demon_json_number(&number, (double)(long)(r->ratio * 1000 + 0.5) / 1000);
		demon_jw_raw(&one, "ratio", number.data, number.len);
		demon_jw_str(&one, "unit", "events/s");
		demon_jw_end(&one);
	}
	demon_jw_end(&w);
	(void)puts(out.data);
}

static void print_text(const struct result *results, size_t count)
{
	(void)printf("%-18s %12s %12s %7s\n", "", "ours", "bare", "ratio");
	for (size_t i = 0; i < count; i++)
		(void)printf("%-18s %10.0f/s %10.0f/s %7.2f  %s\n", results[i].name, results[i].ours,
			     results[i].bare, results[i].ratio, results[i].note);
}

static void run(const struct options *options, const char *dir)
{
	struct result results[3];
	struct breakdown parts = breakdown_measure();
	double fsync_us = fsync_measure(dir) * 1e6;
	size_t scale = options->quick ? 1 : 4;
	struct pair pair;

	open_pair(&pair, dir);
	/* names in the order of their canonical keys */
	results[0] = compare("append_batch", batch, &pair, 24 * scale);
	results[1] = compare("append_concurrent", concurrent, &pair, 10 * scale);
	results[2] = compare("append_single", single, &pair, 60 * scale);
	demon_close(pair.store);
	bare_close(pair.bare);
	(void)snprintf(results[0].note, sizeof(results[0].note),
		       "1000 events a transaction; per event: canonical form %.2f us, check %.2f us, "
		       "header and hashes %.2f us, of %.2f us in all (bare %.2f us)",
		       parts.write_us, parts.check_us, parts.hash_us, 1e6 / results[0].ours,
		       1e6 / results[0].bare);
	(void)snprintf(results[1].note, sizeof(results[1].note),
		       "%d callers, bare: %d rows a commit; %.1f times append_single; fdatasync %.1f us",
		       CALLERS, CALLERS, results[1].ours / results[2].ours, fsync_us);
	(void)snprintf(results[2].note, sizeof(results[2].note),
		       "one caller, one event a commit; fdatasync of 4 KiB %.1f us", fsync_us);
	if (options->json)
		print_json(results, 3);
	else
		print_text(results, 3);
}

static const char usage[] =
    "usage: demon-bench [--json] [--quick] [--dir FOLDER]\n"
    "\n"
    "Measures the store beside SQLite by itself, interleaved in one run.\n"
    "  --json        one object: name -> {ours, bare, ratio, unit, note}\n"
    "  --quick       under 40 seconds\n"
    "  --dir FOLDER  where the databases are made (default /dev/shm, else /tmp)\n";

static bool parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {{"json", no_argument, NULL, 'j'},
					      {"quick", no_argument, NULL, 'q'},
					      {"dir", required_argument, NULL, 'd'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			options->json = true;
			break;
		case 'q':
			options->quick = true;
			break;
		case 'd':
			options->dir = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			exit(0);
		default:
			return false;
		}
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct options options = {.dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"};
	char dir[4096];

	if (!parse(argc, argv, &options)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	(void)snprintf(dir, sizeof(dir), "%s/demon-bench-XXXXXX", options.dir);
	if (!mkdtemp(dir)) {
		(void)fprintf(stderr, "demon-bench: cannot make a folder in '%s': %s\n", options.dir,
			      strerror(errno)); /* NOLINT(concurrency-mt-unsafe): one thread */
		return 1;
	}
	run(&options, dir);
	(void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
