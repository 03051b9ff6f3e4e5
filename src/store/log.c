#include "log.h"

#include "db/rows.h"
#include "subject.h"

#include <string.h>

#define MANY 8 /* rows from which on one statement for all is faster */

DEMON_SQL(
    sql_chain_find,
    "SELECT id FROM log_chains WHERE origin = :origin AND epoch = :epoch AND stream = :stream");
DEMON_SQL(sql_chain_add, "INSERT INTO log_chains (origin, epoch, stream) "
			 "VALUES (:origin, :epoch, :stream) RETURNING id");
DEMON_SQL(sql_scope_find,
	  "SELECT id FROM log_scopes WHERE subject = :subject "
	  "AND tenant_id = :tenant AND run_origin = :run_origin AND graph_id = :graph");
DEMON_SQL(sql_scope_add,
	  "INSERT INTO log_scopes (subject, tenant_id, ritual_id, run_id, project_id, namespace, "
	  "graph_id, run_origin) VALUES (:subject, :tenant, :ritual, :run, :project, :namespace, "
	  ":graph, :run_origin) RETURNING id");
DEMON_SQL(sql_type_find, "SELECT id FROM log_types WHERE name = :name");
DEMON_SQL(sql_type_add, "INSERT INTO log_types (name) VALUES (:name) RETURNING id");
DEMON_SQL(
    sql_insert,
    "INSERT INTO log_events (seq, chain_id, origin_seq, group_first, group_count, scope_id, "
    "type_id, gate_id, ts, clock, recorded_at, hash, payload, payload_hash, extra) "
    "VALUES (:seq, :chain, :origin_seq, :group_first, :group_count, :scope, :type, :gate, :ts, "
    ":clock, :recorded_at, :hash, :payload, :payload_hash, :extra)");

DEMON_SQL_SCAN(
    sql_insert_rows, "reads what is in memory",
    "INSERT INTO log_events (seq, chain_id, origin_seq, group_first, group_count, scope_id, "
    "type_id, gate_id, ts, clock, recorded_at, hash, payload, payload_hash, extra) "
    "SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14 FROM demon_rows");

DEMON_SQL(sql_held,
	  "SELECT e.hash, e.clock FROM log_events e JOIN log_chains c ON c.id = e.chain_id "
	  "WHERE c.origin = :origin AND c.epoch = :epoch AND c.stream = :stream "
	  "AND e.origin_seq = :sequence");

/* The number that a statement yields. */
static enum demon_rc one_id(struct demon_stmt *q, int64_t *ret_id, bool *ret_found,
			    struct demon_err *err)
{
	enum demon_rc rc = demon_step(q, ret_found, err);

	if (!rc && *ret_found)
		*ret_id = demon_col_i64(q, 0);
	return rc;
}

enum demon_rc demon_log_chain(struct demon_db *db, const struct demon_event *ev, int64_t *ret_id,
			      struct demon_err *err)
{
	const struct demon_sql *const steps[] = {&sql_chain_find, &sql_chain_add};
	bool found = false;
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < 2 && !found && !rc; i++) {
		DEMON_STMT(q, db, steps[i]);

		demon_bind_blob(&q, ":origin", ev->origin, sizeof(ev->origin));
		demon_bind_blob(&q, ":epoch", ev->epoch, sizeof(ev->epoch));
		demon_bind_str(&q, ":stream", demon_stream_name(ev->stream));
		rc = one_id(&q, ret_id, &found, err);
	}
	return rc;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static enum demon_rc intern_scope(struct demon_db *db, const struct demon_event *ev,
				  int64_t *ret_id, struct demon_err *err)
{
	size_t origin_len = ev->has_run_origin ? sizeof(ev->run_origin) : 0;
	bool found = false;
	enum demon_rc rc;

	{
		DEMON_STMT(q, db, &sql_scope_find);

		demon_bind_str(&q, ":subject", ev->subject);
		demon_bind_str(&q, ":tenant", or_empty(ev->tenant_id));
		demon_bind_blob(&q, ":run_origin", ev->run_origin, origin_len);
		demon_bind_str(&q, ":graph", or_empty(ev->graph_id));
		rc = one_id(&q, ret_id, &found, err);
		if (rc || found)
			return rc;
	}
	DEMON_STMT(q, db, &sql_scope_add);
	demon_bind_str(&q, ":subject", ev->subject);
	demon_bind_str(&q, ":tenant", or_empty(ev->tenant_id));
	demon_bind_str(&q, ":ritual", or_empty(ev->ritual_id));
	demon_bind_str(&q, ":run", or_empty(ev->run_id));
	demon_bind_str(&q, ":project", or_empty(ev->project_id));
	demon_bind_str(&q, ":namespace", or_empty(ev->namespace_id));
	demon_bind_str(&q, ":graph", or_empty(ev->graph_id));
	demon_bind_blob(&q, ":run_origin", ev->run_origin, origin_len);
	return one_id(&q, ret_id, &found, err);
}

static enum demon_rc intern_type(struct demon_db *db, const char *type, int64_t *ret_id,
				 struct demon_err *err)
{
	const struct demon_sql *const steps[] = {&sql_type_find, &sql_type_add};
	bool found = false;
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < 2 && !found && !rc; i++) {
		DEMON_STMT(q, db, steps[i]);

		demon_bind_str(&q, ":name", type);
		rc = one_id(&q, ret_id, &found, err);
	}
	return rc;
}

enum demon_rc demon_log_intern(struct demon_db *db, const struct demon_event *ev,
			       struct demon_log_ids *ret_ids, struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_log_chain(db, ev, &ret_ids->chain, err)) ||
	    (rc = intern_scope(db, ev, &ret_ids->scope, err)))
		return rc;
	return intern_type(db, ev->type, &ret_ids->type, err);
}

enum demon_rc demon_log_insert(struct demon_db *db, const struct demon_event *ev,
			       const struct demon_log_ids *ids, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_insert);

	demon_bind_i64(&q, ":seq", ev->seq);
	demon_bind_i64(&q, ":chain", ids->chain);
	demon_bind_i64(&q, ":origin_seq", ev->sequence);
	demon_bind_i64(&q, ":group_first", ev->group_first);
	demon_bind_i64(&q, ":group_count", ev->group_count);
	demon_bind_i64(&q, ":scope", ids->scope);
	demon_bind_i64(&q, ":type", ids->type);
	demon_bind_str(&q, ":gate", ev->gate_id);
	demon_bind_i64(&q, ":ts", ev->ts);
	demon_bind_i64(&q, ":clock", (int64_t)ev->clock);
	demon_bind_i64(&q, ":recorded_at", ev->recorded_at);
	demon_bind_blob(&q, ":hash", ev->hash, sizeof(ev->hash));
	demon_bind_text(&q, ":payload", ev->payload, ev->payload_len);
	demon_bind_blob(&q, ":payload_hash", ev->payload ? NULL : ev->payload_hash,
			sizeof(ev->payload_hash));
	demon_bind_blob(&q, ":extra", ev->extra_len ? ev->extra : NULL, ev->extra_len);
	return demon_exec(&q, err);
}

static struct demon_value number(int64_t v)
{
	return (struct demon_value){.kind = DEMON_COL_INTEGER, .integer = v};
}

static struct demon_value bytes(enum demon_col_kind kind, const void *at, size_t len)
{
	return (struct demon_value){.kind = at ? kind : DEMON_COL_NULL, .bytes = at, .len = len};
}

/* What sql_insert_rows reads. */
static void event_value(const void *ctx, size_t row, int col, struct demon_value *ret_value)
{
	const struct demon_log_entry *entry = (const struct demon_log_entry *)ctx + row;
	const struct demon_event *ev = &entry->ev;
	const int64_t numbers[] = {ev->seq,
				   entry->ids.chain,
				   ev->sequence,
				   ev->group_first,
				   ev->group_count,
				   entry->ids.scope,
				   entry->ids.type,
				   0,
				   /* the gate */ ev->ts,
				   (int64_t)ev->clock,
				   ev->recorded_at};

	switch (col) {
	case 7:
		*ret_value =
		    bytes(DEMON_COL_TEXT, ev->gate_id, ev->gate_id ? strlen(ev->gate_id) : 0);
		break;
	case 11:
		*ret_value = bytes(DEMON_COL_BLOB, ev->hash, sizeof(ev->hash));
		break;
	case 12:
		*ret_value = bytes(DEMON_COL_TEXT, ev->payload, ev->payload_len);
		break;
	case 13:
		*ret_value = bytes(DEMON_COL_BLOB, ev->payload ? NULL : ev->payload_hash,
				   sizeof(ev->payload_hash));
		break;
	case 14:
		*ret_value = bytes(DEMON_COL_BLOB, ev->extra_len ? ev->extra : NULL, ev->extra_len);
		break;
	default:
		*ret_value = number(numbers[col]);
		break;
	}
}

enum demon_rc demon_log_insert_all(struct demon_db *db, const struct demon_log_entry *entries,
				   size_t count, struct demon_err *err)
{
	const struct demon_rows rows = {count, event_value, entries};
	enum demon_rc rc = DEMON_OK;

	if (count >= MANY)
		return demon_exec_rows(db, &sql_insert_rows, &rows, err);
	for (size_t i = 0; i < count && !rc; i++)
		rc = demon_log_insert(db, &entries[i].ev, &entries[i].ids, err);
	return rc;
}

/* Copies a blob column that must have @p n bytes. */
static bool take_blob(const struct demon_stmt *q, int col, void *to, size_t n)
{
	if (demon_col_len(q, col) != n || demon_col_is_null(q, col))
		return false;
	memcpy(to, demon_col_blob(q, col), n);
	return true;
}

static const char *text_or_null(const struct demon_stmt *q, int col)
{
	const char *text = demon_col_str(q, col);

	return text && *text ? text : NULL;
}

enum demon_rc demon_log_row(const struct demon_stmt *q, struct demon_sha256 *sha,
			    struct demon_event *ret_event, struct demon_err *err)
{
	struct demon_event ev = {.seq = demon_col_i64(q, 0), .recorded_at = demon_col_i64(q, 1)};
	const char *stream = demon_col_str(q, 4);

	ev.sequence = demon_col_i64(q, 5);
	if (!take_blob(q, 2, ev.origin, sizeof(ev.origin)) ||
	    !take_blob(q, 3, ev.epoch, sizeof(ev.epoch)) || !stream ||
	    !demon_stream_find(stream, &ev.stream) || !take_blob(q, 23, ev.hash, sizeof(ev.hash)))
		return demon_err_set(err, DEMON_CORRUPT, "event %lld has an identity that is none",
				     (long long)ev.seq);
	ev.group_first = demon_col_i64(q, 6);
	ev.group_count = (uint32_t)demon_col_i64(q, 7);
	ev.subject = demon_col_str(q, 8);
	ev.type = demon_col_str(q, 9);
	ev.tenant_id = text_or_null(q, 10);
	ev.ritual_id = text_or_null(q, 11);
	ev.run_id = text_or_null(q, 12);
	ev.gate_id = demon_col_str(q, 13);
	ev.project_id = text_or_null(q, 14);
	ev.namespace_id = text_or_null(q, 15);
	ev.graph_id = text_or_null(q, 16);
	ev.has_run_origin = take_blob(q, 17, ev.run_origin, sizeof(ev.run_origin));
	ev.ts = demon_col_i64(q, 18);
	ev.clock = (uint64_t)demon_col_i64(q, 19);
	ev.payload = demon_col_str(q, 20);
	ev.payload_len = demon_col_len(q, 20);
	ev.extra = demon_col_blob(q, 22);
	ev.extra_len = demon_col_len(q, 22);
	if (!ev.payload)
		(void)take_blob(q, 21, ev.payload_hash, sizeof(ev.payload_hash));
	else if (sha) {
		demon_sha256_begin(sha);
		demon_sha256_add(sha, ev.payload, ev.payload_len);
		demon_sha256_end(sha, ev.payload_hash);
	}
	(void)take_blob(q, 24, ev.previous_hash, sizeof(ev.previous_hash));
	*ret_event = ev;
	return DEMON_OK;
}

enum demon_rc demon_log_held(struct demon_db *db, const struct demon_event_ref *ref,
			     struct demon_held *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_held);
	enum demon_rc rc;

	*ret = (struct demon_held){0};
	demon_bind_blob(&q, ":origin", ref->origin, DEMON_ORIGIN_LEN);
	demon_bind_blob(&q, ":epoch", ref->epoch, DEMON_EPOCH_LEN);
	demon_bind_str(&q, ":stream", demon_stream_name(ref->stream));
	demon_bind_i64(&q, ":sequence", ref->sequence);
	if ((rc = demon_step(&q, &ret->found, err)) || !ret->found)
		return rc;
	(void)take_blob(&q, 0, ret->hash, sizeof(ret->hash));
	ret->clock = (uint64_t)demon_col_i64(&q, 1);
	return DEMON_OK;
}
