#include "base/fault.h"
#include "domain/admin/freeze.h"
#include "run_events.h"
#include "run_state.h"
#include "store/liveness.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>

DEMON_SQL(sql_exists, "SELECT 1 FROM runs WHERE tenant_id = :tenant AND run_id = :run "
		      "AND run_origin = :origin");

struct start {
	struct demon_run_id *run;
	const struct demon_group *group;
	struct demon_store *store; /* to claim the run in; NULL: do not */
	int64_t claimed;           /* liveness number that was taken; 0: none */
};

/* Before the commit, so that nobody sees the run without its executor. */
static enum demon_rc claim(struct demon_write *w, struct start *s, struct demon_err *err)
{
	DEMON_RUN_STATE(state);
	enum demon_rc rc;

	if ((rc = demon_run_state_find(demon_write_db(w), s->run, &state, err)) ||
	    (rc = demon_store_claim(s->store, state.scope, err)))
		return rc;
	s->claimed = state.scope;
	return DEMON_OK;
}

static enum demon_rc start(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct start *s = ctx;
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, demon_write_db(w), &sql_exists);

	memcpy(s->run->origin, demon_write_origin(w), sizeof(s->run->origin));
	demon_bind_str(&q, ":tenant", s->run->tenant_id);
	demon_bind_str(&q, ":run", s->run->run_id);
	demon_bind_blob(&q, ":origin", s->run->origin, sizeof(s->run->origin));
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (row)
		return demon_err_set(err, DEMON_EXISTS, "run '%s' has been started already",
				     s->run->run_id);
	if (demon_frozen_refuse(demon_write_db(w), s->run->tenant_id, err))
		return demon_err_wrap(err, "run '%s' is not started", s->run->run_id);
	if ((rc = demon_write_append(w, s->group, NULL, err)))
		return rc;
	return s->store ? claim(w, s, err) : DEMON_OK;
}

/* The ids of the run to start, but for its origin. */
static enum demon_rc name_run(const struct demon_env *env, const struct demon_run_options *options,
			      struct demon_run_id *run, struct demon_err *err)
{
	char uuid[DEMON_UUID_LEN + 1] = "";
	const char *tenant = options->tenant_id ? options->tenant_id : "default";
	const char *id = options->run_id;
	enum demon_rc rc;

	if (!id) {
		demon_uuid7(env, uuid);
		id = uuid;
	}
	if ((rc = demon_id_check("tenant", tenant, err)) || (rc = demon_id_check("run", id, err)))
		return rc;
	*run = (struct demon_run_id){0};
	(void)snprintf(run->tenant_id, sizeof(run->tenant_id), "%s", tenant);
	(void)snprintf(run->run_id, sizeof(run->run_id), "%s", id);
	return DEMON_OK;
}

/* What is nested deeper than an event may be is refused as what is longer. */
static enum demon_rc check_depth(const struct demon_run_group *events, struct demon_err *err)
{
	static const char *const what[] = {"definition", "input", "state"};

	for (size_t i = 0; i < events->count && i < demon_count(what); i++)
		if (!demon_json_is_canonical(events->payloads[i].data, events->payloads[i].len,
					     &demon_json_payload_limits))
			return demon_err_set(err, DEMON_TOOBIG,
					     "the %s is nested deeper than %u levels", what[i],
					     demon_json_payload_limits.depth - 1);
	return DEMON_OK;
}

enum demon_rc demon_run_start(struct demon_store *store, const struct demon_definition *definition,
			      const struct demon_run_options *options, struct demon_run_id *ret_run,
			      struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct demon_run_id run;
	struct demon_json_span input = {0};
	struct demon_group group = {.stream = DEMON_STREAM_RITUAL};
	struct start s = {.run = &run, .group = &group, .store = options->claim ? store : NULL};
	DEMON_BUF(input_text, 0);
	DEMON_RUN_GROUP(events);
	enum demon_rc rc;

	if ((rc = name_run(env, options, &run, err)))
		return rc;
	if (options->input) {
		if (demon_json_canonical(options->input, &input_text, err) ||
		    demon_buf_rc(&input_text, err))
			return demon_err_wrap(err, "input");
		input = (struct demon_json_span){input_text.data, input_text.len};
	}
	demon_run_group_begin(&events, &run, definition->ritual_id, env->now(env->ctx));
	demon_run_event_started(&events, definition);
	demon_run_event_opened(&events, definition, options, input);
	if (options->retry)
		demon_run_event_restored(&events, options);
	if ((rc = demon_run_group_rc(&events, err)) || (rc = check_depth(&events, err)))
		return rc;
	group.ts = events.ts;
	group.records = events.records;
	group.count = events.count;
	if ((rc = demon_store_write(store, start, &s, err))) {
		if (s.claimed)
			demon_store_unclaim(store, s.claimed);
		return rc;
	}
	if (DEMON_FAULT(RUN_STARTED))
		return demon_err_set(err, DEMON_IO, "fault after the start of a run");
	*ret_run = run;
	return DEMON_OK;
}
