/*
 * What a connection is made of; for the files of this layer only. Nothing else includes sqlite3.h.
 */
#ifndef DEMON_DB_HANDLE_H
#define DEMON_DB_HANDLE_H

#include "db.h"
#include "rows.h"
#include "stmt.h"

#include <sqlite3.h>

/** A prepared copy of a declaration, kept until the connection closes. */
struct demon_cached_stmt {
	const struct demon_sql *sql; /* the key */
	sqlite3_stmt *stmt;
	bool in_use;           /* lent to a struct demon_stmt */
	int params;            /* at most 64 */
	int next;              /* index of the parameter that is probably bound next */
	const char **names;    /* owned: SQLite's own copies move when it prepares again */
	const char **literals; /* within names: as callers spelt them last, or NULL */
};

struct demon_db {
	sqlite3 *sql;
	enum demon_db_role role;
	bool poisoned;     /* a commit or checkpoint met an I/O error: see demon_db_poison */
	int wal_frames;    /* in the WAL after the last commit of this connection */
	int checkpoint_at; /* frames from which the next commit is followed by a checkpoint */
	struct demon_cached_stmt **cache; /* open addressing by the key's address */
	size_t cache_size;                /* slots: 0 or a power of two */
	size_t cache_used;
	const struct demon_rows *rows; /* of the statement that is run on demon_rows, or NULL */
	const void *laid;              /* demon_db_lay */
	char path[];
};

/** Frames after which a commit checkpoints, and by how many more it waits when readers hold the
 * checkpoint up, so that a long reader does not cost two fsyncs a commit. */
#define DEMON_CHECKPOINT_FRAMES 4000
#define DEMON_CHECKPOINT_RETRY  1000

/** Finalises what stmt.c keeps for @p db. */
void demon_stmt_cache_free(struct demon_db *db);

/** Makes the table demon_rows, which shows *rows; returns SQLite's code. */
int demon_rows_register(sqlite3 *sql, const struct demon_rows **rows);

/**
 * After an fsync has failed the kernel may have dropped the dirty pages and report success next
 * time, so nothing that this connection believes about the disk holds any more: a failure of
 * COMMIT or of a checkpoint with an I/O error refuses every later write transaction.
 */
void demon_db_poison(struct demon_db *db, const struct demon_err *err);
enum demon_rc demon_db_check_poison(const struct demon_db *db, struct demon_err *err)
    demon_must_check;

/** The checkpoint that is due after a commit, if any; its failure does not undo the commit. */
void demon_db_checkpoint_if_due(struct demon_db *db);

#endif
