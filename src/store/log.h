/*
 * Rows of the log: events in and out of SQLite, and the dictionaries they refer to.
 */
#ifndef DEMON_LOG_H
#define DEMON_LOG_H

#include "db/stmt.h"
#include "store/header.h"

/** The columns that demon_log_row() reads, in its order, and the tables they come from. */
#define DEMON_LOG_COLUMNS                                                                   \
	"e.seq, e.recorded_at, c.origin, c.epoch, c.stream, e.origin_seq, e.group_first, "  \
	"e.group_count, s.subject, t.name, s.tenant_id, s.ritual_id, s.run_id, e.gate_id, " \
	"s.project_id, s.namespace, s.graph_id, s.run_origin, e.ts, e.clock, e.payload, "   \
	"e.payload_hash, e.extra, e.hash, "                                                 \
	"(SELECT p.hash FROM log_events p WHERE p.chain_id = e.chain_id "                   \
	"AND p.origin_seq = e.origin_seq - 1)"
#define DEMON_LOG_TABLES                                             \
	" FROM log_events e JOIN log_chains c ON c.id = e.chain_id " \
	"JOIN log_scopes s ON s.id = e.scope_id JOIN log_types t ON t.id = e.type_id "

/**
 * Reads the current row of a statement that selects DEMON_LOG_COLUMNS first. Strings are borrowed
 * until the next step. The payload hash of a payload that is there is computed with @p sha, or left
 * zero when @p sha is NULL.
 */
enum demon_rc demon_log_row(const struct demon_stmt *q, struct demon_sha256 *sha,
			    struct demon_event *ret_event, struct demon_err *err) demon_must_check;

/** What the log holds under an identity. */
struct demon_held {
	bool found;
	unsigned char hash[DEMON_SHA256_LEN]; /* zero when the row has none of that length */
	uint64_t clock;
};

/** Looks up the identity of @p ref; its hash is not compared. */
enum demon_rc demon_log_held(struct demon_db *db, const struct demon_event_ref *ref,
			     struct demon_held *ret, struct demon_err *err) demon_must_check;

/** Numbers that a row refers to. */
struct demon_log_ids {
	int64_t chain;
	int64_t scope;
	int64_t type;
};

/** Finds, or makes, the dictionary rows of @p ev. */
enum demon_rc demon_log_intern(struct demon_db *db, const struct demon_event *ev,
			       struct demon_log_ids *ret_ids, struct demon_err *err)
    demon_must_check;

/** Finds, or makes, the number of a chain. */
enum demon_rc demon_log_chain(struct demon_db *db, const struct demon_event *ev, int64_t *ret_id,
			      struct demon_err *err) demon_must_check;

/** An event and what its row refers to. */
struct demon_log_entry {
	struct demon_event ev;
	struct demon_log_ids ids;
};

/** Inserts events, as demon_log_insert does; few or many, all or none. */
enum demon_rc demon_log_insert_all(struct demon_db *db, const struct demon_log_entry *entries,
				   size_t count, struct demon_err *err) demon_must_check;

/** Inserts one event. ev->seq and everything else is set; the payload may be NULL. */
enum demon_rc demon_log_insert(struct demon_db *db, const struct demon_event *ev,
			       const struct demon_log_ids *ids, struct demon_err *err)
    demon_must_check;

#endif
