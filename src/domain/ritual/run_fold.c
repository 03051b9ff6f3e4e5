#include "run_error.h"
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

void demon_run_state_done(struct demon_run_state *state)
{
	demon_machine_done(&state->machine);
	demon_definition_free(state->definition);
	json_decref(state->input);
	free(state->terminal);
	free(state->requester);
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

static enum demon_rc started(struct demon_run_state *state, const struct event *ev,
			     struct demon_err *err)
{
	struct demon_json_span spec = demon_json_member(ev->payload, ev->len, "spec");

	state->status = DEMON_RUN_RUNNING;
	if (!spec.at)
		return demon_err_set(err, DEMON_CORRUPT, "event %s: 'spec' is missing", ev->type);
	if (state->definition)
		return demon_err_set(err, DEMON_CORRUPT, "it has started twice");
	if (demon_definition_from_spec(spec.at, spec.len, &state->definition, err))
		return demon_err_wrap(err, "definition");
	return demon_machine_begin(&state->machine, state->definition, NULL, err);
}

static enum demon_rc opened(struct demon_run_state *state, const struct event *ev,
			    struct demon_err *err)
{
	struct demon_json_span input = demon_json_member(ev->payload, ev->len, "input");
	enum demon_rc rc;

	struct demon_json_span requester = demon_json_member(ev->payload, ev->len, "requester");
	DEMON_BUF(name, 0);

	if (!state->requester && demon_json_span_str(requester, &name)) {
		if (name.rc)
			return demon_buf_rc(&name, err);
		state->requester = demon_buf_take(&name);
	}
	if (!input.at || state->input || !state->definition)
		return DEMON_OK;
	if ((rc = demon_json_parse(input.at, input.len, &demon_json_payload_limits, &state->input,
				   err)))
		return rc;
	return demon_machine_begin(&state->machine, state->definition, state->input, err);
}

/* The first terminal event counts, as in the projection. */
static enum demon_rc ended(struct demon_run_state *state, const struct event *ev,
			   const char *status, struct demon_err *err)
{
	if (demon_run_status_ended(state->status))
		return DEMON_OK;
	state->status = status;
	state->terminal = demon_strndup(ev->payload, ev->len);
	if (!state->terminal)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the result of a run");
	return DEMON_OK;
}

/* Whether it is the event before which to stop. */
static bool is_before(const struct demon_run_state *state, const char *type, const json_t *payload)
{
	if (state->until == DEMON_RUN_UNTIL_END)
		return strcmp(type, "ritual.canceled:v1") == 0 ||
		       strcmp(type, "ritual.failed:v1") == 0;
	return state->until && strncmp(type, "step.", 5) == 0 &&
	       json_integer_value(json_object_get(payload, "stepId")) == state->until;
}

/* A run ends with the step whose failure nobody catches, or that is in flight when it is
 * canceled. */
static void note_ender(struct demon_run_state *state, const char *type, const json_t *payload)
{
	const struct demon_machine *m = &state->machine;

	if (strcmp(type, "step.failed:v1") == 0 && m->control != DEMON_FAILING)
		state->ender = json_integer_value(json_object_get(payload, "stepId"));
	else if (strcmp(type, "step.caught:v1") == 0)
		state->ender = 0;
	else if (strcmp(type, "ritual.canceled:v1") == 0 && m->control == DEMON_AT_LEAF)
		state->ender = m->leaf.step_id;
}

static enum demon_rc move(struct demon_run_state *state, const struct event *ev,
			  struct demon_err *err)
{
	json_auto_t *payload = NULL;
	enum demon_rc rc;

	if (!demon_machine_knows(ev->type) || demon_run_status_ended(state->status))
		return DEMON_OK;
	if (!state->definition)
		return demon_err_set(err, DEMON_CORRUPT, "event %s before its start", ev->type);
	if ((rc =
		 demon_json_parse(ev->payload, ev->len, &demon_json_payload_limits, &payload, err)))
		return rc;
	if (is_before(state, ev->type, payload)) {
		state->stopped = true;
		return DEMON_OK;
	}
	note_ender(state, ev->type, payload);
	return demon_machine_apply(&state->machine, ev->type, payload, err);
}

static enum demon_rc fold(struct demon_run_state *state, const struct event *ev,
			  struct demon_err *err)
{
	enum demon_rc rc;

	if (strcmp(ev->type, "ritual.started:v1") == 0)
		return started(state, ev, err);
	if (strcmp(ev->type, "ritual.opened:v1") == 0)
		return opened(state, ev, err);
	if ((rc = move(state, ev, err)))
		return rc;
	if (strcmp(ev->type, "step.started:v1") == 0)
		state->retry = false;
	if (strcmp(ev->type, "ritual.completed:v1") == 0)
		return ended(state, ev, DEMON_RUN_COMPLETED, err);
	if (strcmp(ev->type, "ritual.failed:v1") == 0)
		return ended(state, ev,
			     demon_run_error_is_denial(state->machine.error) ? DEMON_RUN_DENIED
									     : DEMON_RUN_FAILED,
			     err);
	if (strcmp(ev->type, "ritual.canceled:v1") == 0)
		return ended(state, ev, DEMON_RUN_CANCELED, err);
	if (strcmp(ev->type, "ritual.suspended:v1") == 0 && !demon_run_status_ended(state->status))
		state->status = DEMON_RUN_SUSPENDED;
	if (strcmp(ev->type, "ritual.resumed:v1") == 0 && !demon_run_status_ended(state->status)) {
		state->status = DEMON_RUN_RUNNING;
		state->retry = true;
	}
	return DEMON_OK;
}

enum demon_rc demon_run_fold(struct demon_db *db, struct demon_run_state *state,
			     struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;
	bool row;
	DEMON_STMT(q, db, &sql_events);

	state->status = "Queued";
	demon_bind_i64(&q, ":scope", state->scope);
	while (!state->stopped && !(rc = demon_step(&q, &row, err)) && row) {
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
