/*
 * The interpreter. docs/journal.md lists what is on disk before and after each of its steps.
 */
#include "base/fault.h"
#include "run_exec.h"
#include "run_status.h"
#include "store/liveness.h"
#include "store/readers.h"
#include "store/store.h"

#include <poll.h>
#include <string.h>

/* How long a run that waits in this process sleeps before it looks round. */
#define NAP_MS 250

/* Whether the run is to be left before its next step. */
static bool is_stopped(const struct demon_exec *x)
{
	return x->watch->stop && x->watch->stop(x->watch->ctx);
}

enum demon_rc demon_exec_flush(struct demon_exec *x, struct demon_err *err)
{
	bool completed = x->completed;
	enum demon_rc rc = demon_run_journal_flush(&x->journal, err);

	if (rc)
		return rc;
	x->completed = false;
	if (completed && DEMON_FAULT(STEP_COMPLETED))
		return demon_err_set(err, DEMON_IO, "fault after the end of a step");
	return DEMON_OK;
}

/* Leaves the run as it stands, for somebody to take up. */
static enum demon_rc leave(struct demon_exec *x, struct demon_err *err)
{
	enum demon_rc rc = demon_exec_flush(x, err);

	if (rc)
		return rc;
	return demon_err_set(err, DEMON_CANCELED, "run '%s' is left for later",
			     x->state->id.run_id);
}

/* One turn of the wheel. *ret_wait: the run waits for a time. */
static enum demon_rc turn(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
{
	*ret_wait = false;
	switch (x->machine->control) {
	case DEMON_AT_START:
	case DEMON_AT_TASK:
		return demon_exec_enter(x, err);
	case DEMON_AT_LEAF:
		return demon_exec_leaf(x, ret_wait, err);
	case DEMON_AT_LIST_END:
		return demon_exec_list_end(x, err);
	case DEMON_AT_PAUSE:
		return demon_exec_pause(x, ret_wait, err);
	case DEMON_AT_END:
		return demon_exec_end(x, err);
	case DEMON_FAILING:
		return demon_exec_unwind(x, err);
	case DEMON_AT_DONE:
		break;
	}
	return DEMON_OK;
}

/* Sleeps a little; the time of the next look is the machine's, whatever the wall clock does. */
static void nap(const struct demon_exec *x, demon_time wake)
{
	int64_t left = wake - x->env->now(x->env->ctx);

	(void)poll(NULL, 0, left < NAP_MS ? (left > 0 ? (int)left : 0) : NAP_MS);
}

/* What a run that waits does in this process. *ret_leave: it goes on elsewhere, or later. */
static enum demon_rc wait_here(struct demon_exec *x, bool *ret_leave, struct demon_err *err)
{
	enum demon_rc rc = demon_exec_flush(x, err);

	*ret_leave = !x->watch->wait;
	if (rc || *ret_leave)
		return rc;
	if (is_stopped(x))
		return leave(x, err);
	nap(x, demon_exec_wake(x));
	if (!demon_exec_is_open(x, &x->reload))
		return x->journal.overtaken = true,
		       demon_err_set(err, DEMON_CONFLICT, "run '%s' is not open any more",
				     x->state->id.run_id);
	return DEMON_OK;
}

/* A leaf that was begun elsewhere is looked at before anything else is decided about the run. */
static bool may_stop(const struct demon_exec *x)
{
	enum demon_control at = x->machine->control;

	return at == DEMON_AT_TASK || at == DEMON_AT_START || at == DEMON_AT_LIST_END;
}

static enum demon_rc advance(struct demon_exec *x, bool *ret_leave, struct demon_err *err)
{
	bool raised = false;
	bool wait;
	enum demon_rc rc;

	if (x->machine->control != DEMON_FAILING &&
	    !(x->machine->control == DEMON_AT_LEAF && x->ours) && !demon_exec_is_unknown(x) &&
	    (rc = demon_exec_deadline(x, &raised, err)))
		return rc;
	if (raised)
		return DEMON_OK;
	if (may_stop(x) && is_stopped(x))
		return leave(x, err);
	if ((rc = turn(x, &wait, err)))
		return rc;
	if (wait)
		return wait_here(x, ret_leave, err);
	return demon_run_journal_full(&x->journal) ? demon_exec_flush(x, err) : DEMON_OK;
}

static enum demon_rc end(struct demon_exec *x, struct demon_err *err)
{
	struct demon_run_state *state = x->state;
	enum demon_rc rc = demon_exec_flush(x, err);
	const json_t *error = x->machine->error;

	if (rc)
		return rc;
	free(state->terminal);
	state->terminal = demon_take(x->journal.terminal);
	state->status = !error                             ? DEMON_RUN_COMPLETED
			: demon_run_error_is_denial(error) ? DEMON_RUN_DENIED
							   : DEMON_RUN_FAILED;
	if (DEMON_FAULT(RUN_ENDED))
		return demon_err_set(err, DEMON_IO, "fault after the end of a run");
	return DEMON_OK;
}

static enum demon_rc execute(struct demon_exec *x, struct demon_err *err)
{
	bool away = false;
	enum demon_rc rc;

	while (demon_run_status_running(x->state->status) && !away && !x->reload &&
	       x->machine->control != DEMON_AT_DONE)
		if ((rc = advance(x, &away, err)))
			return rc;
	if (away)
		x->state->status =
		    demon_machine_at_gate(x->machine) ? DEMON_RUN_AWAITING : DEMON_RUN_WAITING;
	return x->machine->control == DEMON_AT_DONE ? end(x, err) : DEMON_OK;
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

/* Begins where the run's events end. */
static void set_up(struct demon_exec *x, struct demon_store *store)
{
	const struct demon_machine *m = x->machine;
	unsigned char random[sizeof(x->nonce) / 2];

	x->env->random(x->env->ctx, random, sizeof(random));
	demon_hex(random, sizeof(random), x->nonce);
	x->journal = (struct demon_run_journal){
	    .store = store,
	    .run = &x->state->id,
	    .ritual_id = x->state->ritual_id,
	    .machine = x->machine,
	    .listener = x->watch->listener,
	    .ctx = x->watch->ctx,
	    .last = x->state->last,
	    .flushed_step = m->last_step,
	    .flushed_attempt = m->last_step == m->leaf.step_id ? m->leaf.attempt : 1,
	};
}

/* What others have decided meanwhile is told as if it had been appended here. */
static enum demon_rc tell_decision(struct demon_exec *x, struct demon_err *err)
{
	const json_t *decided = x->machine->leaf.decided;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if (!decided || !x->watch->listener)
		return DEMON_OK;
	if ((rc = demon_json_canonical(decided, &text, err)) || (rc = demon_buf_rc(&text, err)))
		return rc;
	x->watch->listener(x->watch->ctx, "approval.decided:v1", text.data, text.len);
	return DEMON_OK;
}

static enum demon_rc execute_claimed(struct demon_store *store, struct demon_run_state *state,
				     const struct demon_run_watch *watch, struct demon_err *err)
{
	const struct demon_run_id run = state->id;
	struct demon_exec x = {
	    .state = state,
	    .machine = &state->machine,
	    .env = demon_store_env(store),
	    .watch = watch,
	};
	enum demon_rc rc;

	do {
		bool again = x.reload;
		bool overtaken;

		x.reload = x.ours = x.completed = false;
		if ((rc = load(store, &run, true, state, err)) ||
		    (again && (rc = tell_decision(&x, err))))
			return rc;
		set_up(&x, store);
		rc = execute(&x, err);
		overtaken = rc == DEMON_CONFLICT && x.journal.overtaken;
		if (overtaken)
			rc = load(store, &run, true, state, err);
		x.reload |= overtaken && !demon_run_status_ended(state->status);
		demon_run_journal_done(&x.journal);
	} while (!rc && x.reload && !is_stopped(&x));
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
