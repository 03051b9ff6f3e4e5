#include "fixture.h"

#include "db/handle.h"

#include <limits.h>
#include <signal.h>

DEMON_SQL(sql_insert, "INSERT INTO t (id, v, u) VALUES (:id, :v, :u)");
DEMON_SQL(sql_find, "SELECT id, v, u FROM t WHERE id >= :from AND id <= :to ORDER BY id");
DEMON_SQL(sql_bytes, "SELECT :a, :b, :a");
DEMON_SQL(sql_broken, "SELECT x FROM missing WHERE id = :id");
DEMON_SQL(sql_large, "SELECT length(:v)");
DEMON_SQL(sql_no_rows, "UPDATE t SET v = :v WHERE id = :id");

static int set_up_table(void **state)
{
	struct fixture *f;

	if (set_up(state))
		return -1;
	f = *state;
	if (demon_db_open(NULL, DEMON_DB_MEMORY, true, &f->db, &f->err))
		return -1;
	return (int)demon_db_script(f->db,
				    "CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY, u TEXT UNIQUE)"
				    " STRICT; INSERT INTO t VALUES (1, 'one', 'x'), (2, 2, NULL),"
				    " (3, x'000102', 'z')",
				    &f->err);
}

static void rows_are_stepped_and_their_columns_read(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_find);
	bool row = false;

	demon_bind_i64(&q, ":from", 1);
	demon_bind_i64(&q, ":to", 3);
	assert_int_equal(demon_col_count(&q), 3);
	assert_string_equal(demon_col_name(&q, 1), "v");
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_true(row);
	assert_int_equal(demon_col_i64(&q, 0), 1);
	assert_string_equal(demon_col_str(&q, 1), "one");
	assert_int_equal(demon_col_len(&q, 1), 3);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_int_equal(demon_col_i64(&q, 1), 2);
	assert_true(demon_col_is_null(&q, 2));
	assert_null(demon_col_str(&q, 2));
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_int_equal(demon_col_len(&q, 1), 3);
	assert_memory_equal(demon_col_blob(&q, 1), "\0\1\2", 3);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_false(row);
	demon_stmt_done(&q);
}

static void parameters_are_bound_by_name_in_any_order(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_insert);
	bool row;

	demon_bind_str(&q, ":u", "w");
	demon_bind_text(&q, ":v", "fourteen", 4);
	demon_bind_i64(&q, ":id", 3);
	demon_bind_i64(&q, ":id", 4);
	assert_ok(demon_exec(&q, &f->err), &f->err);
	assert_int_equal(demon_db_changes(f->db), 1);
	demon_stmt_done(&q);
	q = demon_stmt_get(f->db, &sql_find);
	demon_bind_i64(&q, ":to", 4);
	demon_bind_i64(&q, ":from", 4);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_int_equal(demon_col_i64(&q, 0), 4);
	assert_string_equal(demon_col_str(&q, 1), "four");
	assert_string_equal(demon_col_str(&q, 2), "w");
	demon_stmt_done(&q);
}

static void a_parameter_that_occurs_twice_is_bound_once(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_bytes);
	bool row;

	demon_bind_blob(&q, ":a", "", 0);
	demon_bind_text(&q, ":b", "", 0);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	for (int col = 0; col < 3; col++) {
		assert_false(demon_col_is_null(&q, col));
		assert_int_equal(demon_col_len(&q, col), 0);
	}
	demon_stmt_again(&q);
	demon_bind_null(&q, ":a");
	demon_bind_str(&q, ":b", NULL);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_true(demon_col_is_null(&q, 0) && demon_col_is_null(&q, 1));
	demon_stmt_again(&q);
	demon_bind_blob(&q, ":a", NULL, 0);
	demon_bind_i64(&q, ":b", INT64_MIN);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_true(demon_col_is_null(&q, 2));
	assert_true(demon_col_i64(&q, 1) == INT64_MIN);
	demon_stmt_done(&q);
}

static enum demon_rc use_in_scope(struct fixture *f, int64_t *ret)
{
	DEMON_STMT(q, f->db, &sql_find);
	bool row;
	enum demon_rc rc;

	demon_bind_i64(&q, ":from", 1);
	demon_bind_i64(&q, ":to", 3);
	rc = demon_step(&q, &row, &f->err);
	if (rc == DEMON_OK)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

static void the_guard_resets_what_was_left_in_the_middle(void **state)
{
	struct fixture *f = *state;
	int64_t id = 0;

	for (int i = 0; i < 3; i++) {
		assert_ok(use_in_scope(f, &id), &f->err);
		assert_int_equal(id, 1);
		assert_false(sqlite3_stmt_busy(sqlite3_next_stmt(f->db->sql, NULL)));
	}
	/* a statement that still ran would refuse this */
	assert_ok(demon_db_script(f->db, "DROP TABLE t", &f->err), &f->err);
}

static void a_declaration_is_prepared_once_a_connection(void **state)
{
	struct fixture *f = *state;
	int64_t id = 0;
	sqlite3_stmt *first = NULL;

	assert_ok(use_in_scope(f, &id), &f->err);
	first = sqlite3_next_stmt(f->db->sql, NULL);
	assert_ok(use_in_scope(f, &id), &f->err);
	assert_ptr_equal(sqlite3_next_stmt(f->db->sql, NULL), first);
	assert_null(sqlite3_next_stmt(f->db->sql, first));
}

static void a_changed_schema_does_not_disturb_a_cached_statement(void **state)
{
	struct fixture *f = *state;
	int64_t id = 0;

	assert_ok(use_in_scope(f, &id), &f->err);
	assert_ok(demon_db_script(f->db,
				  "CREATE INDEX i ON t (v); ALTER TABLE t ADD COLUMN w ANY;"
				  "DELETE FROM t WHERE id = 1",
				  &f->err),
		  &f->err);
	assert_ok(use_in_scope(f, &id), &f->err);
	assert_int_equal(id, 2);
}

static void a_failed_preparation_comes_out_of_the_step_with_its_place(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_broken);
	int64_t id = 0;
	bool row;

	demon_bind_i64(&q, ":id", 1);
	demon_bind_str(&q, ":whatever", "x");
	/* the connection's own last error is another one by now */
	assert_ok(use_in_scope(f, &id), &f->err);
	assert_int_equal(demon_col_count(&q), 0);
	assert_rc(demon_step(&q, &row, &f->err), DEMON_INTERNAL, &f->err);
	assert_contains(f->err.msg, "SQL at stmt_test.c:");
	assert_contains(f->err.msg, "no such table: missing");
	demon_stmt_again(&q);
	demon_stmt_done(&q);
	demon_stmt_done(&q);
}

static void a_failed_step_says_which_statement_and_can_be_repeated(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_insert);

	for (int i = 0; i < 2; i++) {
		demon_bind_i64(&q, ":id", 50);
		demon_bind_null(&q, ":v");
		demon_bind_str(&q, ":u", "x");
		assert_rc(demon_exec(&q, &f->err), DEMON_CONFLICT, &f->err);
		assert_contains(f->err.msg, "stmt_test.c:");
		assert_contains(f->err.msg, "t.u");
		assert_null(strchr(f->err.msg, '/'));
		demon_stmt_again(&q);
	}
	demon_bind_i64(&q, ":id", 50);
	demon_bind_null(&q, ":v");
	demon_bind_str(&q, ":u", "y");
	assert_ok(demon_exec(&q, &f->err), &f->err);
	demon_stmt_done(&q);
}

static void a_failed_bind_sticks_and_comes_out_of_the_step(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_large);
	bool row;

	demon_bind_blob(&q, ":v", "", (size_t)INT_MAX);
	assert_int_equal(q.rc, DEMON_TOOBIG);
	demon_bind_i64(&q, ":v", 1);
	assert_rc(demon_step(&q, &row, &f->err), DEMON_TOOBIG, &f->err);
	assert_contains(f->err.msg, "too big");
	demon_stmt_again(&q);
	demon_bind_str(&q, ":v", "abc");
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_int_equal(demon_col_i64(&q, 0), 3);
	demon_stmt_done(&q);
}

static void lost_memory_is_answered_and_leaves_the_cache_whole(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;
	int64_t id = 0;

	for (unsigned lost = 1; lost;) {
		enum demon_rc rc;

		demon_fault_arm(DEMON_FAULT_ALLOC, ++n, false);
		rc = use_in_scope(f, &id);
		lost = demon_fault_disarm();
		assert_int_equal(rc, lost ? DEMON_NOMEM : DEMON_OK);
	}
	assert_true(n > 2);
	assert_ok(use_in_scope(f, &id), &f->err);
	assert_int_equal(id, 1);
}

static void more_statements_than_slots_make_the_cache_grow(void **state)
{
	static struct demon_sql sql[200];
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(sql); i++) {
		sql[i] = (struct demon_sql){"SELECT :n", __FILE__, __LINE__, NULL};
		for (size_t j = 0; j <= i; j += 7) {
			struct demon_stmt q = demon_stmt_get(f->db, &sql[i - j]);
			bool row;

			demon_bind_i64(&q, ":n", (int64_t)j);
			assert_ok(demon_step(&q, &row, &f->err), &f->err);
			assert_int_equal(demon_col_i64(&q, 0), j);
			demon_stmt_done(&q);
		}
	}
	assert_int_equal(f->db->cache_used, demon_count(sql));
}

static void declarations_of_the_program_can_be_walked(void **state)
{
	bool mine = false;
	bool of_the_layer = false;

	(void)state;
	for (const struct demon_sql *const *s = demon_sql_begin(); s < demon_sql_end(); s++) {
		assert_non_null((*s)->text);
		assert_true((*s)->line > 0);
		mine = mine || *s == &sql_broken;
		of_the_layer = of_the_layer || strcmp((*s)->text, "PRAGMA data_version") == 0;
	}
	assert_true(mine);
	assert_true(of_the_layer);
}

/* Each does in a child what an assertion must stop. */
static int miss_a_parameter(void *arg)
{
	struct fixture *f = arg;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_find);
	bool row;

	demon_bind_i64(&q, ":from", 1);
	return (int)demon_step(&q, &row, &f->err);
}

static int bind_an_unknown_name(void *arg)
{
	struct demon_stmt q = demon_stmt_get(((struct fixture *)arg)->db, &sql_find);

	demon_bind_i64(&q, ":form", 1);
	return 0;
}

static int use_one_that_is_in_use(void *arg)
{
	struct demon_stmt q = demon_stmt_get(((struct fixture *)arg)->db, &sql_find);
	struct demon_stmt r = demon_stmt_get(((struct fixture *)arg)->db, &sql_find);

	return q.rc || r.rc;
}

struct mistake {
	int (*make)(void *);
	struct fixture *f;
};

static int make_quietly(void *arg)
{
	struct mistake *m = arg;

	return freopen("/dev/null", "w", stderr) ? m->make(m->f) : 1;
}

static void mistakes_of_ours_are_stopped(void **state)
{
	static int (*const mistakes[])(void *) = {miss_a_parameter, bind_an_unknown_name,
						  use_one_that_is_in_use};

	for (size_t i = 0; i < demon_count(mistakes); i++) {
		struct mistake m = {mistakes[i], *state};
		int status = test_fork(make_quietly, &m);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

static void a_statement_that_changes_nothing_is_no_failure(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q = demon_stmt_get(f->db, &sql_no_rows);

	demon_bind_i64(&q, ":v", 1);
	demon_bind_i64(&q, ":id", 999);
	assert_ok(demon_exec(&q, &f->err), &f->err);
	assert_int_equal(demon_db_changes(f->db), 0);
	demon_stmt_done(&q);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_table, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(rows_are_stepped_and_their_columns_read),
	    TEST(parameters_are_bound_by_name_in_any_order),
	    TEST(a_parameter_that_occurs_twice_is_bound_once),
	    TEST(the_guard_resets_what_was_left_in_the_middle),
	    TEST(a_declaration_is_prepared_once_a_connection),
	    TEST(a_changed_schema_does_not_disturb_a_cached_statement),
	    TEST(a_failed_preparation_comes_out_of_the_step_with_its_place),
	    TEST(a_failed_step_says_which_statement_and_can_be_repeated),
	    TEST(a_failed_bind_sticks_and_comes_out_of_the_step),
	    TEST(lost_memory_is_answered_and_leaves_the_cache_whole),
	    TEST(more_statements_than_slots_make_the_cache_grow),
	    TEST(declarations_of_the_program_can_be_walked),
	    TEST(mistakes_of_ours_are_stopped),
	    TEST(a_statement_that_changes_nothing_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
