#include "queries.h"

#include "bare.h"
#include "base/buf.h"
#include "base/json.h"
#include "clock.h"
#include "domain/ritual/run.h"
#include "ours.h"
#include "payload.h"
#include "store/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS       201
#define RUNS_A_BATCH 400
#define EVENTS_A_RUN 5
#define LIST_LIMIT   50

static void must(enum demon_rc rc, const struct demon_err *err)
{
	if (rc) {
		(void)fprintf(stderr, "demon-bench: %s\n", err->msg);
		abort();
	}
}

/* The events of a finished run of one step, as the interpreter writes them. */
static const char *const types[EVENTS_A_RUN] = {"ritual.started:v1", "ritual.opened:v1",
						"step.started:v1", "step.completed:v1",
						"ritual.completed:v1"};

static void write_head(struct demon_jw *w, size_t kind)
{
	if (kind == 2 || kind == 3)
		demon_jw_i64(w, "attempt", 1);
	if (kind == 2)
		demon_jw_str(w, "call", "echo");
	if (kind == 1)
		demon_jw_str(w, "definitionDigest",
			     "3f1a0b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718");
	demon_jw_str(w, "event", types[kind]);
	if (kind == 2 || kind == 3)
		demon_jw_str(w, "name", "Say");
	if (kind == 3)
		demon_jw_raw(w, "output", "{\"result\":{\"success\":true}}", 27);
	if (kind == 4)
		demon_jw_raw(w, "outputs", "{\"result\":{\"success\":true}}", 27);
	if (kind == 2 || kind == 3)
		demon_jw_str(w, "reference", "/states/0");
}

static void write_event(struct demon_buf *out, size_t kind, const char *run_id)
{
	struct demon_jw w = demon_jw_begin(out);

	write_head(&w, kind);
	demon_jw_str(&w, "ritualId", PAYLOAD_RITUAL);
	demon_jw_str(&w, "runId", run_id);
	if (kind == 0)
		demon_jw_raw(&w, "spec", "{}", 2);
	if (kind == 2 || kind == 3)
		demon_jw_i64(&w, "stepId", 1);
	demon_jw_str(&w, "tenantId", "default");
	demon_jw_time(&w, "ts", PAYLOAD_TS);
	if (kind == 1)
		demon_jw_str(&w, "version", "1");
	demon_jw_end(&w);
}

static void run_name(size_t n, char out[40])
{
	(void)snprintf(out, 40, "01900000-0000-7000-8000-%012zu", n);
}

/* Several runs, a group each, in one transaction. */
struct fill {
	size_t first;
	size_t count;
};

static enum demon_rc fill_one(struct demon_write *w, size_t n, struct demon_err *err)
{
	struct demon_buf payloads[EVENTS_A_RUN];
	struct demon_record records[EVENTS_A_RUN];
	struct demon_group group = {DEMON_STREAM_RITUAL, PAYLOAD_TS, records,
				    EVENTS_A_RUN,        NULL,       0};
	char run_id[40];
	enum demon_rc rc;

	run_name(n, run_id);
	for (size_t i = 0; i < EVENTS_A_RUN; i++) {
		payloads[i] = (struct demon_buf){.data = demon_buf_empty};
		write_event(&payloads[i], i, run_id);
		records[i] = (struct demon_record){.type = types[i],
						   .tenant_id = "default",
						   .ritual_id = PAYLOAD_RITUAL,
						   .run_id = run_id,
						   .payload = payloads[i].data,
						   .payload_len = payloads[i].len};
	}
	rc = demon_write_append(w, &group, NULL, err);
	for (size_t i = 0; i < EVENTS_A_RUN; i++)
		demon_buf_done(&payloads[i]);
	return rc;
}

static enum demon_rc fill(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const struct fill *f = ctx;
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < f->count && !rc; i++)
		rc = fill_one(w, f->first + i, err);
	return rc;
}

static enum demon_rc count_run(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	(void)row;
	(void)err;
	++*(size_t *)ctx;
	return DEMON_OK;
}

static enum demon_rc count_step(void *ctx, const struct demon_step_row *row, struct demon_err *err)
{
	(void)row;
	(void)err;
	++*(size_t *)ctx;
	return DEMON_OK;
}

static void list(struct demon_store *store, const char *run_id)
{
	struct demon_run_filter filter = {.limit = LIST_LIMIT};
	struct demon_err err;
	size_t n = 0;

	(void)run_id;
	must(demon_run_list(store, &filter, count_run, &n, NULL, &err), &err);
	if (n != LIST_LIMIT)
		abort();
}

static void show(struct demon_store *store, const char *run_id)
{
	struct demon_run_id run;
	struct demon_err err;
	size_t n = 0;

	must(demon_run_find(store, "default", run_id, &run, &err), &err);
	must(demon_run_get(store, &run, count_run, &n, &err), &err);
	must(demon_run_steps(store, &run, count_step, &n, &err), &err);
	if (n != 2)
		abort();
}

static void events(struct demon_store *store, const char *run_id)
{
	struct demon_filter filter = {.tenant_id = "default", .run_id = run_id};
	const struct demon_event *ev;
	struct demon_reader *reader;
	struct demon_err err;
	size_t n = 0;

	must(demon_reader_open(store, &filter, &reader, &err), &err);
	while (demon_reader_next(reader, 0, &ev, &err) == DEMON_OK)
		n++;
	demon_reader_close(reader);
	if (n != EVENTS_A_RUN)
		abort();
}

static const struct {
	const char *name;
	void (*ours)(struct demon_store *store, const char *run_id);
	const char *bare; /* takes the run id as its only parameter */
} queries[QUERY_COUNT] = {
    {"query_run_events", events,
     "SELECT e.payload FROM log_events e JOIN log_scopes s ON s.id = e.scope_id "
     "WHERE s.run_id = ?1 ORDER BY e.seq"},
    {"query_run_show", show,
     "SELECT r.status, s.name FROM runs r JOIN steps s USING (tenant_id, run_id, run_origin) "
     "WHERE r.tenant_id = 'default' AND r.run_id = ?1"},
    {"query_runs_list", list,
     "SELECT run_id, status, started_at FROM runs WHERE tenant_id = 'default' AND ?1 <> '' "
     "ORDER BY started_at DESC, run_id DESC LIMIT 50"},
};

static void measure(struct demon_store *store, struct bare *bare, size_t runs, size_t q,
		    struct query_result *ret)
{
	double ours[ROUNDS];
	double plain[ROUNDS];
	uint64_t state = 1;
	char run_id[40];

	for (size_t i = 0; i < ROUNDS; i++) {
		double start;

		state = state * 6364136223846793005U + 1442695040888963407U;
		run_name(runs ? (size_t)((state >> 33) % runs) : 0, run_id);
		start = clock_now();
		queries[q].ours(store, run_id);
		ours[i] = clock_now() - start;
		start = clock_now();
		bare_query(bare, queries[q].bare, run_id);
		plain[i] = clock_now() - start;
	}
	*ret = (struct query_result){queries[q].name, median(ours, ROUNDS) * 1e3,
				     median(plain, ROUNDS) * 1e3};
}

void queries_measure(const char *path, size_t runs, struct query_result results[QUERY_COUNT])
{
	struct demon_store *store = ours_open(path);
	struct bare *bare;
	struct demon_err err;

	for (size_t n = 0; n < runs; n += RUNS_A_BATCH) {
		struct fill f = {n, runs - n < RUNS_A_BATCH ? runs - n : RUNS_A_BATCH};

		must(demon_store_write(store, fill, &f, &err), &err);
	}
	bare = bare_open_to_read(path);
	for (size_t q = 0; q < QUERY_COUNT; q++)
		measure(store, bare, runs, q, &results[q]);
	bare_close(bare);
	demon_close(store);
}
