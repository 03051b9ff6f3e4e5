/*
 * The events of a run: their payloads, put together into one group.
 *
 * All events of a group carry one time. A group is built on the executor's thread and appended by
 * a job; what does not fit into an event comes out of demon_run_group_rc().
 */
#ifndef DEMON_RUN_EVENTS_H
#define DEMON_RUN_EVENTS_H

#include "base/json_member.h"
#include "run.h"
#include "store/write.h"

#define DEMON_RUN_GROUP_MAX 3
#define DEMON_STEP_KEY_LEN  64 /* hex digits of an idempotency key */

/** Events to append. Zeroed, then begun; strings are borrowed until it is done. */
struct demon_run_group {
	const struct demon_run_id *run;
	const char *ritual_id;
	demon_time ts;
	size_t count;
	struct demon_record records[DEMON_RUN_GROUP_MAX]; /* payloads are set by _rc */
	struct demon_buf payloads[DEMON_RUN_GROUP_MAX];
};

#define DEMON_RUN_GROUP(name) demon_cleanup(demon_run_group_done) struct demon_run_group name = {0}

/** Empties @p g for events of @p run at @p ts. */
void demon_run_group_begin(struct demon_run_group *g, const struct demon_run_id *run,
			   const char *ritual_id, demon_time ts);
void demon_run_group_done(struct demon_run_group *g);

/** Completes the records; DEMON_TOOBIG when a payload exceeds the limit of an event. */
enum demon_rc demon_run_group_rc(struct demon_run_group *g, struct demon_err *err) demon_must_check;

/** One call of a capsule. */
struct demon_run_step {
	int64_t step_id; /* from 1, in the order in which steps of the run started */
	int64_t attempt; /* from 1 */
	char key[DEMON_STEP_KEY_LEN + 1]; /* the same in every attempt */
	bool idempotent;
	const char *name;
	const char *reference;
	const char *call;
};

/** Why a step failed. */
struct demon_run_error {
	const char *type; /* one of the below */
	const char *title;
	int status;
	char detail[1024]; /* UTF-8 */
};

#define DEMON_RUN_ERROR_RUNTIME "https://serverlessworkflow.io/spec/1.0.0/errors/runtime"
#define DEMON_RUN_ERROR_TIMEOUT "https://serverlessworkflow.io/spec/1.0.0/errors/timeout"

/** Sets @p e to a failed call with detail "code: message"; too long a text is cut. */
void demon_run_error_set(struct demon_run_error *e, bool timeout, const char *code,
			 const char *message);

/* Each appends one event to the group. */

void demon_run_event_started(struct demon_run_group *g, const struct demon_definition *definition);

/** @p input is canonical; a NULL span leaves it out. */
void demon_run_event_opened(struct demon_run_group *g, const struct demon_definition *definition,
			    const struct demon_run_options *options, struct demon_json_span input);

/** @p with is the arguments' canonical text. It is left out when the event would be too large:
 * the definition that the run carries holds it too. */
void demon_run_event_step_started(struct demon_run_group *g, const struct demon_run_step *step,
				  struct demon_json_span with);

/** @p output is the result envelope's canonical text. */
void demon_run_event_step_completed(struct demon_run_group *g, const struct demon_run_step *step,
				    struct demon_json_span output);

/** The same; the output is left out when the event would be too large. */
void demon_run_event_step_failed(struct demon_run_group *g, const struct demon_run_step *step,
				 struct demon_json_span output,
				 const struct demon_run_error *error);

void demon_run_event_transitioned(struct demon_run_group *g, const char *from, const char *to);

/** @p result is the `result` of the last step's envelope; a NULL span leaves outputs out. */
void demon_run_event_completed(struct demon_run_group *g, struct demon_json_span result);

void demon_run_event_failed(struct demon_run_group *g, const struct demon_run_error *error,
			    const char *instance);

void demon_run_event_suspended(struct demon_run_group *g, int64_t step_id, const char *reason,
			       const char *detail);

#endif
