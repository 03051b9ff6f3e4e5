#include "fixture.h"

#include "db/rows.h"

#include <stdio.h>

DEMON_SQL_SCAN(sql_put, "a test", "INSERT INTO t (id, v, u) SELECT c0, c1, c2 FROM demon_rows");
DEMON_SQL_SCAN(sql_all, "a test",
	       "SELECT group_concat(id || ':' || typeof(v) || ':' || coalesce(v, '-') || ':' || "
	       "coalesce(u, '-'), ' ') FROM t");
DEMON_SQL_SCAN(sql_left, "a test", "SELECT count(*) FROM demon_rows");

struct item {
	int64_t id;
	struct demon_value v;
	const char *u;
};

static void item_value(const void *ctx, size_t row, int col, struct demon_value *ret_value)
{
	const struct item *item = (const struct item *)ctx + row;

	if (col == 0)
		*ret_value = (struct demon_value){.kind = DEMON_COL_INTEGER, .integer = item->id};
	else if (col == 1)
		*ret_value = item->v;
	else if (item->u)
		*ret_value = (struct demon_value){
		    .kind = DEMON_COL_TEXT, .bytes = item->u, .len = strlen(item->u)};
}

static void assert_content(struct fixture *f, const char *expected)
{
	DEMON_STMT(q, f->db, &sql_all);
	bool row = false;

	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	if (expected)
		assert_string_equal(demon_col_str(&q, 0), expected);
	else
		assert_null(demon_col_str(&q, 0));
}

static void rows_of_every_kind_go_into_a_table(void **state)
{
	struct fixture *f = *state;
	static const struct item items[] = {
	    {1, {.kind = DEMON_COL_TEXT, .bytes = "one", .len = 3}, "x"},
	    {2, {.kind = DEMON_COL_INTEGER, .integer = INT64_MIN}, NULL},
	    {3, {.kind = DEMON_COL_BLOB, .bytes = "AB", .len = 2}, "z"},
	    {4, {.kind = DEMON_COL_NULL}, ""}};
	struct demon_rows rows = {demon_count(items), item_value, items};
	int64_t left = -1;

	make_database(f);
	assert_ok(demon_exec_rows(f->db, &sql_put, &rows, &f->err), &f->err);
	assert_content(f, "1:text:one:x 2:integer:-9223372036854775808:- 3:blob:AB:z 4:null:-:");
	assert_ok(read_number(f->db, &sql_left, &left, &f->err), &f->err);
	assert_int_equal(left, 0);
	rows.count = 0;
	assert_ok(demon_exec_rows(f->db, &sql_put, &rows, &f->err), &f->err);
}

static void a_row_that_is_refused_leaves_none(void **state)
{
	struct fixture *f = *state;
	struct item items[] = {{1, {0}, "a"}, {2, {0}, "b"}, {3, {0}, "a"}};
	struct demon_rows rows = {demon_count(items), item_value, items};
	int64_t left = -1;

	make_database(f);
	assert_ok(demon_db_script(f->db, "BEGIN IMMEDIATE; INSERT INTO t (id) VALUES (9)", &f->err),
		  &f->err);
	assert_rc(demon_exec_rows(f->db, &sql_put, &rows, &f->err), DEMON_CONFLICT, &f->err);
	assert_contains(f->err.msg, "UNIQUE");
	items[2] = (struct item){1000000, {0}, "c"};
	assert_rc(demon_exec_rows(f->db, &sql_put, &rows, &f->err), DEMON_INVALID, &f->err);
	assert_content(f, "9:null:-:-");
	items[2].id = 3;
	assert_ok(demon_exec_rows(f->db, &sql_put, &rows, &f->err), &f->err);
	assert_ok(demon_db_script(f->db, "COMMIT", &f->err), &f->err);
	assert_content(f, "1:null:-:a 2:null:-:b 3:null:-:c 9:null:-:-");
	assert_ok(read_number(f->db, &sql_left, &left, &f->err), &f->err);
	assert_int_equal(left, 0);
}

static void no_view_or_trigger_reads_a_program_s_memory(void **state)
{
	struct fixture *f = *state;
	static const struct item items[] = {{1, {0}, "a"}};
	const struct demon_rows rows = {1, item_value, items};

	make_database(f);
	assert_ok(demon_db_script(f->db,
				  "CREATE TABLE seen (n);"
				  "CREATE TRIGGER look AFTER INSERT ON t BEGIN "
				  "INSERT INTO seen SELECT count(*) FROM demon_rows; END",
				  &f->err),
		  &f->err);
	assert_int_not_equal(demon_exec_rows(f->db, &sql_put, &rows, &f->err), DEMON_OK);
	assert_content(f, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(rows_of_every_kind_go_into_a_table),
	    T(a_row_that_is_refused_leaves_none),
	    T(no_view_or_trigger_reads_a_program_s_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
