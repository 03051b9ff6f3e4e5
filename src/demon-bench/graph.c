/*
 * One history on both sides: a root of 1 000 nodes, then commits that change one property of one
 * node each. In git a node is a file, in 32 folders.
 */
#include "graph.h"

#include "base/base.h"
#include "clock.h"
#include "domain/graph/history.h"
#include "domain/graph/query.h"
#include "domain/graph/transfer.h"
#include "store/readers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NODES   1000
#define BATCH   1000
#define READS   2000
#define QUERIES 40

DEMON_SQL_SCAN(sql_bytes, "a measurement",
	       "SELECT (SELECT sum(length(data)) FROM graph_packs), "
	       "(SELECT sum(length(payload)) FROM log_events)");

/* A failure ends the program: there is nothing to measure. */
static void must(enum demon_rc rc, const struct demon_err *err)
{
	if (!rc)
		return;
	(void)fprintf(stderr, "demon-bench: %s\n", err->msg);
	exit(1); /* NOLINT(concurrency-mt-unsafe) */
}

struct bench {
	const char *dir;
	struct demon_store *store;
	size_t count;
	struct demon_graph_id *ids; /* [count + 1] */
	uint64_t random;
	bool git; /* there is one */
};

static const struct demon_graph_scope scope = {"default", "bench", "main", "nodes"};

static size_t pick(struct bench *b, size_t n)
{
	b->random = b->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)((b->random >> 33) % n);
}

/* Which node commit @p i changes. */
static size_t node_of(size_t i)
{
	return (i * UINT64_C(2654435761)) % NODES;
}

static struct demon_graph_mutations *mutations_of(const char *text)
{
	struct demon_graph_mutations *list;
	struct demon_err err;

	must(demon_graph_mutations_parse(text, strlen(text), &list, &err), &err);
	return list;
}

static void make_root(struct bench *b)
{
	struct demon_graph_change change = {.scope = scope};
	struct demon_graph_committed made;
	struct demon_graph_mutations *list;
	struct demon_err err;
	DEMON_BUF(text, 0);

	for (size_t i = 0; i < NODES; i++)
		demon_buf_fmt(&text,
			      "%s{\"op\":\"add-node\",\"nodeId\":\"n%zu\",\"labels\":[\"L\"],"
			      "\"properties\":{\"v\":0}}",
			      i ? "," : "[", i);
	demon_buf_char(&text, ']');
	list = mutations_of(text.data);
	change.mutations = list;
	must(demon_graph_commit(b->store, &change, &made, &err), &err);
	demon_graph_mutations_free(list);
	b->ids[0] = made.id;
}

struct batch {
	struct bench *b;
	size_t from;
	size_t until;
	demon_time ts;
};

static enum demon_rc commit_some(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const struct batch *batch = ctx;

	for (size_t i = batch->from; i < batch->until; i++) {
		struct demon_graph_change change = {.scope = scope,
						    .parents = &batch->b->ids[i - 1],
						    .parent_count = 1,
						    .ts = batch->ts + (demon_time)i};
		struct demon_graph_committed made;
		struct demon_graph_mutations *list;
		char text[160];
		enum demon_rc rc;

		(void)snprintf(text, sizeof(text),
			       "[{\"op\":\"update-node\",\"nodeId\":\"n%zu\",\"labels\":[\"L\"],"
			       "\"properties\":{\"v\":%zu}}]",
			       node_of(i), i);
		list = mutations_of(text);
		change.mutations = list;
		rc = demon_graph_commit_in(w, &change, &made, err);
		demon_graph_mutations_free(list);
		if (rc)
			return rc;
		batch->b->ids[i] = made.id;
	}
	return DEMON_OK;
}

static void commit_all(struct bench *b)
{
	const struct demon_env *env = demon_env_real();
	struct demon_err err;

	for (size_t i = 1; i <= b->count; i += BATCH) {
		struct batch batch = {b, i, i + BATCH > b->count ? b->count + 1 : i + BATCH,
				      env->now(env->ctx)};

		must(demon_store_write(b->store, commit_some, &batch, &err), &err);
	}
}

static FILE *run_git(const struct bench *b, const char *mode, const char *arguments)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "git -C '%s/git' %s", b->dir, arguments);
	return popen(command, mode); /* NOLINT(cert-env33-c) */
}

static void write_file(FILE *git, size_t node, size_t value)
{
	char text[64];
	int n =
	    snprintf(text, sizeof(text), "{\"labels\":[\"L\"],\"properties\":{\"v\":%zu}}", value);

	(void)fprintf(git, "M 100644 inline %02zu/n%zu\ndata %d\n%s\n", node % 32, node, n, text);
}

/* The same history by fast-import; seconds, 0: there is no git. */
static double import_into_git(struct bench *b)
{
	char command[512];
	double start;
	FILE *git;

	(void)snprintf(command, sizeof(command), "git init -q --bare '%s/git' 2>/dev/null", b->dir);
	git = popen(command, "r"); /* NOLINT(cert-env33-c) */
	if (!git || pclose(git) != 0)
		return 0;
	start = clock_now();
	git = run_git(b, "w", "fast-import --quiet --export-marks=marks");
	if (!git)
		return 0;
	for (size_t i = 0; i <= b->count; i++) {
		(void)fprintf(git,
			      "commit refs/heads/main\nmark :%zu\ncommitter x <x> %zu +0000\n"
			      "data 0\n",
			      i + 1, 1700000000 + i);
		for (size_t n = 0; i == 0 && n < NODES; n++)
			write_file(git, n, 0);
		if (i)
			write_file(git, node_of(i), i);
		(void)fprintf(git, "\n");
	}
	b->git = pclose(git) == 0;
	return b->git ? clock_now() - start : 0;
}

static const char *hex_of(const struct demon_graph_id *id)
{
	static char hex[2][DEMON_GRAPH_HEX_LEN + 1];
	static unsigned turn;
	char *out = hex[turn++ % 2];

	demon_hex(id->bytes, DEMON_HASH_LEN, out);
	return out;
}

static void measure_bulk(struct bench *b, struct graph_result *r)
{
	double start = clock_now();
	double git;
	struct demon_err err;
	bool row;
	DEMON_READ(loan);

	commit_all(b);
	*r = (struct graph_result){.name = "graph_bulk",
				   .unit = "commits/s",
				   .ours = (double)b->count / (clock_now() - start)};
	git = import_into_git(b);
	r->bare = git > 0 ? (double)b->count / git : 0;
	must(demon_store_borrow(b->store, &loan, &err), &err);
	DEMON_STMT(q, loan.db, &sql_bytes);
	must(demon_step(&q, &row, &err), &err);
	(void)snprintf(r->note, sizeof(r->note),
		       "%zu commits of one property on %d nodes, %d a transaction; %.0f bytes of "
		       "state and %.0f of events a commit; bare: git fast-import",
		       b->count, NODES, BATCH, (double)demon_col_i64(&q, 0) / (double)b->count,
		       (double)demon_col_i64(&q, 1) / (double)b->count);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A read of a random node at a random commit: seconds each, in ascending order. */
static void read_nodes(struct bench *b, double *seconds)
{
	struct demon_err err;
	DEMON_BUF(out, 0);

	for (size_t i = 0; i < READS; i++) {
		char id[16];
		double start = clock_now();

		(void)snprintf(id, sizeof(id), "n%zu", pick(b, NODES));
		demon_buf_clear(&out);
		must(demon_graph_get_node(b->store, &scope, hex_of(&b->ids[pick(b, b->count)]), id,
					  &out, &err),
		     &err);
		seconds[i] = clock_now() - start;
	}
	qsort(seconds, READS, sizeof(*seconds), by_value);
}

static void measure_read(struct bench *b, struct graph_result *r)
{
	double seconds[READS];
	double sum = 0;

	read_nodes(b, seconds);
	read_nodes(b, seconds);
	for (size_t i = 0; i < READS; i++)
		sum += seconds[i];
	*r =
	    (struct graph_result){.name = "graph_get_node", .unit = "reads/s", .ours = READS / sum};
	(void)snprintf(r->note, sizeof(r->note),
		       "a random node at a random commit, warm: median %.3f ms, p99 %.3f ms",
		       seconds[READS / 2] * 1e3, seconds[READS * 99 / 100] * 1e3);
}

static enum demon_rc count_row(void *ctx, const struct demon_graph_log_row *row,
			       struct demon_err *err)
{
	(void)row;
	(void)err;
	++*(size_t *)ctx;
	return DEMON_OK;
}

static enum demon_rc count_id(void *ctx, const struct demon_graph_id *id, struct demon_err *err)
{
	(void)id;
	(void)err;
	++*(size_t *)ctx;
	return DEMON_OK;
}

static enum demon_rc count_difference(void *ctx, const struct demon_graph_difference *d,
				      struct demon_err *err)
{
	(void)d;
	(void)err;
	++*(size_t *)ctx;
	return DEMON_OK;
}

/* Seconds that git takes for a command as a process; 0: there is no git. */
static double time_git(const struct bench *b, const char *arguments)
{
	double start = clock_now();
	char line[256];
	FILE *git;

	if (!b->git || !(git = run_git(b, "r", arguments)))
		return 0;
	while (fgets(line, sizeof(line), git))
		continue;
	return pclose(git) == 0 ? clock_now() - start : 0;
}

static void measure_log(struct bench *b, struct graph_result *r)
{
	const struct demon_graph_log_filter filter = {.from = hex_of(&b->ids[b->count]),
						      .node = "n7"};
	double seconds[QUERIES];
	struct demon_err err;
	size_t rows = 0;
	double git = time_git(b, "log --format=%H main -- 07/n7");

	for (size_t i = 0; i < QUERIES; i++) {
		double start = clock_now();

		rows = 0;
		must(demon_graph_log(b->store, &scope, &filter, count_row, &rows, &err), &err);
		seconds[i] = clock_now() - start;
	}
	*r = (struct graph_result){.name = "graph_log_node",
				   .unit = "queries/s",
				   .ours = 1 / median(seconds, QUERIES),
				   .bare = git > 0 ? 1 / git : 0};
	(void)snprintf(r->note, sizeof(r->note),
		       "the %zu commits of %zu that change one node: %.3f ms; git log -- FILE, a "
		       "process: %.1f ms",
		       rows, b->count, median(seconds, QUERIES) * 1e3, git * 1e3);
}

static void measure_history(struct bench *b, struct graph_result *r)
{
	double base[QUERIES];
	double diff[QUERIES];
	struct demon_err err;
	size_t n = 0;
	double git = time_git(b, "merge-base main~1 main");
	double git_diff = time_git(b, "diff-tree -r main~1 main");

	for (size_t i = 0; i < QUERIES; i++) {
		size_t at = 1 + pick(b, b->count);
		char old[DEMON_GRAPH_HEX_LEN + 1];
		double start = clock_now();

		demon_hex(b->ids[at - 1].bytes, DEMON_HASH_LEN, old);
		must(demon_graph_merge_bases(b->store, &scope, old, hex_of(&b->ids[b->count]),
					     count_id, &n, &err),
		     &err);
		base[i] = clock_now() - start;
		start = clock_now();
		must(demon_graph_diff(b->store, &scope, old, hex_of(&b->ids[at]), count_difference,
				      &n, &err),
		     &err);
		diff[i] = clock_now() - start;
	}
	*r = (struct graph_result){.name = "graph_merge_base",
				   .unit = "queries/s",
				   .ours = 1 / median(base, QUERIES),
				   .bare = git > 0 ? 1 / git : 0};
	(void)snprintf(r->note, sizeof(r->note),
		       "merge-base %.3f ms, diff of neighbours %.3f ms; git, a process each: %.1f "
		       "and %.1f ms",
		       median(base, QUERIES) * 1e3, median(diff, QUERIES) * 1e3, git * 1e3,
		       git_diff * 1e3);
}

/* --- a large graph ------------------------------------------------------------------------- */

#define LARGE_STEP  50000 /* nodes a commit */
#define LARGE_READS 10000
#define CHANGES     10 /* mutations of each */

static const struct demon_graph_scope large = {"default", "bench", "main", "large"};

static enum demon_rc add_length(void *ctx, const char *text, size_t len, struct demon_err *err)
{
	(void)text;
	(void)err;
	*(size_t *)ctx += len;
	return DEMON_OK;
}

static struct demon_graph_id commit_large(struct bench *b, const struct demon_graph_id *parent,
					  const char *text, double *ret_seconds)
{
	struct demon_graph_change change = {
	    .scope = large, .parents = parent, .parent_count = parent ? 1 : 0};
	struct demon_graph_mutations *list = mutations_of(text);
	struct demon_graph_committed made;
	struct demon_err err;
	double start = clock_now();

	change.mutations = list;
	must(demon_graph_commit(b->store, &change, &made, &err), &err);
	*ret_seconds = clock_now() - start;
	demon_graph_mutations_free(list);
	return made.id;
}

static void add_mutation(struct demon_buf *text, const char *op, size_t node, size_t value)
{
	demon_buf_fmt(text,
		      "%s{\"op\":\"%s\",\"nodeId\":\"n%zu\",\"labels\":[\"L\"],"
		      "\"properties\":{\"v\":%zu}}",
		      text->len ? "," : "[", op, node, value);
}

static struct demon_graph_id make_large(struct bench *b, size_t nodes)
{
	struct demon_graph_id id;
	double seconds;

	for (size_t from = 0; from < nodes; from += LARGE_STEP) {
		DEMON_BUF(text, 0);

		for (size_t i = from; i < from + LARGE_STEP; i++)
			add_mutation(&text, "add-node", i, i);
		demon_buf_char(&text, ']');
		id = commit_large(b, from ? &id : NULL, text.data, &seconds);
	}
	return id;
}

static double file_mb(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (double)st.st_size / 1e6;
}

/* Small commits on a graph of many nodes. */
static void commit_small(struct bench *b, size_t nodes, double *seconds)
{
	for (size_t i = 1; i <= b->count; i++) {
		DEMON_BUF(text, 0);

		for (size_t n = 0; n < CHANGES; n++)
			add_mutation(&text, "update-node", pick(b, nodes), i);
		demon_buf_char(&text, ']');
		b->ids[i] = commit_large(b, &b->ids[i - 1], text.data, &seconds[i - 1]);
	}
}

/* Any node at any of these commits. */
static void read_large(struct bench *b, size_t nodes, double *seconds)
{
	struct demon_err err;
	DEMON_BUF(out, 0);

	for (size_t i = 0; i < LARGE_READS; i++) {
		const struct demon_graph_id *at = &b->ids[pick(b, b->count + 1)];
		char name[16];
		double start;

		(void)snprintf(name, sizeof(name), "n%zu", pick(b, nodes));
		demon_buf_clear(&out);
		start = clock_now();
		must(demon_graph_get_node(b->store, &large, hex_of(at), name, &out, &err), &err);
		seconds[i] = clock_now() - start;
	}
}

/* In a database of its own, whose size is told. */
static void measure_large(struct bench *b, size_t nodes, struct graph_result *r)
{
	const struct demon_options options = {.create = true, .node_id = "bench"};
	double *commits = demon_calloc(b->count, sizeof(*commits));
	double *reads = demon_calloc(LARGE_READS, sizeof(*reads));
	double sum = 0;
	double loaded;
	size_t json = 0;
	struct demon_err err;
	char path[512];

	if (!commits || !reads)
		exit(1); /* NOLINT(concurrency-mt-unsafe) */
	(void)snprintf(path, sizeof(path), "%s/large.db", b->dir);
	must(demon_open(path, &options, &b->store, &err), &err);
	b->ids[0] = make_large(b, nodes);
	loaded = file_mb(path);
	commit_small(b, nodes, commits);
	read_large(b, nodes, reads);
	read_large(b, nodes, reads);
	must(demon_graph_export(b->store, &large, hex_of(&b->ids[b->count]), DEMON_GRAPH_JSON,
				add_length, &json, &err),
	     &err);
	demon_close(b->store);
	for (size_t i = 0; i < b->count; i++)
		sum += commits[i];
	qsort(commits, b->count, sizeof(*commits), by_value);
	qsort(reads, LARGE_READS, sizeof(*reads), by_value);
	*r = (struct graph_result){
	    .name = "graph_large", .unit = "commits/s", .ours = (double)b->count / sum};
	(void)snprintf(r->note, sizeof(r->note),
		       "%zu nodes, %zu commits of %d changes, one a transaction: median %.3f ms, "
		       "p99 %.3f ms; a node at any of them: median %.3f ms, p99 %.3f ms; database "
		       "%.0f MB, %.0f MB before these commits, the state as JSON %.0f MB",
		       nodes, b->count, CHANGES, commits[b->count / 2] * 1e3,
		       commits[b->count * 99 / 100] * 1e3, reads[LARGE_READS / 2] * 1e3,
		       reads[LARGE_READS * 99 / 100] * 1e3, file_mb(path), loaded,
		       (double)json / 1e6);
	free(commits);
	free(reads);
}

void graph_measure(const char *dir, bool quick, struct graph_result results[GRAPH_COUNT])
{
	const struct demon_options options = {.create = true, .node_id = "bench"};
	struct bench b = {.dir = dir, .count = quick ? 10000 : 100000, .random = 7};
	struct demon_err err;
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/graph.db", dir);
	b.ids = demon_calloc(b.count + 1, sizeof(*b.ids));
	if (!b.ids)
		exit(1); /* NOLINT(concurrency-mt-unsafe) */
	must(demon_open(path, &options, &b.store, &err), &err);
	make_root(&b);
	measure_bulk(&b, &results[0]);
	measure_read(&b, &results[1]);
	measure_log(&b, &results[2]);
	measure_history(&b, &results[3]);
	demon_close(b.store);
	measure_large(&b, quick ? 100000 : 1000000, &results[4]);
	free(b.ids);
}
