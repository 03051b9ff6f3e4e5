#include "ours.h"

#include "base/buf.h"
#include "domain/ritual/run.h"
#include "payload.h"
#include "store/store.h"
#include "store/write.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static const struct demon_projection *const projections[] = {&demon_run_projection, NULL};

static void die(const struct demon_err *err)
{
	(void)fprintf(stderr, "demon-bench: %s\n", err->msg);
	abort();
}

struct demon_store *ours_open(const char *path)
{
	struct demon_options options = {.create = true, .node_id = "bench"};
	struct demon_store *store;
	struct demon_err err;

	if (demon_store_open(path, &options, projections, &store, &err))
		die(&err);
	return store;
}

/* Canonical form is made before the queue, by the caller. */
struct job {
	struct demon_buf payloads;
	struct demon_record *records;
	size_t count;
};

static enum demon_rc append(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct job *job = ctx;
	struct demon_group group = {DEMON_STREAM_RITUAL, PAYLOAD_TS, job->records,
				    job->count,          NULL,       0};

	return demon_write_append(w, &group, NULL, err);
}

static void write_job(struct demon_store *store, struct job *job, size_t count, int64_t step_id)
{
	struct demon_err err;
	size_t *ends = demon_calloc(count, sizeof(*ends));
	size_t at = 0;

	job->records = demon_calloc(count, sizeof(*job->records));
	job->count = count;
	demon_buf_clear(&job->payloads);
	if (!ends || !job->records)
		abort();
	for (size_t i = 0; i < count; i++) {
		payload_write(&job->payloads, step_id + (int64_t)i);
		ends[i] = job->payloads.len;
	}
	for (size_t i = 0; i < count; at = ends[i++])
		job->records[i] = (struct demon_record){.type = "step.started:v1",
							.tenant_id = "default",
							.ritual_id = PAYLOAD_RITUAL,
							.run_id = PAYLOAD_RUN,
							.payload = job->payloads.data + at,
							.payload_len = ends[i] - at};
	if (demon_store_write_repeatable(store, append, job, &err))
		die(&err);
	free(job->records);
	free(ends);
}

void ours_write(struct demon_store *store, size_t count, int64_t *step_id)
{
	struct job job = {.payloads.data = demon_buf_empty};

	write_job(store, &job, count, *step_id);
	*step_id += (int64_t)count;
	demon_buf_done(&job.payloads);
}

struct caller {
	struct demon_store *store;
	size_t each;
	_Atomic int64_t *step_id; /* of all callers, who thus write the rows that bare.c writes */
	pthread_barrier_t *start;
};

static void *call(void *ctx)
{
	struct caller *caller = ctx;
	struct job job = {.payloads.data = demon_buf_empty};

	(void)pthread_barrier_wait(caller->start);
	for (size_t i = 0; i < caller->each; i++)
		write_job(caller->store, &job, 1, atomic_fetch_add(caller->step_id, 1));
	demon_buf_done(&job.payloads);
	return NULL;
}

void ours_write_concurrently(struct demon_store *store, size_t threads, size_t each,
			     int64_t *step_id)
{
	struct caller *callers = demon_calloc(threads, sizeof(*callers));
	pthread_t *ids = demon_calloc(threads, sizeof(*ids));
	_Atomic int64_t next = *step_id;
	pthread_barrier_t start;

	if (!callers || !ids || pthread_barrier_init(&start, NULL, (unsigned)threads))
		abort();
	for (size_t i = 0; i < threads; i++) {
		callers[i] = (struct caller){store, each, &next, &start};
		if (pthread_create(&ids[i], NULL, call, &callers[i]))
			abort();
	}
	for (size_t i = 0; i < threads; i++)
		(void)pthread_join(ids[i], NULL);
	(void)pthread_barrier_destroy(&start);
	*step_id = next;
	free(callers);
	free(ids);
}
