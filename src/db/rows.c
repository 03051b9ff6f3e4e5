/*
 * demon_rows is an eponymous virtual table: it needs no CREATE, and no schema mentions it.
 */
#include "rows.h"

#include "handle.h"

#include <assert.h>

struct table {
	sqlite3_vtab base;
	const struct demon_rows *const *rows; /* borrowed from the connection's handle */
};

struct cursor {
	sqlite3_vtab_cursor base;
	const struct demon_rows *rows; /* NULL: there are none */
	size_t row;
};

static int table_connect(sqlite3 *sql, void *aux, int argc, const char *const *argv,
			 sqlite3_vtab **ret_table, char **ret_message)
{
	struct table *t;
	int code = sqlite3_declare_vtab(sql, "CREATE TABLE rows (c0, c1, c2, c3, c4, c5, c6, c7, "
					     "c8, c9, c10, c11, c12, c13, c14, c15)");

	(void)argc;
	(void)argv;
	(void)ret_message;
	if (code == SQLITE_OK)
		code = sqlite3_vtab_config(sql, SQLITE_VTAB_DIRECTONLY);
	if (code != SQLITE_OK)
		return code;
	t = demon_calloc(1, sizeof(*t));
	if (!t)
		return SQLITE_NOMEM;
	t->rows = aux;
	*ret_table = &t->base;
	return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table)
{
	free(table);
	return SQLITE_OK;
}

static int table_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	info->estimatedCost = 100;
	info->estimatedRows = 100;
	return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret_cursor)
{
	struct cursor *c = demon_calloc(1, sizeof(*c));

	(void)table;
	if (!c)
		return SQLITE_NOMEM;
	*ret_cursor = &c->base;
	return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *cursor)
{
	free(cursor);
	return SQLITE_OK;
}

static int cursor_first(sqlite3_vtab_cursor *cursor, int plan, const char *plan_text, int argc,
			sqlite3_value **argv)
{
	struct cursor *c = (struct cursor *)cursor;

	(void)plan;
	(void)plan_text;
	(void)argc;
	(void)argv;
	c->rows = *((struct table *)cursor->pVtab)->rows;
	c->row = 0;
	return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *cursor)
{
	((struct cursor *)cursor)->row++;
	return SQLITE_OK;
}

static int cursor_at_end(sqlite3_vtab_cursor *cursor)
{
	const struct cursor *c = (const struct cursor *)cursor;

	return !c->rows || c->row >= c->rows->count;
}

static int cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int col)
{
	const struct cursor *c = (const struct cursor *)cursor;
	struct demon_value v = {.kind = DEMON_COL_NULL};

	c->rows->value(c->rows->ctx, c->row, col, &v);
	switch (v.kind) {
	case DEMON_COL_INTEGER:
		sqlite3_result_int64(to, v.integer);
		break;
	case DEMON_COL_TEXT:
		sqlite3_result_text64(to, v.bytes, v.len, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case DEMON_COL_BLOB:
		sqlite3_result_blob64(to, v.bytes, v.len, SQLITE_STATIC);
		break;
	case DEMON_COL_NULL:
		break;
	}
	return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret_rowid)
{
	*ret_rowid = (sqlite3_int64)((const struct cursor *)cursor)->row;
	return SQLITE_OK;
}

int demon_rows_register(sqlite3 *sql, const struct demon_rows **rows)
{
	static const sqlite3_module module = {
	    .xConnect = table_connect,
	    .xBestIndex = table_plan,
	    .xDisconnect = table_disconnect,
	    .xOpen = cursor_open,
	    .xClose = cursor_close,
	    .xFilter = cursor_first,
	    .xNext = cursor_next,
	    .xEof = cursor_at_end,
	    .xColumn = cursor_column,
	    .xRowid = cursor_rowid,
	};

	return sqlite3_create_module(sql, "demon_rows", &module, rows);
}

enum demon_rc demon_exec_rows(struct demon_db *db, const struct demon_sql *sql,
			      const struct demon_rows *rows, struct demon_err *err)
{
	enum demon_rc rc;

	assert(!db->rows);
	db->rows = rows;
	{
		DEMON_STMT(q, db, sql);

		rc = demon_exec(&q, err);
	}
	db->rows = NULL;
	return rc;
}
