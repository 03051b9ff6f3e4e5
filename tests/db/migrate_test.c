#include "fixture.h"

#include "db/handle.h"

#include <sched.h>
#include <sys/stat.h>

/* Migrations of the test's own stand in for those of the program. The third fails when the data
 * does not suit it. */
#define ONE "CREATE TABLE a (x INTEGER) STRICT;\n"
#define TWO                                   \
	"CREATE VIEW v AS SELECT x FROM a;\n" \
	"CREATE TRIGGER a_no_delete BEFORE DELETE ON a BEGIN SELECT raise(ABORT, 'no'); END;\n"
#define THREE                                                 \
	"CREATE TABLE c (x INTEGER CHECK (x < 10)) STRICT;\n" \
	"INSERT INTO c SELECT x FROM a;\n"

const struct demon_embedded demon_migrations[] = {
    {"0001_one.sql", ONE, sizeof(ONE) - 1},
    {"0002_two.sql", TWO, sizeof(TWO) - 1},
    {"0003_three.sql", THREE, sizeof(THREE) - 1},
    {NULL, NULL, 0},
};

/* Takes a database back to where it was before a migration. */
#define BACK_TO_TWO                                                      \
	"DROP TABLE c; DELETE FROM schema_migrations WHERE version > 2;" \
	"PRAGMA user_version = 2;"
#define BACK_TO_ONE                                          \
	BACK_TO_TWO "DROP TRIGGER a_no_delete; DROP VIEW v;" \
		    "DELETE FROM schema_migrations WHERE version > 1; PRAGMA user_version = 1;"

DEMON_SQL(sql_mode, "PRAGMA journal_mode");
DEMON_SQL(sql_id, "PRAGMA application_id");
DEMON_SQL(sql_page_size, "PRAGMA page_size");
DEMON_SQL(sql_version, "PRAGMA user_version");
DEMON_SQL(sql_schema_version, "PRAGMA schema_version");
DEMON_SQL_SCAN(sql_records, "a test",
	       "SELECT count(*) FROM schema_migrations"
	       " WHERE applied_at = 1767323045000");
DEMON_SQL_SCAN(sql_objects, "a test", "SELECT count(*) FROM sqlite_schema");

static enum demon_rc migrate(struct fixture *f)
{
	enum demon_rc rc = open_writer(f);

	return rc ? rc : demon_migrate(f->db, f->lock, &f->fake.env, &f->err);
}

static int64_t number(struct fixture *f, const struct demon_sql *sql)
{
	int64_t n = -1;

	assert_ok(read_number(f->db, sql, &n, &f->err), &f->err);
	return n;
}

static void script(struct fixture *f, const char *sql)
{
	assert_ok(demon_db_script(f->db, sql, &f->err), &f->err);
}

static void a_new_database_gets_schema_identity_and_wal(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q;
	bool row = false;

	assert_ok(migrate(f), &f->err);
	assert_false(demon_lock_write_held(f->lock));
	assert_int_equal(number(f, &sql_id), DEMON_APPLICATION_ID);
	assert_int_equal(number(f, &sql_page_size), 4096);
	assert_int_equal(number(f, &sql_version), 3);
	assert_int_equal(number(f, &sql_records), 3);
	q = demon_stmt_get(f->db, &sql_mode);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_string_equal(demon_col_str(&q, 0), "wal");
	demon_stmt_done(&q);
	assert_ok(demon_migrate_check(f->db, &f->err), &f->err);
	assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
	assert_ok(demon_db_integrity(f->db, false, &f->err), &f->err);
}

static void an_up_to_date_database_is_only_read_and_takes_no_lock(void **state)
{
	struct fixture *f = *state;
	struct demon_lock *other = NULL;
	int64_t data = -1;
	int64_t again = -1;

	assert_ok(migrate(f), &f->err);
	assert_ok(open_writer(f), &f->err);
	assert_ok(demon_db_data_version(f->db, &data, &f->err), &f->err);
	assert_ok(demon_lock_open(f->path, &other, &f->err), &f->err);
	assert_ok(demon_lock_write(other, 0, &f->err), &f->err);
	demon_fault_arm(DEMON_FAULT_TXN_BEGUN, 1, false);
	assert_ok(demon_migrate(f->db, f->lock, &f->fake.env, &f->err), &f->err);
	assert_int_equal(demon_fault_disarm(), 0);
	assert_ok(demon_db_data_version(f->db, &again, &f->err), &f->err);
	assert_int_equal(data, again);
	demon_lock_close(other);
}

static void a_memory_database_is_migrated_without_a_lock(void **state)
{
	struct fixture *f = *state;

	assert_ok(demon_db_open(NULL, DEMON_DB_MEMORY, true, &f->db, &f->err), &f->err);
	for (int i = 0; i < 2; i++) {
		assert_ok(demon_migrate(f->db, NULL, &f->fake.env, &f->err), &f->err);
		assert_ok(demon_migrate_check(f->db, &f->err), &f->err);
		assert_int_equal(number(f, &sql_version), 3);
	}
}

static void an_older_database_is_brought_up_with_its_data(void **state)
{
	struct fixture *f = *state;

	assert_ok(migrate(f), &f->err);
	script(f, "INSERT INTO a VALUES (7);" BACK_TO_ONE);
	assert_rc(demon_migrate_check(f->db, &f->err), DEMON_UNAVAIL, &f->err);
	assert_contains(f->err.msg, "has version 1, this program needs 3");
	assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
	assert_ok(migrate(f), &f->err);
	assert_int_equal(number(f, &sql_version), 3);
	assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
}

static void a_migration_that_fails_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t before;

	assert_ok(migrate(f), &f->err);
	script(f, "INSERT INTO a VALUES (11);" BACK_TO_ONE);
	before = number(f, &sql_schema_version);
	assert_rc(demon_migrate(f->db, f->lock, &f->fake.env, &f->err), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "migration '0003_three.sql'");
	assert_contains(f->err.msg, "CHECK");
	assert_contains(f->err.msg, f->path);
	assert_int_equal(number(f, &sql_schema_version), before);
	assert_int_equal(number(f, &sql_version), 1);
	assert_false(demon_lock_write_held(f->lock));
	assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
}

static void assert_refused_as(struct fixture *f, enum demon_rc rc, const char *why)
{
	int64_t before = number(f, &sql_schema_version);

	assert_rc(demon_migrate(f->db, f->lock, &f->fake.env, &f->err), rc, &f->err);
	assert_contains(f->err.msg, why);
	assert_contains(f->err.msg, f->path);
	assert_rc(demon_migrate_check(f->db, &f->err), rc, &f->err);
	assert_contains(f->err.msg, why);
	assert_int_equal(number(f, &sql_schema_version), before);
	assert_false(demon_lock_write_held(f->lock));
}

static void a_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_ok(migrate(f), &f->err);
	script(f, "PRAGMA user_version = 4; CREATE TABLE later (x);");
	assert_refused_as(f, DEMON_NEWER, "has version 4, this program knows 3");
	assert_rc(demon_schema_verify(f->db, &f->err), DEMON_NEWER, &f->err);
}

static void an_altered_schema_is_damage_and_is_named(void **state)
{
	static const struct {
		const char *sql;
		const char *why;
	} cases[] = {
	    {"DROP TRIGGER a_no_delete", "trigger 'a_no_delete' is missing"},
	    {"DROP VIEW v", "view 'v' is missing"},
	    {"CREATE TABLE zz (x)", "table 'zz' is not ours"},
	    {"CREATE INDEX aa ON a (x)", "index 'aa' is not ours"},
	    {"ALTER TABLE a ADD COLUMN y INTEGER", "table 'a' is not as it was made"},
	    {"DROP TRIGGER a_no_delete; CREATE TRIGGER a_no_delete BEFORE DELETE ON a"
	     " BEGIN SELECT 1; END",
	     "trigger 'a_no_delete' is not as it was made"},
	    {"ALTER TABLE schema_migrations RENAME TO gone", "table 'gone' is not ours"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(cases); i++) {
		wipe(f);
		assert_ok(migrate(f), &f->err);
		script(f, cases[i].sql);
		assert_refused_as(f, DEMON_CORRUPT, cases[i].why);
		assert_rc(demon_schema_verify(f->db, &f->err), DEMON_CORRUPT, &f->err);
		assert_contains(f->err.msg, cases[i].why);
	}
}

static void a_schema_that_was_altered_and_changed_back_is_the_same(void **state)
{
	struct fixture *f = *state;
	unsigned char before[DEMON_HASH_LEN];
	unsigned char altered[DEMON_HASH_LEN];
	unsigned char after[DEMON_HASH_LEN];

	assert_ok(migrate(f), &f->err);
	assert_ok(demon_schema_digest(f->db, before, &f->err), &f->err);
	script(f, "CREATE TABLE zz (x UNIQUE)");
	assert_ok(demon_schema_digest(f->db, altered, &f->err), &f->err);
	assert_memory_not_equal(altered, before, sizeof(before));
	/* what SQLite makes by itself does not count */
	script(f, "DROP TABLE zz; ANALYZE");
	assert_ok(demon_schema_digest(f->db, after, &f->err), &f->err);
	assert_memory_equal(after, before, sizeof(before));
	assert_ok(migrate(f), &f->err);
}

static void a_record_that_was_tampered_with_is_damage(void **state)
{
	static const struct {
		const char *sql;
		const char *why;
	} cases[] = {
	    {"UPDATE schema_migrations SET checksum = zeroblob(32) WHERE version = 2",
	     "applied from another text than '0002_two.sql'"},
	    {"UPDATE schema_migrations SET checksum = x'00' WHERE version = 1", "0001_one.sql"},
	    {"UPDATE schema_migrations SET schema_digest = zeroblob(32) WHERE version = 3",
	     "not the one that migration '0003_three.sql' left"},
	    {"DELETE FROM schema_migrations WHERE version = 3", "do not add up to version 3"},
	    {"DELETE FROM schema_migrations WHERE version = 1", "do not add up to version 3"},
	    {"INSERT INTO schema_migrations VALUES (4, 'x', x'', x'', 0)",
	     "do not add up to version 3"},
	    {"PRAGMA user_version = 2", "altered"},
	    {"PRAGMA user_version = 0", "no version of a schema"},
	    {"PRAGMA application_id = 0", "not a Demon database"},
	};
	struct fixture *f = *state;

	assert_ok(migrate(f), &f->err);
	for (size_t i = 0; i < demon_count(cases); i++) {
		script(f, "SAVEPOINT before");
		script(f, cases[i].sql);
		script(f, "RELEASE before");
		assert_refused_as(f, DEMON_CORRUPT, cases[i].why);
		wipe(f);
		assert_ok(migrate(f), &f->err);
	}
}

static void tables_without_a_version_are_not_overwritten(void **state)
{
	struct fixture *f = *state;

	assert_ok(open_writer(f), &f->err);
	script(f, "PRAGMA application_id = 0x44656d6e; CREATE TABLE mine (x)");
	assert_refused_as(f, DEMON_CORRUPT, "no version of a schema");
	assert_int_equal(number(f, &sql_objects), 1);
}

static void an_empty_file_is_not_ready_for_a_reader(void **state)
{
	struct fixture *f = *state;

	test_write(f->path, "", 0);
	assert_ok(demon_db_open(f->path, DEMON_DB_READER, false, &f->db, &f->err), &f->err);
	assert_rc(demon_migrate_check(f->db, &f->err), DEMON_UNAVAIL, &f->err);
	assert_contains(f->err.msg, "has version 0, this program needs 3");
}

static void a_database_in_another_journal_mode_goes_back_to_wal(void **state)
{
	struct fixture *f = *state;
	struct demon_stmt q;
	bool row = false;

	assert_ok(migrate(f), &f->err);
	script(f, "PRAGMA journal_mode = DELETE");
	assert_ok(demon_migrate_check(f->db, &f->err), &f->err);
	assert_ok(migrate(f), &f->err);
	q = demon_stmt_get(f->db, &sql_mode);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_string_equal(demon_col_str(&q, 0), "wal");
	demon_stmt_done(&q);
}

static void a_refusal_at_any_point_can_be_repeated(void **state)
{
	static const enum demon_fault points[] = {
	    DEMON_FAULT_LOCK_TAKEN,    DEMON_FAULT_TXN_BEGUN,      DEMON_FAULT_MIGRATE_STEP,
	    DEMON_FAULT_COMMIT_BEFORE, DEMON_FAULT_MIGRATE_COMMIT, DEMON_FAULT_MIGRATE_DONE,
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(points); i++) {
		wipe(f);
		demon_fault_arm(points[i], 1, false);
		assert_rc(migrate(f), DEMON_IO, &f->err);
		assert_int_equal(demon_fault_disarm(), 1);
		assert_false(demon_lock_write_held(f->lock));
		assert_true(demon_db_autocommit(f->db));
		assert_int_equal(number(f, &sql_version),
				 points[i] == DEMON_FAULT_MIGRATE_DONE ? 3 : 0);
		assert_ok(demon_migrate(f->db, f->lock, &f->fake.env, &f->err), &f->err);
		assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
	}
}

static void lost_memory_at_any_allocation_is_an_error(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 1, lost = 1; lost; n++) {
		enum demon_rc rc;

		wipe(f);
		assert_ok(open_writer(f), &f->err);
		demon_fault_arm(DEMON_FAULT_ALLOC, n, false);
		rc = demon_migrate(f->db, f->lock, &f->fake.env, &f->err);
		lost = demon_fault_disarm();
		assert_int_equal(rc, lost ? DEMON_NOMEM : DEMON_OK);
		assert_ok(demon_migrate(f->db, f->lock, &f->fake.env, &f->err), &f->err);
	}
	assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
}

/* Creates the database as soon as all are ready. */
static int create(void *arg)
{
	struct fixture *f = arg;
	int64_t players = f->report->numbers[1];
	enum demon_rc rc;

	__atomic_add_fetch(&f->report->numbers[0], 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&f->report->numbers[0], __ATOMIC_ACQUIRE) < players)
		(void)sched_yield();
	rc = migrate(f);
	if (rc)
		(void)fprintf(stderr, "%s\n", f->err.msg);
	if (rc == DEMON_OK)
		rc = demon_schema_verify(f->db, &f->err);
	shut(f);
	return (int)rc;
}

static void processes_that_create_it_at_once_all_succeed(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 20; round++) {
		pid_t children[4];

		f->report->numbers[0] = 0;
		f->report->numbers[1] = 2 + round % 3;
		for (int i = 0; i < 2 + round % 3; i++)
			children[i] = test_fork_start(create, f);
		for (int i = 0; i < 2 + round % 3; i++)
			assert_int_equal(test_fork_wait(children[i]), 0);
		assert_ok(migrate(f), &f->err);
		assert_int_equal(number(f, &sql_records), 3);
		assert_ok(demon_db_integrity(f->db, false, &f->err), &f->err);
		wipe(f);
	}
}

struct death {
	struct fixture *f;
	enum demon_fault point;
	unsigned nth;
};

static int die_while_creating(void *arg)
{
	const struct death *d = arg;

	demon_fault_arm(d->point, d->nth, true);
	return (int)migrate(d->f);
}

static void assert_death_leaves_a_usable_file(struct fixture *f, enum demon_fault point)
{
	unsigned n = 0;
	int status;

	do {
		struct death d = {f, point, ++n};

		status = test_fork(die_while_creating, &d);
		assert_true(WIFSIGNALED(status) || status == 0);
		assert_ok(migrate(f), &f->err);
		assert_int_equal(number(f, &sql_records), 3);
		assert_ok(demon_schema_verify(f->db, &f->err), &f->err);
		assert_ok(demon_db_integrity(f->db, false, &f->err), &f->err);
		wipe(f);
	} while (WIFSIGNALED(status));
	assert_true(n > 1); /* the point was passed */
}

static void death_at_any_point_of_creation_leaves_a_usable_file(void **state)
{
	static const enum demon_fault points[] = {
	    DEMON_FAULT_LOCK_TAKEN,    DEMON_FAULT_TXN_BEGUN,      DEMON_FAULT_MIGRATE_STEP,
	    DEMON_FAULT_COMMIT_BEFORE, DEMON_FAULT_MIGRATE_COMMIT, DEMON_FAULT_COMMIT_AFTER,
	    DEMON_FAULT_MIGRATE_DONE,
	};

	for (size_t i = 0; i < demon_count(points); i++)
		assert_death_leaves_a_usable_file(*state, points[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_new_database_gets_schema_identity_and_wal),
	    TEST(an_up_to_date_database_is_only_read_and_takes_no_lock),
	    TEST(a_memory_database_is_migrated_without_a_lock),
	    TEST(an_older_database_is_brought_up_with_its_data),
	    TEST(a_migration_that_fails_changes_nothing),
	    TEST(a_newer_schema_is_refused),
	    TEST(an_altered_schema_is_damage_and_is_named),
	    TEST(a_schema_that_was_altered_and_changed_back_is_the_same),
	    TEST(a_record_that_was_tampered_with_is_damage),
	    TEST(tables_without_a_version_are_not_overwritten),
	    TEST(an_empty_file_is_not_ready_for_a_reader),
	    TEST(a_database_in_another_journal_mode_goes_back_to_wal),
	    TEST(a_refusal_at_any_point_can_be_repeated),
	    TEST(lost_memory_at_any_allocation_is_an_error),
	    TEST(processes_that_create_it_at_once_all_succeed),
	    TEST(death_at_any_point_of_creation_leaves_a_usable_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
