/*
 * demonctl approvals list, show, why.
 */
#include "approvals.h"
#include "base/bytes.h"
#include "domain/approval/gate_rules.h"
#include "domain/approval/why.h"
#include "out.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX 100000

static json_t *gate_json(const struct demon_gate *g)
{
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	demon_hex(g->run.origin, DEMON_ORIGIN_LEN, origin);
	return json_pack(
	    "{s:s,s:s,s:I,s:s,s:s,s:s,s:s*,s:s*,s:o,s:o,s:o*,s:I,s:I,s:I,s:I,s:s*,s:b,s:O*,s:s}",
	    "runId", g->run.run_id, "gateId", g->gate_id, "round", (json_int_t)g->round, "ritualId",
	    g->ritual_id, "tenantId", g->run.tenant_id, "state", demon_gate_state_name(g->state),
	    "requester", demon_gate_text(g, "requester"), "reason", demon_gate_text(g, "reason"),
	    "requestedAt", demon_out_time_json(g->requested_at), "expiresAt",
	    demon_out_time_json(g->expires_at), "decidedAt",
	    g->decided_at ? demon_out_time_json(g->decided_at) : NULL, "level",
	    (json_int_t)g->level, "levels", (json_int_t)demon_gate_levels(g), "quorum",
	    (json_int_t)demon_gate_count(g, "quorum"), "stepId", (json_int_t)g->step_id, "seen",
	    demon_gate_text(g, "seen"), "provisional", 0, "by", json_object_get(g->decided, "by"),
	    "origin", origin);
}

struct list {
	const struct demon_settings *settings;
	struct demon_table table;
};

static enum demon_rc list_gate(void *ctx, const struct demon_gate *gate, struct demon_err *err)
{
	struct list *list = ctx;
	char round[32];

	if (list->settings->json)
		return demon_out_json(list->settings, gate_json(gate), err);
	(void)snprintf(round, sizeof(round), "%lld", (long long)gate->round);
	demon_table_cell(&list->table, gate->run.run_id);
	demon_table_cell(&list->table, gate->gate_id);
	demon_table_cell(&list->table, round);
	demon_table_cell(&list->table, demon_gate_state_name(gate->state));
	demon_table_cell(&list->table, demon_gate_text(gate, "requester"));
	demon_table_cell(&list->table, demon_out_time(gate->expires_at));
	demon_table_cell(&list->table, demon_gate_text(gate, "reason"));
	return DEMON_OK;
}

enum demon_rc demon_command_approvals_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"RUN",       "GATE",    "ROUND",  "STATE",
					    "REQUESTER", "EXPIRES", "REASON", NULL};
	struct demon_gate_filter filter = {.tenant_id = ctl->settings.tenant.value,
					   .pending = demon_args_has(&ctl->args, "pending"),
					   .limit = LIST_MAX};
	demon_cleanup(demon_table_done) struct demon_table table =
	    demon_table_begin(&ctl->settings, heads, 3);
	struct list list = {.settings = &ctl->settings, .table = table};
	struct demon_run_id run;
	enum demon_rc rc = demon_ctl_open(ctl, false, err);

	if (!rc && demon_args_get(&ctl->args, "run")) {
		rc = demon_run_find(ctl->store, filter.tenant_id, demon_args_get(&ctl->args, "run"),
				    &run, err);
		filter.run = &run;
	}
	if (!rc)
		rc = demon_gate_list(ctl->store, &filter, list_gate, &list, err);
	table = list.table;
	return rc || ctl->settings.json ? rc : demon_table_print(&table, err);
}

static enum demon_rc find_gate(struct demon_ctl *ctl, struct demon_loan *loan,
			       struct demon_gate *gate, struct demon_err *err)
{
	struct demon_run_id run;
	int64_t round;
	enum demon_rc rc;

	if ((rc = demon_approvals_find(ctl, &run, err)) ||
	    (rc = demon_approvals_round(ctl, &round, err)) ||
	    (rc = demon_store_borrow(ctl->store, loan, err)))
		return rc;
	return demon_gate_find(loan->db, &run, ctl->words[1], round, gate, err);
}

static enum demon_rc explain(struct demon_ctl *ctl, json_t **ret_why, struct demon_err *err)
{
	const struct demon_env *env;
	demon_cleanup(demon_gate_settings_done) struct demon_gate_settings gates;
	DEMON_GATE(gate);
	enum demon_rc rc = demon_gate_settings_read(&gates, err);
	DEMON_READ(loan);

	if (rc || (rc = find_gate(ctl, &loan, &gate, err)))
		return rc;
	env = demon_store_env(ctl->store);
	return demon_gate_why(loan.db, &gates.config, &gate, env->now(env->ctx), ret_why, err);
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "-";
}

static void print_field(const char *name, const json_t *row, const char *key)
{
	DEMON_BUF(shown, 0);

	demon_out_printable(&shown, text_of(row, key));
	demon_out_field(name, "%s", shown.data);
}

/* "who: words" for each row of a list. */
static void print_list(const char *name, const json_t *rows, const char *who, const char *words)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		DEMON_BUF(shown, 0);

		demon_out_printable(&shown, text_of(row, who));
		demon_buf_str(&shown, ": ");
		demon_out_printable(&shown, text_of(row, words));
		demon_out_field(i ? "" : name, "%s", shown.data);
	}
}

static void print_needs(const json_t *why)
{
	const json_t *needs = json_object_get(why, "needs");
	const json_t *grants = json_object_get(needs, "grants");
	const json_t *denials = json_object_get(needs, "denials");

	demon_out_field("grants", "%lld of %lld",
			(long long)json_integer_value(json_object_get(grants, "have")),
			(long long)json_integer_value(json_object_get(grants, "need")));
	demon_out_field("denials", "%lld of %lld",
			(long long)json_integer_value(json_object_get(denials, "have")),
			(long long)json_integer_value(json_object_get(denials, "need")));
}

static void print_why(const json_t *why, bool people)
{
	const json_t *decided = json_object_get(why, "decided");

	print_field("run", why, "runId");
	print_field("gate", why, "gateId");
	demon_out_field("round", "%lld",
			(long long)json_integer_value(json_object_get(why, "round")));
	print_field("state", why, "state");
	print_field("requester", why, "requester");
	print_field("reason", why, "reason");
	if (json_object_get(why, "confirm"))
		print_field("confirm", why, "confirm");
	print_field("requested", why, "requestedAt");
	print_field("expires", why, "expiresAt");
	if (json_integer_value(json_object_get(why, "levels")))
		demon_out_field("level", "%lld of %lld",
				(long long)json_integer_value(json_object_get(why, "level")),
				(long long)json_integer_value(json_object_get(why, "levels")));
	print_needs(why);
	print_list("votes", json_object_get(why, "votes"), "approver", "decision");
	if (decided) {
		print_field("decided by", decided, "by");
		print_field("decided at", decided, "at");
		if (json_object_get(decided, "note"))
			print_field("note", decided, "note");
	}
	if (!people || decided)
		return;
	if (json_object_get(why, "frozen"))
		print_field("frozen", why, "frozen");
	if (json_is_true(json_object_get(why, "anybody")))
		demon_out_field("may vote", "anybody: the allow-list is '*'");
	print_list("may vote", json_object_get(why, "mayVote"), "subject", "as");
	print_list("excluded", json_object_get(why, "excluded"), "subject", "why");
	print_list("next", json_object_get(why, "next"), "at", "what");
}

enum demon_rc demon_command_approvals_show(struct demon_ctl *ctl, struct demon_err *err)
{
	json_auto_t *why = NULL;
	enum demon_rc rc;

	if (ctl->settings.json) {
		DEMON_GATE(gate);
		DEMON_READ(loan);

		if ((rc = find_gate(ctl, &loan, &gate, err)))
			return rc;
		return demon_out_json(&ctl->settings, gate_json(&gate), err);
	}
	if ((rc = explain(ctl, &why, err)))
		return rc;
	print_why(why, false);
	return DEMON_OK;
}

enum demon_rc demon_command_approvals_why(struct demon_ctl *ctl, struct demon_err *err)
{
	json_auto_t *why = NULL;
	enum demon_rc rc = explain(ctl, &why, err);

	if (rc)
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings, demon_take(why), err);
	print_why(why, true);
	return DEMON_OK;
}
