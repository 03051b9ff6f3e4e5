/*
 * One SQLite connection, opened for a role. This layer is the only one that knows sqlite3.h.
 *
 * A connection belongs to one thread at a time. Foreign codes are mapped to enum demon_rc here,
 * once, by their extended code. Nobody in a process that has the database open may open, read or
 * close the database, its -wal or its -shm by path: closing such a descriptor drops the locks
 * that SQLite holds, and a plain reader that then exits deletes the live WAL.
 */
#ifndef DEMON_DB_H
#define DEMON_DB_H

#include "base/base.h"

#include <demon/env.h>

struct demon_db;

/** What marks a database as ours: PRAGMA application_id, "Demn". */
#define DEMON_APPLICATION_ID 0x44656d6e

enum demon_db_role {
	DEMON_DB_WRITER, /* synchronous=FULL, WAL; writes only while the write lock is held */
	DEMON_DB_READER, /* query_only; never checkpoints, also not on close */
	DEMON_DB_MEMORY, /* a private in-memory database, for checks and tests; path is not used */
};

/**
 * Opens a connection. A writer makes a missing file only with @p create; an existing file that is
 * not empty must be a SQLite database with our application id, which is looked at before anything
 * is written: a file that is not ours is never changed. The schema is not looked at (migrate.h).
 *
 * A missing or empty file is a new database; its application id and its WAL are made by
 * demon_migrate, under the write lock.
 *
 * Every connection: NOMUTEX, extended result codes, foreign_keys, recursive_triggers,
 * trusted_schema off, defensive, cell size check on, double-quoted strings off, busy timeout 5 s,
 * checkpoint on close off: the WAL stays when the last connection closes, unless the store has
 * checkpointed under the write lock before. A writer checkpoints after a commit (txn.h) that left
 * 4 000 frames or more in the WAL.
 *
 * Fails: DEMON_NOTFOUND no such file or folder; DEMON_CORRUPT not a database, not one of ours, or
 * damaged; DEMON_READONLY a writer may not write the file or its folder; DEMON_IO a folder, not a
 * regular file, or not readable; DEMON_FULL, DEMON_BUSY, DEMON_NOMEM. The message names the path.
 * A reader needs a -wal and -shm that it may use, so a folder where it may not make them serves
 * readers only while a writer has the database open or has left them there.
 */
enum demon_rc demon_db_open(const char *path, enum demon_db_role role, bool create,
			    struct demon_db **ret_db, struct demon_err *err) demon_must_check;

/** Finalises the cached statements and closes. NULL is allowed. */
void demon_db_close(struct demon_db *db);
void demon_db_close_p(struct demon_db **db);

/**
 * Copies the WAL into the database and truncates it, as far as readers allow (a checkpoint that
 * readers hold up is DEMON_OK). The caller holds the write lock.
 */
enum demon_rc demon_db_checkpoint(struct demon_db *db, struct demon_err *err) demon_must_check;

/** What one user of the connection has laid down for another, deeper in the same call, or NULL:
 * borrowed, and taken up again by whoever laid it down. */
void demon_db_lay(struct demon_db *db, const void *thing);
const void *demon_db_laid(const struct demon_db *db);

/** True while no transaction is open: SQLite may end one by itself. */
bool demon_db_autocommit(const struct demon_db *db);

/** Rows changed by the last statement. */
int64_t demon_db_changes(const struct demon_db *db);

/** Rows changed by all statements so far: the same again when nothing was changed meanwhile. */
int64_t demon_db_total_changes(const struct demon_db *db);

/** PRAGMA data_version: changes when another connection has committed. */
enum demon_rc demon_db_data_version(struct demon_db *db, int64_t *ret, struct demon_err *err)
    demon_must_check;

/**
 * Runs @p sql, any number of statements with constant text, without results. For migrations,
 * pragmas and tests; everything else is a declared statement (stmt.h).
 */
enum demon_rc demon_db_script(struct demon_db *db, const char *sql, struct demon_err *err)
    demon_must_check;

/**
 * Fills @p err from the connection's last failure and returns its code; "@p what: why".
 * DEMON_CORRUPT for CORRUPT and NOTADB, DEMON_CONFLICT for UNIQUE and PRIMARY KEY, DEMON_INVALID
 * for other constraints, DEMON_BUSY for BUSY and LOCKED, DEMON_FULL, DEMON_READONLY, DEMON_IO,
 * DEMON_NOMEM, DEMON_CANCELED for INTERRUPT, DEMON_INTERNAL for the rest.
 */
enum demon_rc demon_db_error(const struct demon_db *db, struct demon_err *err, const char *what);

/** Runs PRAGMA integrity_check (@p quick: quick_check). DEMON_CORRUPT with the first finding. */
enum demon_rc demon_db_integrity(struct demon_db *db, bool quick, struct demon_err *err)
    demon_must_check;

/** SQLite's run-time version as text, and as major*1000000 + minor*1000 + patch. */
const char *demon_db_library_version(void);
int demon_db_library_number(void);

/**
 * True when this version of SQLite has the WAL-reset defect (3.7.0 to 3.51.2: a WAL can be
 * corrupted when two connections write and checkpoint at once), which the write lock avoids.
 */
bool demon_db_library_has_wal_reset_defect(int number);

#endif
