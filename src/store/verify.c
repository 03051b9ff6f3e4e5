#include "digest.h"
#include "handle.h"
#include "readers.h"
#include "rebuild.h"

#include "base/json.h"
#include "db/migrate.h"

#include <inttypes.h>
#include <string.h>

DEMON_SQL_SCAN(sql_chains, "verify looks at all there is",
	       "SELECT id, origin, epoch, stream FROM log_chains ORDER BY id");
DEMON_SQL(sql_chain, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		     "WHERE e.chain_id = :chain ORDER BY e.origin_seq");
DEMON_SQL_SCAN(sql_totals, "verify looks at all there is",
	       "SELECT (SELECT count(*) FROM log_events), (SELECT count(*) FROM stranded_events)");
DEMON_SQL_SCAN(sql_foreign_keys, "verify looks at all there is",
	       "SELECT \"table\", rowid FROM pragma_foreign_key_check LIMIT 1");

/* A walk along one chain. */
struct walk {
	struct demon_store *store;
	struct demon_sha256 *sha; /* owned */
	struct demon_buf scratch;
	int64_t sequence; /* of the event before */
	int64_t seq;
	uint64_t clock;
	int64_t group_first;
	uint32_t group_count;
	unsigned char hash[DEMON_SHA256_LEN];
};

static enum demon_rc damaged(const struct demon_event *ev, struct demon_err *err, const char *why)
{
	char origin[2 * DEMON_ORIGIN_LEN + 1];
	char epoch[2 * DEMON_EPOCH_LEN + 1];

	demon_hex(ev->origin, sizeof(ev->origin), origin);
	demon_hex(ev->epoch, sizeof(ev->epoch), epoch);
	return demon_err_set(err, DEMON_CORRUPT,
			     "log_events: chain %s/%s/%s, event %" PRId64 " (seq %" PRId64 "): %s",
			     origin, epoch, demon_stream_name(ev->stream), ev->sequence, ev->seq,
			     why);
}

static enum demon_rc check_place(const struct walk *walk, const struct demon_event *ev,
				 struct demon_err *err)
{
	bool group_over =
	    walk->group_first + walk->group_count == ev->sequence || walk->sequence == 0;

	if (ev->sequence != walk->sequence + 1)
		return damaged(ev, err, "an event before it is missing");
	if (ev->seq <= walk->seq)
		return damaged(ev, err, "it stands before its predecessor");
	if (ev->clock <= walk->clock)
		return damaged(ev, err, "its logical clock does not ascend");
	if (group_over
		? ev->group_first != ev->sequence
		: ev->group_first != walk->group_first || ev->group_count != walk->group_count)
		return damaged(ev, err, "its group is torn");
	return DEMON_OK;
}

/* What is wrong with the event itself, apart from its place. */
static enum demon_rc check_content(struct walk *walk, const struct demon_event *ev,
				   struct demon_err *err)
{
	unsigned char hash[DEMON_SHA256_LEN];
	enum demon_rc rc;

	if ((rc = demon_event_check(ev, err)) ||
	    (rc = demon_event_hash(walk->sha, ev, &walk->scratch, hash, err)))
		return rc;
	if (memcmp(hash, ev->hash, sizeof(hash)) != 0)
		return demon_err_set(err, DEMON_CORRUPT,
				     "its hash does not follow from its content");
	if (ev->payload &&
	    !demon_json_is_canonical(ev->payload, ev->payload_len, &demon_json_payload_limits))
		return demon_err_set(err, DEMON_CORRUPT, "its payload is not canonical");
	return DEMON_OK;
}

static enum demon_rc check_event(struct walk *walk, struct demon_event *ev, struct demon_err *err)
{
	struct demon_err why;
	enum demon_rc rc;

	if ((rc = check_place(walk, ev, err)))
		return rc;
	memcpy(ev->previous_hash, walk->hash, sizeof(walk->hash));
	rc = check_content(walk, ev, &why);
	if (rc == DEMON_NOMEM) {
		*err = why;
		return rc;
	}
	if (rc)
		return damaged(ev, err, why.msg);
	walk->sequence = ev->sequence;
	walk->seq = ev->seq;
	walk->clock = ev->clock;
	walk->group_first = ev->group_first;
	walk->group_count = ev->group_count;
	memcpy(walk->hash, ev->hash, sizeof(walk->hash));
	return DEMON_OK;
}

static enum demon_rc walk_chain(struct walk *walk, struct demon_db *db, int64_t chain,
				int64_t *events, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_chain);
	bool row;
	enum demon_rc rc;

	walk->sequence = 0;
	walk->seq = 0;
	walk->clock = 0;
	memset(walk->hash, 0, sizeof(walk->hash));
	demon_bind_i64(&q, ":chain", chain);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_event ev;

		if ((rc = demon_log_row(&q, walk->sha, &ev, err)) ||
		    (rc = check_event(walk, &ev, err)))
			return rc;
		++*events;
	}
	if (!rc && walk->sequence && walk->group_first + walk->group_count != walk->sequence + 1)
		return demon_err_set(err, DEMON_CORRUPT,
				     "log_events: chain %" PRId64
				     " ends within a group after event "
				     "%" PRId64,
				     chain, walk->sequence);
	return rc;
}

static enum demon_rc walk_chains(struct walk *walk, struct demon_db *db, struct demon_verified *ret,
				 struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_chains);
	bool row;
	enum demon_rc rc;

	while (!(rc = demon_step(&q, &row, err)) && row) {
		ret->chains++;
		if ((rc = walk_chain(walk, db, demon_col_i64(&q, 0), &ret->events, err)))
			return rc;
	}
	return rc;
}

/* Rows that no chain leads to would be passed over by the walk. */
static enum demon_rc check_totals(struct demon_db *db, struct demon_verified *ret,
				  struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_totals);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (rc)
		return rc;
	ret->stranded = demon_col_i64(&q, 1);
	if (demon_col_i64(&q, 0) != ret->events)
		return demon_err_set(err, DEMON_CORRUPT,
				     "log_events: %" PRId64 " rows, but %" PRId64 " in chains",
				     demon_col_i64(&q, 0), ret->events);
	return DEMON_OK;
}

static enum demon_rc check_foreign_keys(struct demon_db *db, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_foreign_keys);
	bool row;
	enum demon_rc rc = demon_step(&q, &row, err);

	if (!rc && row)
		return demon_err_set(err, DEMON_CORRUPT, "%s: row %" PRId64 " refers to nothing",
				     demon_col_str(&q, 0), demon_col_i64(&q, 1));
	return rc;
}

static enum demon_rc verify_log(struct demon_store *store, struct demon_db *db,
				struct demon_verified *ret, struct demon_err *err)
{
	struct walk walk = {.store = store, .scratch.data = demon_buf_empty};
	enum demon_rc rc;

	walk.sha = demon_sha256_new();
	if (!walk.sha)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a digest");
	rc = walk_chains(&walk, db, ret, err);
	demon_sha256_free(walk.sha);
	demon_buf_done(&walk.scratch);
	return rc ? rc : check_totals(db, ret, err);
}

/* Compares the tables of a projection with those that a replay made. */
static enum demon_rc compare_tables(const struct demon_projection *p, struct demon_db *db,
				    struct demon_db *scratch, struct demon_verified *ret,
				    struct demon_err *err)
{
	enum demon_rc rc;

	for (const struct demon_projection_table *t = p->tables; t->name; t++) {
		struct demon_table_digest is;
		struct demon_table_digest ought;

		if (!t->rows)
			continue;
		if ((rc = demon_digest_table(db, t, &is, err)) ||
		    (rc = demon_digest_table(scratch, t, &ought, err)))
			return rc;
		if (memcmp(is.hash, ought.hash, sizeof(is.hash)) != 0)
			return demon_err_set(err, DEMON_CORRUPT,
					     "projection '%s' is not what the log says: "
					     "%" PRId64 " rows, %" PRId64 " expected",
					     t->name, is.rows, ought.rows);
		ret->projection_rows += is.rows;
	}
	return DEMON_OK;
}

/* Replays the log beside the live tables, on disk if it is large, and compares what comes out. */
static enum demon_rc verify_projections(struct demon_store *store, struct demon_db *db,
					struct demon_verified *ret, struct demon_err *err)
{
	demon_cleanup(demon_db_close_p) struct demon_db *scratch = NULL;
	int64_t events;
	enum demon_rc rc;

	if ((rc = demon_db_open("", DEMON_DB_MEMORY, true, &scratch, err)) ||
	    (rc = demon_migrate(scratch, NULL, store->env, err)))
		return rc;
	DEMON_TXN(tx);
	if ((rc = demon_txn_begin(&tx, scratch, NULL, err)) ||
	    (rc = demon_replay(store, db, scratch, &events, err)))
		return rc;
	for (const struct demon_projection *const *p = store->projections; p && *p; p++)
		if ((rc = compare_tables(*p, db, scratch, ret, err)) ||
		    ((*p)->check && (rc = (*p)->check(db, err))))
			return rc;
	return DEMON_OK;
}

enum demon_rc demon_verify(struct demon_store *store, struct demon_verified *ret,
			   struct demon_err *err)
{
	DEMON_READ(loan);
	enum demon_rc rc;

	*ret = (struct demon_verified){0};
	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_TXN(tx);
	if ((rc = demon_txn_read(&tx, loan.db, err)) ||
	    (rc = demon_db_integrity(loan.db, false, err)) ||
	    (rc = demon_schema_verify(loan.db, err)) || (rc = check_foreign_keys(loan.db, err)) ||
	    (rc = verify_log(store, loan.db, ret, err)))
		return rc;
	return verify_projections(store, loan.db, ret, err);
}
