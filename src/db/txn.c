#include "txn.h"

#include "base/fault.h"
#include "handle.h"

#include <assert.h>

DEMON_SQL(sql_begin_write, "BEGIN IMMEDIATE");
DEMON_SQL(sql_begin_read, "BEGIN");
DEMON_SQL(sql_take_snapshot, "SELECT 1 FROM sqlite_schema WHERE rowid = 1");
DEMON_SQL(sql_commit, "COMMIT");
DEMON_SQL(sql_rollback, "ROLLBACK");
DEMON_SQL(sql_savepoint, "SAVEPOINT job");
DEMON_SQL(sql_release, "RELEASE job");
DEMON_SQL(sql_rollback_to, "ROLLBACK TO job");

static enum demon_rc run(struct demon_db *db, const struct demon_sql *sql, struct demon_err *err)
{
	DEMON_STMT(q, db, sql);

	return demon_exec(&q, err);
}

/* The one way to say that SQLite has ended the transaction by itself. */
static enum demon_rc check_present(const struct demon_txn *tx, struct demon_err *err)
{
	assert(tx->db);
	if (!demon_db_autocommit(tx->db))
		return DEMON_OK;
	return demon_err_set(err, DEMON_IO, "the transaction is gone: it was rolled back");
}

/* Prepares ROLLBACK before it is needed: then there may be no memory for it. */
static enum demon_rc ready_rollback(struct demon_db *db, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_rollback);

	return q.cached ? DEMON_OK : demon_exec(&q, err);
}

/* A rollback that does not end the transaction leaves a connection that can write no more. */
static void roll_back(struct demon_db *db)
{
	struct demon_err err;

	if (!demon_db_autocommit(db))
		(void)run(db, &sql_rollback, &err);
	if (!demon_db_autocommit(db))
		db->poisoned = true;
}

enum demon_rc demon_txn_begin(struct demon_txn *tx, struct demon_db *db,
			      const struct demon_lock *lock, struct demon_err *err)
{
	enum demon_rc rc;

	assert(!tx->db && db->role != DEMON_DB_READER);
	assert(lock ? demon_lock_write_held(lock) : db->role == DEMON_DB_MEMORY);
	if ((rc = demon_db_check_poison(db, err)))
		return rc;
	assert(demon_db_autocommit(db));
	if ((rc = ready_rollback(db, err)) || (rc = run(db, &sql_begin_write, err)))
		return rc;
	*tx = (struct demon_txn){.db = db, .write = true};
	if (DEMON_FAULT(TXN_BEGUN)) {
		demon_txn_done(tx);
		return demon_err_set(err, DEMON_IO, "the transaction was refused");
	}
	return DEMON_OK;
}

enum demon_rc demon_txn_read(struct demon_txn *tx, struct demon_db *db, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;

	assert(!tx->db && demon_db_autocommit(db));
	if ((rc = ready_rollback(db, err)) || (rc = run(db, &sql_begin_read, err)))
		return rc;
	*tx = (struct demon_txn){.db = db};
	{
		DEMON_STMT(q, db, &sql_take_snapshot);

		rc = demon_step(&q, &row, err);
	}
	if (rc)
		demon_txn_done(tx);
	return rc;
}

enum demon_rc demon_txn_commit(struct demon_txn *tx, struct demon_err *err)
{
	struct demon_db *db = tx->db;
	enum demon_rc rc = check_present(tx, err);

	if (rc == DEMON_OK && tx->write && DEMON_FAULT(COMMIT_BEFORE))
		rc = demon_err_set(err, DEMON_IO, "the commit was refused");
	else if (rc == DEMON_OK && (rc = run(db, &sql_commit, err)) && tx->write)
		demon_db_poison(db, err);
	if (rc) {
		demon_txn_done(tx);
		return rc;
	}
	tx->db = NULL;
	if (tx->write) {
		/* the data is on disk: nothing that goes wrong from here on undoes that */
		(void)DEMON_FAULT(COMMIT_AFTER);
		demon_db_checkpoint_if_due(db);
	}
	return DEMON_OK;
}

void demon_txn_done(struct demon_txn *tx)
{
	if (tx->db)
		roll_back(tx->db);
	tx->db = NULL;
}

static enum demon_rc run_inside(struct demon_txn *tx, const struct demon_sql *sql,
				struct demon_err *err)
{
	enum demon_rc rc = check_present(tx, err);

	assert(tx->write);
	return rc ? rc : run(tx->db, sql, err);
}

enum demon_rc demon_savepoint_begin(struct demon_txn *tx, struct demon_err *err)
{
	return run_inside(tx, &sql_savepoint, err);
}

enum demon_rc demon_savepoint_keep(struct demon_txn *tx, struct demon_err *err)
{
	return run_inside(tx, &sql_release, err);
}

enum demon_rc demon_savepoint_undo(struct demon_txn *tx, struct demon_err *err)
{
	enum demon_rc rc = run_inside(tx, &sql_rollback_to, err);

	return rc ? rc : run_inside(tx, &sql_release, err);
}
