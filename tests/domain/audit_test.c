#include "support/test.h"

#include "base/buf.h"
#include "domain/admin/audit.h"
#include "domain/admin/freeze.h"
#include "domain/admin/roles.h"
#include "domain/ritual/run_control.h"
#include "store/readers.h"
#include "store/write.h"
#include "support/runs.h"

#include <stdio.h>

static const struct demon_actor kim = {.subject = "kim@corp.test"};

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_definition *ritual;
	char rows[8192];
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

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

/* "3 freeze.written:v1 blue freeze kim token why" a line */
static enum demon_rc add_row(void *ctx, const struct demon_audit_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%d %s %s %s %s %s %s %s\n",
		       (int)row->seq, row->type, or_dash(row->tenant), or_dash(row->name),
		       or_dash(row->run_id), or_dash(row->by), or_dash(row->authentication),
		       or_dash(row->reason));
	return DEMON_OK;
}

static const char *audit(struct fixture *f, demon_time since, int64_t limit)
{
	DEMON_READ(loan);

	f->rows[0] = '\0';
	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_audit_list(loan.db, since, limit, add_row, f, &f->err), &f->err);
	return f->rows;
}

static void freeze(struct fixture *f, const char *tenant, const char *reason)
{
	const struct demon_freeze_request request = {tenant, &kim, reason};
	bool new;

	assert_ok(demon_freeze(f->store, &request, &new, &f->err), &f->err);
}

static void acts_are_listed_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_options options = {.run_id = "r-1", .tenant_id = "blue"};
	const struct demon_run_options again = {.run_id = "r-2", .requester = "zoe"};
	const struct demon_run_request request = {.by = "lee", .reason = "wrong host"};
	struct demon_run_id run;
	struct demon_run_id retried;
	bool changed;

	assert_string_equal(audit(f, 0, 10), "");
	assert_ok(demon_run_start(f->store, f->ritual, &options, &run, &f->err), &f->err);
	assert_string_equal(audit(f, 0, 10), "");
	assert_ok(demon_run_cancel(f->store, &run, &request, &changed, &f->err), &f->err);
	assert_ok(demon_run_retry(f->store, &run, NULL, &again, &retried, &f->err), &f->err);
	freeze(f, "*", "the vault");
	assert_string_equal(audit(f, 0, 10),
			    "7 freeze.written:v1 * freeze - kim@corp.test declared the vault\n"
			    "6 ritual.restored:v1 blue test r-2 zoe - -\n"
			    "3 ritual.canceled:v1 blue test r-1 lee - wrong host\n");
}

static void the_limit_keeps_the_last_and_since_the_later_ones(void **state)
{
	struct fixture *f = *state;
	demon_time later;

	freeze(f, "a", "1");
	fake_env_advance(&f->clock, 1000);
	later = f->clock.now;
	freeze(f, "b", "2");
	fake_env_advance(&f->clock, 1000);
	freeze(f, "c", "3");
	assert_string_equal(audit(f, 0, 1),
			    "3 freeze.written:v1 c freeze - kim@corp.test declared 3\n");
	assert_string_equal(audit(f, later, 10),
			    "3 freeze.written:v1 c freeze - kim@corp.test declared 3\n"
			    "2 freeze.written:v1 b freeze - kim@corp.test declared 2\n");
	assert_string_equal(audit(f, later, 1),
			    "3 freeze.written:v1 c freeze - kim@corp.test declared 3\n");
	assert_string_equal(audit(f, f->clock.now + 1, 10), "");
}

/* Events of the node's own stream that this program does not know, or whose members are odd. */
static enum demon_rc write_raw(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const char *payload = ctx;
	const struct demon_record record = {
	    .type = "test.act:v1", .payload = payload, .payload_len = strlen(payload)};
	const struct demon_group group = {
	    .stream = DEMON_STREAM_NODE, .ts = 1000, .records = &record, .count = 1};

	return demon_write_append(w, &group, NULL, err);
}

static void an_act_of_an_unknown_kind_is_listed_too(void **state)
{
	struct fixture *f = *state;
	static char odd[] = "{\"by\":7,\"event\":\"test.act:v1\",\"name\":[\"x\"],\"reason\":null,"
			    "\"tenant\":{},\"ts\":\"1970-01-01T00:00:01.000Z\"}";
	static char plain[] = "{\"by\":\"zo\\\"e\\\\\",\"event\":\"test.act:v1\","
			      "\"ts\":\"1970-01-01T00:00:01.000Z\"}";

	test_sink_close();
	assert_ok(demon_store_write(f->store, write_raw, odd, &f->err), &f->err);
	assert_ok(demon_store_write(f->store, write_raw, plain, &f->err), &f->err);
	test_sink_open();
	assert_string_equal(audit(f, 0, 10), "2 test.act:v1 - - - zo\"e\\ - -\n"
					     "1 test.act:v1 - - - - - -\n");
}

int main(void)
{
#define AUDIT_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    AUDIT_TEST(acts_are_listed_and_nothing_else),
	    AUDIT_TEST(the_limit_keeps_the_last_and_since_the_later_ones),
	    AUDIT_TEST(an_act_of_an_unknown_kind_is_listed_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
