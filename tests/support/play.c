#include "play.h"

#include <stdio.h>

int play_set_up(void **state)
{
	struct play *f = calloc(1, sizeof(*f));
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

int play_tear_down(void **state)
{
	struct play *f = *state;

	run_events_done(&f->events);
	free(f->outcome.terminal);
	demon_definition_free(f->definition);
	demon_expr_close(f->expr);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

enum demon_rc play_try(struct play *f, struct demon_err *err)
{
	const struct demon_run_watch watch = {
	    .expr = f->expr, .gates = f->gates, .wards = f->wards};
	enum demon_rc rc;

	free(f->outcome.terminal);
	f->outcome = (struct demon_run_outcome){0};
	rc = demon_run_execute_watched(f->store, &f->run, &watch, &f->outcome, err);
	run_events_done(&f->events);
	run_events_read(f->store, "r-1", &f->events);
	return rc;
}

void play_on(struct play *f)
{
	struct demon_err err;

	assert_ok(play_try(f, &err), &err);
}

void play(struct play *f, const char *text)
{
	const struct demon_run_options options = {.run_id = "r-1"};
	struct demon_err err;

	f->definition = run_definition(text);
	assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
	play_on(f);
}

void assert_output(const struct play *f, const char *want)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "\"outputs\":{\"result\":{\"data\":%s,", want);
	assert_string_equal(f->outcome.status, "Completed");
	assert_contains(f->outcome.terminal, whole);
}

void assert_failed(const struct play *f, const char *want)
{
	assert_string_equal(f->outcome.status, "Failed");
	assert_contains(f->outcome.terminal, want);
}

size_t play_due(struct play *f, demon_time *ret_next)
{
	struct demon_run_due due;
	struct demon_err err;

	assert_ok(demon_run_due(f->store, &(struct demon_run_sought){.limit = 10}, &due, &err),
		  &err);
	free(due.runs);
	if (ret_next)
		*ret_next = due.next;
	return due.count;
}
