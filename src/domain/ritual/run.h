/*
 * Runs: a durable, journalled interpreter over the log.
 *
 *	            start                     last task done
 *	(nothing) ────────→ Running ─────────────────────────→ Completed
 *	                     │   │ a step failed
 *	                     │   └────────────────────────────→ Failed
 *	                     │ a step was in flight when its process ended, and may not be repeated
 *	                     └───────→ Suspended
 *
 * A step's start and its result are events, each durable before the run goes on, so that a run
 * continues after a crash where it stood and a finished step never runs twice. What a run is
 * waiting to do follows from its events and its definition alone. A step that was in flight when
 * the process died is run again only if it is idempotent, with the same idempotency key and the
 * next attempt number; otherwise the run is suspended.
 *
 * The run's executor holds a liveness lock (db/lock.h) by the number of the run's scope.
 */
#ifndef DEMON_RUN_H
#define DEMON_RUN_H

#include "domain/ritual/definition.h"
#include "store/projection.h"

#include <demon/store.h>

/** Names a run. */
struct demon_run_id {
	char tenant_id[65];
	char run_id[65];
	unsigned char origin[DEMON_ORIGIN_LEN]; /* of the node that started it */
};

/** Of a run that tries another one again. Borrowed. */
struct demon_run_retry {
	const struct demon_run_id *of;
	int64_t step_id;   /* before which step it stood; 0: before none */
	const char *state; /* where it stood, as run_checkpoint.h keeps it: canonical text */
	demon_time wake;   /* until when it waits there; 0: it does not */
};

/** How a run is started. Zero members mean the default. */
struct demon_run_options {
	const char *run_id;    /* NULL: a new UUID */
	const char *tenant_id; /* NULL: "default" */
	const json_t *input;   /* borrowed; NULL: none */
	const char *requester; /* who asked for it; NULL: not recorded */
	const char *source;    /* where the definition came from, e.g. a file name; NULL */
	const struct demon_run_retry *retry; /* set by demon_run_retry(); else NULL */
	/* Hold the run for this process from its first event on, so that nobody takes it up before
	 * demon_run_execute_watched() with `claimed`; that, or the store's end, lets it go. */
	bool claim;
};

/**
 * Starts a run: its first group (ritual.started:v1 and ritual.opened:v1) is on disk when this
 * returns. DEMON_EXISTS: this node has a run of that id in the tenant. DEMON_INVALID: an id.
 * DEMON_TOOBIG: definition or input does not fit into an event. DEMON_DENIED: the tenant or the
 * node is frozen (domain/admin/freeze.h).
 */
enum demon_rc demon_run_start(struct demon_store *store, const struct demon_definition *definition,
			      const struct demon_run_options *options, struct demon_run_id *ret_run,
			      struct demon_err *err) demon_must_check;

/** Told of every event that an execution appends, after it is on disk, on the executing thread; and
 * of the approval.decided of a gate at which it stayed. */
typedef void demon_run_listener_fn(void *ctx, const char *type, const char *payload, size_t len);

/** How an execution ended. */
struct demon_run_outcome {
	const char *status; /* as in the table of docs/rituals.md; static storage */
	char *terminal;     /* payload of the terminal event (new, free()), or NULL: not ended */
};

/**
 * Executes a run from where its events say it stands, until it ends or waits. DEMON_BUSY: another
 * process or thread executes it. DEMON_NOTFOUND: no such run of this node. A run that has ended is
 * DEMON_OK with its terminal event. A failed step is not a failure of this function.
 */
enum demon_rc demon_run_execute(struct demon_store *store, const struct demon_run_id *run,
				demon_run_listener_fn *listener, void *ctx,
				struct demon_run_outcome *ret_outcome, struct demon_err *err)
    demon_must_check;

struct demon_expr;        /* domain/expr/expr.h */
struct demon_secrets;     /* domain/secret/secret.h */
struct demon_gate_config; /* domain/approval/voter.h */
struct demon_wards;       /* domain/ward/policy.h */

/** What goes along with an execution; zero members: nothing. */
struct demon_run_watch {
	demon_run_listener_fn *listener;
	/* Asked before each step starts; true: the run is left as it stands, for somebody to take
	 * up. */
	bool (*stop)(void *ctx);
	void *ctx;
	bool claimed; /* demon_run_start() has claimed the run for this caller */
	/* Stay with a run that waits, and hold it, instead of leaving it as Waiting. */
	bool wait;
	struct demon_expr *expr;       /* evaluates expressions; NULL: a run that has some fails */
	struct demon_secrets *secrets; /* NULL: none are to be had */
	const struct demon_gate_config *gates; /* NULL: nothing is configured */
	const struct demon_wards *wards;       /* NULL: no policy but that of the database */
};

/** As demon_run_execute(). DEMON_CANCELED: left because watch->stop said so. */
enum demon_rc demon_run_execute_watched(struct demon_store *store, const struct demon_run_id *run,
					const struct demon_run_watch *watch,
					struct demon_run_outcome *ret_outcome,
					struct demon_err *err) demon_must_check;

/** Runs that somebody is to execute. */
struct demon_run_due {
	struct demon_run_id *runs; /* new: free() it */
	size_t count;
	demon_time next; /* when the next one that waits is due; 0: none waits */
};

/** Which runs to look for. Zero members mean the default. */
struct demon_run_sought {
	size_t limit;                                            /* at most so many */
	bool (*skip)(void *ctx, const struct demon_run_id *run); /* not this one; NULL: all */
	void *ctx;
};

/** Finds runs of this node that nobody executes: those that wait and whose time has come, the
 * earliest first, then those that are Running. */
enum demon_rc demon_run_due(struct demon_store *store, const struct demon_run_sought *sought,
			    struct demon_run_due *ret_due, struct demon_err *err) demon_must_check;

/** A row of `runs list`. Strings are borrowed during the callback; NULL: absent. */
struct demon_run_row {
	const char *tenant_id;
	const char *run_id;
	unsigned char origin[DEMON_ORIGIN_LEN];
	const char *ritual_id;
	const char *status;
	const char *version;
	demon_time started_at;
	demon_time ended_at; /* 0: it has not ended */
	demon_time wakes_at; /* 0: it does not wait for a time */
	const char *error_type;
};
typedef enum demon_rc demon_run_row_fn(void *ctx, const struct demon_run_row *row,
				       struct demon_err *err);

/** What to list, newest first. */
struct demon_run_filter {
	const char *tenant_id; /* NULL: "default" */
	const char *status;    /* "Running" or "running", "awaiting_approval"…; NULL: any */
	const char *ritual_id; /* NULL: any */
	demon_time since;      /* started at or after; 0: any */
	const char *cursor;    /* opaque, from an earlier call; NULL: from the newest */
	size_t limit;          /* 1 to 1 000; 0: 50 */
};

/**
 * Calls @p fn for each run. *ret_cursor (new, free(); may be NULL) continues behind the last row,
 * or is NULL at the end. DEMON_INVALID: an unknown status or a cursor that is not one.
 */
enum demon_rc demon_run_list(struct demon_store *store, const struct demon_run_filter *filter,
			     demon_run_row_fn *fn, void *ctx, char **ret_cursor,
			     struct demon_err *err) demon_must_check;

/**
 * Finds the run that @p run_id means: the own one first, else the only match. DEMON_NOTFOUND;
 * DEMON_CONFLICT lists the origins when there are several foreign ones.
 */
enum demon_rc demon_run_find(struct demon_store *store, const char *tenant_id, const char *run_id,
			     struct demon_run_id *ret_run, struct demon_err *err) demon_must_check;

/** The row of one run. */
enum demon_rc demon_run_get(struct demon_store *store, const struct demon_run_id *run,
			    demon_run_row_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** A step of a run. Strings are borrowed during the callback. */
struct demon_step_row {
	int64_t step_id;
	const char *name;
	const char *reference;
	const char *call;
	const char *status;
	int64_t attempt;
	demon_time started_at;
	demon_time ended_at; /* 0: it has not ended */
	int64_t parent_id;   /* 0: the run */
	int64_t iteration;   /* of the parent, from 0; -1: it does not iterate */
};
typedef enum demon_rc demon_step_row_fn(void *ctx, const struct demon_step_row *row,
					struct demon_err *err);

/** The steps of a run in the order in which they started. */
enum demon_rc demon_run_steps(struct demon_store *store, const struct demon_run_id *run,
			      demon_step_row_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** An event of a run. Borrowed during the callback. */
struct demon_run_moment {
	const char *type;
	demon_time ts;
	const char *payload; /* canonical */
	size_t len;
};
typedef enum demon_rc demon_run_moment_fn(void *ctx, const struct demon_run_moment *moment,
					  struct demon_err *err);

/** The events of a run whose types are among @p types (ends with NULL), in the order of the log.
 * Events that were archived are left out. DEMON_NOTFOUND: no such run. */
enum demon_rc demon_run_history(struct demon_store *store, const struct demon_run_id *run,
				const char *const *types, demon_run_moment_fn *fn, void *ctx,
				struct demon_err *err) demon_must_check;

/** The projection of ritual.* and step.* events: tables runs and steps. */
extern const struct demon_projection demon_run_projection;

#endif
