/*
 * Transactions by scope guard: rolled back when the scope ends, unless committed.
 *
 * A write transaction always begins IMMEDIATE, and only while the write lock of the file is held
 * (lock.h): the caller passes it in. No nesting; savepoints are for the jobs of a group commit.
 *
 * SQLite may roll a whole transaction back by itself (full disk, I/O error, no memory,
 * interrupt); a SAVEPOINT after that would silently begin, and its RELEASE commit, a new one. So
 * every function here asks first whether the transaction is still there, and answers DEMON_IO
 * ("the transaction is gone") when it is not.
 */
#ifndef DEMON_TXN_H
#define DEMON_TXN_H

#include "db.h"
#include "lock.h"

struct demon_txn {
	struct demon_db *db; /* NULL: not begun, or over */
	bool write;
};

#define DEMON_TXN(name) demon_cleanup(demon_txn_done) struct demon_txn name = {0}

/**
 * BEGIN IMMEDIATE. @p lock must be held; it is only asserted (NULL for a memory database).
 * DEMON_IO after a commit or checkpoint of this connection has failed with an I/O error: what
 * the disk holds is not known any more, and the database must be opened again.
 */
enum demon_rc demon_txn_begin(struct demon_txn *tx, struct demon_db *db,
			      const struct demon_lock *lock, struct demon_err *err)
    demon_must_check;

/** A read transaction: one snapshot for several statements; it is taken here, not later. */
enum demon_rc demon_txn_read(struct demon_txn *tx, struct demon_db *db, struct demon_err *err)
    demon_must_check;

/**
 * COMMIT. When it returns DEMON_OK the data is on disk. A failed commit is rolled back;
 * after an I/O error (DEMON_IO from the disk) its rows may all be there once the database was
 * opened again, for the WAL may hold them: whoever was told of the failure knows only that he does
 * not know. The checkpoint that may follow is over when this returns; its failure does not undo the
 * commit.
 */
enum demon_rc demon_txn_commit(struct demon_txn *tx, struct demon_err *err) demon_must_check;

/** Rolls back if the transaction is still open. */
void demon_txn_done(struct demon_txn *tx);

/* One level of savepoint within a write transaction. Undo rolls back to it and releases it. */
enum demon_rc demon_savepoint_begin(struct demon_txn *tx, struct demon_err *err) demon_must_check;
enum demon_rc demon_savepoint_keep(struct demon_txn *tx, struct demon_err *err) demon_must_check;
enum demon_rc demon_savepoint_undo(struct demon_txn *tx, struct demon_err *err) demon_must_check;

#endif
