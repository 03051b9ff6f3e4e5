#include "planner.h"

#include "base/bytes.h"
#include "delivery.h"
#include "domain/admin/register.h"
#include "recipients.h"
#include "store/log.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/write.h"

#include <stdio.h>
#include <string.h>

#define CURSOR     "notifications"
#define ROWS_MAX   64    /* planned rows after which a piece ends */
#define EVENTS_MAX 1024  /* events that are read in one piece */
#define STEP       10000 /* seqs after which the cursor is written down though nothing is planned */
#define REWIND     10000 /* seqs that are read again when the event at the cursor is another */

/* The types that topics follow (topic.c), a test holds them together. */
#define TYPES                                                                                     \
	"'approval.opened:v1', 'approval.warned:v1', 'approval.leveled:v1', 'approval.vote:v1', " \
	"'approval.decided:v1', 'approval.granted:v1', 'approval.denied:v1', "                    \
	"'approval.override:v1', 'ritual.failed:v1', 'ritual.suspended:v1', "                     \
	"'ritual.resumed:v1', 'ritual.completed:v1', 'ritual.canceled:v1'"

/* By seq, not by type: the newest few rows of the log, whatever it holds. */
DEMON_SQL(sql_events, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		      "WHERE e.seq > :after AND e.seq <= :last AND +e.type_id IN "
		      "(SELECT id FROM log_types WHERE name IN (" TYPES ")) "
		      "ORDER BY e.seq LIMIT :limit");
DEMON_SQL(sql_last, "SELECT coalesce(max(seq), 0) FROM log_events");
DEMON_SQL(sql_last_route, "SELECT coalesce(max(seq), 0) FROM log_events WHERE type_id = "
			  "(SELECT id FROM log_types WHERE name = 'route.written:v1')");
DEMON_SQL(sql_first_route, "SELECT coalesce(min(seq), 0) FROM log_events WHERE type_id = "
			   "(SELECT id FROM log_types WHERE name = 'route.written:v1')");
DEMON_SQL(sql_cursor, "SELECT c.seq, c.hash, e.hash FROM local_cursors c "
		      "LEFT JOIN log_events e ON e.seq = c.seq WHERE c.name = '" CURSOR "'");
DEMON_SQL(sql_move, "INSERT INTO local_cursors (name, seq, hash, updated_at) "
		    "SELECT '" CURSOR "', seq, hash, :now FROM log_events WHERE seq = :seq "
		    "ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, "
		    "updated_at = excluded.updated_at");
DEMON_SQL(sql_insert,
	  "INSERT INTO local_deliveries (key, seq, hash, topic, tenant_id, run_id, gate_id, "
	  "thread, route_tenant, route, recipient, state, created_at, next_at) VALUES (:key, :seq, "
	  ":hash, :topic, :tenant, :run, :gate, :thread, :route_tenant, :route, :recipient, 'due', "
	  ":now, :now) ON CONFLICT (key) DO NOTHING");

/* A route that holds. */
struct held {
	char tenant[65];
	char name[DEMON_ACTOR_MAX + 1];
	uint64_t birth; /* clock of the write since which it has been there */
	json_t *value;  /* owned */
	struct demon_route route;
};

/* A delivery that is to be made. */
struct row {
	char key[DEMON_DELIVERY_KEY_LEN + 1];
	int64_t seq;
	unsigned char hash[DEMON_SHA256_LEN];
	const struct demon_topic *topic;
	char tenant_id[65];
	char run_id[65];
	char gate_id[65];
	char thread[256];
	const struct held *held; /* borrowed from the planner */
	char recipient[DEMON_ACTOR_MAX + 1];
};

struct demon_planner {
	struct demon_store *store;
	struct held *held; /* owned: in order of tenant and name */
	size_t count;
	size_t room;
	int64_t
	    routes_seq; /* of the write to a route that was seen last; -1: none was looked for */
	int64_t after;  /* read up to here; -1: the cursor was not read yet */
	int64_t kept;   /* the cursor in the database */
	/* of the piece under way: */
	struct row *rows; /* owned */
	size_t row_count;
	size_t row_room;
};

static void forget_routes(struct demon_planner *p)
{
	for (size_t i = 0; i < p->count; i++)
		json_decref(p->held[i].value);
	p->count = 0;
}

enum demon_rc demon_planner_open(struct demon_store *store, struct demon_planner **ret_planner,
				 struct demon_err *err)
{
	struct demon_planner *p = demon_calloc(1, sizeof(*p));

	if (!p)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a planner");
	p->store = store;
	p->routes_seq = -1;
	p->after = -1;
	*ret_planner = p;
	return DEMON_OK;
}

void demon_planner_close(struct demon_planner *p)
{
	if (!p)
		return;
	forget_routes(p);
	free(p->held);
	free(p->rows);
	free(p);
}

enum demon_rc demon_delivery_key(const struct demon_event *event, const char *route_tenant,
				 const char *route, const char *recipient, char *out,
				 struct demon_err *err)
{
	unsigned char hash[DEMON_HASH_LEN];
	enum demon_rc rc;
	DEMON_BUF(text, 0);

	demon_buf_hex(&text, event->origin, sizeof(event->origin));
	demon_buf_char(&text, '.');
	demon_buf_hex(&text, event->epoch, sizeof(event->epoch));
	demon_buf_fmt(&text, ".%s.%lld\n%s\n%s\n%s", demon_stream_name(event->stream),
		      (long long)event->sequence, route_tenant, route, recipient);
	if ((rc = demon_buf_rc(&text, err)) || (rc = demon_sha256(text.data, text.len, hash, err)))
		return rc;
	demon_hex(hash, DEMON_DELIVERY_KEY_LEN / 2, out);
	return DEMON_OK;
}

static enum demon_rc get_number(struct demon_db *db, const struct demon_sql *sql, int64_t *ret,
				struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, sql);

	if ((rc = demon_step(&q, &row, err)))
		return rc;
	*ret = demon_col_i64(&q, 0);
	return DEMON_OK;
}

/* Writes to one route, the one that holds first: how far back it was never taken away. */
struct life {
	uint64_t birth;
	bool over;
};

static enum demon_rc look_back(void *ctx, const struct demon_register_row *row,
			       struct demon_err *err)
{
	struct life *life = ctx;

	(void)err;
	life->over = life->over || !row->value;
	if (!life->over)
		life->birth = row->clock;
	return DEMON_OK;
}

/* Where routes are being read. */
struct reading {
	struct demon_planner *planner;
	struct demon_db *db;
};

static bool make_room(void **items, size_t count, size_t *room, size_t size)
{
	void *more;

	if (count < *room)
		return true;
	more = demon_realloc(*items, *room ? *room * 2 : 16, size);
	if (!more)
		return false;
	*items = more;
	*room = *room ? *room * 2 : 16;
	return true;
}

/* Takes a route in. One that another node wrote and this one does not understand is passed over. */
static enum demon_rc take_route(void *ctx, const struct demon_register_row *row,
				struct demon_err *err)
{
	struct reading *r = ctx;
	struct demon_planner *p = r->planner;
	struct life life = {.birth = row->clock};
	json_auto_t *value = NULL;
	struct demon_route route;
	struct demon_err why;
	struct held *h;
	enum demon_rc rc;

	if ((rc = demon_json_parse(row->value, row->value_len, &demon_json_payload_limits, &value,
				   err)) ||
	    (rc = demon_register_writes(r->db, DEMON_REGISTER_ROUTE, row->tenant, row->name,
					look_back, &life, err)))
		return rc;
	if ((rc = demon_route_parse(value, &route, &why)))
		return rc == DEMON_INVALID ? DEMON_OK : demon_err_set(err, rc, "%s", why.msg);
	if (!make_room((void **)&p->held, p->count, &p->room, sizeof(*p->held)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for routes");
	h = &p->held[p->count++];
	*h = (struct held){.birth = life.birth, .route = route, .value = demon_take(value)};
	(void)snprintf(h->tenant, sizeof(h->tenant), "%s", row->tenant);
	(void)snprintf(h->name, sizeof(h->name), "%s", row->name);
	return DEMON_OK;
}

/* Reads the routes anew if any was written since. */
static enum demon_rc read_routes(struct demon_planner *p, struct demon_db *db,
				 struct demon_err *err)
{
	struct reading r = {.planner = p, .db = db};
	int64_t seq;
	enum demon_rc rc = get_number(db, &sql_last_route, &seq, err);

	if (rc || seq == p->routes_seq)
		return rc;
	forget_routes(p);
	p->routes_seq = -1;
	if ((rc = demon_register_list(db, DEMON_REGISTER_ROUTE, NULL, take_route, &r, err)))
		return rc;
	p->routes_seq = seq;
	return DEMON_OK;
}

/* The place to read on from: where the cursor stands, or where the first route was written. */
static enum demon_rc read_cursor(struct demon_planner *p, struct demon_db *db,
				 struct demon_err *err)
{
	int64_t first = 0;
	bool row;
	bool same;
	enum demon_rc rc;

	if (p->after >= 0)
		return DEMON_OK;
	if ((rc = get_number(db, &sql_first_route, &first, err)))
		return rc;
	DEMON_STMT(q, db, &sql_cursor);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	p->after = row ? demon_col_i64(&q, 0) : first;
	p->kept = p->after;
	if (!row)
		return DEMON_OK;
	same = !demon_col_is_null(&q, 2) &&
	       memcmp(demon_col_blob(&q, 1), demon_col_blob(&q, 2), DEMON_SHA256_LEN) == 0;
	if (!same && p->after > 0)
		p->after = p->after > first + REWIND ? p->after - REWIND : first;
	return DEMON_OK;
}

/* A tenant's route of the same name takes the place of the node's. */
static bool is_replaced(const struct demon_planner *p, const struct held *h, const char *tenant)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->held[i].tenant, tenant) == 0 && strcmp(p->held[i].name, h->name) == 0)
			return true;
	return false;
}

static bool is_for(const struct demon_planner *p, const struct held *h,
		   const struct demon_topic *topic, const struct demon_event *ev)
{
	bool node = strcmp(h->tenant, DEMON_TENANT_ALL) == 0;

	if (ev->clock < h->birth || !demon_route_takes(&h->route, topic, ev->ritual_id))
		return false;
	return node ? !is_replaced(p, h, ev->tenant_id) : strcmp(h->tenant, ev->tenant_id) == 0;
}

static enum demon_rc add_row(struct demon_planner *p, const struct held *h,
			     const struct demon_topic *topic, const struct demon_event *ev,
			     const char *recipient, struct demon_err *err)
{
	struct row *row;
	enum demon_rc rc;
	DEMON_BUF(thread, sizeof(row->thread) - 1);

	if (!make_room((void **)&p->rows, p->row_count, &p->row_room, sizeof(*p->rows)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for deliveries");
	row = &p->rows[p->row_count];
	*row = (struct row){.seq = ev->seq, .topic = topic, .held = h};
	memcpy(row->hash, ev->hash, sizeof(row->hash));
	(void)snprintf(row->tenant_id, sizeof(row->tenant_id), "%s", ev->tenant_id);
	(void)snprintf(row->run_id, sizeof(row->run_id), "%s", ev->run_id);
	(void)snprintf(row->gate_id, sizeof(row->gate_id), "%s", ev->gate_id ? ev->gate_id : "");
	(void)snprintf(row->recipient, sizeof(row->recipient), "%s", recipient);
	demon_notice_thread(topic, ev, &thread);
	if ((rc = demon_buf_rc(&thread, err)) ||
	    (rc = demon_delivery_key(ev, h->tenant, h->name, recipient, row->key, err)))
		return rc;
	(void)snprintf(row->thread, sizeof(row->thread), "%s", thread.data);
	p->row_count++;
	return DEMON_OK;
}

static enum demon_rc plan_mails(struct demon_planner *p, struct demon_db *db, const struct held *h,
				const struct demon_topic *topic, const struct demon_event *ev,
				struct demon_err *err)
{
	json_auto_t *payload = NULL;
	json_auto_t *addresses = NULL;
	struct demon_occasion occasion = {.topic = topic, .event = ev};
	const json_t *address;
	enum demon_rc rc = DEMON_OK;
	size_t i;

	if (h->route.approvers && ev->payload &&
	    (rc = demon_json_parse(ev->payload, ev->payload_len, &demon_json_payload_limits,
				   &payload, err)))
		return rc;
	occasion.payload = payload;
	if ((rc = demon_recipients_find(db, &h->route, &occasion, &addresses, err)))
		return rc;
	json_array_foreach(addresses, i, address)
	{
		if ((rc = add_row(p, h, topic, ev, json_string_value(address), err)))
			return rc;
	}
	return rc;
}

static enum demon_rc plan_event(struct demon_planner *p, struct demon_db *db,
				const struct demon_event *ev, struct demon_err *err)
{
	const struct demon_topic *topic = demon_topic_of(ev->type);
	enum demon_rc rc = DEMON_OK;

	if (!topic || !ev->run_id || !ev->tenant_id || ev->stream != DEMON_STREAM_RITUAL ||
	    memcmp(ev->origin, demon_store_origin(p->store), sizeof(ev->origin)) != 0)
		return DEMON_OK;
	for (size_t i = 0; i < p->count && !rc; i++) {
		const struct held *h = &p->held[i];

		if (!is_for(p, h, topic, ev))
			continue;
		rc = h->route.kind == DEMON_ROUTE_SMTP ? plan_mails(p, db, h, topic, ev, err)
						       : add_row(p, h, topic, ev, "", err);
	}
	return rc;
}

/* Reads events up to @p last. *ret_to: everything up to there was read. */
static enum demon_rc plan_events(struct demon_planner *p, struct demon_db *db, int64_t last,
				 int64_t *ret_to, struct demon_err *err)
{
	int64_t read = 0;
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_events);

	demon_bind_i64(&q, ":after", p->after);
	demon_bind_i64(&q, ":last", last);
	demon_bind_i64(&q, ":limit", EVENTS_MAX);
	*ret_to = p->after;
	while (p->row_count < ROWS_MAX) {
		struct demon_event ev;

		if ((rc = demon_step(&q, &row, err)))
			return rc;
		if (!row) {
			*ret_to = read < EVENTS_MAX ? last : *ret_to;
			return DEMON_OK;
		}
		read++;
		if ((rc = demon_log_row(&q, NULL, &ev, err)) || (rc = plan_event(p, db, &ev, err)))
			return rc;
		*ret_to = ev.seq;
	}
	return DEMON_OK;
}

/* What is written: the rows of the piece, and the cursor behind it. */
struct piece {
	const struct demon_planner *planner;
	int64_t to;
	demon_time now;
};

static enum demon_rc insert_row(struct demon_db *db, const struct row *row, demon_time now,
				struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_insert);

	demon_bind_str(&q, ":key", row->key);
	demon_bind_i64(&q, ":seq", row->seq);
	demon_bind_blob(&q, ":hash", row->hash, sizeof(row->hash));
	demon_bind_str(&q, ":topic", row->topic->name);
	demon_bind_str(&q, ":tenant", row->tenant_id);
	demon_bind_str(&q, ":run", row->run_id);
	demon_bind_str(&q, ":gate", *row->gate_id ? row->gate_id : NULL);
	demon_bind_str(&q, ":thread", row->thread);
	demon_bind_str(&q, ":route_tenant", row->held->tenant);
	demon_bind_str(&q, ":route", row->held->name);
	demon_bind_str(&q, ":recipient", row->recipient);
	demon_bind_i64(&q, ":now", now);
	return demon_exec(&q, err);
}

static enum demon_rc write_piece(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const struct piece *piece = ctx;
	const struct demon_planner *p = piece->planner;
	struct demon_db *db = demon_write_db(w);
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < p->row_count && !rc; i++)
		rc = insert_row(db, &p->rows[i], piece->now, err);
	if (rc)
		return rc;
	DEMON_STMT(q, db, &sql_move);
	demon_bind_i64(&q, ":seq", piece->to);
	demon_bind_i64(&q, ":now", piece->now);
	return demon_exec(&q, err);
}

/* Reads a piece in one snapshot. */
static enum demon_rc read_piece(struct demon_planner *p, int64_t *ret_to, int64_t *ret_last,
				struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_READ(loan);
	DEMON_TXN(tx);

	if ((rc = demon_store_borrow(p->store, &loan, err)) ||
	    (rc = demon_txn_read(&tx, loan.db, err)) ||
	    (rc = get_number(loan.db, &sql_last, ret_last, err)) ||
	    (rc = read_routes(p, loan.db, err)))
		return rc;
	if (p->count == 0) { /* a route that comes takes nothing that was before it */
		*ret_to = *ret_last;
		p->kept = p->after < 0 ? *ret_last : p->kept;
		return DEMON_OK;
	}
	if ((rc = read_cursor(p, loan.db, err)))
		return rc;
	*ret_to = p->after;
	return p->after < *ret_last ? plan_events(p, loan.db, *ret_last, ret_to, err) : DEMON_OK;
}

enum demon_rc demon_planner_look(struct demon_planner *p, size_t *ret_planned, bool *ret_more,
				 struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(p->store);
	struct piece piece = {.planner = p, .now = env->now(env->ctx)};
	int64_t last = 0;
	enum demon_rc rc;

	p->row_count = 0;
	if ((rc = read_piece(p, &piece.to, &last, err)))
		return rc;
	if (p->row_count || piece.to > p->kept + STEP) {
		if ((rc = demon_store_write_repeatable(p->store, write_piece, &piece, err)))
			return rc;
		p->kept = piece.to;
	}
	p->after = piece.to;
	*ret_planned = p->row_count;
	*ret_more = piece.to < last;
	return DEMON_OK;
}
