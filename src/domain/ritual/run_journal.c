#include "run_journal.h"

#include "run_status.h"
#include "store/store.h"

/* A result that could not be written because others write may be the only copy of what happened:
 * it is offered again before the step is given up as in flight. */
#define BUSY_TRIES 6

DEMON_SQL(sql_status, "SELECT status FROM runs WHERE tenant_id = :tenant AND run_id = :run "
		      "AND run_origin = :origin");
DEMON_SQL(sql_last_step, "SELECT step_id, attempt FROM steps WHERE tenant_id = :tenant "
			 "AND run_id = :run AND run_origin = :origin "
			 "ORDER BY step_id DESC LIMIT 1");

struct append {
	struct demon_run_journal *journal;
	const struct demon_group *group;
	bool overtaken;
};

static void bind_run(struct demon_stmt *q, const struct demon_run_id *run)
{
	demon_bind_str(q, ":tenant", run->tenant_id);
	demon_bind_str(q, ":run", run->run_id);
	demon_bind_blob(q, ":origin", run->origin, sizeof(run->origin));
}

static enum demon_rc check_status(struct demon_db *db, struct append *a, struct demon_err *err)
{
	const struct demon_run_id *run = &a->journal->state->id;
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_status);

	bind_run(&q, run);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "run '%s' is gone", run->run_id);
	if (demon_run_status_running(demon_col_str(&q, 0)))
		return DEMON_OK;
	a->overtaken = true;
	return demon_err_set(err, DEMON_CONFLICT, "run '%s' is %s now", run->run_id,
			     demon_col_str(&q, 0));
}

static enum demon_rc check_step(struct demon_db *db, const struct demon_run_state *state,
				struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	int64_t step_id = 0;
	int64_t attempt = 0;
	DEMON_STMT(q, db, &sql_last_step);

	bind_run(&q, &state->id);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (row) {
		step_id = demon_col_i64(&q, 0);
		attempt = demon_col_i64(&q, 1);
	}
	if (step_id != state->step.step_id || attempt != state->step.attempt)
		return demon_err_set(err, DEMON_CONFLICT, "run '%s' is executed by another",
				     state->id.run_id);
	return DEMON_OK;
}

static enum demon_rc append(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct append *a = ctx;
	struct demon_db *db = demon_write_db(w);
	enum demon_rc rc;

	a->overtaken = false;
	if ((rc = check_status(db, a, err)) || (rc = check_step(db, a->journal->state, err)))
		return rc;
	return demon_write_append(w, a->group, NULL, err);
}

void demon_run_journal_begin(const struct demon_run_journal *journal, struct demon_run_group *g)
{
	const struct demon_env *env = demon_store_env(journal->store);
	const struct demon_run_state *state = journal->state;
	demon_time now = env->now(env->ctx);

	demon_run_group_begin(g, &state->id, state->ritual_id,
			      now > state->last ? now : state->last);
}

enum demon_rc demon_run_journal_append(struct demon_run_journal *journal, struct demon_run_group *g,
				       struct demon_err *err)
{
	struct demon_group group = {
	    .stream = DEMON_STREAM_RITUAL, .ts = g->ts, .records = g->records, .count = g->count};
	struct append a = {.journal = journal, .group = &group};
	enum demon_rc rc;

	if ((rc = demon_run_group_rc(g, err)))
		return rc;
	for (unsigned i = 0; i < BUSY_TRIES; i++) {
		rc = demon_store_write_repeatable(journal->store, append, &a, err);
		if (rc != DEMON_BUSY)
			break;
	}
	journal->overtaken = a.overtaken;
	for (size_t i = 0; !rc && journal->listener && i < g->count; i++)
		journal->listener(journal->ctx, g->records[i].type, g->payloads[i].data,
				  g->payloads[i].len);
	return rc;
}
