/*
 * Schema migrations: migrations/NNNN_name.sql, compiled in, applied in order, forward only.
 *
 * All that are missing are applied in one transaction, each recorded in schema_migrations with
 * the SHA-256 of its text and the digest of the schema that it left. user_version is the number
 * of the last one.
 *
 * A new file is made here and not by opening it, which takes no lock: opening leaves an empty file,
 * and every process that finds one goes on to ask for the write lock. The first to get it writes
 * the application id, the schema and the records in one transaction with a rollback journal, then
 * switches to WAL; the others look again under the lock and find nothing to do. So page 1 of the
 * file bears the id from its first transaction on, and a process that dies in between leaves an
 * empty file, a journal that SQLite plays back to one, or a complete database whose switch to WAL
 * the next one makes.
 */
#ifndef DEMON_MIGRATE_H
#define DEMON_MIGRATE_H

#include "base/bytes.h"
#include "base/embedded.h"
#include "db.h"
#include "lock.h"

extern const struct demon_embedded demon_migrations[];

/**
 * Brings the schema of @p db, a writer or a memory database, up to date. Takes and releases the
 * write lock itself, and only when there is something to do; NULL lock for a memory database. An
 * up-to-date database is only read.
 *
 * Fails: DEMON_NEWER the database knows a migration that this program does not; DEMON_CORRUPT a
 * recorded migration has another checksum than the compiled-in one, or the schema is not the one
 * that was recorded after the last migration (named is the first object that differs); DEMON_BUSY
 * the write lock was not free for 10 s. Nothing is changed on failure.
 */
enum demon_rc demon_migrate(struct demon_db *db, struct demon_lock *lock,
			    const struct demon_env *env, struct demon_err *err) demon_must_check;

/**
 * The same check without changing anything: for readers. DEMON_UNAVAIL when a migration is
 * missing.
 */
enum demon_rc demon_migrate_check(struct demon_db *db, struct demon_err *err) demon_must_check;

/** SHA-256 over the schema: (type, name, table, sql) of every object not made by SQLite. */
enum demon_rc demon_schema_digest(struct demon_db *db, unsigned char out[DEMON_HASH_LEN],
				  struct demon_err *err) demon_must_check;

/** Compares the schema with what the compiled-in migrations yield in memory: the thorough check
 * of `verify`. DEMON_CORRUPT names the first object that differs. */
enum demon_rc demon_schema_verify(struct demon_db *db, struct demon_err *err) demon_must_check;

#endif
