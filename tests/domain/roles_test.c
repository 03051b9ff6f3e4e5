#include "support/test.h"

#include "domain/admin/roles.h"
#include "store/readers.h"

#include <stdio.h>

static const struct demon_actor root = {.subject = "root"};

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	char rows[4096];
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .env = &f->clock.env, .node_id = "a"};

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* @p roles are separated by blanks. */
static enum demon_rc set(struct fixture *f, const char *tenant, const char *subject,
			 const char *roles, bool *new)
{
	char text[512];
	const char *names[128];
	char *rest = NULL;
	struct demon_roles_request request = {
	    .tenant = tenant, .subject = subject, .roles = names, .actor = &root};

	(void)snprintf(text, sizeof(text), "%s", roles);
	for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		names[request.count++] = name;
	return demon_roles_set(f->store, &request, new, &f->err);
}

static void put(struct fixture *f, const char *tenant, const char *subject, const char *roles)
{
	bool new = false;

	assert_ok(set(f, tenant, subject, roles, &new), &f->err);
	assert_true(new);
}

static const char *get(struct fixture *f, const char *tenant, const char *subject)
{
	json_t *roles = NULL;
	json_t *role;
	size_t i;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_roles_get(loan.db, tenant, subject, &roles, &f->err), &f->err);
	f->rows[0] = '\0';
	json_array_foreach(roles, i, role)
	{
		size_t len = strlen(f->rows);

		(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s%s", len ? " " : "",
			       json_string_value(role));
	}
	json_decref(roles);
	return f->rows;
}

static bool has(struct fixture *f, const char *tenant, const char *subject, const char *role)
{
	bool found;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_roles_has(loan.db, tenant, subject, role, &found, &f->err), &f->err);
	return found;
}

static int64_t last_seq(struct fixture *f)
{
	int64_t seq;

	assert_ok(demon_last_seq(f->store, &seq, &f->err), &f->err);
	return seq;
}

static void a_subject_has_the_roles_of_its_tenant_and_of_all(void **state)
{
	struct fixture *f = *state;

	put(f, "*", "kim", "lead");
	put(f, "blue", "kim", "dba on-call");
	assert_string_equal(get(f, "blue", "kim"), "dba lead on-call");
	assert_string_equal(get(f, "red", "kim"), "lead");
	assert_string_equal(get(f, "*", "kim"), "lead");
	assert_string_equal(get(f, "blue", "lee"), "");
	assert_true(has(f, "blue", "kim", "dba"));
	assert_true(has(f, "blue", "kim", "lead"));
	assert_false(has(f, "red", "kim", "dba"));
	assert_false(has(f, "blue", "Kim", "dba"));
	assert_false(has(f, "blue", "kim", "DBA"));
	assert_false(has(f, "blue", "kim", ""));
}

static void roles_are_kept_in_order_and_once(void **state)
{
	struct fixture *f = *state;
	bool new = true;

	put(f, "blue", "kim", "b a b");
	assert_string_equal(get(f, "blue", "kim"), "a b");
	assert_ok(set(f, "blue", "kim", "a b", &new), &f->err);
	assert_false(new);
	assert_int_equal(last_seq(f), 1);
}

static void no_roles_take_them_all_away(void **state)
{
	struct fixture *f = *state;
	bool new = true;

	assert_ok(set(f, "blue", "kim", "", &new), &f->err);
	assert_false(new);
	put(f, "blue", "kim", "a");
	put(f, "blue", "kim", "");
	assert_string_equal(get(f, "blue", "kim"), "");
	assert_int_equal(last_seq(f), 2);
}

static void what_is_no_subject_or_role_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const roles[] = {"a:b", "*", "a/b", "\xc3\xa9"};
	char many[512] = "";
	bool new;

	for (size_t i = 0; i < demon_count(roles); i++)
		assert_rc(set(f, "blue", "kim", roles[i], &new), DEMON_INVALID, &f->err);
	assert_rc(set(f, "a.b", "kim", "a", &new), DEMON_INVALID, &f->err);
	assert_rc(set(f, "blue", "kim\r", "a", &new), DEMON_INVALID, &f->err);
	assert_rc(set(f, "blue", "system", "a", &new), DEMON_INVALID, &f->err);
	for (int i = 0; i < DEMON_ROLES_MAX + 1; i++)
		(void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "r%d ", i);
	assert_rc(set(f, "blue", "kim", many, &new), DEMON_TOOBIG, &f->err);
	assert_int_equal(last_seq(f), 0);
}

static enum demon_rc add_row(void *ctx, const struct demon_roles_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s/%s %zu; ", row->row->tenant,
		       row->row->name, json_array_size(row->roles));
	return DEMON_OK;
}

static void roles_are_listed_by_tenant_and_subject(void **state)
{
	struct fixture *f = *state;
	DEMON_READ(loan);

	put(f, "blue", "lee", "a");
	put(f, "blue", "kim", "a b");
	put(f, "*", "zoe", "c");
	put(f, "red", "kim", "c");
	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_roles_list(loan.db, NULL, add_row, f, &f->err), &f->err);
	assert_string_equal(f->rows, "*/zoe 1; blue/kim 2; blue/lee 1; red/kim 1; ");
	f->rows[0] = '\0';
	assert_ok(demon_roles_list(loan.db, "blue", add_row, f, &f->err), &f->err);
	assert_string_equal(f->rows, "blue/kim 2; blue/lee 1; ");
}

/* What a careless or hostile node writes gives nobody anything. */
static void a_value_that_has_no_names_gives_no_roles(void **state)
{
	struct fixture *f = *state;
	static const char *const values[] = {"{}", "{\"roles\":\"lead\"}",
					     "{\"roles\":[null,[\"lead\"],\"le ad\",\"\"]}"};

	test_sink_close();
	for (size_t i = 0; i < demon_count(values); i++) {
		json_t *value = json_loads(values[i], 0, NULL);
		const struct demon_register_write write = {.kind = DEMON_REGISTER_ROLES,
							   .tenant = "blue",
							   .name = "kim",
							   .value = value,
							   .actor = &root};

		assert_ok(demon_register_set(f->store, &write, NULL, &f->err), &f->err);
		json_decref(value);
		assert_string_equal(get(f, "blue", "kim"), "");
		assert_false(has(f, "blue", "kim", "lead"));
		assert_false(has(f, "blue", "kim", ""));
	}
	test_sink_open();
}

int main(void)
{
#define ROLES_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    ROLES_TEST(a_subject_has_the_roles_of_its_tenant_and_of_all),
	    ROLES_TEST(roles_are_kept_in_order_and_once),
	    ROLES_TEST(no_roles_take_them_all_away),
	    ROLES_TEST(what_is_no_subject_or_role_is_refused),
	    ROLES_TEST(roles_are_listed_by_tenant_and_subject),
	    ROLES_TEST(a_value_that_has_no_names_gives_no_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
