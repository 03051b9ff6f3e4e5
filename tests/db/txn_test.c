#include "fixture.h"

#include "db/handle.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Stands before libc's, also for SQLite: an fsync that fails. */
static int syncs_until_failure = -1;

__attribute__((visibility("default"))) int fdatasync(int fildes)
{
	if (syncs_until_failure >= 0 && syncs_until_failure-- == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fildes);
}

DEMON_SQL(sql_max_id, "SELECT id FROM t ORDER BY id DESC LIMIT 1");
DEMON_SQL(sql_many, "INSERT INTO t (id, v) WITH RECURSIVE n(i) AS (SELECT :from UNION ALL"
		    " SELECT i + 1 FROM n WHERE i < :to) SELECT i, hex(zeroblob(100)) FROM n");

static enum demon_rc insert_many(struct fixture *f, int64_t from, int64_t to)
{
	DEMON_STMT(q, f->db, &sql_many);

	demon_bind_i64(&q, ":from", from);
	demon_bind_i64(&q, ":to", to);
	return demon_exec(&q, &f->err);
}

static int set_up_table(void **state)
{
	struct fixture *f;

	syncs_until_failure = -1;
	if (set_up(state))
		return -1;
	f = *state;
	make_database(f);
	return (int)demon_lock_write(f->lock, 0, &f->err);
}

static void what_is_committed_is_there_for_others(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};

	assert_ok(demon_txn_begin(&tx, f->db, f->lock, &f->err), &f->err);
	assert_false(demon_db_autocommit(f->db));
	assert_ok(insert_row(f->db, 1, "x", &f->err), &f->err);
	assert_ok(demon_txn_commit(&tx, &f->err), &f->err);
	assert_null(tx.db);
	assert_true(demon_db_autocommit(f->db));
	assert_ok(open_writer(f), &f->err);
	assert_rows(f, 1);
}

static enum demon_rc leave_without_commit(struct fixture *f)
{
	DEMON_TXN(tx);
	enum demon_rc rc = demon_txn_begin(&tx, f->db, f->lock, &f->err);

	return rc ? rc : insert_row(f->db, 1, "x", &f->err);
}

static void what_is_not_committed_is_rolled_back_by_the_guard(void **state)
{
	struct fixture *f = *state;

	assert_ok(leave_without_commit(f), &f->err);
	assert_true(demon_db_autocommit(f->db));
	assert_rows(f, 0);
}

static int begin_without_the_lock(void *arg)
{
	struct fixture *f = arg;
	struct demon_txn tx = {0};

	if (!freopen("/dev/null", "w", stderr))
		return 1;
	demon_lock_write_release(f->lock);
	return (int)demon_txn_begin(&tx, f->db, f->lock, &f->err);
}

static void a_write_without_the_lock_is_stopped(void **state)
{
	int status = test_fork(begin_without_the_lock, *state);

	assert_true(WIFSIGNALED(status));
}

static void a_memory_database_needs_no_lock(void **state)
{
	struct fixture *f = *state;
	struct demon_db *db = NULL;
	struct demon_txn tx = {0};

	assert_ok(demon_db_open(NULL, DEMON_DB_MEMORY, true, &db, &f->err), &f->err);
	assert_ok(demon_txn_begin(&tx, db, NULL, &f->err), &f->err);
	assert_ok(demon_db_script(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", &f->err),
		  &f->err);
	assert_ok(demon_txn_commit(&tx, &f->err), &f->err);
	demon_db_close(db);
}

static void a_read_transaction_sees_the_moment_of_its_beginning(void **state)
{
	struct fixture *f = *state;
	struct demon_db *reader = NULL;
	struct demon_txn read = {0};
	int64_t n = -1;

	assert_ok(demon_db_open(f->path, DEMON_DB_READER, false, &reader, &f->err), &f->err);
	assert_ok(demon_txn_read(&read, reader, &f->err), &f->err);
	assert_ok(insert_many(f, 1, 10), &f->err);
	assert_ok(count_rows(reader, &n, &f->err), &f->err);
	assert_int_equal(n, 0);
	assert_ok(demon_txn_commit(&read, &f->err), &f->err);
	assert_ok(count_rows(reader, &n, &f->err), &f->err);
	assert_int_equal(n, 10);
	demon_db_close(reader);
}

static void a_savepoint_is_kept_or_undone_alone(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};

	assert_ok(demon_txn_begin(&tx, f->db, f->lock, &f->err), &f->err);
	for (int64_t id = 1; id <= 6; id++) {
		assert_ok(demon_savepoint_begin(&tx, &f->err), &f->err);
		assert_ok(insert_row(f->db, id, "x", &f->err), &f->err);
		if (id % 3 == 0)
			assert_ok(demon_savepoint_undo(&tx, &f->err), &f->err);
		else
			assert_ok(demon_savepoint_keep(&tx, &f->err), &f->err);
	}
	/* a job that fails on a constraint does not take the others along */
	assert_ok(demon_savepoint_begin(&tx, &f->err), &f->err);
	assert_ok(insert_row(f->db, 7, "x", &f->err), &f->err);
	assert_rc(insert_row(f->db, 1, "x", &f->err), DEMON_CONFLICT, &f->err);
	assert_ok(demon_savepoint_undo(&tx, &f->err), &f->err);
	assert_ok(demon_txn_commit(&tx, &f->err), &f->err);
	assert_rows(f, 4);
}

static int give_up(void *arg)
{
	(void)arg;
	return 1;
}

/* What the writer of the log does: a job that was told yes, then one during which SQLite ends the
 * transaction by itself. Every later call must say so, and nothing may be durable. */
static void assert_gone(struct fixture *f, struct demon_txn *tx)
{
	assert_true(demon_db_autocommit(f->db));
	assert_rc(demon_savepoint_keep(tx, &f->err), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "the transaction is gone");
	assert_rc(demon_savepoint_undo(tx, &f->err), DEMON_IO, &f->err);
	assert_rc(demon_savepoint_begin(tx, &f->err), DEMON_IO, &f->err);
	assert_true(demon_db_autocommit(f->db));
	assert_rc(demon_txn_commit(tx, &f->err), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "the transaction is gone");
	assert_null(tx->db);
	assert_true(demon_db_autocommit(f->db));
	assert_rows(f, 1);
}

static void begin_with_a_good_job(struct fixture *f, struct demon_txn *tx)
{
	assert_ok(insert_row(f->db, 1, "x", &f->err), &f->err);
	assert_ok(demon_txn_begin(tx, f->db, f->lock, &f->err), &f->err);
	assert_ok(demon_savepoint_begin(tx, &f->err), &f->err);
	assert_ok(insert_row(f->db, 2, "x", &f->err), &f->err);
	assert_ok(demon_savepoint_keep(tx, &f->err), &f->err);
	assert_ok(demon_savepoint_begin(tx, &f->err), &f->err);
}

static void an_interrupt_that_ends_the_transaction_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};

	begin_with_a_good_job(f, &tx);
	sqlite3_progress_handler(f->db->sql, 1000, give_up, NULL);
	assert_rc(insert_many(f, 10, 100000), DEMON_CANCELED, &f->err);
	sqlite3_progress_handler(f->db->sql, 0, NULL, NULL);
	assert_gone(f, &tx);
}

static void a_full_disk_that_ends_the_transaction_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};
	char *large = calloc(1, 100001);

	assert_non_null(large);
	memset(large, 'x', 100000);
	begin_with_a_good_job(f, &tx);
	assert_ok(demon_db_script(f->db, "PRAGMA max_page_count = 10", &f->err), &f->err);
	assert_rc(insert_row(f->db, 3, large, &f->err), DEMON_FULL, &f->err);
	free(large);
	assert_gone(f, &tx);
	/* with room the same connection goes on */
	assert_ok(demon_db_script(f->db, "PRAGMA max_page_count = 100000", &f->err), &f->err);
	demon_lock_write_release(f->lock);
	assert_ok(write_row(f, 2, "x"), &f->err);
	assert_rows(f, 2);
}

static void a_commit_whose_fsync_fails_refuses_writing_until_reopened(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};
	int64_t before = -1;

	assert_ok(demon_txn_begin(&tx, f->db, f->lock, &f->err), &f->err);
	assert_ok(insert_row(f->db, 1, "x", &f->err), &f->err);
	syncs_until_failure = 0;
	assert_rc(demon_txn_commit(&tx, &f->err), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "disk I/O error");
	assert_int_equal(syncs_until_failure, -1);
	assert_null(tx.db);
	assert_true(demon_db_autocommit(f->db));
	for (int i = 0; i < 2; i++) {
		assert_rc(demon_txn_begin(&tx, f->db, f->lock, &f->err), DEMON_IO, &f->err);
		assert_contains(f->err.msg, "open it again");
		assert_rc(demon_db_checkpoint(f->db, &f->err), DEMON_IO, &f->err);
	}
	assert_rows(f, 0);
	/* its frames may have reached the WAL, and recovery takes them then */
	assert_ok(open_writer(f), &f->err);
	assert_ok(count_rows(f->db, &before, &f->err), &f->err);
	assert_in_range(before, 0, 1);
	assert_ok(write_row(f, 2, "x"), &f->err);
	assert_rows(f, before + 1);
}

static void a_checkpoint_whose_fsync_fails_refuses_writing_until_reopened(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};

	assert_ok(insert_many(f, 1, 100), &f->err);
	syncs_until_failure = 1; /* the WAL's succeeds, the database's does not */
	assert_rc(demon_db_checkpoint(f->db, &f->err), DEMON_IO, &f->err);
	assert_int_equal(syncs_until_failure, -1);
	assert_rc(demon_txn_begin(&tx, f->db, f->lock, &f->err), DEMON_IO, &f->err);
	assert_ok(open_writer(f), &f->err);
	assert_rows(f, 100);
	assert_ok(write_row(f, 101, "x"), &f->err);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

static void fill_wal(struct fixture *f, int64_t *id, int frames)
{
	int start = f->db->wal_frames;

	while (f->db->wal_frames - start < frames) {
		struct demon_txn tx = {0};

		assert_ok(demon_txn_begin(&tx, f->db, f->lock, &f->err), &f->err);
		assert_ok(insert_many(f, *id, *id + 1999), &f->err);
		*id += 2000;
		assert_ok(demon_txn_commit(&tx, &f->err), &f->err);
		if (f->db->wal_frames < start)
			return;
	}
}

static void a_commit_checkpoints_when_the_wal_has_grown(void **state)
{
	struct fixture *f = *state;
	int64_t id = 1;
	off_t small;

	fill_wal(f, &id, DEMON_CHECKPOINT_FRAMES / 2);
	small = size_of(f->path);
	fill_wal(f, &id, DEMON_CHECKPOINT_FRAMES / 2);
	assert_true(size_of(f->path) > small + (off_t)1000 * 4096);
	/* and the next commit begins the WAL anew */
	fill_wal(f, &id, 1);
	assert_true(f->db->wal_frames < 1000);
	assert_int_equal(f->db->checkpoint_at, DEMON_CHECKPOINT_FRAMES);
	assert_rows(f, id - 1);
}

static void a_reader_that_holds_the_checkpoint_up_costs_no_fsync_a_commit(void **state)
{
	struct fixture *f = *state;
	struct demon_db *reader = NULL;
	struct demon_txn read = {0};
	int64_t id = 1;

	assert_ok(insert_row(f->db, 999999, "x", &f->err), &f->err);
	assert_ok(demon_db_open(f->path, DEMON_DB_READER, false, &reader, &f->err), &f->err);
	assert_ok(demon_txn_read(&read, reader, &f->err), &f->err);
	fill_wal(f, &id, DEMON_CHECKPOINT_FRAMES);
	assert_true(f->db->checkpoint_at > f->db->wal_frames);
	syncs_until_failure = 100;
	assert_ok(insert_row(f->db, id++, "x", &f->err), &f->err);
	assert_int_equal(syncs_until_failure, 99);
	syncs_until_failure = -1;
	demon_txn_done(&read);
	demon_db_close(reader);
	fill_wal(f, &id, DEMON_CHECKPOINT_RETRY + 1);
	fill_wal(f, &id, 1);
	assert_true(f->db->wal_frames < DEMON_CHECKPOINT_FRAMES);
}

static void a_checkpoint_that_fails_does_not_undo_the_commit(void **state)
{
	struct fixture *f = *state;
	int64_t id = 1;

	fill_wal(f, &id, DEMON_CHECKPOINT_FRAMES - 100);
	demon_fault_arm(DEMON_FAULT_CHECKPOINT_BEFORE, 1, false);
	fill_wal(f, &id, 101);
	assert_int_equal(demon_fault_disarm(), 1);
	assert_true(demon_db_autocommit(f->db));
	assert_rows(f, id - 1);
}

static void a_refusal_at_any_point_leaves_all_or_nothing(void **state)
{
	static const struct {
		enum demon_fault point;
		enum demon_rc rc;
	} points[] = {{DEMON_FAULT_LOCK_TAKEN, DEMON_IO},
		      {DEMON_FAULT_TXN_BEGUN, DEMON_IO},
		      {DEMON_FAULT_COMMIT_BEFORE, DEMON_IO},
		      {DEMON_FAULT_COMMIT_AFTER, DEMON_OK}};
	struct fixture *f = *state;

	demon_lock_write_release(f->lock);
	for (size_t i = 0; i < demon_count(points); i++) {
		demon_fault_arm(points[i].point, 1, false);
		assert_rc(write_row(f, 1, "x"), points[i].rc, &f->err);
		assert_int_equal(demon_fault_disarm(), 1);
		assert_true(demon_db_autocommit(f->db));
		assert_false(demon_lock_write_held(f->lock));
		assert_rows(f, points[i].rc == DEMON_OK);
	}
	assert_ok(write_row(f, 2, "x"), &f->err);
}

static void a_write_lock_of_sqlite_held_by_a_stranger_is_busy(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};
	sqlite3 *stranger = NULL;

	assert_int_equal(sqlite3_open(f->path, &stranger), SQLITE_OK);
	assert_int_equal(sqlite3_exec(stranger, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_busy_timeout(f->db->sql, 10);
	assert_rc(demon_txn_begin(&tx, f->db, f->lock, &f->err), DEMON_BUSY, &f->err);
	assert_null(tx.db);
	assert_int_equal(sqlite3_exec(stranger, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(stranger), SQLITE_OK);
	assert_ok(demon_txn_begin(&tx, f->db, f->lock, &f->err), &f->err);
	demon_txn_done(&tx);
}

static void a_statement_left_in_the_middle_does_not_stop_a_commit(void **state)
{
	struct fixture *f = *state;
	struct demon_txn tx = {0};
	struct demon_stmt q;
	bool row;

	assert_ok(insert_many(f, 1, 5), &f->err);
	assert_ok(demon_txn_begin(&tx, f->db, f->lock, &f->err), &f->err);
	q = demon_stmt_get(f->db, &sql_max_id);
	assert_ok(demon_step(&q, &row, &f->err), &f->err);
	assert_int_equal(demon_col_i64(&q, 0), 5);
	assert_ok(insert_row(f->db, 6, "x", &f->err), &f->err);
	assert_ok(demon_txn_commit(&tx, &f->err), &f->err);
	demon_stmt_done(&q);
	assert_ok(demon_db_checkpoint(f->db, &f->err), &f->err);
	assert_int_equal(size_of(test_path(f->dir, "demon.db-wal")), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_table, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_committed_is_there_for_others),
	    TEST(what_is_not_committed_is_rolled_back_by_the_guard),
	    TEST(a_write_without_the_lock_is_stopped),
	    TEST(a_memory_database_needs_no_lock),
	    TEST(a_read_transaction_sees_the_moment_of_its_beginning),
	    TEST(a_savepoint_is_kept_or_undone_alone),
	    TEST(an_interrupt_that_ends_the_transaction_is_noticed),
	    TEST(a_full_disk_that_ends_the_transaction_is_noticed),
	    TEST(a_commit_whose_fsync_fails_refuses_writing_until_reopened),
	    TEST(a_checkpoint_whose_fsync_fails_refuses_writing_until_reopened),
	    TEST(a_commit_checkpoints_when_the_wal_has_grown),
	    TEST(a_reader_that_holds_the_checkpoint_up_costs_no_fsync_a_commit),
	    TEST(a_checkpoint_that_fails_does_not_undo_the_commit),
	    TEST(a_refusal_at_any_point_leaves_all_or_nothing),
	    TEST(a_write_lock_of_sqlite_held_by_a_stranger_is_busy),
	    TEST(a_statement_left_in_the_middle_does_not_stop_a_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
