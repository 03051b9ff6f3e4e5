#include "support/test.h"

#include "support/fork.h"

#include "base/fault.h"
#include "db/migrate.h"
#include "db/stmt.h"
#include "db/txn.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char *dir;
	char path[4200];
	struct fake_env fake;
	struct demon_db *db;
	struct demon_lock *lock;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	fake_env_init(&f->fake, 1);
	f->dir = test_dir();
	(void)snprintf(f->path, sizeof(f->path), "%s/demon.db", f->dir);
	*state = f;
	return 0;
}

static void shut(struct fixture *f)
{
	demon_db_close(f->db);
	demon_lock_close(f->lock);
	f->db = NULL;
	f->lock = NULL;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	shut(f);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static enum demon_rc open_writer(struct fixture *f)
{
	enum demon_rc rc;

	shut(f);
	if ((rc = demon_lock_open(f->path, &f->lock, &f->err)) ||
	    (rc = demon_db_open(f->path, DEMON_DB_WRITER, true, &f->db, &f->err)) ||
	    (rc = demon_migrate(f->db, f->lock, &f->fake.env, &f->err)))
		return rc;
	return DEMON_OK;
}

DEMON_SQL(sql_mode, "PRAGMA journal_mode");

static void a_new_database_is_migrated_and_in_wal(void **state)
{
	struct fixture *f = *state;
	bool row;

	assert_ok(open_writer(f), &f->err);
	assert_false(demon_lock_write_held(f->lock));
	assert_ok(demon_migrate_check(f->db, &f->err), &f->err);
	assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
	assert_ok(demon_db_integrity(f->db, false, &f->err), &f->err);
	{
		struct demon_stmt q = demon_stmt_get(f->db, &sql_mode);

		assert_ok(demon_step(&q, &row, &f->err), &f->err);
		assert_string_equal(demon_col_str(&q, 0), "wal");
		demon_stmt_done(&q);
	}
	assert_ok(open_writer(f), &f->err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_new_database_is_migrated_and_in_wal, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
