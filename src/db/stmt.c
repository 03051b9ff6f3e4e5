#include "stmt.h"

#include "handle.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CACHE_SLOTS_MIN 32

/* Made by the linker, hence the names; absent in a program without statements, hence weak. */
/* NOLINTBEGIN(readability-identifier-naming) */
extern const struct demon_sql *const __start_demon_sql[]
    __attribute__((weak, visibility("hidden")));
extern const struct demon_sql *const __stop_demon_sql[] __attribute__((weak, visibility("hidden")));
/* NOLINTEND(readability-identifier-naming) */

const struct demon_sql *const *demon_sql_begin(void)
{
	return __start_demon_sql;
}

const struct demon_sql *const *demon_sql_end(void)
{
	return __stop_demon_sql;
}

/* "SQL at FILE:LINE", without the folders of the machine that built the program. */
static enum demon_rc statement_error(const struct demon_stmt *q, struct demon_err *err)
{
	const char *slash = strrchr(q->sql->file, '/');
	char what[96];

	(void)snprintf(what, sizeof(what), "SQL at %.60s:%d", slash ? slash + 1 : q->sql->file,
		       q->sql->line);
	if (q->rc == DEMON_NOMEM && sqlite3_errcode(q->db->sql) != SQLITE_NOMEM)
		return demon_err_set(err, DEMON_NOMEM, "%s: out of memory", what);
	return demon_db_error(q->db, err, what);
}

static void free_cached(struct demon_cached_stmt *c)
{
	if (!c)
		return;
	assert(!c->in_use);
	(void)sqlite3_finalize(c->stmt);
	free(c->names);
	free(c);
}

void demon_stmt_cache_free(struct demon_db *db)
{
	for (size_t i = 0; i < db->cache_size; i++)
		free_cached(db->cache[i]);
	free(db->cache);
	db->cache = NULL;
	db->cache_size = 0;
	db->cache_used = 0;
}

/* The slot that holds @p sql, or the empty one where it belongs. The table is never full. */
static struct demon_cached_stmt **find_slot(struct demon_cached_stmt **cache, size_t size,
					    const struct demon_sql *sql)
{
	size_t i = (size_t)(((uint64_t)(uintptr_t)sql * 0x9e3779b97f4a7c15U) >> 32) & (size - 1);

	while (cache[i] && cache[i]->sql != sql)
		i = (i + 1) & (size - 1);
	return &cache[i];
}

static bool make_room(struct demon_db *db)
{
	size_t size = db->cache_size ? db->cache_size * 2 : CACHE_SLOTS_MIN;
	struct demon_cached_stmt **cache;

	if (db->cache_size && db->cache_used * 4 < db->cache_size * 3)
		return true;
	cache = demon_calloc(size, sizeof(*cache)); /* NOLINT(bugprone-sizeof-expression) */
	if (!cache)
		return false;
	for (size_t i = 0; i < db->cache_size; i++)
		if (db->cache[i])
			*find_slot(cache, size, db->cache[i]->sql) = db->cache[i];
	free(db->cache);
	db->cache = cache;
	db->cache_size = size;
	return true;
}

/* One block: the pointers, those of the callers' literals, then the names. */
static bool copy_names(struct demon_cached_stmt *c)
{
	size_t bytes = 0;
	char *to;

	c->params = sqlite3_bind_parameter_count(c->stmt);
	assert(c->params <= 64);
	for (int i = 1; i <= c->params; i++) {
		const char *name = sqlite3_bind_parameter_name(c->stmt, i);

		assert(name && name[0] == ':');
		bytes += strlen(name) + 1;
	}
	c->names = demon_calloc(1, 2 * (size_t)c->params * sizeof(*c->names) + bytes);
	if (!c->names)
		return false;
	c->literals = c->names + c->params;
	to = (char *)(c->literals + c->params);
	for (int i = 0; i < c->params; i++) {
		const char *name = sqlite3_bind_parameter_name(c->stmt, i + 1);
		size_t n = strlen(name) + 1;

		c->names[i] = memcpy(to, name, n);
		to += n;
	}
	return true;
}

/* A new entry, or NULL with q->rc set and the connection's error, if it is SQLite's, in place. */
static struct demon_cached_stmt *prepare(struct demon_stmt *q)
{
	struct demon_cached_stmt *c = demon_calloc(1, sizeof(*c));
	const char *tail = NULL;
	struct demon_err err;

	q->rc = DEMON_NOMEM;
	if (!c)
		return NULL;
	c->sql = q->sql;
	if (sqlite3_prepare_v3(q->db->sql, q->sql->text, -1, SQLITE_PREPARE_PERSISTENT, &c->stmt,
			       &tail)) {
		q->rc = demon_db_error(q->db, &err, "");
		free_cached(c);
		return NULL;
	}
	assert(c->stmt && tail[strspn(tail, " \t\n;")] == '\0');
	if (!copy_names(c)) {
		free_cached(c);
		return NULL;
	}
	q->rc = DEMON_OK;
	return c;
}

struct demon_stmt demon_stmt_get(struct demon_db *db, const struct demon_sql *sql)
{
	struct demon_stmt q = {.db = db, .sql = sql};
	struct demon_cached_stmt **slot;

	if (!make_room(db)) {
		q.rc = DEMON_NOMEM;
		return q;
	}
	slot = find_slot(db->cache, db->cache_size, sql);
	if (!*slot) {
		*slot = prepare(&q);
		if (!*slot)
			return q;
		db->cache_used++;
	}
	q.cached = *slot;
	assert(!q.cached->in_use);
	q.cached->in_use = true;
	q.cached->next = 0;
	return q;
}

void demon_stmt_done(struct demon_stmt *q)
{
	if (!q->cached)
		return;
	demon_stmt_again(q);
	q->cached->in_use = false;
	q->cached = NULL;
}

void demon_stmt_again(struct demon_stmt *q)
{
	if (!q->cached)
		return;
	/* a failed step has been answered already; resetting only repeats its code */
	(void)sqlite3_reset(q->cached->stmt);
	/* bindings stay, though what they point to may go: each must be made anew before a step */
	q->cached->next = 0;
	q->rc = DEMON_OK;
	q->bound = 0;
	q->stepped = false;
	q->over = false;
}

static int found_param(struct demon_stmt *q, int i)
{
	q->cached->next = i + 1;
	q->bound |= (uint64_t)1 << i;
	return i + 1;
}

static int find_param(struct demon_stmt *q, const char *name)
{
	struct demon_cached_stmt *c = q->cached;
	int i = c->next;

	for (int n = 0; n < c->params; n++, i++) {
		if (i >= c->params)
			i = 0;
		if (strcmp(c->names[i], name) == 0) {
			c->literals[i] = name;
			return found_param(q, i);
		}
	}
	assert(false && "a statement has no parameter of this name");
	return 0;
}

/* Parameters are mostly bound in the order in which they stand: look there first. Returns 0
 * when the statement is not usable. */
static inline int take_param(struct demon_stmt *q, const char *name)
{
	struct demon_cached_stmt *c = q->cached;

	if (!c || q->rc)
		return 0;
	assert(!q->stepped);
	if (c->next < c->params && c->literals[c->next] == name)
		return found_param(q, c->next);
	return find_param(q, name);
}

static void bind_failed(struct demon_stmt *q)
{
	struct demon_err err;

	q->rc = demon_db_error(q->db, &err, "");
}

static inline void keep_bind_rc(struct demon_stmt *q, int code)
{
	if (code != SQLITE_OK)
		bind_failed(q);
}

void demon_bind_i64(struct demon_stmt *q, const char *name, int64_t v)
{
	int i = take_param(q, name);

	if (i)
		keep_bind_rc(q, sqlite3_bind_int64(q->cached->stmt, i, v));
}

void demon_bind_text(struct demon_stmt *q, const char *name, const char *text, size_t n)
{
	int i = take_param(q, name);

	if (i)
		keep_bind_rc(q, sqlite3_bind_text64(q->cached->stmt, i, text, n, SQLITE_STATIC,
						    SQLITE_UTF8));
}

void demon_bind_str(struct demon_stmt *q, const char *name, const char *text)
{
	demon_bind_text(q, name, text, text ? strlen(text) : 0);
}

void demon_bind_blob(struct demon_stmt *q, const char *name, const void *bytes, size_t n)
{
	int i = take_param(q, name);

	if (i)
		keep_bind_rc(q, sqlite3_bind_blob64(q->cached->stmt, i, bytes, n, SQLITE_STATIC));
}

void demon_bind_null(struct demon_stmt *q, const char *name)
{
	int i = take_param(q, name);

	if (i)
		keep_bind_rc(q, sqlite3_bind_null(q->cached->stmt, i));
}

/* The first step is where a failure to prepare or to bind comes out, with words: SQLite's own are
 * gone by now if the connection was used in between, so a failed preparation is repeated. */
static enum demon_rc first_step(struct demon_stmt *q, struct demon_err *err)
{
	uint64_t all;

	if (!q->cached) {
		enum demon_rc before = q->rc;
		struct demon_cached_stmt *c = prepare(q);

		if (!c)
			return statement_error(q, err);
		free_cached(c);
		q->rc = before;
		return demon_err_set(err, before, "cannot prepare a statement: %s",
				     demon_rc_text(before));
	}
	if (q->rc)
		return statement_error(q, err);
	all = q->cached->params == 64 ? UINT64_MAX : ((uint64_t)1 << q->cached->params) - 1;
	assert(q->bound == all);
	q->stepped = true;
	return DEMON_OK;
}

enum demon_rc demon_step(struct demon_stmt *q, bool *ret_row, struct demon_err *err)
{
	enum demon_rc rc;

	assert(!q->over);
	if (!q->stepped && (rc = first_step(q, err)))
		return rc;
	switch (sqlite3_step(q->cached->stmt)) {
	case SQLITE_ROW:
		*ret_row = true;
		return DEMON_OK;
	case SQLITE_DONE:
		*ret_row = false;
		q->over = true;
		(void)sqlite3_reset(q->cached->stmt);
		return DEMON_OK;
	default:
		q->over = true;
		q->rc = statement_error(q, err);
		(void)sqlite3_reset(q->cached->stmt);
		return q->rc;
	}
}

enum demon_rc demon_exec(struct demon_stmt *q, struct demon_err *err)
{
	bool row = false;
	enum demon_rc rc = demon_step(q, &row, err);

	assert(!row);
	return rc;
}

int64_t demon_col_i64(const struct demon_stmt *q, int col)
{
	return sqlite3_column_int64(q->cached->stmt, col);
}

const char *demon_col_str(const struct demon_stmt *q, int col)
{
	return (const char *)sqlite3_column_text(q->cached->stmt, col);
}

const void *demon_col_blob(const struct demon_stmt *q, int col)
{
	return sqlite3_column_blob(q->cached->stmt, col);
}

size_t demon_col_len(const struct demon_stmt *q, int col)
{
	return (size_t)sqlite3_column_bytes(q->cached->stmt, col);
}

enum demon_col_kind demon_col_kind(const struct demon_stmt *q, int col)
{
	switch (sqlite3_column_type(q->cached->stmt, col)) {
	case SQLITE_NULL:
		return DEMON_COL_NULL;
	case SQLITE_INTEGER:
		return DEMON_COL_INTEGER;
	case SQLITE_BLOB:
		return DEMON_COL_BLOB;
	default:
		return DEMON_COL_TEXT;
	}
}

bool demon_col_is_null(const struct demon_stmt *q, int col)
{
	return sqlite3_column_type(q->cached->stmt, col) == SQLITE_NULL;
}

int demon_col_count(const struct demon_stmt *q)
{
	return q->cached ? sqlite3_column_count(q->cached->stmt) : 0;
}

const char *demon_col_name(const struct demon_stmt *q, int col)
{
	return sqlite3_column_name(q->cached->stmt, col);
}
