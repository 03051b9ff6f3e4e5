/*
 * The interpreter. docs/journal.md lists what is on disk before and after each of its steps.
 */
#include "base/fault.h"
#include "domain/capsule/capsule.h"
#include "run_flow.h"
#include "run_journal.h"
#include "run_status.h"
#include "run_step.h"
#include "store/liveness.h"
#include "store/readers.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

struct execution {
	struct demon_run_state *state;
	struct demon_run_journal journal;
	const struct demon_env *env;
	const struct demon_task *task; /* of the step in flight */
	const struct demon_run_watch *watch;
};

/* Whether the run is to be left before its next step. */
static bool is_stopped(const struct execution *x)
{
	return x->watch->stop && x->watch->stop(x->watch->ctx);
}

static enum demon_rc left(const struct execution *x, struct demon_err *err)
{
	return demon_err_set(err, DEMON_CANCELED, "run '%s' is left for later",
			     x->state->id.run_id);
}

/* @p g with the start of @p step is durable: that step is in flight. */
static enum demon_rc now_in_flight(struct execution *x, const struct demon_run_group *g,
				   const struct demon_task *task, const struct demon_run_step *step,
				   struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_run_state_step(x->state, step, err)))
		return rc;
	x->task = task;
	x->state->last = g->ts;
	if (DEMON_FAULT(STEP_STARTED))
		return demon_err_set(err, DEMON_IO, "fault after the start of a step");
	return DEMON_OK;
}

/* The terminal event, the last of @p g, is durable. */
static enum demon_rc now_ended(struct execution *x, const struct demon_run_group *g,
			       const char *status, struct demon_err *err)
{
	struct demon_run_state *state = x->state;
	const struct demon_buf *payload = &g->payloads[g->count - 1];

	state->status = status;
	free(state->terminal);
	state->terminal = demon_strndup(payload->data, payload->len);
	if (!state->terminal)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the result of a run");
	if (DEMON_FAULT(RUN_ENDED))
		return demon_err_set(err, DEMON_IO, "fault after the end of a run");
	return DEMON_OK;
}

static enum demon_rc suspend(struct execution *x, struct demon_err *err)
{
	const struct demon_run_step *step = &x->state->step;
	char detail[256];
	DEMON_RUN_GROUP(g);
	enum demon_rc rc;

	(void)snprintf(detail, sizeof(detail),
		       "step %lld was in flight when its process ended, and is not idempotent",
		       (long long)step->step_id);
	demon_run_journal_begin(&x->journal, &g);
	demon_run_event_suspended(&g, step->step_id, "step_in_flight", detail);
	if ((rc = demon_run_journal_append(&x->journal, &g, err)))
		return rc;
	x->state->status = DEMON_RUN_SUSPENDED;
	return DEMON_OK;
}

/* What the run is to do next after its events were read: a step to start, or NULL. */
static enum demon_rc next_step(const struct execution *x, const struct demon_task **ret_task,
			       struct demon_run_step *step, struct demon_err *err)
{
	const struct demon_run_state *state = x->state;

	if (state->phase == DEMON_RUN_IN_FLIGHT) {
		*ret_task = demon_flow_find(state->definition, state->reference);
		if (!*ret_task)
			return demon_err_set(err, DEMON_CORRUPT,
					     "run '%s': its definition has no task '%s'",
					     state->id.run_id, state->reference);
		*step = state->step;
		step->attempt++;
		step->call = (*ret_task)->capsule->name;
		return DEMON_OK;
	}
	*ret_task = state->phase == DEMON_RUN_NO_STEP
			? demon_flow_first(state->definition)
			: demon_flow_after(state->definition, state->reference);
	if (!*ret_task)
		return DEMON_OK;
	return demon_run_step_make(&state->id, *ret_task, state->step.step_id + 1, step, err);
}

/* Starts the step at which a run begins or goes on; ends a run that has nothing left to do. */
static enum demon_rc begin(struct execution *x, struct demon_err *err)
{
	const struct demon_run_state *state = x->state;
	const struct demon_task *task;
	struct demon_run_step step;
	DEMON_RUN_GROUP(g);
	enum demon_rc rc;

	if (state->phase == DEMON_RUN_IN_FLIGHT && !state->step.idempotent)
		return suspend(x, err);
	if ((rc = next_step(x, &task, &step, err)))
		return rc;
	demon_run_journal_begin(&x->journal, &g);
	if (!task) {
		demon_run_event_completed(
		    &g, (struct demon_json_span){state->result, state->result_len});
		if ((rc = demon_run_journal_append(&x->journal, &g, err)))
			return rc;
		return now_ended(x, &g, DEMON_RUN_COMPLETED, err);
	}
	if ((rc = demon_run_step_announce(&g, &step, task->with.json, err)) ||
	    (rc = demon_run_journal_append(&x->journal, &g, err)))
		return rc;
	return now_in_flight(x, &g, task, &step, err);
}

/* Calls the capsule; @p ret_output gets the envelope's canonical text. */
static enum demon_rc call(const struct execution *x, struct demon_buf *ret_output,
			  struct demon_err *err)
{
	const struct demon_run_state *state = x->state;
	const struct demon_call call = {
	    .env = x->env,
	    .with = x->task->with.json,
	    .input = state->input,
	    .tenant_id = state->id.tenant_id,
	    .ritual_id = state->ritual_id,
	    .run_id = state->id.run_id,
	    .step_name = state->name,
	    .idempotency_key = state->step.key,
	    .attempt = (unsigned)state->step.attempt,
	};
	json_auto_t *envelope = NULL;

	if (x->task->capsule->run(&call, &envelope, err) ||
	    demon_json_canonical(envelope, ret_output, err) || demon_buf_rc(ret_output, err))
		return demon_err_wrap(err, "step '%s'", state->name);
	if (DEMON_FAULT(STEP_RAN))
		return demon_err_set(err, DEMON_IO, "fault after a step has run");
	return DEMON_OK;
}

/* Capsules name the cause in capitals: EXEC_TIMEOUT. */
static bool is_timeout(const char *code)
{
	static const char ending[] = "TIMEOUT";
	size_t len = strlen(code);

	return len >= sizeof(ending) - 1 && strcmp(code + len - (sizeof(ending) - 1), ending) == 0;
}

/* True when the envelope reports success; else @p error is what it reports. */
static bool succeeded(struct demon_json_span result, struct demon_run_error *error)
{
	struct demon_json_span cause;
	DEMON_BUF(code, 0);
	DEMON_BUF(message, 0);

	if (demon_json_span_true(demon_json_member(result.at, result.len, "success")))
		return true;
	cause = demon_json_member(result.at, result.len, "error");
	if (!demon_json_span_str(demon_json_member(cause.at, cause.len, "code"), &code) ||
	    !demon_json_span_str(demon_json_member(cause.at, cause.len, "message"), &message))
		demon_run_error_set(error, false, "NO_RESULT",
				    "the call has not answered with a result");
	else
		demon_run_error_set(error, is_timeout(code.data), code.data, message.data);
	return false;
}

static enum demon_rc fail(struct execution *x, struct demon_json_span output,
			  const struct demon_run_error *error, struct demon_err *err)
{
	const struct demon_run_step *step = &x->state->step;
	DEMON_RUN_GROUP(g);
	enum demon_rc rc;

	demon_run_journal_begin(&x->journal, &g);
	demon_run_event_step_failed(&g, step, output, error);
	demon_run_event_failed(&g, error, step->reference);
	if ((rc = demon_run_journal_append(&x->journal, &g, err)))
		return rc;
	if (DEMON_FAULT(STEP_COMPLETED))
		return demon_err_set(err, DEMON_IO, "fault after the end of a step");
	return now_ended(x, &g, DEMON_RUN_FAILED, err);
}

/* The step's result, with the start of the next step or the end of the run, in one group. */
static enum demon_rc complete(struct execution *x, struct demon_json_span output,
			      struct demon_json_span result, struct demon_err *err)
{
	struct demon_run_state *state = x->state;
	const struct demon_task *next = demon_flow_after(state->definition, state->reference);
	bool stopped = next && is_stopped(x);
	struct demon_run_step step;
	DEMON_RUN_GROUP(g);
	enum demon_rc rc;

	demon_run_journal_begin(&x->journal, &g);
	demon_run_event_step_completed(&g, &state->step, output);
	if (next) {
		demon_run_event_transitioned(&g, state->name, next->name);
		if (!stopped && ((rc = demon_run_step_make(&state->id, next,
							   state->step.step_id + 1, &step, err)) ||
				 (rc = demon_run_step_announce(&g, &step, next->with.json, err))))
			return rc;
	} else {
		demon_run_event_completed(&g, result);
	}
	if ((rc = demon_run_journal_append(&x->journal, &g, err)))
		return rc;
	state->phase = DEMON_RUN_STEP_DONE;
	if (DEMON_FAULT(STEP_COMPLETED))
		return demon_err_set(err, DEMON_IO, "fault after the end of a step");
	if (!next)
		return now_ended(x, &g, DEMON_RUN_COMPLETED, err);
	return stopped ? left(x, err) : now_in_flight(x, &g, next, &step, err);
}

/* Runs the step in flight and journals how it ended. */
static enum demon_rc perform(struct execution *x, struct demon_err *err)
{
	struct demon_run_error error;
	struct demon_json_span output;
	struct demon_json_span result;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = call(x, &text, err)))
		return rc;
	output = (struct demon_json_span){text.data, text.len};
	result = demon_json_member(text.data, text.len, "result");
	if (!succeeded(result, &error))
		return fail(x, output, &error, err);
	rc = complete(x, output, result, err);
	if (rc != DEMON_TOOBIG && rc != DEMON_INVALID)
		return rc;
	demon_run_error_set(&error, false,
			    rc == DEMON_TOOBIG ? "OUTPUT_TOO_LARGE" : "OUTPUT_INVALID", err->msg);
	return fail(x, (struct demon_json_span){0}, &error, err);
}

static enum demon_rc execute(struct execution *x, struct demon_err *err)
{
	enum demon_rc rc;

	if (!demon_run_status_running(x->state->status))
		return DEMON_OK;
	if (is_stopped(x))
		return left(x, err);
	if ((rc = begin(x, err)))
		return rc;
	while (demon_run_status_running(x->state->status))
		if ((rc = perform(x, err)))
			return rc;
	return DEMON_OK;
}

/* Reads a run anew: its row, and its events too when @p fold. */
static enum demon_rc load(struct demon_store *store, const struct demon_run_id *run, bool fold,
			  struct demon_run_state *state, struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_READ(loan);

	demon_run_state_done(state);
	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_run_state_find(loan.db, run, state, err)))
		return rc;
	return fold || demon_run_status_ended(state->status) ? demon_run_fold(loan.db, state, err)
							     : DEMON_OK;
}

static enum demon_rc execute_claimed(struct demon_store *store, struct demon_run_state *state,
				     const struct demon_run_watch *watch, struct demon_err *err)
{
	const struct demon_run_id run = state->id;
	struct execution x = {
	    .state = state,
	    .journal = {.store = store,
			.state = state,
			.listener = watch->listener,
			.ctx = watch->ctx},
	    .env = demon_store_env(store),
	    .watch = watch,
	};
	enum demon_rc rc;

	if ((rc = load(store, &run, true, state, err)))
		return rc;
	rc = execute(&x, err);
	if (rc == DEMON_CONFLICT && x.journal.overtaken)
		rc = load(store, &run, true, state, err);
	return rc;
}

/* Executes a run that has not ended, as the one who holds it. */
static enum demon_rc hold(struct demon_store *store, struct demon_run_state *state,
			  const struct demon_run_watch *watch, struct demon_err *err)
{
	int64_t scope = state->scope;
	enum demon_rc rc;

	if (!watch->claimed && demon_store_claim(store, scope, err))
		return demon_err_wrap(err, "run '%s'", state->id.run_id);
	rc = execute_claimed(store, state, watch, err);
	demon_store_unclaim(store, scope);
	return rc;
}

enum demon_rc demon_run_execute_watched(struct demon_store *store, const struct demon_run_id *run,
					const struct demon_run_watch *watch,
					struct demon_run_outcome *ret_outcome,
					struct demon_err *err)
{
	DEMON_RUN_STATE(state);
	enum demon_rc rc;

	if (memcmp(run->origin, demon_store_origin(store), sizeof(run->origin)) != 0)
		return demon_err_set(err, DEMON_NOTFOUND, "run '%s' belongs to another node",
				     run->run_id);
	if ((rc = load(store, run, false, &state, err)))
		return rc;
	if (!demon_run_status_ended(state.status)) {
		if ((rc = hold(store, &state, watch, err)))
			return rc;
	} else if (watch->claimed) {
		demon_store_unclaim(store, state.scope);
	}
	ret_outcome->status = state.status;
	ret_outcome->terminal = demon_take(state.terminal);
	return DEMON_OK;
}

enum demon_rc demon_run_execute(struct demon_store *store, const struct demon_run_id *run,
				demon_run_listener_fn *listener, void *ctx,
				struct demon_run_outcome *ret_outcome, struct demon_err *err)
{
	const struct demon_run_watch watch = {.listener = listener, .ctx = ctx};

	return demon_run_execute_watched(store, run, &watch, ret_outcome, err);
}
