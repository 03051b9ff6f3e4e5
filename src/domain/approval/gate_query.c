/*
 * Reading gates and votes.
 */
#include "gate.h"

#include "store/readers.h"

#include <stdio.h>
#include <string.h>

#define LIMIT 1000

#define COLUMNS                                                                                \
	"tenant_id, run_id, run_origin, gate_id, round, ritual_id, step_id, state, "           \
	"requested_at, expires_at, next_at, level, level_since, repeats, warned, decided_at, " \
	"opened, decided"
#define OF_RUN " FROM gates WHERE tenant_id = :tenant AND run_id = :run AND run_origin = :origin"

DEMON_SQL(sql_round, "SELECT " COLUMNS OF_RUN " AND gate_id = :gate AND round = :round");
DEMON_SQL(sql_last, "SELECT " COLUMNS OF_RUN " AND gate_id = :gate ORDER BY round DESC LIMIT 1");
DEMON_SQL(sql_pending, "SELECT " COLUMNS OF_RUN " AND state = 'pending' LIMIT 1");
DEMON_SQL(sql_run, "SELECT " COLUMNS OF_RUN " ORDER BY requested_at, gate_id, round LIMIT :limit");
DEMON_SQL(sql_list, "SELECT " COLUMNS " FROM gates WHERE tenant_id = :tenant "
		    "ORDER BY requested_at LIMIT :limit");
DEMON_SQL(sql_list_pending, "SELECT " COLUMNS " FROM gates WHERE tenant_id = :tenant "
			    "AND state = 'pending' ORDER BY requested_at LIMIT :limit");
DEMON_SQL(sql_votes, "SELECT approver, decision, auth, note, seen, ts, origin, hash FROM votes "
		     "WHERE tenant_id = :tenant AND run_id = :run AND run_origin = :origin "
		     "AND gate_id = :gate AND round = :round ORDER BY clock, origin, hash");

static const char *const states[] = {"pending", "granted", "denied", "overridden"};

const char *demon_gate_state_name(enum demon_gate_state state)
{
	return states[state];
}

int demon_gate_state_find(const char *name)
{
	for (int i = 0; name && i < (int)demon_count(states); i++)
		if (strcmp(states[i], name) == 0)
			return i;
	return -1;
}

void demon_gate_done(struct demon_gate *gate)
{
	json_decref(gate->opened);
	json_decref(gate->decided);
	*gate = (struct demon_gate){.round = 0};
}

static void copy_id(char *to, size_t size, const struct demon_stmt *q, int col)
{
	(void)snprintf(to, size, "%s", demon_col_str(q, col));
}

static enum demon_rc read_payload(const struct demon_stmt *q, int col, json_t **ret,
				  struct demon_err *err)
{
	if (demon_col_is_null(q, col))
		return DEMON_OK;
	return demon_json_parse(demon_col_str(q, col), demon_col_len(q, col),
				&demon_json_payload_limits, ret, err);
}

static enum demon_rc read_gate(const struct demon_stmt *q, struct demon_gate *gate,
			       struct demon_err *err)
{
	int state = demon_gate_state_find(demon_col_str(q, 7));
	enum demon_rc rc;

	*gate = (struct demon_gate){
	    .round = demon_col_i64(q, 4),
	    .step_id = demon_col_i64(q, 6),
	    .state = state < 0 ? DEMON_GATE_DENIED : (enum demon_gate_state)state,
	    .requested_at = demon_col_i64(q, 8),
	    .expires_at = demon_col_i64(q, 9),
	    .next_at = demon_col_i64(q, 10),
	    .level = demon_col_i64(q, 11),
	    .level_since = demon_col_i64(q, 12),
	    .repeats = demon_col_i64(q, 13),
	    .warned = demon_col_i64(q, 14),
	    .decided_at = demon_col_i64(q, 15),
	};
	copy_id(gate->run.tenant_id, sizeof(gate->run.tenant_id), q, 0);
	copy_id(gate->run.run_id, sizeof(gate->run.run_id), q, 1);
	if (demon_col_len(q, 2) == sizeof(gate->run.origin))
		memcpy(gate->run.origin, demon_col_blob(q, 2), sizeof(gate->run.origin));
	copy_id(gate->gate_id, sizeof(gate->gate_id), q, 3);
	copy_id(gate->ritual_id, sizeof(gate->ritual_id), q, 5);
	if ((rc = read_payload(q, 16, &gate->opened, err)) ||
	    (rc = read_payload(q, 17, &gate->decided, err)))
		demon_gate_done(gate);
	return rc;
}

static void bind_run(struct demon_stmt *q, const struct demon_run_id *run)
{
	demon_bind_str(q, ":tenant", run->tenant_id);
	demon_bind_str(q, ":run", run->run_id);
	demon_bind_blob(q, ":origin", run->origin, sizeof(run->origin));
}

static enum demon_rc read_one(struct demon_stmt *q, const struct demon_run_id *run,
			      const char *gate_id, struct demon_gate *ret_gate,
			      struct demon_err *err)
{
	enum demon_rc rc;
	bool row;

	demon_gate_done(ret_gate);
	if ((rc = demon_step(q, &row, err)))
		return rc;
	if (row)
		return read_gate(q, ret_gate, err);
	if (gate_id)
		return demon_err_set(err, DEMON_NOTFOUND, "run '%s' has no gate '%s'", run->run_id,
				     gate_id);
	return demon_err_set(err, DEMON_NOTFOUND, "run '%s' waits at no gate", run->run_id);
}

enum demon_rc demon_gate_find(struct demon_db *db, const struct demon_run_id *run,
			      const char *gate_id, int64_t round, struct demon_gate *ret_gate,
			      struct demon_err *err)
{
	DEMON_STMT(q, db, round ? &sql_round : &sql_last);

	bind_run(&q, run);
	demon_bind_str(&q, ":gate", gate_id);
	if (round)
		demon_bind_i64(&q, ":round", round);
	return read_one(&q, run, gate_id, ret_gate, err);
}

enum demon_rc demon_gate_pending(struct demon_db *db, const struct demon_run_id *run,
				 struct demon_gate *ret_gate, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_pending);

	bind_run(&q, run);
	return read_one(&q, run, NULL, ret_gate, err);
}

static bool is_wanted(const struct demon_gate_filter *filter, const struct demon_gate *gate)
{
	return !filter->pending || gate->state == DEMON_GATE_PENDING;
}

enum demon_rc demon_gate_list(struct demon_store *store, const struct demon_gate_filter *filter,
			      demon_gate_fn *fn, void *ctx, struct demon_err *err)
{
	const char *tenant = filter->tenant_id ? filter->tenant_id : "default";
	enum demon_rc rc;
	bool row;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db,
		   filter->run       ? &sql_run
		   : filter->pending ? &sql_list_pending
				     : &sql_list);
	if (filter->run)
		bind_run(&q, filter->run);
	else
		demon_bind_str(&q, ":tenant", tenant);
	demon_bind_i64(&q, ":limit", filter->limit ? (int64_t)filter->limit : LIMIT);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		DEMON_GATE(gate);

		if ((rc = read_gate(&q, &gate, err)) ||
		    (is_wanted(filter, &gate) && (rc = fn(ctx, &gate, err))))
			return rc;
	}
	return rc;
}

static enum demon_rc read_vote(const struct demon_stmt *q, struct demon_vote_row *ret,
			       struct demon_err *err)
{
	*ret = (struct demon_vote_row){
	    .approver = demon_col_str(q, 0),
	    .decision = demon_col_str(q, 1),
	    .note = demon_col_str(q, 3),
	    .seen = demon_col_str(q, 4),
	    .ts = demon_col_i64(q, 5),
	};
	if (demon_col_len(q, 6) == sizeof(ret->origin))
		memcpy(ret->origin, demon_col_blob(q, 6), sizeof(ret->origin));
	if (demon_col_len(q, 7) == sizeof(ret->hash))
		memcpy(ret->hash, demon_col_blob(q, 7), sizeof(ret->hash));
	return demon_auth_find(demon_col_str(q, 2), &ret->auth, err);
}

enum demon_rc demon_gate_votes(struct demon_db *db, const struct demon_gate *gate,
			       demon_vote_fn *fn, void *ctx, struct demon_err *err)
{
	struct demon_vote_row vote;
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_votes);

	bind_run(&q, &gate->run);
	demon_bind_str(&q, ":gate", gate->gate_id);
	demon_bind_i64(&q, ":round", gate->round);
	while (!(rc = demon_step(&q, &row, err)) && row)
		if ((rc = read_vote(&q, &vote, err)) || (rc = fn(ctx, &vote, err)))
			return rc;
	return rc;
}
