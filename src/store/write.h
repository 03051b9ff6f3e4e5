/*
 * Writing: jobs that decide and append inside one transaction, and group commit.
 *
 * A caller submits a job and waits for its commit. Whoever finds nobody leading becomes the
 * leader: it takes the write lock, begins one IMMEDIATE transaction, runs all waiting jobs, commits
 * once, and wakes the others. A job that fails is undone alone: when there are several, each has a
 * savepoint. Jobs run on the leader's thread, one at a time, so they must not wait for anything and
 * must not touch what belongs to another thread.
 *
 * A savepoint keeps a copy of every page that its job changes, which costs half as much as the job.
 * Jobs that may run twice need none as long as they succeed: when one fails after it has changed
 * something, the transaction is undone, and all its jobs run again, each in a savepoint.
 *
 * A job is told DEMON_OK only after COMMIT. When the commit fails all jobs of the batch fail.
 */
#ifndef DEMON_WRITE_H
#define DEMON_WRITE_H

#include "base/buf.h"
#include "db/stmt.h"
#include "store/header.h"

#include <demon/store.h>

/** Events in a group, at most. */
#define DEMON_GROUP_MAX 4096

/** What a job works with; valid while it runs. */
struct demon_write;

typedef enum demon_rc demon_job_fn(struct demon_write *w, void *ctx, struct demon_err *err);

/** Runs @p fn in a transaction and returns after its commit, with what @p fn returned. Any
 * thread; not from within a job. DEMON_BUSY: too many callers wait, or another process held the
 * write lock too long. */
enum demon_rc demon_store_write(struct demon_store *store, demon_job_fn *fn, void *ctx,
				struct demon_err *err) demon_must_check;

/** The same for a job that may run more than once before this returns; the last time counts. So
 * it leaves no traces but rows, and begins by forgetting what it had put into @p ctx. */
enum demon_rc demon_store_write_repeatable(struct demon_store *store, demon_job_fn *fn, void *ctx,
					   struct demon_err *err) demon_must_check;

/** The connection, to read the state that the job decides on and to write local tables. */
struct demon_db *demon_write_db(struct demon_write *w);

/** Runs a part of a job that may fail without failing the job: what it did is undone then. Returns
 * what @p fn returned, or the error of undoing it. One level; its savepoint costs. */
enum demon_rc demon_write_part(struct demon_write *w, demon_job_fn *fn, void *ctx,
			       struct demon_err *err) demon_must_check;

/** This node's origin, borrowed. */
const unsigned char *demon_write_origin(const struct demon_write *w);

/** One event to append. Strings are borrowed during the call. */
struct demon_record {
	const char *type;
	const char *tenant_id;
	const char *ritual_id;
	const char *run_id; /* NULL in the stream ritual: about the ritual itself */
	const char *gate_id;
	const char *project_id;
	const char *namespace_id;
	const char *graph_id;
	const unsigned char *run_origin; /* 16 bytes; NULL: this node, where there is a run */
	const char *payload;             /* canonical; its `event` and `ts` are type and ts */
	size_t payload_len;
};

/** A group: the events that one command appends to one stream. */
struct demon_group {
	enum demon_stream stream;
	demon_time ts; /* when the command ran; also in the payloads */
	const struct demon_record *records;
	size_t count;                         /* 1 to 4 096 */
	const struct demon_event_ref *causes; /* of the first event; ascending; may be NULL */
	size_t cause_count;
};

/**
 * Appends a group to the log and applies it to the projections. @p ret_last may be NULL.
 *
 * Fails: DEMON_INVALID an id, type or payload that docs/format.md forbids; DEMON_TOOBIG; the
 * errors of the database. After a failure the job must return it: its savepoint is undone.
 */
enum demon_rc demon_write_append(struct demon_write *w, const struct demon_group *group,
				 struct demon_receipt *ret_last, struct demon_err *err)
    demon_must_check;

/**
 * Takes in events that exist already, of any origin: one whole group, in order, with hashes. One
 * that is held with the same hash has no effect.
 *
 * *ret_new: events that were new. Fails: DEMON_CORRUPT a hash that does not follow; DEMON_CONFLICT
 * the identity is held with another hash; DEMON_NOTFOUND a predecessor or cause is missing (the
 * message names it); DEMON_NEWER, DEMON_INVALID, DEMON_TOOBIG as in demon_event_check.
 */
enum demon_rc demon_write_ingest(struct demon_write *w, const struct demon_event *events,
				 size_t count, size_t *ret_new, struct demon_err *err)
    demon_must_check;

#endif
