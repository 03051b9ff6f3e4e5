#include "peer.h"

#include "base/bytes.h"
#include "base/json.h"
#include "register.h"
#include "store/store.h"

#include <string.h>

#define BOUND_KEY                                                                \
	"(SELECT k.key_id FROM local_peer_keys k WHERE k.origin = p.origin AND " \
	"k.state = 'bound' AND (:key IS NULL OR k.key_id = :key) ORDER BY k.key_id LIMIT 1)"

DEMON_SQL_SCAN(sql_list, "peers, of which there are few",
	       "SELECT p.origin, p.label, " BOUND_KEY ", p.trusted, p.first_seen, p.last_seen, "
	       "p.changed_at, p.changed_by FROM local_peers p ORDER BY p.origin");
DEMON_SQL_SCAN(sql_labeled, "peers, of which there are few",
	       "SELECT origin FROM local_peers WHERE label = :label ORDER BY origin");
DEMON_SQL(sql_get, "SELECT p.label, " BOUND_KEY ", p.trusted FROM local_peers p "
		   "WHERE p.origin = :origin");
DEMON_SQL(sql_change,
	  "INSERT INTO local_peers (origin, label, trusted, first_seen, last_seen, changed_at, "
	  "changed_by) VALUES (:origin, '', :trusted, :now, :now, :now, :by) "
	  "ON CONFLICT (origin) DO UPDATE SET trusted = excluded.trusted, "
	  "changed_at = excluded.changed_at, changed_by = excluded.changed_by");

enum demon_rc demon_peer_list(struct demon_db *db, demon_peer_fn *fn, void *ctx,
			      struct demon_err *err)
{
	enum demon_rc rc;
	bool more;
	DEMON_STMT(q, db, &sql_list);

	demon_bind_null(&q, ":key");
	while (!(rc = demon_step(&q, &more, err)) && more) {
		char key[DEMON_PEER_KEY_HEX + 1];
		struct demon_peer_row row = {.label = demon_col_str(&q, 1),
					     .trusted = demon_col_i64(&q, 3) != 0,
					     .first_seen = demon_col_i64(&q, 4),
					     .last_seen = demon_col_i64(&q, 5),
					     .changed_at = demon_col_i64(&q, 6),
					     .changed_by = demon_col_str(&q, 7)};

		memcpy(row.origin, demon_col_blob(&q, 0), sizeof(row.origin));
		if (demon_col_len(&q, 2) == DEMON_PEER_KEY_HEX / 2) {
			demon_hex(demon_col_blob(&q, 2), DEMON_PEER_KEY_HEX / 2, key);
			row.key = key;
		}
		if ((rc = fn(ctx, &row, err)))
			return rc;
	}
	return rc;
}

/* A change of trust under way. */
struct change {
	const struct demon_peer_request *request;
	bool trust;
	demon_time now;
	bool new;
	/* whom it is about */
	unsigned char origin[DEMON_ORIGIN_LEN];
	char hex[2 * DEMON_ORIGIN_LEN + 1];
	struct demon_buf label;
	char key[DEMON_PEER_KEY_HEX + 1]; /* "": none is bound */
};

/* The only peer of that label. */
static enum demon_rc find_label(struct demon_db *db, struct change *c, struct demon_err *err)
{
	size_t count = 0;
	enum demon_rc rc;
	bool row;
	DEMON_BUF(all, 0);
	DEMON_STMT(q, db, &sql_labeled);

	demon_bind_str(&q, ":label", c->request->peer);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		memcpy(c->origin, demon_col_blob(&q, 0), sizeof(c->origin));
		demon_buf_char(&all, ' ');
		demon_buf_hex(&all, c->origin, sizeof(c->origin));
		count++;
	}
	if (rc || (rc = demon_buf_rc(&all, err)))
		return rc;
	if (!count)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no peer '%.100s'",
				     c->request->peer);
	if (count > 1)
		return demon_err_set(err, DEMON_CONFLICT,
				     "%zu peers call themselves '%.64s', say which by origin:%s",
				     count, c->request->peer, all.data);
	return DEMON_OK;
}

static enum demon_rc find(struct demon_db *db, const unsigned char *own, struct change *c,
			  struct demon_err *err)
{
	const char *peer = c->request->peer;
	enum demon_rc rc;

	if (!(strlen(peer) == 2 * sizeof(c->origin) &&
	      demon_unhex(peer, c->origin, sizeof(c->origin))) &&
	    (rc = find_label(db, c, err)))
		return rc;
	demon_hex(c->origin, sizeof(c->origin), c->hex);
	if (memcmp(c->origin, own, sizeof(c->origin)) == 0)
		return demon_err_set(err, DEMON_INVALID,
				     "'%.64s' is this node itself, whose word always counts", peer);
	return DEMON_OK;
}

/* Reads what is known of the peer. *ret_trusted: as it is now. */
static enum demon_rc look(struct demon_db *db, struct change *c, bool *ret_trusted,
			  struct demon_err *err)
{
	unsigned char key[DEMON_PEER_KEY_HEX / 2];
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_get);

	if (c->request->key && (strlen(c->request->key) != DEMON_PEER_KEY_HEX ||
				!demon_unhex(c->request->key, key, sizeof(key))))
		return demon_err_set(err, DEMON_INVALID,
				     "the key's id is not %d hexadecimal digits",
				     DEMON_PEER_KEY_HEX);
	demon_bind_blob(&q, ":origin", c->origin, sizeof(c->origin));
	if (c->request->key)
		demon_bind_blob(&q, ":key", key, sizeof(key));
	else
		demon_bind_null(&q, ":key");
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row && !c->trust)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no peer '%s'", c->hex);
	c->key[0] = '\0';
	demon_buf_clear(&c->label);
	if (row && demon_col_len(&q, 1) == sizeof(key))
		demon_hex(demon_col_blob(&q, 1), sizeof(key), c->key);
	if (c->request->key && !*c->key)
		return demon_err_set(err, DEMON_CONFLICT, "key '%s' is not bound to peer '%s'",
				     c->request->key, c->hex);
	if (row)
		demon_buf_str(&c->label, demon_col_str(&q, 0));
	*ret_trusted = row && demon_col_i64(&q, 2) != 0;
	return demon_buf_rc(&c->label, err);
}

static enum demon_rc store_trust(struct demon_db *db, const struct change *c, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_change);

	demon_bind_blob(&q, ":origin", c->origin, sizeof(c->origin));
	demon_bind_i64(&q, ":trusted", c->trust);
	demon_bind_i64(&q, ":now", c->now);
	demon_bind_str(&q, ":by", c->request->actor->subject);
	return demon_exec(&q, err);
}

static enum demon_rc append(struct demon_write *w, const struct change *c, struct demon_err *err)
{
	const char *type = c->trust ? "peer.trusted:v1" : "peer.revoked:v1";
	struct demon_record record = {.type = type};
	const struct demon_group group = {
	    .stream = DEMON_STREAM_NODE, .ts = c->now, .records = &record, .count = 1};
	DEMON_BUF(payload, demon_json_payload_limits.max_bytes);
	struct demon_jw jw = demon_jw_begin(&payload);
	enum demon_rc rc;

	demon_jw_str(&jw, "authentication", demon_auth_name(c->request->actor->auth));
	demon_jw_str(&jw, "by", c->request->actor->subject);
	demon_jw_str(&jw, "event", type);
	demon_jw_str(&jw, "key", *c->key ? c->key : NULL);
	demon_jw_str(&jw, "label", c->label.len ? c->label.data : NULL);
	demon_jw_str(&jw, "name", c->hex);
	demon_jw_str(&jw, "reason", c->request->reason);
	demon_jw_str(&jw, "tenant", DEMON_TENANT_ALL);
	demon_jw_time(&jw, "ts", c->now);
	demon_jw_end(&jw);
	if ((rc = demon_buf_rc(&payload, err)))
		return rc;
	record.payload = payload.data;
	record.payload_len = payload.len;
	return demon_write_append(w, &group, NULL, err);
}

static enum demon_rc change(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct change *c = ctx;
	struct demon_db *db = demon_write_db(w);
	bool trusted = c->trust;
	enum demon_rc rc;

	c->new = false;
	if ((rc = find(db, demon_write_origin(w), c, err)) || (rc = look(db, c, &trusted, err)) ||
	    trusted == c->trust)
		return rc;
	c->new = true;
	return (rc = store_trust(db, c, err)) ? rc : append(w, c, err);
}

static enum demon_rc set(struct demon_store *store, const struct demon_peer_request *request,
			 bool trust, bool *ret_new, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct change c = {.request = request,
			   .trust = trust,
			   .now = env->now(env->ctx),
			   .label.data = demon_buf_empty};
	enum demon_rc rc;

	if ((rc = demon_actor_check(request->actor, err)))
		return rc;
	if (request->reason && (!*request->reason || strlen(request->reason) > DEMON_REASON_MAX))
		return demon_err_set(err, DEMON_INVALID, "the reason is %s",
				     *request->reason ? "longer than 4 KiB" : "empty");
	rc = demon_store_write_repeatable(store, change, &c, err);
	demon_buf_done(&c.label);
	if (!rc && ret_new)
		*ret_new = c.new;
	return rc;
}

enum demon_rc demon_peer_trust(struct demon_store *store, const struct demon_peer_request *request,
			       bool *ret_new, struct demon_err *err)
{
	return set(store, request, true, ret_new, err);
}

enum demon_rc demon_peer_revoke(struct demon_store *store, const struct demon_peer_request *request,
				bool *ret_new, struct demon_err *err)
{
	return set(store, request, false, ret_new, err);
}
