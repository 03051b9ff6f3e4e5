/*
 * demonctl runs list, runs show.
 */
#include "base/bytes.h"
#include "base/json_member.h"
#include "command.h"
#include "domain/ritual/run.h"
#include "out.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE     1000
#define LIST_MAX 1000000

static json_t *row_json(const struct demon_run_row *row)
{
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	demon_hex(row->origin, DEMON_ORIGIN_LEN, origin);
	return json_pack("{s:o*,s:o,s:s*,s:s,s:s,s:s,s:o,s:s,s:s,s:s*}", "wakesAt",
			 row->wakes_at ? demon_out_time_json(row->wakes_at) : NULL, "endedAt",
			 demon_out_time_json(row->ended_at), "errorType", row->error_type, "origin",
			 origin, "ritualId", row->ritual_id, "runId", row->run_id, "startedAt",
			 demon_out_time_json(row->started_at), "status", row->status, "tenantId",
			 row->tenant_id, "version", row->version);
}

/* A page's receiver: prints JSON at once, collects a table otherwise. */
struct list {
	const struct demon_settings *settings;
	struct demon_table table;
	int64_t rows;
};

static enum demon_rc list_row(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct list *list = ctx;

	list->rows++;
	if (list->settings->json)
		return demon_out_json(list->settings, row_json(row), err);
	demon_table_cell(&list->table, row->run_id);
	demon_table_cell(&list->table, row->ritual_id);
	demon_table_cell(&list->table, row->status);
	demon_table_cell(&list->table, demon_out_time(row->started_at));
	demon_table_cell(&list->table, demon_out_time(row->ended_at));
	return DEMON_OK;
}

/* Pages until @p limit rows or the end. *cursor_new is replaced. */
static enum demon_rc list_pages(struct demon_ctl *ctl, struct demon_run_filter *filter,
				int64_t limit, struct list *list, char **cursor,
				struct demon_err *err)
{
	do {
		int64_t left = limit - list->rows;
		char *next = NULL;
		enum demon_rc rc;

		filter->limit = (size_t)(left < PAGE ? left : PAGE);
		filter->cursor = *cursor ? *cursor : filter->cursor;
		if ((rc = demon_run_list(ctl->store, filter, list_row, list, &next, err)))
			return rc;
		free(*cursor);
		*cursor = next;
	} while (*cursor && list->rows < limit);
	return DEMON_OK;
}

enum demon_rc demon_command_runs_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"RUN", "RITUAL", "STATUS", "STARTED", "ENDED", NULL};
	const struct demon_settings *s = &ctl->settings;
	demon_cleanup(demon_free_p) char *cursor = NULL;
	struct list list = {.settings = s, .table = demon_table_begin(s, heads, 2)};
	const char *since = demon_args_get(&ctl->args, "since");
	int64_t limit = 50;
	struct demon_run_filter filter = {
	    .tenant_id = s->tenant.value,
	    .status = demon_args_get(&ctl->args, "status"),
	    .ritual_id = demon_args_get(&ctl->args, "ritual"),
	    .cursor = demon_args_get(&ctl->args, "cursor"),
	};
	enum demon_rc rc;

	if ((rc = demon_args_number(&ctl->args, "limit", 1, LIST_MAX, &limit, err)) ||
	    (since && (rc = demon_when(since, "since", -1, &filter.since, err))) ||
	    (rc = demon_ctl_open(ctl, false, err)))
		return rc;
	rc = list_pages(ctl, &filter, limit, &list, &cursor, err);
	if (rc == DEMON_INVALID)
		err->rc = rc = DEMON_USAGE; /* a status or cursor that is none */
	if (rc == DEMON_OK)
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	if (rc == DEMON_OK && cursor)
		demon_out_note(s, "more: --cursor %s", cursor);
	return rc;
}

/* What `runs show` puts together. */
struct show {
	const struct demon_settings *settings;
	json_t *run; /* with --json */
	json_t *steps;
	json_t *errors; /* by the step id as text; "0": the run's */
	struct demon_table table;
};

static enum demon_rc take_error(void *ctx, const struct demon_run_moment *moment,
				struct demon_err *err)
{
	struct show *show = ctx;
	struct demon_json_span error = demon_json_member(moment->payload, moment->len, "error");
	json_t *value = NULL;
	int64_t step = 0;
	char key[24];
	enum demon_rc rc;

	if (!error.at)
		return DEMON_OK;
	(void)!demon_json_span_i64(demon_json_member(moment->payload, moment->len, "stepId"),
				   &step);
	if ((rc = demon_json_parse(error.at, error.len, &demon_json_payload_limits, &value, err)))
		return rc;
	(void)snprintf(key, sizeof(key), "%" PRId64, step);
	if (json_object_set_new(show->errors, key, value))
		return demon_err_set(err, DEMON_NOMEM, "no memory for an error");
	return DEMON_OK;
}

/* Borrowed; NULL: it has none. */
static json_t *error_of(const struct show *show, int64_t step)
{
	char key[24];

	(void)snprintf(key, sizeof(key), "%" PRId64, step);
	return json_object_get(show->errors, key);
}

static const char *detail_of(const json_t *error)
{
	const char *detail = json_string_value(json_object_get(error, "detail"));

	return detail ? detail : json_string_value(json_object_get(error, "title"));
}

static enum demon_rc show_row(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct show *show = ctx;

	if (show->settings->json) {
		show->run = row_json(row);
		if (!show->run ||
		    (error_of(show, 0) && json_object_set(show->run, "error", error_of(show, 0))))
			return demon_err_set(err, DEMON_NOMEM, "no memory for a run");
		return DEMON_OK;
	}
	demon_out_field("run", "%s", row->run_id);
	demon_out_field("ritual", "%s%s%s", row->ritual_id, row->version ? " " : "",
			row->version ? row->version : "");
	demon_out_field("status", "%s", row->status);
	demon_out_field("tenant", "%s", row->tenant_id);
	demon_out_field("started", "%s", demon_out_time(row->started_at));
	demon_out_field("ended", "%s", demon_out_time(row->ended_at));
	if (row->wakes_at)
		demon_out_field("waits until", "%s", demon_out_time(row->wakes_at));
	if (row->error_type) {
		const char *detail = detail_of(error_of(show, 0));

		demon_out_field("error", "%s%s%s", row->error_type, detail ? ": " : "",
				detail ? detail : "");
	}
	return DEMON_OK;
}

static enum demon_rc show_step(void *ctx, const struct demon_step_row *row, struct demon_err *err)
{
	struct show *show = ctx;
	char number[24];

	if (show->settings->json) {
		json_t *step = json_pack(
		    "{s:O*,s:o*,s:o*,s:I,s:s,s:o,s:s,s:s,s:o,s:s,s:I}", "error",
		    error_of(show, row->step_id), "parentId",
		    row->parent_id ? json_integer((json_int_t)row->parent_id) : NULL, "iteration",
		    row->iteration >= 0 ? json_integer((json_int_t)row->iteration) : NULL,
		    "attempt", (json_int_t)row->attempt, "call", row->call, "endedAt",
		    demon_out_time_json(row->ended_at), "name", row->name, "reference",
		    row->reference, "startedAt", demon_out_time_json(row->started_at), "status",
		    row->status, "stepId", (json_int_t)row->step_id);

		if (!step || json_array_append_new(show->steps, step))
			return demon_err_set(err, DEMON_NOMEM, "no memory for a step");
		return DEMON_OK;
	}
	(void)snprintf(number, sizeof(number), "%" PRId64, row->attempt);
	demon_table_cell(&show->table, row->name);
	demon_table_cell(&show->table, row->status);
	demon_table_cell(&show->table, row->call);
	demon_table_cell(&show->table, number);
	demon_table_cell(&show->table, demon_out_time(row->started_at));
	demon_table_cell(&show->table, demon_out_time(row->ended_at));
	demon_table_cell(&show->table, row->reference);
	demon_table_cell(&show->table, detail_of(error_of(show, row->step_id)));
	return DEMON_OK;
}

static enum demon_rc show(struct demon_ctl *ctl, const struct demon_run_id *run, struct show *show,
			  struct demon_err *err)
{
	static const char *const failures[] = {"step.failed:v1", "ritual.failed:v1", NULL};
	enum demon_rc rc;

	if ((rc = demon_run_history(ctl->store, run, failures, take_error, show, err)) ||
	    (rc = demon_run_get(ctl->store, run, show_row, show, err)) ||
	    (rc = demon_run_steps(ctl->store, run, show_step, show, err)))
		return rc;
	if (!show->settings->json) {
		if (show->table.count)
			demon_out_line("");
		return demon_table_print(&show->table, err);
	}
	if (!show->run || json_object_set(show->run, "steps", show->steps))
		return demon_err_set(err, DEMON_NOMEM, "no memory for the run");
	return demon_out_json(show->settings, json_incref(show->run), err);
}

enum demon_rc demon_command_runs_show(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"STEP",  "STATUS",    "CALL",  "ATTEMPT", "STARTED",
					    "ENDED", "REFERENCE", "ERROR", NULL};
	struct show s = {.settings = &ctl->settings,
			 .steps = json_array(),
			 .errors = json_object(),
			 .table = demon_table_begin(&ctl->settings, heads, 1)};
	struct demon_run_id run;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) == DEMON_OK &&
	    (rc = demon_run_find(ctl->store, ctl->settings.tenant.value, ctl->words[0], &run,
				 err)) == DEMON_OK)
		rc = show(ctl, &run, &s, err);
	json_decref(s.run);
	json_decref(s.steps);
	json_decref(s.errors);
	demon_table_done(&s.table);
	return rc;
}
