/*
 * demon-bench: how fast the store is beside SQLite by itself.
 *
 * Each comparison runs both sides in turn, in many short slices, on databases with the same schema
 * in the same folder, and quotes the median of the ratios of neighbouring slices: what a noisy
 * machine leaves to trust. Absolute figures are medians, and belong to the machine they were taken
 * on.
 */
#include "approvals.h"
#include "bare.h"
#include "breakdown.h"
#include "clock.h"
#include "graph.h"
#include "ours.h"
#include "queries.h"
#include "rituals.h"

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
#define EACH       200 /* events a caller: a slice is long beside the making of its threads */
#define LARGE_RUNS 200000

struct options {
	bool json;
	bool quick;
	const char *dir;
	const char *only; /* one comparison by name, or NULL */
	bool large;       /* the queries too */
	bool rituals;     /* the engine too */
	bool graph;       /* graphs too */
	bool approvals;   /* gates too */
};

/* One comparison: slices of `ours` and `bare` in turn. */
struct result {
	const char *name;
	const char *unit;
	double ours;
	double bare;
	double ratio; /* ours over bare: more is better */
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
		ours_write_concurrently(pair->store, CALLERS, EACH, &pair->step_id);
	for (int i = 0; !ours && i < EACH; i++)
		bare_write(pair->bare, CALLERS);
	return (size_t)CALLERS * EACH;
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
	struct result r = {.name = name, .unit = "events/s"};

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

/* Three decimals, or none where they mean nothing. */
static double rounded(double v)
{
	return v >= 1000 ? (double)(long)(v + 0.5) : (double)(long)(v * 1000 + 0.5) / 1000;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct result *)a)->name, ((const struct result *)b)->name);
}

/* Sorts the results: keys are written in their canonical order. */
static void print_json(struct result *results, size_t count)
{
	DEMON_BUF(out, 0);
	struct demon_jw w = demon_jw_begin(&out);

	qsort(results, count, sizeof(*results), by_name);
	for (size_t i = 0; i < count; i++) {
		const struct result *r = &results[i];
		struct demon_jw one = demon_jw_object(&w, r->name);
		DEMON_BUF(number, 0);

		demon_json_number(&number, rounded(r->bare));
		demon_jw_raw(&one, "bare", number.data, number.len);
		demon_jw_str(&one, "note", r->note);
		demon_buf_clear(&number);
		demon_json_number(&number, rounded(r->ours));
		demon_jw_raw(&one, "ours", number.data, number.len);
		demon_buf_clear(&number);
		demon_json_number(&number, rounded(r->ratio));
		demon_jw_raw(&one, "ratio", number.data, number.len);
		demon_jw_str(&one, "unit", r->unit);
		demon_jw_end(&one);
	}
	demon_jw_end(&w);
	(void)puts(out.data);
}

static void print_text(const struct result *results, size_t count)
{
	(void)printf("%-18s %12s %12s %7s\n", "", "ours", "bare", "ratio");
	for (size_t i = 0; i < count; i++)
		(void)printf("%-18s %12.6g %12.6g %7.2f  %s, %s\n", results[i].name,
			     results[i].ours, results[i].bare, results[i].ratio, results[i].unit,
			     results[i].note);
}

static const struct {
	const char *name;
	slice_fn *fn;
	size_t rounds; /* with --quick */
} comparisons[] = {
    {"append_batch", batch, 24},
    {"append_concurrent", concurrent, 10},
    {"append_single", single, 60},
};

/* What a result by itself does not say. */
static void describe(struct result *results, size_t count, const struct breakdown *parts,
		     double fsync_us)
{
	double single_rate = 0;

	for (size_t i = 0; i < count; i++)
		if (strcmp(results[i].name, "append_single") == 0)
			single_rate = results[i].ours;
	for (size_t i = 0; i < count; i++) {
		struct result *r = &results[i];

		if (strcmp(r->name, "append_batch") == 0)
			(void)snprintf(
			    r->note, sizeof(r->note),
			    "1000 events a transaction; per event: canonical form %.2f us, "
			    "check %.2f us, header and hashes %.2f us, projection and "
			    "dictionary the rest of %.2f us (bare %.2f us)",
			    parts->write_us, parts->check_us, parts->hash_us, 1e6 / r->ours,
			    1e6 / r->bare);
		else if (strcmp(r->name, "append_concurrent") == 0)
			(void)snprintf(
			    r->note, sizeof(r->note),
			    "%d callers, bare: %d rows a commit; %.1f times append_single; "
			    "fdatasync of 4 KiB %.1f us",
			    CALLERS, CALLERS, single_rate > 0 ? r->ours / single_rate : 0,
			    fsync_us);
		else
			(void)snprintf(r->note, sizeof(r->note),
				       "one caller, one event a commit; fdatasync of 4 KiB %.1f us",
				       fsync_us);
	}
}

/* Reading back from a large log; more is better there too, so the unit is calls a second. */
static size_t read_back(const char *dir, struct result *results)
{
	struct query_result queries[QUERY_COUNT];
	char path[4200];

	(void)snprintf(path, sizeof(path), "%s/large.db", dir);
	queries_measure(path, LARGE_RUNS, queries);
	for (size_t i = 0; i < QUERY_COUNT; i++) {
		struct result *r = &results[i];

		*r = (struct result){.name = queries[i].name,
				     .unit = "queries/s",
				     .ours = 1e3 / queries[i].ours_ms,
				     .bare = 1e3 / queries[i].bare_ms,
				     .ratio = queries[i].bare_ms / queries[i].ours_ms};
		(void)snprintf(r->note, sizeof(r->note),
			       "in a log of %d events: %.3f ms, the bare statement %.3f ms",
			       LARGE_RUNS * 5, queries[i].ours_ms, queries[i].bare_ms);
	}
	return QUERY_COUNT;
}

/* A figure without a bare side has no ratio. */
static size_t take(const struct ritual_result *from, size_t count, struct result *results)
{
	for (size_t i = 0; i < count; i++) {
		results[i] =
		    (struct result){.name = from[i].name,
				    .unit = from[i].unit,
				    .ours = from[i].ours,
				    .bare = from[i].bare,
				    .ratio = from[i].bare > 0 ? from[i].ours / from[i].bare : 0};
		(void)snprintf(results[i].note, sizeof(results[i].note), "%s", from[i].note);
	}
	return count;
}

/* The engine. */
static size_t run_rituals(const char *dir, bool quick, struct result *results)
{
	struct ritual_result rituals[RITUAL_COUNT];

	rituals_measure(dir, quick, rituals);
	return take(rituals, RITUAL_COUNT, results);
}

static size_t run_approvals(const char *dir, bool quick, struct result *results)
{
	struct ritual_result approvals[APPROVAL_COUNT];

	approvals_measure(dir, quick, approvals);
	return take(approvals, APPROVAL_COUNT, results);
}

/* Graphs; without git there is no ratio. */
static size_t run_graph(const char *dir, bool quick, struct result *results)
{
	struct graph_result graph[GRAPH_COUNT];

	graph_measure(dir, quick, graph);
	for (size_t i = 0; i < GRAPH_COUNT; i++) {
		const struct graph_result *from = &graph[i];

		results[i] = (struct result){.name = from->name,
					     .unit = from->unit,
					     .ours = from->ours,
					     .bare = from->bare,
					     .ratio = from->bare > 0 ? from->ours / from->bare : 0};
		(void)snprintf(results[i].note, sizeof(results[i].note), "%s", from->note);
	}
	return GRAPH_COUNT;
}

static void run(const struct options *options, const char *dir)
{
	struct result results[demon_count(comparisons) + QUERY_COUNT + RITUAL_COUNT + GRAPH_COUNT +
			      APPROVAL_COUNT];
	size_t count = 0;
	struct breakdown parts = breakdown_measure();
	double fsync_us = fsync_measure(dir) * 1e6;
	size_t scale = options->quick ? 1 : 4;
	struct pair pair;

	open_pair(&pair, dir);
	for (size_t i = 0; i < demon_count(comparisons); i++)
		if (!options->only || strcmp(options->only, comparisons[i].name) == 0)
			results[count++] = compare(comparisons[i].name, comparisons[i].fn, &pair,
						   comparisons[i].rounds * scale);
	demon_close(pair.store);
	bare_close(pair.bare);
	describe(results, count, &parts, fsync_us);
	if (options->large)
		count += read_back(dir, results + count);
	if (options->rituals)
		count += run_rituals(dir, options->quick, results + count);
	if (options->graph)
		count += run_graph(dir, options->quick, results + count);
	if (options->approvals)
		count += run_approvals(dir, options->quick, results + count);
	if (options->json)
		print_json(results, count);
	else
		print_text(results, count);
}

static const char usage[] =
    "usage: demon-bench [--json] [--quick] [--dir FOLDER] [--only NAME] [--large]\n"
    "                   [--rituals] [--graph] [--approvals]\n"
    "\n"
    "Measures the store beside SQLite by itself, interleaved in one run.\n"
    "  --json        one object: name -> {ours, bare, ratio, unit, note}\n"
    "  --quick       under 40 seconds\n"
    "  --dir FOLDER  where the databases are made (default /dev/shm, else /tmp)\n"
    "  --only NAME   one comparison: append_batch, append_concurrent, append_single\n"
    "  --large       also reads from a log of a million events\n"
    "  --rituals     also runs rituals, and a daemon with many that wait\n"
    "  --graph       also commits to graphs and asks them, beside git where it is there\n"
    "  --approvals   also decides about gates, and lets many of them expire\n";

static bool parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
	    {"json", no_argument, NULL, 'j'},      {"quick", no_argument, NULL, 'q'},
	    {"dir", required_argument, NULL, 'd'}, {"large", no_argument, NULL, 'l'},
	    {"rituals", no_argument, NULL, 'r'},   {"graph", no_argument, NULL, 'g'},
	    {"approvals", no_argument, NULL, 'a'}, {"only", required_argument, NULL, 'o'},
	    {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0}};
	int c;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no threads yet */
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			options->json = true;
			break;
		case 'q':
			options->quick = true;
			break;
		case 'g':
			options->graph = true;
			break;
		case 'd':
			options->dir = optarg;
			break;
		case 'l':
			options->large = true;
			break;
		case 'a':
			options->approvals = true;
			break;
		case 'r':
			options->rituals = true;
			break;
		case 'o':
			options->only = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			exit(0); /* NOLINT(concurrency-mt-unsafe): no threads yet */
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
		(void)fprintf(stderr, "demon-bench: cannot make a folder in '%s': %s\n",
			      options.dir, strerrordesc_np(errno));
		return 1;
	}
	run(&options, dir);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the threads have ended */
	(void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
