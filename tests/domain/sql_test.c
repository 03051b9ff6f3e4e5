/*
 * Every statement that the library declares, against the migrated schema: each prepares, reads no
 * table from end to end unless it says why, and takes time, chance and sequence as parameters.
 */
#include "support/test.h"

#include "base/base.h"
#include "db/handle.h"
#include "db/migrate.h"

#include <stdio.h>

#define FEWEST 30

struct fixture {
	char *dir;
	sqlite3 *db;
	struct demon_err err;
};

/* A migrated database, opened once more without the library. */
static int setup(void **state)
{
	static const struct demon_rows *no_rows;
	struct fixture *f = calloc(1, sizeof(*f));
	const char *path;
	struct demon_db *db = NULL;
	struct demon_lock *lock = NULL;

	f->dir = test_dir();
	path = test_path(f->dir, "a.db");
	assert_ok(demon_db_open(path, DEMON_DB_WRITER, true, &db, &f->err), &f->err);
	assert_ok(demon_lock_open(path, &lock, &f->err), &f->err);
	assert_ok(demon_migrate(db, lock, demon_env_real(), &f->err), &f->err);
	demon_db_close(db);
	demon_lock_close(lock);
	assert_int_equal(sqlite3_open(path, &f->db), SQLITE_OK);
	assert_int_equal(demon_rows_register(f->db, &no_rows), SQLITE_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)sqlite3_close(f->db);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void explain(struct fixture *f, const struct demon_sql *sql)
{
	char text[8192];
	sqlite3_stmt *plan;

	(void)snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql->text);
	if (sqlite3_prepare_v2(f->db, text, -1, &plan, NULL) != SQLITE_OK)
		fail_msg("%s:%d: %s", sql->file, sql->line, sqlite3_errmsg(f->db));
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(plan, 3);

		if (strncmp(step, "SCAN ", 5) == 0 && strncmp(step, "SCAN CONSTANT ROW", 17) != 0 &&
		    !sql->scans)
			fail_msg("%s:%d: reads a whole table: %s", sql->file, sql->line, step);
	}
	(void)sqlite3_finalize(plan);
}

static void every_statement_prepares_and_none_scans_without_a_reason(void **state)
{
	struct fixture *f = *state;
	size_t n = 0;

	for (const struct demon_sql *const *p = demon_sql_begin(); p != demon_sql_end(); p++, n++) {
		sqlite3_stmt *stmt;

		if (sqlite3_prepare_v2(f->db, (*p)->text, -1, &stmt, NULL) != SQLITE_OK)
			fail_msg("%s:%d: %s", (*p)->file, (*p)->line, sqlite3_errmsg(f->db));
		(void)sqlite3_finalize(stmt);
		if (strncmp((*p)->text, "PRAGMA", 6) != 0)
			explain(f, *p);
	}
	print_message("%zu statements\n", n);
	assert_true(n >= FEWEST);
}

static void no_statement_has_a_clock_or_a_dice(void **state)
{
	static const char *const words[] = {"'now'",         "random",    "CURRENT_",
					    "AUTOINCREMENT", "datetime(", "unixepoch("};

	(void)state;
	for (const struct demon_sql *const *p = demon_sql_begin(); p != demon_sql_end(); p++)
		for (size_t i = 0; i < demon_count(words); i++)
			if (strstr((*p)->text, words[i]))
				fail_msg("%s:%d: %s", (*p)->file, (*p)->line, words[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		every_statement_prepares_and_none_scans_without_a_reason, setup, teardown),
	    cmocka_unit_test(no_statement_has_a_clock_or_a_dice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
