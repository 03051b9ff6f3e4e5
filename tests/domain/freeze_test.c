#include "support/test.h"

#include "domain/admin/freeze.h"
#include "domain/ritual/run_control.h"
#include "store/readers.h"
#include "support/runs.h"

#include <pthread.h>
#include <stdio.h>

static const struct demon_actor kim = {.subject = "kim@corp.test"};

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_definition *ritual;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .env = &f->clock.env, .node_id = "a"};

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->ritual = run_definition(RITUAL(ECHO("A", "one", "true")));
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_definition_free(f->ritual);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static bool freeze(struct fixture *f, const char *tenant)
{
	const struct demon_freeze_request request = {tenant, &kim, "the vault is on fire"};
	bool new = false;

	assert_ok(demon_freeze(f->store, &request, &new, &f->err), &f->err);
	return new;
}

static bool thaw(struct fixture *f, const char *tenant)
{
	const struct demon_freeze_request request = {tenant, &kim, "it is out"};
	bool new = true;

	assert_ok(demon_thaw(f->store, &request, &new, &f->err), &f->err);
	return new;
}

static enum demon_rc start(struct fixture *f, const char *tenant, const char *id)
{
	const struct demon_run_options options = {.run_id = id, .tenant_id = tenant};
	struct demon_run_id run;

	return demon_run_start(f->store, f->ritual, &options, &run, &f->err);
}

static int64_t last_seq(struct fixture *f)
{
	int64_t seq;

	assert_ok(demon_last_seq(f->store, &seq, &f->err), &f->err);
	return seq;
}

static struct demon_freeze look(struct fixture *f, const char *tenant)
{
	struct demon_freeze found;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_frozen(loan.db, tenant, &found, &f->err), &f->err);
	return found;
}

static void a_run_of_a_frozen_tenant_is_refused_and_changes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_true(freeze(f, "blue"));
	assert_rc(start(f, "blue", "r-1"), DEMON_DENIED, &f->err);
	assert_string_equal(f->err.msg,
			    "run 'r-1' is not started: tenant 'blue' is frozen by 'kim@corp.test' "
			    "since 2026-01-02T03:04:05.000Z: the vault is on fire");
	assert_int_equal(last_seq(f), 1);
	assert_ok(start(f, "red", "r-1"), &f->err);
	assert_true(thaw(f, "blue"));
	assert_ok(start(f, "blue", "r-1"), &f->err);
}

static void a_frozen_node_refuses_runs_of_every_tenant(void **state)
{
	struct fixture *f = *state;

	assert_true(freeze(f, DEMON_TENANT_ALL));
	assert_true(freeze(f, "blue"));
	assert_rc(start(f, "blue", "r-1"), DEMON_DENIED, &f->err);
	assert_contains(f->err.msg, "the node is frozen by 'kim@corp.test'");
	assert_rc(start(f, "red", "r-1"), DEMON_DENIED, &f->err);
	assert_true(thaw(f, DEMON_TENANT_ALL));
	assert_rc(start(f, "blue", "r-1"), DEMON_DENIED, &f->err);
	assert_contains(f->err.msg, "tenant 'blue' is frozen");
	assert_ok(start(f, "red", "r-1"), &f->err);
}

static void freezing_and_thawing_again_write_nothing(void **state)
{
	struct fixture *f = *state;

	assert_false(thaw(f, "blue"));
	assert_int_equal(last_seq(f), 0);
	assert_true(freeze(f, "blue"));
	fake_env_advance(&f->clock, 1000);
	assert_false(freeze(f, "blue"));
	assert_int_equal(look(f, "blue").ts, f->clock.now - 1000);
	assert_true(thaw(f, "blue"));
	assert_false(thaw(f, "blue"));
	assert_int_equal(last_seq(f), 2);
	assert_false(look(f, "blue").frozen);
}

static void a_freeze_says_who_and_when_and_why(void **state)
{
	struct fixture *f = *state;
	struct demon_freeze found;

	(void)freeze(f, "blue");
	found = look(f, "blue");
	assert_true(found.frozen && !found.node);
	assert_string_equal(found.tenant, "blue");
	assert_string_equal(found.by, "kim@corp.test");
	assert_string_equal(found.reason, "the vault is on fire");
	assert_int_equal(found.auth, DEMON_AUTH_DECLARED);
	assert_int_equal(found.ts, f->clock.now);
	assert_false(look(f, DEMON_TENANT_ALL).frozen);
}

static void a_long_reason_is_cut_between_characters(void **state)
{
	struct fixture *f = *state;
	char reason[1001];
	const struct demon_freeze_request request = {"blue", &kim, reason};
	struct demon_freeze found;
	bool new;

	for (size_t i = 0; i < 1000; i += 2)
		memcpy(reason + i, "\xc3\xa9", 2);
	reason[1000] = '\0';
	assert_ok(demon_freeze(f->store, &request, &new, &f->err), &f->err);
	found = look(f, "blue");
	assert_int_equal(strlen(found.reason), 256);
	assert_rc(start(f, "blue", "r-1"), DEMON_DENIED, &f->err);
	assert_int_equal(strlen(strrchr(f->err.msg, ' ') + 1) % 2, 0);
}

static void a_run_that_is_under_way_goes_on(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_options options = {.run_id = "r-1"};
	struct demon_run_outcome outcome = {0};
	struct demon_run_id run;

	assert_ok(demon_run_start(f->store, f->ritual, &options, &run, &f->err), &f->err);
	(void)freeze(f, DEMON_TENANT_ALL);
	assert_ok(demon_run_execute(f->store, &run, NULL, NULL, &outcome, &f->err), &f->err);
	assert_string_equal(outcome.status, "Completed");
	free(outcome.terminal);
}

static void a_run_is_not_tried_again_while_frozen(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_options options = {.run_id = "r-1"};
	const struct demon_run_options again = {.run_id = "r-2"};
	const struct demon_run_request request = {.by = "kim", .reason = "no"};
	struct demon_run_id run;
	struct demon_run_id retried;
	bool changed;

	assert_ok(demon_run_start(f->store, f->ritual, &options, &run, &f->err), &f->err);
	assert_ok(demon_run_cancel(f->store, &run, &request, &changed, &f->err), &f->err);
	(void)freeze(f, "default");
	assert_rc(demon_run_retry(f->store, &run, NULL, &again, &retried, &f->err), DEMON_DENIED,
		  &f->err);
	(void)thaw(f, "default");
	assert_ok(demon_run_retry(f->store, &run, NULL, &again, &retried, &f->err), &f->err);
}

/* Starts runs until one is refused. */
struct starter {
	struct fixture *f;
	pthread_t thread;
	int64_t started;
	struct demon_err err;
};

static void *start_many(void *ctx)
{
	struct starter *s = ctx;
	struct demon_run_id run;
	const struct demon_run_options options = {.tenant_id = "blue"};

	while (demon_run_start(s->f->store, s->f->ritual, &options, &run, &s->err) == DEMON_OK)
		s->started++;
	return NULL;
}

static void no_run_starts_behind_a_freeze(void **state)
{
	struct fixture *f = *state;
	struct starter starters[4] = {0};
	struct demon_options options = {.env = demon_env_real()};
	struct demon_reader *reader;
	const struct demon_filter filter = {.type = "freeze.written:v1"};
	const struct demon_event *event;
	int64_t started = 0;

	/* chance is asked for by several threads */
	demon_close(f->store);
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	for (size_t i = 0; i < 4; i++) {
		starters[i].f = f;
		assert_int_equal(
		    pthread_create(&starters[i].thread, NULL, start_many, &starters[i]), 0);
	}
	while (last_seq(f) < 20)
		;
	(void)freeze(f, "blue");
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(starters[i].thread, NULL), 0);
		assert_int_equal(starters[i].err.rc, DEMON_DENIED);
		started += starters[i].started;
	}
	assert_ok(demon_reader_open(f->store, &filter, &reader, &f->err), &f->err);
	assert_ok(demon_reader_next(reader, 0, &event, &f->err), &f->err);
	assert_int_equal(event->seq, last_seq(f));
	assert_int_equal(event->seq, 2 * started + 1);
	demon_reader_close(reader);
}

int main(void)
{
#define FREEZE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    FREEZE_TEST(a_run_of_a_frozen_tenant_is_refused_and_changes_nothing),
	    FREEZE_TEST(a_frozen_node_refuses_runs_of_every_tenant),
	    FREEZE_TEST(freezing_and_thawing_again_write_nothing),
	    FREEZE_TEST(a_freeze_says_who_and_when_and_why),
	    FREEZE_TEST(a_long_reason_is_cut_between_characters),
	    FREEZE_TEST(a_run_that_is_under_way_goes_on),
	    FREEZE_TEST(a_run_is_not_tried_again_while_frozen),
	    FREEZE_TEST(no_run_starts_behind_a_freeze),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
