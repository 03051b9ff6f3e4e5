/*
 * The projection of approval.* events. The first decision of a gate is its decision: what comes
 * after it in the log changes nothing.
 */
#include "base/bytes.h"
#include "base/json_member.h"
#include "gate.h"

#include <string.h>

#define THIS                                                                     \
	" WHERE tenant_id = :tenant AND run_id = :run AND run_origin = :origin " \
	"AND gate_id = :gate AND round = :round AND state = 'pending'"

DEMON_SQL(sql_open,
	  "INSERT INTO gates (tenant_id, run_id, run_origin, gate_id, round, ritual_id, step_id, "
	  "state, requested_at, expires_at, next_at, level, level_since, repeats, warned, opened) "
	  "VALUES (:tenant, :run, :origin, :gate, :round, :ritual, :step, 'pending', :ts, "
	  ":expires, :next, 1, :ts, 0, 0, :opened) "
	  "ON CONFLICT (tenant_id, run_id, run_origin, gate_id, round) DO NOTHING");
DEMON_SQL(sql_warn, "UPDATE gates SET warned = warned + 1, next_at = :next" THIS);
DEMON_SQL(sql_level, "UPDATE gates SET level = :level, level_since = :ts, repeats = :repeats, "
		     "next_at = :next" THIS);
DEMON_SQL(sql_decide, "UPDATE gates SET state = :state, decided = :decided, decided_at = :ts, "
		      "next_at = NULL" THIS);
DEMON_SQL(sql_vote,
	  "INSERT INTO votes (tenant_id, run_id, run_origin, gate_id, round, clock, origin, hash, "
	  "decision, approver, auth, note, seen, nonce, ts) VALUES (:tenant, :run, :run_origin, "
	  ":gate, :round, :clock, :origin, :hash, :decision, :approver, :auth, :note, :seen, "
	  ":nonce, :ts)");

DEMON_SQL_SCAN(sql_gates_rows, "digest and rebuild",
	       "SELECT tenant_id, run_id, run_origin, gate_id, round, ritual_id, step_id, state, "
	       "requested_at, expires_at, next_at, level, level_since, repeats, warned, opened, "
	       "decided, decided_at FROM gates "
	       "ORDER BY tenant_id, run_id, run_origin, gate_id, round");
DEMON_SQL_SCAN(sql_gates_clear, "rebuild", "DELETE FROM gates");
DEMON_SQL_SCAN(sql_votes_rows, "digest and rebuild",
	       "SELECT tenant_id, run_id, run_origin, gate_id, round, clock, origin, hash, "
	       "decision, approver, auth, note, seen, nonce, ts FROM votes ORDER BY tenant_id, "
	       "run_id, run_origin, gate_id, round, clock, origin, hash");
DEMON_SQL_SCAN(sql_votes_clear, "rebuild", "DELETE FROM votes");

static enum demon_rc damaged(const struct demon_event *ev, const char *member,
			     struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "event %s of gate '%s': '%s' is missing or wrong",
			     ev->type, ev->gate_id, member);
}

static struct demon_json_span member(const struct demon_event *ev, const char *key)
{
	return demon_json_member(ev->payload, ev->payload_len, key);
}

static enum demon_rc bind_integer(struct demon_stmt *q, const struct demon_event *ev,
				  const char *name, const char *key, struct demon_err *err)
{
	int64_t n;

	if (!demon_json_span_i64(member(ev, key), &n))
		return damaged(ev, key, err);
	demon_bind_i64(q, name, n);
	return DEMON_OK;
}

static enum demon_rc bind_time(struct demon_stmt *q, const struct demon_event *ev, const char *name,
			       const char *key, struct demon_err *err)
{
	struct demon_err why;
	demon_time t;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if (!demon_json_span_str(member(ev, key), &text))
		return damaged(ev, key, err);
	if ((rc = demon_buf_rc(&text, err)))
		return rc;
	if (demon_rfc3339_parse(text.data, &t, &why))
		return damaged(ev, key, err);
	demon_bind_i64(q, name, t);
	return DEMON_OK;
}

static enum demon_rc bind_gate(struct demon_stmt *q, const struct demon_event *ev,
			       struct demon_err *err)
{
	demon_bind_str(q, ":tenant", ev->tenant_id);
	demon_bind_str(q, ":run", ev->run_id);
	demon_bind_blob(q, ":origin", ev->run_origin, sizeof(ev->run_origin));
	demon_bind_str(q, ":gate", ev->gate_id);
	return bind_integer(q, ev, ":round", "round", err);
}

static enum demon_rc opened(struct demon_db *db, const struct demon_event *ev,
			    struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_open);

	if ((rc = bind_gate(&q, ev, err)) || (rc = bind_integer(&q, ev, ":step", "stepId", err)) ||
	    (rc = bind_time(&q, ev, ":expires", "expiresAt", err)) ||
	    (rc = bind_time(&q, ev, ":next", "nextAt", err)))
		return rc;
	demon_bind_str(&q, ":ritual", ev->ritual_id);
	demon_bind_i64(&q, ":ts", ev->ts);
	demon_bind_text(&q, ":opened", ev->payload, ev->payload_len);
	return demon_exec(&q, err);
}

static enum demon_rc warned(struct demon_db *db, const struct demon_event *ev,
			    struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_warn);

	if ((rc = bind_gate(&q, ev, err)) || (rc = bind_time(&q, ev, ":next", "nextAt", err)))
		return rc;
	return demon_exec(&q, err);
}

static enum demon_rc leveled(struct demon_db *db, const struct demon_event *ev,
			     struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_level);

	if ((rc = bind_gate(&q, ev, err)) ||
	    (rc = bind_integer(&q, ev, ":level", "toLevel", err)) ||
	    (rc = bind_integer(&q, ev, ":repeats", "repeats", err)) ||
	    (rc = bind_time(&q, ev, ":next", "nextAt", err)))
		return rc;
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static enum demon_rc decided(struct demon_db *db, const struct demon_event *ev,
			     struct demon_err *err)
{
	DEMON_BUF(state, 0);
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_decide);

	if (!demon_json_span_str(member(ev, "state"), &state) ||
	    (!state.rc && demon_gate_state_find(state.data) <= DEMON_GATE_PENDING))
		return damaged(ev, "state", err);
	if ((rc = demon_buf_rc(&state, err)) || (rc = bind_gate(&q, ev, err)))
		return rc;
	demon_bind_text(&q, ":state", state.data, state.len);
	demon_bind_i64(&q, ":ts", ev->ts);
	demon_bind_text(&q, ":decided", ev->payload, ev->payload_len);
	return demon_exec(&q, err);
}

enum { APPROVER, AUTHENTICATION, DECISION, NONCE, NOTE, SEEN, TEXTS };

/* The texts of a vote, which must live as long as they are bound. */
struct texts {
	struct demon_buf of[TEXTS];
};

static void texts_done(struct texts *t)
{
	for (int i = 0; i < TEXTS; i++)
		demon_buf_done(&t->of[i]);
}

static enum demon_rc bind_texts(struct demon_stmt *q, const struct demon_event *ev,
				struct texts *texts, struct demon_err *err)
{
	static const char *const keys[TEXTS] = {"approver", "authentication", "decision",
						"nonce",    "note",           "seen"};
	static const char *const names[TEXTS] = {":approver", ":auth", ":decision",
						 ":nonce",    ":note", ":seen"};
	struct demon_json_span v[TEXTS];
	enum demon_rc rc;

	demon_json_members(ev->payload, ev->payload_len, keys, v, TEXTS);
	for (int i = 0; i < TEXTS; i++) {
		struct demon_buf *text = &texts->of[i];

		text->data = demon_buf_empty;
		if (!v[i].at && i >= NONCE) {
			demon_bind_null(q, names[i]);
			continue;
		}
		if (!demon_json_span_str(v[i], text))
			return damaged(ev, keys[i], err);
		if ((rc = demon_buf_rc(text, err)))
			return rc;
		demon_bind_text(q, names[i], text->data, text->len);
	}
	return DEMON_OK;
}

static enum demon_rc voted(struct demon_db *db, const struct demon_event *ev, struct demon_err *err)
{
	demon_cleanup(texts_done) struct texts texts = {0};
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_vote);

	if ((rc = bind_integer(&q, ev, ":round", "round", err)) ||
	    (rc = bind_texts(&q, ev, &texts, err)))
		return rc;
	demon_bind_str(&q, ":tenant", ev->tenant_id);
	demon_bind_str(&q, ":run", ev->run_id);
	demon_bind_blob(&q, ":run_origin", ev->run_origin, sizeof(ev->run_origin));
	demon_bind_str(&q, ":gate", ev->gate_id);
	demon_bind_i64(&q, ":clock", (int64_t)ev->clock);
	demon_bind_blob(&q, ":origin", ev->origin, sizeof(ev->origin));
	demon_bind_blob(&q, ":hash", ev->hash, sizeof(ev->hash));
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static const struct {
	const char *type;
	enum demon_rc (*apply)(struct demon_db *db, const struct demon_event *ev,
			       struct demon_err *err);
} appliers[] = {
    {"approval.opened:v1", opened},   {"approval.warned:v1", warned},
    {"approval.leveled:v1", leveled}, {"approval.decided:v1", decided},
    {"approval.vote:v1", voted},
};

static enum demon_rc apply(struct demon_db *db, const struct demon_event *event,
			   struct demon_err *err)
{
	if (event->stream != DEMON_STREAM_RITUAL || !event->has_run_origin || !event->gate_id)
		return DEMON_OK;
	for (size_t i = 0; i < demon_count(appliers); i++) {
		if (strcmp(event->type, appliers[i].type) != 0)
			continue;
		if (!event->payload)
			return demon_err_set(err, DEMON_CORRUPT,
					     "event %s of gate '%s': its payload is not here",
					     event->type, event->gate_id);
		return appliers[i].apply(db, event, err);
	}
	return DEMON_OK;
}

static const struct demon_projection_table tables[] = {
    {"gates", &sql_gates_rows, &sql_gates_clear},
    {"votes", &sql_votes_rows, &sql_votes_clear},
    {NULL, NULL, NULL},
};

const struct demon_projection demon_gate_projection = {
    .name = "approvals",
    .tables = tables,
    .apply = apply,
};
