#include "run_control.h"

#include "base/bytes.h"
#include "base/json.h"
#include "domain/approval/vote.h"
#include "run_checkpoint.h"
#include "run_state.h"
#include "run_status.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/write.h"

#include <string.h>

#define LISTED 10 /* steps of one name, in a message */

DEMON_SQL(sql_last_ts, "SELECT e.ts FROM log_events e WHERE e.scope_id = :scope "
		       "ORDER BY e.seq DESC LIMIT 1");
DEMON_SQL(sql_step_named, "SELECT step_id, iteration FROM steps WHERE tenant_id = :tenant "
			  "AND run_id = :run AND run_origin = :origin "
			  "AND (name = :step OR reference = :step) ORDER BY step_id");
DEMON_SQL(sql_step_id, "SELECT step_id FROM steps WHERE tenant_id = :tenant AND run_id = :run "
		       "AND run_origin = :origin AND step_id = :step");

/* An event about a run that an operator causes. */
struct act {
	const struct demon_env *env;
	const struct demon_run_id *run;
	const struct demon_run_request *request;
	const char *type;
	const char *reason; /* when the request has none */
	/* whether the run may be acted on; *ret_done: there is nothing to do */
	enum demon_rc (*check)(const struct demon_run_state *state, bool *ret_done,
			       struct demon_err *err);
	bool ends; /* the run */
	bool changed;
};

static enum demon_rc own(const unsigned char *origin, const struct demon_run_id *run,
			 struct demon_err *err)
{
	if (memcmp(origin, run->origin, sizeof(run->origin)) == 0)
		return DEMON_OK;
	return demon_err_set(err, DEMON_DENIED, "run '%s' belongs to another node", run->run_id);
}

/* No event of a run has an earlier time than one before it. */
static enum demon_rc time_of(struct demon_db *db, const struct act *a, int64_t scope,
			     demon_time *ret, struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_last_ts);

	*ret = a->env->now(a->env->ctx);
	demon_bind_i64(&q, ":scope", scope);
	if (!(rc = demon_step(&q, &row, err)) && row && demon_col_i64(&q, 0) > *ret)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

static enum demon_rc append(struct demon_write *w, const struct act *a,
			    const struct demon_run_state *state, demon_time ts,
			    struct demon_err *err)
{
	const char *reason = a->request->reason ? a->request->reason : a->reason;
	struct demon_record record = {.type = a->type,
				      .tenant_id = a->run->tenant_id,
				      .ritual_id = state->ritual_id,
				      .run_id = a->run->run_id};
	const struct demon_group group = {
	    .stream = DEMON_STREAM_RITUAL, .ts = ts, .records = &record, .count = 1};
	DEMON_BUF(payload, demon_json_payload_limits.max_bytes);
	struct demon_jw j = demon_jw_begin(&payload);
	enum demon_rc rc;

	demon_jw_str(&j, "by", a->request->by);
	demon_jw_str(&j, "event", a->type);
	demon_jw_str(&j, "reason", reason);
	demon_jw_str(&j, "ritualId", state->ritual_id);
	demon_jw_str(&j, "runId", a->run->run_id);
	demon_jw_str(&j, "tenantId", a->run->tenant_id);
	demon_jw_time(&j, "ts", ts);
	demon_jw_end(&j);
	if ((rc = demon_buf_rc(&payload, err)))
		return rc;
	record.payload = payload.data;
	record.payload_len = payload.len;
	return demon_write_append(w, &group, NULL, err);
}

static enum demon_rc act(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct act *a = ctx;
	struct demon_db *db = demon_write_db(w);
	DEMON_RUN_STATE(state);
	demon_time ts;
	bool done = false;
	enum demon_rc rc;

	a->changed = false;
	if ((rc = own(demon_write_origin(w), a->run, err)) ||
	    (rc = demon_run_state_find(db, a->run, &state, err)) ||
	    (rc = a->check(&state, &done, err)) || done ||
	    (rc = time_of(db, a, state.scope, &ts, err)) ||
	    (a->ends && (rc = demon_gate_close(w, a->run, "the run was canceled", ts, err))) ||
	    (rc = append(w, a, &state, ts, err)))
		return rc;
	a->changed = true;
	return DEMON_OK;
}

static enum demon_rc may_cancel(const struct demon_run_state *state, bool *ret_done,
				struct demon_err *err)
{
	*ret_done = strcmp(state->status, DEMON_RUN_CANCELED) == 0;
	if (*ret_done || !demon_run_status_ended(state->status))
		return DEMON_OK;
	return demon_err_set(err, DEMON_CONFLICT, "run '%s' has ended: it is %s", state->id.run_id,
			     state->status);
}

enum demon_rc demon_run_cancel(struct demon_store *store, const struct demon_run_id *run,
			       const struct demon_run_request *request, bool *ret_changed,
			       struct demon_err *err)
{
	struct act a = {.env = demon_store_env(store),
			.run = run,
			.request = request,
			.type = "ritual.canceled:v1",
			.reason = "user-request",
			.ends = true,
			.check = may_cancel};
	enum demon_rc rc = demon_store_write_repeatable(store, act, &a, err);

	*ret_changed = a.changed;
	return rc;
}

static enum demon_rc may_resume(const struct demon_run_state *state, bool *ret_done,
				struct demon_err *err)
{
	*ret_done = false;
	if (strcmp(state->status, DEMON_RUN_SUSPENDED) == 0)
		return DEMON_OK;
	return demon_err_set(err, DEMON_CONFLICT, "run '%s' is not suspended: it is %s",
			     state->id.run_id, state->status);
}

enum demon_rc demon_run_resume(struct demon_store *store, const struct demon_run_id *run,
			       const struct demon_run_request *request, struct demon_err *err)
{
	struct act a = {.env = demon_store_env(store),
			.run = run,
			.request = request,
			.type = "ritual.resumed:v1",
			.reason = "the step in flight is to run again",
			.check = may_resume};

	return demon_store_write_repeatable(store, act, &a, err);
}

static void bind_run(struct demon_stmt *q, const struct demon_run_id *run)
{
	demon_bind_str(q, ":tenant", run->tenant_id);
	demon_bind_str(q, ":run", run->run_id);
	demon_bind_blob(q, ":origin", run->origin, sizeof(run->origin));
}

/* The only step of that name or reference. */
static enum demon_rc find_named(struct demon_db *db, const struct demon_run_id *run,
				const char *step, int64_t *ret_id, struct demon_err *err)
{
	DEMON_BUF(ids, 0);
	size_t count = 0;
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_step_named);

	bind_run(&q, run);
	demon_bind_str(&q, ":step", step);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		*ret_id = demon_col_i64(&q, 0);
		if (count++ >= LISTED)
			continue;
		demon_buf_fmt(&ids, " %lld", (long long)*ret_id);
		if (!demon_col_is_null(&q, 1))
			demon_buf_fmt(&ids, " (round %lld)", (long long)demon_col_i64(&q, 1));
	}
	if (rc || (rc = demon_buf_rc(&ids, err)))
		return rc;
	if (count == 0)
		return demon_err_set(err, DEMON_NOTFOUND, "run '%s' has no step '%.64s'",
				     run->run_id, step);
	if (count > 1)
		return demon_err_set(
		    err, DEMON_CONFLICT, "run '%s' has %zu steps '%.64s', say which by id:%s%s",
		    run->run_id, count, step, ids.data, count > LISTED ? " ..." : "");
	return DEMON_OK;
}

static enum demon_rc find_step(struct demon_db *db, const struct demon_run_id *run,
			       const char *step, int64_t *ret_id, struct demon_err *err)
{
	char *end;
	long long id = strtoll(step, &end, 10);
	enum demon_rc rc;
	bool row = false;
	DEMON_STMT(q, db, &sql_step_id);

	if (end != step && !*end) {
		bind_run(&q, run);
		demon_bind_i64(&q, ":step", id);
		if ((rc = demon_step(&q, &row, err)))
			return rc;
	}
	if (!row) /* a name may consist of digits too */
		return find_named(db, run, step, ret_id, err);
	*ret_id = id;
	return DEMON_OK;
}

/* Reads the run anew, up to before step @p until, or before its end. */
static enum demon_rc read_until(struct demon_db *db, const struct demon_run_id *run,
				struct demon_run_state *state, int64_t until, struct demon_err *err)
{
	enum demon_rc rc;

	demon_run_state_done(state);
	if ((rc = demon_run_state_find(db, run, state, err)))
		return rc;
	state->until = until;
	if ((rc = demon_run_fold(db, state, err)))
		return rc;
	if (!state->stopped)
		return demon_err_set(err, DEMON_CONFLICT,
				     "step %lld was under way when run '%s' began: try the run "
				     "again that began it",
				     (long long)until, run->run_id);
	return DEMON_OK;
}

/* The step that a run ended with, or 0: it was canceled before one began. */
static enum demon_rc find_ender(const struct demon_run_state *state, const char *status,
				int64_t *ret_id, struct demon_err *err)
{
	*ret_id = state->ender;
	if (state->ender || strcmp(status, DEMON_RUN_CANCELED) == 0)
		return DEMON_OK;
	return demon_err_set(err, DEMON_CONFLICT,
			     "no step of run '%s' has failed: say from which one on it is to be "
			     "tried again",
			     state->id.run_id);
}

/* Reads the run up to before step *id; 0: the one that it ended with, which *id then is. */
static enum demon_rc read_before(struct demon_db *db, const struct demon_run_id *run,
				 struct demon_run_state *state, int64_t *id, struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_run_state_find(db, run, state, err)))
		return rc;
	if (!demon_run_status_ended(state->status) ||
	    strcmp(state->status, DEMON_RUN_COMPLETED) == 0)
		return demon_err_set(err, DEMON_CONFLICT,
				     "run '%s' is %s: only a run that has failed or was canceled "
				     "can be tried again",
				     run->run_id, state->status);
	if (*id == 0 && ((rc = demon_run_fold(db, state, err)) ||
			 (rc = find_ender(state, state->status, id, err))))
		return rc;
	return read_until(db, run, state, *id ? *id : DEMON_RUN_UNTIL_END, err);
}

/* Where the run stood, its times counted from now on, as canonical text. */
static enum demon_rc checkpoint(const struct demon_run_state *state, demon_time now,
				struct demon_buf *out, demon_time *ret_wake, struct demon_err *err)
{
	const struct demon_machine *m = &state->machine;
	json_auto_t *saved = NULL;
	int64_t shift = now > state->last ? now - state->last : 0;
	enum demon_rc rc;

	*ret_wake = m->control == DEMON_AT_PAUSE ? m->frames[m->depth - 1].wake + shift : 0;
	if ((rc = demon_machine_save(m, state->input, shift, &saved, err)) ||
	    (rc = demon_json_canonical(saved, out, err)))
		return rc;
	return demon_buf_rc(out, err);
}

enum demon_rc demon_run_retry(struct demon_store *store, const struct demon_run_id *run,
			      const char *step, const struct demon_run_options *options,
			      struct demon_run_id *ret_run, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct demon_run_options again = *options;
	struct demon_run_retry retry = {.of = run};
	DEMON_RUN_STATE(state);
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = own(demon_store_origin(store), run, err)))
		return rc;
	{
		DEMON_READ(loan);

		if ((rc = demon_store_borrow(store, &loan, err)) ||
		    (step && (rc = find_step(loan.db, run, step, &retry.step_id, err))) ||
		    (rc = read_before(loan.db, run, &state, &retry.step_id, err)))
			return rc;
	}
	if ((rc = checkpoint(&state, env->now(env->ctx), &text, &retry.wake, err)))
		return rc;
	retry.state = text.data;
	again.tenant_id = run->tenant_id;
	again.input = state.input;
	again.retry = &retry;
	rc = demon_run_start(store, state.definition, &again, ret_run, err);
	if (rc == DEMON_TOOBIG)
		return demon_err_set(err, rc,
				     "where run '%s' stood does not fit into an event (%zu bytes): "
				     "try it again from an earlier step, or start it anew",
				     run->run_id, text.len);
	return rc;
}
