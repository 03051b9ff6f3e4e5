#include "run_state.h"
#include "run_status.h"
#include "store/log.h"

#include <stdio.h>
#include <string.h>

DEMON_SQL(sql_find, "SELECT r.ritual_id, r.status, s.id FROM runs r JOIN log_scopes s "
		    "ON s.run_id = r.run_id AND s.tenant_id = r.tenant_id "
		    "AND s.run_origin = r.run_origin AND s.ritual_id = r.ritual_id "
		    "WHERE r.tenant_id = :tenant AND r.run_id = :run AND r.run_origin = :origin");
DEMON_SQL(sql_events, "SELECT t.name, e.ts, e.payload FROM log_events e "
		      "JOIN log_types t ON t.id = e.type_id WHERE e.scope_id = :scope "
		      "ORDER BY e.seq");

/** What an event's part of the fold reads. */
struct event {
	const char *type;
	const char *payload;
	size_t len;
};

static enum demon_rc damaged(const struct event *ev, const char *member, struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "event %s: '%s' is missing or wrong", ev->type,
			     member);
}

static struct demon_json_span member(const struct event *ev, const char *key)
{
	return demon_json_member(ev->payload, ev->len, key);
}

static enum demon_rc text_of(const struct event *ev, const char *key, struct demon_buf *out,
			     struct demon_err *err)
{
	if (!demon_json_span_str(member(ev, key), out))
		return damaged(ev, key, err);
	return demon_buf_rc(out, err);
}

static enum demon_rc copy(const char *text, size_t len, char **to, struct demon_err *err)
{
	char *copied = demon_strndup(text, len);

	if (!copied)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the state of a run");
	free(*to);
	*to = copied;
	return DEMON_OK;
}

void demon_run_state_done(struct demon_run_state *state)
{
	demon_definition_free(state->definition);
	json_decref(state->input);
	free(state->name);
	free(state->reference);
	free(state->result);
	free(state->terminal);
	*state = (struct demon_run_state){0};
}

enum demon_rc demon_run_state_find(struct demon_db *db, const struct demon_run_id *run,
				   struct demon_run_state *state, struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_find);

	demon_bind_str(&q, ":tenant", run->tenant_id);
	demon_bind_str(&q, ":run", run->run_id);
	demon_bind_blob(&q, ":origin", run->origin, sizeof(run->origin));
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no run '%s' of this node",
				     run->run_id);
	state->id = *run;
	(void)snprintf(state->ritual_id, sizeof(state->ritual_id), "%s", demon_col_str(&q, 0));
	state->status = demon_run_status_find(demon_col_str(&q, 1));
	state->scope = demon_col_i64(&q, 2);
	return DEMON_OK;
}

enum demon_rc demon_run_state_step(struct demon_run_state *state, const struct demon_run_step *step,
				   struct demon_err *err)
{
	char *name = demon_strdup(step->name);
	char *reference = demon_strdup(step->reference);

	if (!name || !reference) {
		free(name);
		free(reference);
		return demon_err_set(err, DEMON_NOMEM, "no memory for the state of a run");
	}
	free(state->name);
	free(state->reference);
	state->name = name;
	state->reference = reference;
	state->step = *step;
	state->step.name = name;
	state->step.reference = reference;
	state->step.call = NULL;
	state->phase = DEMON_RUN_IN_FLIGHT;
	return DEMON_OK;
}

static enum demon_rc started(struct demon_run_state *state, const struct event *ev,
			     struct demon_err *err)
{
	struct demon_json_span spec = member(ev, "spec");

	state->status = DEMON_RUN_RUNNING;
	if (!spec.at)
		return damaged(ev, "spec", err);
	if (state->definition)
		return demon_err_set(err, DEMON_CORRUPT, "it has started twice");
	if (demon_definition_from_spec(spec.at, spec.len, &state->definition, err))
		return demon_err_wrap(err, "definition");
	return DEMON_OK;
}

static enum demon_rc opened(struct demon_run_state *state, const struct event *ev,
			    struct demon_err *err)
{
	struct demon_json_span input = member(ev, "input");

	if (!input.at || state->input)
		return DEMON_OK;
	return demon_json_parse(input.at, input.len, &demon_json_payload_limits, &state->input,
				err);
}

static enum demon_rc step_started(struct demon_run_state *state, const struct event *ev,
				  struct demon_err *err)
{
	struct demon_run_step step = {0};
	DEMON_BUF(name, 0);
	DEMON_BUF(reference, 0);
	DEMON_BUF(key, 0);
	enum demon_rc rc;

	if ((rc = text_of(ev, "name", &name, err)) ||
	    (rc = text_of(ev, "reference", &reference, err)) ||
	    (rc = text_of(ev, "idempotencyKey", &key, err)))
		return rc;
	if (!demon_json_span_i64(member(ev, "stepId"), &step.step_id))
		return damaged(ev, "stepId", err);
	if (!demon_json_span_i64(member(ev, "attempt"), &step.attempt))
		return damaged(ev, "attempt", err);
	if (key.len != DEMON_STEP_KEY_LEN)
		return damaged(ev, "idempotencyKey", err);
	memcpy(step.key, key.data, key.len);
	step.idempotent = demon_json_span_true(member(ev, "idempotent"));
	step.name = name.data;
	step.reference = reference.data;
	return demon_run_state_step(state, &step, err);
}

static enum demon_rc step_completed(struct demon_run_state *state, const struct event *ev,
				    struct demon_err *err)
{
	struct demon_json_span output = member(ev, "output");
	struct demon_json_span result = demon_json_member(output.at, output.len, "result");
	enum demon_rc rc;

	state->phase = DEMON_RUN_STEP_DONE;
	if (!result.at)
		return damaged(ev, "output", err);
	if ((rc = copy(result.at, result.len, &state->result, err)))
		return rc;
	state->result_len = result.len;
	return DEMON_OK;
}

/* The first terminal event counts, as in the projection. */
static enum demon_rc ended(struct demon_run_state *state, const struct event *ev,
			   const char *status, struct demon_err *err)
{
	if (demon_run_status_ended(state->status))
		return DEMON_OK;
	state->status = status;
	return copy(ev->payload, ev->len, &state->terminal, err);
}

static enum demon_rc fold(struct demon_run_state *state, const struct event *ev,
			  struct demon_err *err)
{
	if (strcmp(ev->type, "step.started:v1") == 0)
		return step_started(state, ev, err);
	if (strcmp(ev->type, "step.completed:v1") == 0)
		return step_completed(state, ev, err);
	if (strcmp(ev->type, "ritual.started:v1") == 0)
		return started(state, ev, err);
	if (strcmp(ev->type, "ritual.opened:v1") == 0)
		return opened(state, ev, err);
	if (strcmp(ev->type, "ritual.completed:v1") == 0)
		return ended(state, ev, DEMON_RUN_COMPLETED, err);
	if (strcmp(ev->type, "ritual.failed:v1") == 0)
		return ended(state, ev, DEMON_RUN_FAILED, err);
	if (strcmp(ev->type, "ritual.canceled:v1") == 0)
		return ended(state, ev, DEMON_RUN_CANCELED, err);
	if (strcmp(ev->type, "ritual.suspended:v1") == 0)
		state->status = DEMON_RUN_SUSPENDED;
	return DEMON_OK;
}

enum demon_rc demon_run_fold(struct demon_db *db, struct demon_run_state *state,
			     struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_events);

	state->status = "Queued";
	demon_bind_i64(&q, ":scope", state->scope);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct event ev = {
		    .type = demon_col_str(&q, 0),
		    .payload = demon_col_str(&q, 2),
		    .len = demon_col_len(&q, 2),
		};
		demon_time ts = demon_col_i64(&q, 1);

		if (ts > state->last)
			state->last = ts;
		if (ev.payload && (rc = fold(state, &ev, err)))
			break;
	}
	if (rc)
		return demon_err_wrap(err, "run '%s'", state->id.run_id);
	if (!state->definition)
		return demon_err_set(err, DEMON_CORRUPT, "run '%s': its definition is not here",
				     state->id.run_id);
	return DEMON_OK;
}
