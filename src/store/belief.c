#include "handle.h"

#include <string.h>

DEMON_SQL(sql_last_seq, "SELECT coalesce(max(seq), 0) FROM log_events");
DEMON_SQL_SCAN(sql_clock, "log_chains has a row a chain, not an event",
	       "SELECT coalesce(max((SELECT e.clock FROM log_events e WHERE e.chain_id = c.id "
	       "ORDER BY e.origin_seq DESC LIMIT 1)), 0) FROM log_chains c");
DEMON_SQL(sql_chain, "SELECT id FROM log_chains WHERE origin = :origin AND epoch = :epoch "
		     "AND stream = :stream");
DEMON_SQL(sql_tail, "SELECT origin_seq, hash FROM log_events WHERE chain_id = :chain "
		    "ORDER BY origin_seq DESC LIMIT 1");

void demon_belief_forget(struct demon_store *store)
{
	struct demon_belief *belief = &store->belief;
	struct demon_buf ids = belief->memo.ids;
	struct demon_buf subject = belief->memo.subject;

	*belief = (struct demon_belief){.memo = {.ids = ids, .subject = subject}};
}

static enum demon_rc one_number(struct demon_store *store, const struct demon_sql *sql,
				int64_t *ret, struct demon_err *err)
{
	DEMON_STMT(q, store->writer, sql);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (!rc)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

enum demon_rc demon_belief_renew(struct demon_store *store, struct demon_err *err)
{
	struct demon_belief *belief = &store->belief;
	int64_t version;
	int64_t clock;
	enum demon_rc rc;

	if ((rc = demon_db_data_version(store->writer, &version, err)))
		return rc;
	if (belief->known && belief->data_version == version)
		return DEMON_OK;
	demon_belief_forget(store);
	if ((rc = one_number(store, &sql_last_seq, &belief->last_seq, err)) ||
	    (rc = one_number(store, &sql_clock, &clock, err)))
		return rc;
	belief->clock = (uint64_t)clock;
	belief->data_version = version;
	belief->known = true;
	return DEMON_OK;
}

static enum demon_rc find_chain(struct demon_store *store, enum demon_stream stream,
				int64_t *ret_id, struct demon_err *err)
{
	DEMON_STMT(q, store->writer, &sql_chain);
	bool row;
	enum demon_rc rc;

	demon_bind_blob(&q, ":origin", store->node.origin, sizeof(store->node.origin));
	demon_bind_blob(&q, ":epoch", store->node.epoch, sizeof(store->node.epoch));
	demon_bind_str(&q, ":stream", demon_stream_name(stream));
	rc = demon_step(&q, &row, err);
	*ret_id = !rc && row ? demon_col_i64(&q, 0) : 0;
	return rc;
}

enum demon_rc demon_belief_tail(struct demon_store *store, enum demon_stream stream,
				struct demon_tail **ret_tail, struct demon_err *err)
{
	struct demon_belief *belief = &store->belief;
	struct demon_tail *tail = &belief->tails[stream];
	int64_t chain;
	bool row = false;
	enum demon_rc rc;

	*ret_tail = tail;
	if (tail->known)
		return DEMON_OK;
	if ((rc = demon_belief_renew(store, err)) || (rc = find_chain(store, stream, &chain, err)))
		return rc;
	*tail = (struct demon_tail){.known = true};
	if (!chain)
		return DEMON_OK;
	DEMON_STMT(q, store->writer, &sql_tail);
	demon_bind_i64(&q, ":chain", chain);
	rc = demon_step(&q, &row, err);
	if (!rc && row) {
		tail->sequence = demon_col_i64(&q, 0);
		memcpy(tail->hash, demon_col_blob(&q, 1), sizeof(tail->hash));
	}
	tail->known = !rc;
	return rc;
}

uint64_t demon_belief_tick(struct demon_store *store, demon_time *ret_now)
{
	struct demon_belief *belief = &store->belief;
	demon_time now = store->env->now(store->env->ctx);
	uint64_t wall = now > 0 ? (uint64_t)now << 16 : 0;

	*ret_now = now;
	belief->clock = wall > belief->clock ? wall : belief->clock + 1;
	return belief->clock;
}
