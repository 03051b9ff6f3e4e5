/*
 * Declared statements: SQL stands next to the one function that runs it, as constant text.
 *
 *	DEMON_SQL(sql_find, "SELECT status FROM runs WHERE run_id = :run");
 *
 *	DEMON_STMT(q, db, &sql_find);
 *	demon_bind_str(&q, ":run", id);
 *	if ((rc = demon_step(&q, &row, err)))
 *		return rc;
 *	if (row) status = demon_col_str(&q, 0);
 *
 * Each connection prepares a declaration once and keeps it. The guard of DEMON_STMT resets the
 * statement when the scope ends: a forgotten reset would hold a read
 * transaction open and stop checkpoints. Binds return nothing; the first failure sticks and comes
 * out of the next step. A declaration also enters a linker section, so that one test prepares all
 * of them against the migrated schema and refuses full scans.
 *
 * Time, chance and sequence come in as parameters: no now, random() or CURRENT_* in SQL.
 */
#ifndef DEMON_STMT_H
#define DEMON_STMT_H

#include "db.h"

struct demon_sql {
	const char *text;
	const char *file; /* where it is declared */
	int line;
	/* Why this statement may read a whole table (a rebuild, an export), or NULL: it may not. */
	const char *scans;
};

#define DEMON_SQL_DECLARE(name, sql_text, why)                                        \
	static const struct demon_sql name = {(sql_text), __FILE__, __LINE__, (why)}; \
	static const struct demon_sql *const name##_entry_                            \
	    __attribute__((used, section("demon_sql"))) = &name
#define DEMON_SQL(name, sql_text)           DEMON_SQL_DECLARE(name, sql_text, NULL)
#define DEMON_SQL_SCAN(name, why, sql_text) DEMON_SQL_DECLARE(name, sql_text, why)

/** A statement in use; on the stack, through DEMON_STMT only. */
struct demon_stmt {
	struct demon_db *db;              /* borrowed */
	const struct demon_sql *sql;      /* borrowed */
	struct demon_cached_stmt *cached; /* borrowed from the connection; NULL: preparing failed */
	enum demon_rc rc;                 /* first failure */
	uint64_t bound;                   /* bit i: parameter i + 1 was bound; at most 64 */
	bool stepped;
	bool over; /* has ended or failed: rewind before the next step */
};

#define DEMON_STMT(name, db, sql) \
	demon_cleanup(demon_stmt_done) struct demon_stmt name = demon_stmt_get((db), (sql))

/** Borrows the connection's copy of @p sql, preparing it if need be. It must not be in use. */
struct demon_stmt demon_stmt_get(struct demon_db *db, const struct demon_sql *sql);
void demon_stmt_done(struct demon_stmt *q);

/** Rewinds a statement so that it can be bound and stepped again within its scope. */
void demon_stmt_again(struct demon_stmt *q);

/* Binds by name, ":" included, which is a string literal. Strings and blobs are not copied: they
 * must live until the statement is reset. NULL text or bytes bind SQL NULL. The name must exist and
 * every name must be bound before the first step, and none after it: asserted. */
void demon_bind_i64(struct demon_stmt *q, const char *name, int64_t v);
void demon_bind_str(struct demon_stmt *q, const char *name, const char *text);
void demon_bind_text(struct demon_stmt *q, const char *name, const char *text, size_t n);
void demon_bind_blob(struct demon_stmt *q, const char *name, const void *bytes, size_t n);
void demon_bind_null(struct demon_stmt *q, const char *name);

/** Next row. *ret_row is false at the end, after which the statement is reset. */
enum demon_rc demon_step(struct demon_stmt *q, bool *ret_row, struct demon_err *err)
    demon_must_check;

/** Runs a statement that gives no rows, and resets it. */
enum demon_rc demon_exec(struct demon_stmt *q, struct demon_err *err) demon_must_check;

enum demon_col_kind { DEMON_COL_NULL, DEMON_COL_INTEGER, DEMON_COL_TEXT, DEMON_COL_BLOB };

/** What a column of the current row holds; STRICT tables of ours have no reals. */
enum demon_col_kind demon_col_kind(const struct demon_stmt *q, int col);

/* Columns of the current row, by number from 0. Text and blobs are borrowed until the next step
 * or reset; NULL for SQL NULL. */
int64_t demon_col_i64(const struct demon_stmt *q, int col);
const char *demon_col_str(const struct demon_stmt *q, int col);
const void *demon_col_blob(const struct demon_stmt *q, int col);
/** Bytes of the text or blob in this column. */
size_t demon_col_len(const struct demon_stmt *q, int col);
bool demon_col_is_null(const struct demon_stmt *q, int col);
int demon_col_count(const struct demon_stmt *q);
/** Name of a result column, borrowed until the statement is finalised. */
const char *demon_col_name(const struct demon_stmt *q, int col);

/** Every declared statement of the program, between begin and end; for the test. */
const struct demon_sql *const *demon_sql_begin(void);
const struct demon_sql *const *demon_sql_end(void);

#endif
