/*
 * Rows that a program holds, as the table `demon_rows` of a connection that writes: one statement
 * puts them all into a table, which costs half as much as a statement each.
 *
 *	DEMON_SQL_SCAN(sql_copy, "reads memory", "INSERT INTO t (a, b) SELECT c0, c1 FROM
 *demon_rows");
 */
#ifndef DEMON_ROWS_H
#define DEMON_ROWS_H

#include "stmt.h"

/** Columns of demon_rows: c0 to c15. */
#define DEMON_ROWS_COLUMNS 16

struct demon_value {
	enum demon_col_kind kind;
	int64_t integer;
	const void *bytes; /* of a text or blob; borrowed until the statement has ended */
	size_t len;
};

struct demon_rows {
	size_t count;
	/* Says what stands in a column; *ret_value is NULL before. */
	void (*value)(const void *ctx, size_t row, int col, struct demon_value *ret_value);
	const void *ctx;
};

/** Runs a statement without parameters that gives no rows, with @p rows for demon_rows, which is
 * empty otherwise. When it fails, it has changed nothing. */
enum demon_rc demon_exec_rows(struct demon_db *db, const struct demon_sql *sql,
			      const struct demon_rows *rows, struct demon_err *err)
    demon_must_check;

#endif
