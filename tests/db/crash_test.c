#include "fixture.h"

#include "db/handle.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

/* A process is killed at every fault point of this layer, at the first, second, ... passing, and
 * the next one checks: what was acknowledged is there, nothing is half there, the lock is free. */

#define PAIRS 12 /* transactions a child makes: rows 2i - 1 and 2i each */

struct death {
	struct fixture *f;
	enum demon_fault point;
	unsigned nth;
	int64_t first; /* id of the first row to write */
};

static enum demon_rc write_pair(struct fixture *f, int64_t id)
{
	enum demon_rc rc = demon_lock_write(f->lock, 5000, &f->err);

	if (rc)
		return rc;
	{
		DEMON_TXN(tx);

		if ((rc = demon_txn_begin(&tx, f->db, f->lock, &f->err)) == DEMON_OK &&
		    (rc = insert_row(f->db, id, "first", &f->err)) == DEMON_OK &&
		    (rc = insert_row(f->db, id + 1, "second", &f->err)) == DEMON_OK)
			rc = demon_txn_commit(&tx, &f->err);
	}
	if (rc == DEMON_OK)
		f->report->numbers[0] += 2; /* acknowledged */
	if (rc == DEMON_OK && id % 3 == 0)
		rc = demon_db_checkpoint(f->db, &f->err);
	demon_lock_write_release(f->lock);
	return rc;
}

static int write_until_death(void *arg)
{
	const struct death *d = arg;
	enum demon_rc rc = open_writer(d->f);

	/* small, so that commits checkpoint by themselves */
	if (rc == DEMON_OK && d->f->db)
		d->f->db->checkpoint_at = 3;
	demon_fault_arm(d->point, d->nth, true);
	for (int64_t i = 0; rc == DEMON_OK && i < PAIRS; i++)
		rc = write_pair(d->f, d->first + 2 * i);
	shut(d->f);
	return (int)rc;
}

static int64_t die_once(struct fixture *f, enum demon_fault point, unsigned nth, int64_t rows)
{
	struct death d = {f, point, nth, rows + 1};
	int status;
	int64_t now = -1;

	f->report->numbers[0] = rows;
	status = test_fork(write_until_death, &d);
	assert_true(WIFSIGNALED(status) || status == 0);
	assert_ok(open_writer(f), &f->err);
	assert_ok(demon_lock_write(f->lock, 0, &f->err), &f->err);
	assert_ok(demon_db_integrity(f->db, false, &f->err), &f->err);
	assert_ok(count_rows(f->db, &now, &f->err), &f->err);
	assert_int_equal(now % 2, 0);
	assert_in_range(now, f->report->numbers[0], f->report->numbers[0] + 2);
	shut(f);
	return WIFSIGNALED(status) ? now : -now;
}

static void what_was_acknowledged_survives_death_at_every_point(void **state)
{
	static const enum demon_fault points[] = {
	    DEMON_FAULT_LOCK_TAKEN,   DEMON_FAULT_TXN_BEGUN,         DEMON_FAULT_COMMIT_BEFORE,
	    DEMON_FAULT_COMMIT_AFTER, DEMON_FAULT_CHECKPOINT_BEFORE, DEMON_FAULT_CHECKPOINT_AFTER,
	};
	struct fixture *f = *state;
	int64_t rows = 0;

	make_database(f);
	shut(f);
	for (size_t i = 0; i < demon_count(points); i++) {
		unsigned n = 0;

		do
			rows = die_once(f, points[i], ++n, rows < 0 ? -rows : rows);
		while (rows >= 0);
		assert_true(n > 3); /* the point was passed, more than once */
		rows = -rows;
	}
}

static int write_for_ever(void *arg)
{
	struct fixture *f = arg;
	enum demon_rc rc = open_writer(f);

	if (rc == DEMON_OK && f->db)
		f->db->checkpoint_at = 3;
	for (int64_t id = f->report->numbers[0] + 1; rc == DEMON_OK; id += 2)
		rc = write_pair(f, id);
	return (int)rc;
}

static void what_was_acknowledged_survives_death_at_any_moment(void **state)
{
	struct fixture *f = *state;
	uint64_t random = test_seed(11);
	int64_t rows = 0;

	make_database(f);
	shut(f);
	for (int round = 0; round < 20; round++) {
		volatile const int64_t *acknowledged = &f->report->numbers[0];
		int64_t enough = rows + 2 + (int64_t)(test_random(&random) % 40);
		pid_t child;

		f->report->numbers[0] = rows;
		child = test_fork_start(write_for_ever, f);
		while (*acknowledged < enough)
			(void)sched_yield();
		(void)kill(child, SIGKILL);
		assert_true(WIFSIGNALED(test_fork_wait(child)));
		assert_ok(open_writer(f), &f->err);
		assert_ok(demon_db_integrity(f->db, false, &f->err), &f->err);
		assert_ok(count_rows(f->db, &rows, &f->err), &f->err);
		assert_int_equal(rows % 2, 0);
		assert_in_range(rows, *acknowledged, *acknowledged + 2);
		shut(f);
	}
}

/* On a file system of 1 MiB, in a mount namespace of the child's own. Returns 77 where that is not
 * allowed, 0 when all is well, else the place of what went wrong. */
static int fill_a_disk(void *arg)
{
	struct fixture *f = arg;
	static char large[20001];
	int64_t rows = 0;
	enum demon_rc rc;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", f->dir, "tmpfs", 0, "size=1m"))
		return 77;
	memset(large, 'x', sizeof(large) - 1);
	f->db = NULL;
	f->lock = NULL;
	if (open_writer(f) ||
	    demon_db_script(f->db,
			    "PRAGMA application_id = 0x44656d6e; PRAGMA journal_mode = WAL;"
			    "CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY) STRICT",
			    &f->err))
		return 2;
	while ((rc = write_row(f, rows + 1, large)) == DEMON_OK)
		rows++;
	f->report->rc = rc;
	f->report->err = f->err;
	f->report->numbers[0] = rows;
	/* a full disk is no reason not to read, also in a new process */
	if (count_rows(f->db, &f->report->numbers[1], &f->err))
		return 3;
	if (open_writer(f) || count_rows(f->db, &f->report->numbers[2], &f->err) ||
	    demon_db_integrity(f->db, false, &f->err))
		return 4;
	/* what is in the WAL fits into the database once more, or it does not: both are answers */
	rc = demon_db_checkpoint(f->db, &f->err);
	if (rc != DEMON_OK && rc != DEMON_FULL && rc != DEMON_IO)
		return 5;
	shut(f);
	return 0;
}

static void a_full_disk_is_an_error_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	int status = test_fork(fill_a_disk, f);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skip();
		return;
	}
	assert_int_equal(status, 0);
	assert_int_equal(f->report->rc, DEMON_FULL);
	assert_contains(f->report->err.msg, "full");
	assert_true(f->report->numbers[0] > 5);
	assert_int_equal(f->report->numbers[1], f->report->numbers[0]);
	assert_int_equal(f->report->numbers[2], f->report->numbers[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_was_acknowledged_survives_death_at_every_point),
	    TEST(what_was_acknowledged_survives_death_at_any_moment),
	    TEST(a_full_disk_is_an_error_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
