#include "handle.h"
#include "readers.h"
#include "wake.h"

#include <string.h>

#define BATCH_EVENTS 64
#define BATCH_BYTES  ((size_t)1 << 20)
#define TYPES_MAX    4

DEMON_SQL(sql_all, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		   "WHERE e.seq > :after ORDER BY e.seq LIMIT :limit");
DEMON_SQL(sql_scope, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		     "WHERE e.scope_id = :scope AND e.seq > :after ORDER BY e.seq LIMIT :limit");
DEMON_SQL(sql_type, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		    "WHERE e.type_id = (SELECT id FROM log_types WHERE name = :type) "
		    "AND e.seq > :after ORDER BY e.seq LIMIT :limit");
DEMON_SQL(sql_types, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		     "WHERE e.type_id IN (SELECT id FROM log_types WHERE name IN (:type0, :type1, "
		     ":type2, :type3)) AND e.seq > :after ORDER BY e.seq LIMIT :limit");
DEMON_SQL(sql_runs, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		    "WHERE e.scope_id IN (SELECT id FROM log_scopes WHERE run_id = :run) "
		    "AND e.seq > :after ORDER BY e.seq LIMIT :limit");
DEMON_SQL(sql_scopes, "SELECT id FROM log_scopes WHERE run_id = :run "
		      "AND (:tenant IS NULL OR tenant_id = :tenant) LIMIT 2");
DEMON_SQL(sql_last, "SELECT coalesce(max(seq), 0) FROM log_events");

struct demon_reader {
	struct demon_store *store; /* borrowed */
	struct demon_db *db;       /* its own: it outlives any loan */
	struct demon_sha256 *sha;
	struct demon_wake wake;
	int64_t after;
	char *tenant_id;
	char *run_id;
	char *type;                              /* ends in NUL; several: after each of them */
	const char *types[TYPES_MAX];            /* in it */
	size_t type_count;                       /* 0: all */
	bool prefix;                             /* of types[0]; it ended in '*' */
	struct demon_event *batch[BATCH_EVENTS]; /* owned; one block each */
	size_t count;
	size_t at;
};

static void clear_batch(struct demon_reader *reader)
{
	for (size_t i = 0; i < reader->count; i++)
		free(reader->batch[i]);
	reader->count = 0;
	reader->at = 0;
}

/* A piece of memory that an event's copy is laid out in. */
struct layout {
	char *at;
};

static const char *lay_text(struct layout *l, const char *text)
{
	size_t n;
	char *to = l->at;

	if (!text)
		return NULL;
	n = strlen(text) + 1;
	memcpy(to, text, n);
	l->at += n;
	return to;
}

static const void *lay_bytes(struct layout *l, const void *bytes, size_t n)
{
	char *to = l->at;

	if (!bytes)
		return NULL;
	memcpy(to, bytes, n);
	to[n] = '\0';
	l->at += n + 1;
	return to;
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* The event and all it points to in one block. */
static struct demon_event *copy_event(const struct demon_event *ev)
{
	size_t size = sizeof(*ev) + text_size(ev->subject) + text_size(ev->type) +
		      text_size(ev->tenant_id) + text_size(ev->ritual_id) + text_size(ev->run_id) +
		      text_size(ev->gate_id) + text_size(ev->project_id) +
		      text_size(ev->namespace_id) + text_size(ev->graph_id) + ev->payload_len + 1 +
		      ev->extra_len + 1;
	struct demon_event *copy = demon_calloc(size, 1);
	struct layout l;

	if (!copy)
		return NULL;
	l.at = (char *)(copy + 1);
	*copy = *ev;
	copy->subject = lay_text(&l, ev->subject);
	copy->type = lay_text(&l, ev->type);
	copy->tenant_id = lay_text(&l, ev->tenant_id);
	copy->ritual_id = lay_text(&l, ev->ritual_id);
	copy->run_id = lay_text(&l, ev->run_id);
	copy->gate_id = lay_text(&l, ev->gate_id);
	copy->project_id = lay_text(&l, ev->project_id);
	copy->namespace_id = lay_text(&l, ev->namespace_id);
	copy->graph_id = lay_text(&l, ev->graph_id);
	copy->payload = lay_bytes(&l, ev->payload, ev->payload_len);
	copy->extra = lay_bytes(&l, ev->extra, ev->extra_len);
	return copy;
}

static bool wanted(const struct demon_reader *reader, const struct demon_event *ev)
{
	if (reader->run_id && (!ev->run_id || strcmp(ev->run_id, reader->run_id) != 0))
		return false;
	if (reader->tenant_id && (!ev->tenant_id || strcmp(ev->tenant_id, reader->tenant_id) != 0))
		return false;
	if (reader->prefix)
		return strncmp(ev->type, reader->types[0], strlen(reader->types[0])) == 0;
	for (size_t i = 0; i < reader->type_count; i++)
		if (strcmp(ev->type, reader->types[i]) == 0)
			return true;
	return reader->type_count == 0;
}

static enum demon_rc collect(struct demon_reader *reader, struct demon_stmt *q, int64_t *ret_rows,
			     struct demon_err *err)
{
	size_t bytes = 0;
	bool row;
	enum demon_rc rc;

	demon_bind_i64(q, ":after", reader->after);
	demon_bind_i64(q, ":limit", BATCH_EVENTS);
	for (*ret_rows = 0; bytes < BATCH_BYTES; ++*ret_rows) {
		struct demon_event ev;

		if ((rc = demon_step(q, &row, err)) || !row)
			return rc;
		if ((rc = demon_log_row(q, reader->sha, &ev, err)))
			return rc;
		reader->after = ev.seq;
		if (!wanted(reader, &ev))
			continue;
		reader->batch[reader->count] = copy_event(&ev);
		if (!reader->batch[reader->count])
			return demon_err_set(err, DEMON_NOMEM, "no memory for an event");
		reader->count++;
		bytes += ev.payload_len;
	}
	return DEMON_OK;
}

/* The number of the only scope of the run; 0: none; -1: several. */
static enum demon_rc find_scope(struct demon_reader *reader, int64_t *ret_scope,
				struct demon_err *err)
{
	DEMON_STMT(q, reader->db, &sql_scopes);
	bool row;
	enum demon_rc rc;

	*ret_scope = 0;
	demon_bind_str(&q, ":run", reader->run_id);
	demon_bind_str(&q, ":tenant", reader->tenant_id);
	if ((rc = demon_step(&q, &row, err)) || !row)
		return rc;
	*ret_scope = demon_col_i64(&q, 0);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (row)
		*ret_scope = -1;
	return DEMON_OK;
}

static enum demon_rc load_run(struct demon_reader *reader, int64_t *ret_rows, struct demon_err *err)
{
	int64_t scope;
	enum demon_rc rc = find_scope(reader, &scope, err);

	*ret_rows = 0;
	if (rc || !scope)
		return rc;
	DEMON_STMT(q, reader->db, scope > 0 ? &sql_scope : &sql_runs);
	if (scope > 0)
		demon_bind_i64(&q, ":scope", scope);
	else
		demon_bind_str(&q, ":run", reader->run_id);
	return collect(reader, &q, ret_rows, err);
}

static enum demon_rc load_some(struct demon_reader *reader, int64_t *ret_rows,
			       struct demon_err *err)
{
	static const char *const names[TYPES_MAX] = {":type0", ":type1", ":type2", ":type3"};
	size_t count = reader->prefix ? 0 : reader->type_count;

	if (reader->run_id)
		return load_run(reader, ret_rows, err);
	DEMON_STMT(q, reader->db, count == 0 ? &sql_all : count == 1 ? &sql_type : &sql_types);
	if (count == 1)
		demon_bind_str(&q, ":type", reader->types[0]);
	for (size_t i = 0; count > 1 && i < TYPES_MAX; i++)
		demon_bind_str(&q, names[i], i < count ? reader->types[i] : NULL);
	return collect(reader, &q, ret_rows, err);
}

/* Fills the batch; it stays empty only at the end of the log. */
static enum demon_rc load(struct demon_reader *reader, struct demon_err *err)
{
	int64_t rows = 1;
	enum demon_rc rc = DEMON_OK;

	clear_batch(reader);
	while (!rc && rows && !reader->count)
		rc = load_some(reader, &rows, err);
	return rc;
}

static enum demon_rc split_types(struct demon_reader *reader, struct demon_err *err)
{
	char *at = reader->type;
	size_t n;

	for (; at; at++) {
		if (reader->type_count == TYPES_MAX)
			return demon_err_set(err, DEMON_INVALID,
					     "a filter has at most %d types of events", TYPES_MAX);
		reader->types[reader->type_count++] = at;
		at += strcspn(at, ",");
		if (!*at)
			break;
		*at = '\0';
	}
	n = at && reader->type_count == 1 ? (size_t)(at - reader->type) : 0;
	if (n && at[-1] == '*') {
		at[-1] = '\0';
		reader->prefix = true;
	}
	return DEMON_OK;
}

static enum demon_rc keep_filter(struct demon_reader *reader, const struct demon_filter *filter,
				 struct demon_err *err)
{
	reader->after = filter->after_seq;
	reader->tenant_id = demon_strdup(filter->tenant_id);
	reader->run_id = demon_strdup(filter->run_id);
	reader->type = demon_strdup(filter->type);
	if ((filter->tenant_id && !reader->tenant_id) || (filter->run_id && !reader->run_id) ||
	    (filter->type && !reader->type))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a reader");
	return split_types(reader, err);
}

enum demon_rc demon_reader_open(struct demon_store *store, const struct demon_filter *filter,
				struct demon_reader **ret_reader, struct demon_err *err)
{
	struct demon_reader *reader = demon_calloc(1, sizeof(*reader));
	enum demon_rc rc;

	if (!reader)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a reader");
	reader->store = store;
	reader->wake = (struct demon_wake){.watch = -1, .cancel = -1};
	reader->sha = demon_sha256_new();
	if (!reader->sha)
		rc = demon_err_set(err, DEMON_NOMEM, "no memory for a reader");
	else if (!(rc = keep_filter(reader, filter, err)) &&
		 !(rc = demon_wake_open(&reader->wake, err)))
		rc = demon_db_open(store->path, DEMON_DB_READER, false, &reader->db, err);
	if (rc) {
		demon_reader_close(reader);
		return rc;
	}
	*ret_reader = reader;
	return DEMON_OK;
}

void demon_reader_close(struct demon_reader *reader)
{
	if (!reader)
		return;
	clear_batch(reader);
	demon_db_close(reader->db);
	demon_wake_close(&reader->wake);
	demon_sha256_free(reader->sha);
	free(reader->tenant_id);
	free(reader->run_id);
	free(reader->type);
	free(reader);
}

void demon_reader_cancel(struct demon_reader *reader)
{
	demon_wake_cancel(&reader->wake);
}

enum demon_rc demon_reader_next(struct demon_reader *reader, int64_t wait_ms,
				const struct demon_event **ret_event, struct demon_err *err)
{
	const struct demon_env *env = reader->store->env;
	demon_ticks end = env->mono(env->ctx) + wait_ms * 1000;
	enum demon_rc rc;

	while (reader->at == reader->count) {
		int64_t left;

		if ((rc = load(reader, err)))
			return rc;
		if (reader->count)
			break;
		left = (end - env->mono(env->ctx)) / 1000;
		if (wait_ms <= 0 || left <= 0)
			return demon_err_set(err, DEMON_NOTFOUND, "no newer event");
		if (!reader->wake.watching)
			rc = demon_wake_watch(&reader->wake, reader->store->path, err);
		else
			rc = demon_wake_wait(&reader->wake, left, err);
		if (rc)
			return rc;
	}
	*ret_event = reader->batch[reader->at++];
	return DEMON_OK;
}

enum demon_rc demon_last_seq(struct demon_store *store, int64_t *ret_seq, struct demon_err *err)
{
	DEMON_READ(loan);
	bool row;
	enum demon_rc rc = demon_store_borrow(store, &loan, err);

	if (rc)
		return rc;
	DEMON_STMT(q, loan.db, &sql_last);
	if (!(rc = demon_step(&q, &row, err)))
		*ret_seq = demon_col_i64(&q, 0);
	return rc;
}
