#include "test.h"

#include "run_desk.h"

#include "base/fault.h"

#include <stdio.h>

const struct demon_run_request desk_kim = {.by = "kim", .reason = "enough"};

int desk_set_up(void **state)
{
	struct run_desk *f = calloc(1, sizeof(*f));
	const struct demon_expr_options expr = {.workers = 1, .output_max = DEMON_EXPR_LIST_MAX};
	struct demon_options options = {.create = true, .node_id = "n"};
	struct demon_err err;

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	options.env = &f->clock.env;
	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
	assert_ok(demon_expr_open(&expr, &f->expr, &err), &err);
	*state = f;
	return 0;
}

int desk_tear_down(void **state)
{
	struct run_desk *f = *state;

#ifdef DEMON_FAULTS
	(void)demon_fault_disarm();
#endif
	run_events_done(&f->events);
	free(f->outcome.terminal);
	json_decref(f->input);
	free(f->trace);
	demon_definition_free(f->definition);
	demon_expr_close(f->expr);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

void desk_read_events(struct run_desk *f, const struct demon_run_id *run)
{
	run_events_done(&f->events);
	run_events_read(f->store, run->run_id, &f->events);
}

enum demon_rc desk_execute(struct run_desk *f, const struct demon_run_id *run,
			   struct demon_err *err)
{
	const struct demon_run_watch watch = {.expr = f->expr};
	enum demon_rc rc;

	free(f->outcome.terminal);
	f->outcome = (struct demon_run_outcome){0};
	rc = demon_run_execute_watched(f->store, run, &watch, &f->outcome, err);
	desk_read_events(f, run);
	return rc;
}

void desk_go_on(struct run_desk *f, const struct demon_run_id *run, const char *want)
{
	struct demon_err err;

	assert_ok(desk_execute(f, run, &err), &err);
	assert_string_equal(f->outcome.status, want);
}

void desk_start(struct run_desk *f, const char *text)
{
	const struct demon_run_options options = {.run_id = "r-1", .input = f->input};
	struct demon_err err;

	f->definition = run_definition(text);
	assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
}

void desk_run(struct run_desk *f, const char *text, const char *want)
{
	desk_start(f, text);
	desk_go_on(f, &f->run, want);
}

enum demon_rc desk_retry(struct run_desk *f, const char *step, struct demon_err *err)
{
	const struct demon_run_options options = {.run_id = "r-2", .requester = "kim"};

	return demon_run_retry(f->store, &f->run, step, &options, &f->again, err);
}

void desk_cancel(struct run_desk *f)
{
	struct demon_err err;
	bool changed = false;

	assert_ok(demon_run_cancel(f->store, &f->run, &desk_kim, &changed, &err), &err);
	assert_true(changed);
}

static enum demon_rc take_status(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	char *status = ctx;

	(void)err;
	(void)snprintf(status, 32, "%s%s", row->status, row->wakes_at ? "+" : "");
	return DEMON_OK;
}

void assert_desk_status(struct run_desk *f, const struct demon_run_id *run, const char *want)
{
	char status[32];
	struct demon_err err;

	assert_ok(demon_run_get(f->store, run, take_status, status, &err), &err);
	assert_string_equal(status, want);
}

static enum demon_rc take_step(void *ctx, const struct demon_step_row *row, struct demon_err *err)
{
	struct run_desk *f = ctx;
	size_t len = strlen(f->steps);

	(void)err;
	len += (size_t)snprintf(f->steps + len, sizeof(f->steps) - len, "%s%lld", len ? " " : "",
				(long long)row->step_id);
	if (row->parent_id)
		len += (size_t)snprintf(f->steps + len, sizeof(f->steps) - len, "<%lld",
					(long long)row->parent_id);
	if (row->iteration >= 0)
		len += (size_t)snprintf(f->steps + len, sizeof(f->steps) - len, "[%lld]",
					(long long)row->iteration);
	(void)snprintf(f->steps + len, sizeof(f->steps) - len, ":%s=%s", row->name, row->status);
	return DEMON_OK;
}

void desk_read_steps(struct run_desk *f, const struct demon_run_id *run)
{
	struct demon_err err;

	*f->steps = '\0';
	assert_ok(demon_run_steps(f->store, run, take_step, f, &err), &err);
}

void assert_desk_steps(struct run_desk *f, const struct demon_run_id *run, const char *want)
{
	desk_read_steps(f, run);
	assert_string_equal(f->steps, want);
}

demon_time desk_next_due(struct run_desk *f, size_t *ret_count)
{
	struct demon_run_due due;
	struct demon_err err;

	assert_ok(demon_run_due(f->store, &(struct demon_run_sought){.limit = 10}, &due, &err),
		  &err);
	free(due.runs);
	*ret_count = due.count;
	return due.next;
}

void assert_desk_verified(struct run_desk *f)
{
	struct demon_verified done;
	struct demon_err err;

	assert_ok(demon_verify(f->store, &done, &err), &err);
}
