/*
 * A folder with a database of ours in it, for the tests of this layer: open as writer, with its
 * lock file, and with one table `t` that no migration knows.
 */
#ifndef DEMON_TEST_DB_FIXTURE_H
#define DEMON_TEST_DB_FIXTURE_H

#include "support/test.h"

#include "support/fork.h"

#include "base/fault.h"
#include "db/migrate.h"
#include "db/stmt.h"
#include "db/txn.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/** What a child process tells its parent. */
struct report {
	enum demon_rc rc;
	struct demon_err err;
	int64_t numbers[8];
};

struct fixture {
	char *dir;
	char path[4200];
	struct fake_env fake;
	struct demon_db *db;
	struct demon_lock *lock;
	struct demon_err err;
	struct report *report; /* shared with children */
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	fake_env_init(&f->fake, 1);
	f->dir = test_dir();
	(void)snprintf(f->path, sizeof(f->path), "%s/demon.db", f->dir);
	f->report = mmap(NULL, sizeof(*f->report), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*state = f;
	return f->report == MAP_FAILED ? -1 : 0;
}

static inline void shut(struct fixture *f)
{
	demon_db_close(f->db);
	demon_lock_close(f->lock);
	f->db = NULL;
	f->lock = NULL;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

#ifdef DEMON_FAULTS
	(void)demon_fault_disarm();
#endif
	shut(f);
	(void)munmap(f->report, sizeof(*f->report));
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/** Closes and removes the database, to begin anew. */
static inline void wipe(struct fixture *f)
{
	static const char *const names[] = {"demon.db", "demon.db-wal", "demon.db-shm",
					    "demon.db-journal"};

	shut(f);
	for (size_t i = 0; i < demon_count(names); i++)
		(void)unlink(test_path(f->dir, names[i]));
}

/** Opens lock and writer; no schema. Safe in a child: it does not assert. */
static inline enum demon_rc open_writer(struct fixture *f)
{
	enum demon_rc rc;

	shut(f);
	if ((rc = demon_lock_open(f->path, &f->lock, &f->err)) ||
	    (rc = demon_db_open(f->path, DEMON_DB_WRITER, true, &f->db, &f->err)))
		return rc;
	return DEMON_OK;
}

/** Makes the database with its table, and leaves it open. */
static inline void make_database(struct fixture *f)
{
	assert_ok(open_writer(f), &f->err);
	assert_ok(demon_db_script(f->db,
				  "PRAGMA application_id = 0x44656d6e; PRAGMA journal_mode = WAL;"
				  "CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY, u TEXT UNIQUE,"
				  " CHECK (id < 1000000)) STRICT;",
				  &f->err),
		  &f->err);
}

static inline enum demon_rc read_number(struct demon_db *db, const struct demon_sql *sql,
					int64_t *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, sql);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (rc == DEMON_OK)
		*ret = row ? demon_col_i64(&q, 0) : -1;
	return rc;
}

DEMON_SQL_SCAN(fixture_sql_count, "a test", "SELECT count(*) FROM t");
DEMON_SQL(fixture_sql_insert, "INSERT INTO t (id, v) VALUES (:id, :v)");

static inline enum demon_rc count_rows(struct demon_db *db, int64_t *ret, struct demon_err *err)
{
	return read_number(db, &fixture_sql_count, ret, err);
}

static inline enum demon_rc insert_row(struct demon_db *db, int64_t id, const char *v,
				       struct demon_err *err)
{
	DEMON_STMT(q, db, &fixture_sql_insert);

	demon_bind_i64(&q, ":id", id);
	demon_bind_str(&q, ":v", v);
	return demon_exec(&q, err);
}

/** A whole write transaction with one row. The lock is taken and released. */
static inline enum demon_rc write_row(struct fixture *f, int64_t id, const char *v)
{
	enum demon_rc rc = demon_lock_write(f->lock, 5000, &f->err);

	if (rc)
		return rc;
	{
		DEMON_TXN(tx);

		if ((rc = demon_txn_begin(&tx, f->db, f->lock, &f->err)) == DEMON_OK &&
		    (rc = insert_row(f->db, id, v, &f->err)) == DEMON_OK)
			rc = demon_txn_commit(&tx, &f->err);
	}
	demon_lock_write_release(f->lock);
	return rc;
}

#define assert_rows(f, n)                                                     \
	do {                                                                  \
		int64_t rows_ = -1;                                           \
		assert_ok(count_rows((f)->db, &rows_, &(f)->err), &(f)->err); \
		assert_int_equal(rows_, (n));                                 \
	} while (0)

#endif
