#include "peer_keys.h"

#include "base/json.h"

#include <string.h>

DEMON_SQL(sql_by_id, "SELECT public_key, state FROM local_peer_keys "
		     "WHERE origin = :origin AND key_id = :id");
DEMON_SQL(sql_state, "SELECT state FROM local_peer_keys "
		     "WHERE origin = :origin AND public_key = :key");
DEMON_SQL(sql_any, "SELECT 1 FROM local_peer_keys WHERE origin = :origin LIMIT 1");
DEMON_SQL(sql_add, "INSERT INTO local_peer_keys (origin, public_key, key_id, state, since) "
		   "VALUES (:origin, :key, :id, :state, :now)");
DEMON_SQL(sql_set, "UPDATE local_peer_keys SET state = :state, since = :now "
		   "WHERE origin = :origin AND public_key = :key");
DEMON_SQL(sql_seen,
	  "INSERT INTO local_peers (origin, label, first_seen, last_seen) "
	  "VALUES (:origin, coalesce(:label, ''), :now, :now) ON CONFLICT (origin) DO UPDATE "
	  "SET last_seen = excluded.last_seen, label = coalesce(:label, label)");

static const char *const state_names[] = {"bound", "refused", "revoked"};

static enum demon_rc verify(const struct demon_event_ref *head, const unsigned char *public_key,
			    const unsigned char *signature, struct demon_err *err)
{
	DEMON_BUF(bytes, 0);
	enum demon_rc rc;

	demon_head_bytes(head, &bytes);
	if ((rc = demon_buf_rc(&bytes, err)))
		return rc;
	return demon_ed25519_verify(public_key, bytes.data, bytes.len, signature, err);
}

enum demon_rc demon_peer_key_check(struct demon_db *db, const struct demon_event_ref *head,
				   const char *signature, struct demon_err *err)
{
	unsigned char id[DEMON_KEY_ID_LEN];
	unsigned char bytes[DEMON_ED25519_SIGNATURE_LEN];
	bool row;
	enum demon_rc rc;

	if (!demon_signature_read(signature, id, bytes))
		return demon_err_set(err, DEMON_CORRUPT, "the signature is malformed");
	DEMON_STMT(q, db, &sql_by_id);
	demon_bind_blob(&q, ":origin", head->origin, sizeof(head->origin));
	demon_bind_blob(&q, ":id", id, sizeof(id));
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "the key that signed it is not known");
	if (strcmp(demon_col_str(&q, 1), state_names[DEMON_KEY_BOUND]) != 0)
		return demon_err_set(err, DEMON_DENIED, "the key that signed it is %s",
				     demon_col_str(&q, 1));
	return verify(head, demon_col_blob(&q, 0), bytes, err);
}

/* The members of an announcement that matter here; false: it is not one of this event's origin. */
static bool read_announcement(const struct demon_event *event, json_t **ret_json,
			      unsigned char ret_public[DEMON_ED25519_PUBLIC_LEN])
{
	unsigned char origin[DEMON_ORIGIN_LEN];
	const char *text;
	struct demon_err err;

	if (event->stream != DEMON_STREAM_NODE || !event->payload ||
	    strcmp(event->type, DEMON_KEY_ANNOUNCED) != 0 ||
	    demon_json_parse(event->payload, event->payload_len, &demon_json_payload_limits,
			     ret_json, &err))
		return false;
	text = json_string_value(json_object_get(*ret_json, "origin"));
	if (text && demon_unhex(text, origin, sizeof(origin)) &&
	    memcmp(origin, event->origin, sizeof(origin)) == 0) {
		text = json_string_value(json_object_get(*ret_json, "publicKey"));
		if (text && demon_unhex(text, ret_public, DEMON_ED25519_PUBLIC_LEN))
			return true;
	}
	json_decref(*ret_json);
	return false;
}

bool demon_key_announces(const struct demon_event *event, const unsigned char id[DEMON_KEY_ID_LEN],
			 unsigned char ret_public[DEMON_ED25519_PUBLIC_LEN])
{
	unsigned char own[DEMON_KEY_ID_LEN];
	struct demon_err err;
	json_t *json;

	if (!read_announcement(event, &json, ret_public))
		return false;
	json_decref(json);
	return !demon_key_id(ret_public, own, &err) && memcmp(own, id, sizeof(own)) == 0;
}

/* "keyid.base64" over "demon.key", a zero byte, origin and public key, by a bound key. */
static enum demon_rc endorsed(struct demon_db *db, const struct demon_event *event,
			      const unsigned char *public_key, const char *text, bool *ret,
			      struct demon_err *err)
{
	static const char domain[] = "demon.key"; /* its NUL is signed too */
	unsigned char id[DEMON_KEY_ID_LEN];
	unsigned char signature[DEMON_ED25519_SIGNATURE_LEN];
	DEMON_BUF(bytes, 0);
	bool row;
	enum demon_rc rc;

	*ret = false;
	if (!text || !demon_signature_read(text, id, signature))
		return DEMON_OK;
	DEMON_STMT(q, db, &sql_by_id);
	demon_bind_blob(&q, ":origin", event->origin, sizeof(event->origin));
	demon_bind_blob(&q, ":id", id, sizeof(id));
	if ((rc = demon_step(&q, &row, err)) || !row ||
	    strcmp(demon_col_str(&q, 1), state_names[DEMON_KEY_BOUND]) != 0)
		return rc;
	demon_buf_add(&bytes, domain, sizeof(domain));
	demon_buf_add(&bytes, event->origin, sizeof(event->origin));
	demon_buf_add(&bytes, public_key, DEMON_ED25519_PUBLIC_LEN);
	if ((rc = demon_buf_rc(&bytes, err)))
		return rc;
	*ret = demon_ed25519_verify(demon_col_blob(&q, 0), bytes.data, bytes.len, signature, err) ==
	       DEMON_OK;
	return DEMON_OK;
}

/* *ret_known: there is a row; then *ret_state is "bound", … in *buffer. */
static enum demon_rc find_state(struct demon_db *db, const unsigned char *origin,
				const unsigned char *public_key, bool *ret_known, bool *ret_bound,
				struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_state);
	enum demon_rc rc;

	demon_bind_blob(&q, ":origin", origin, DEMON_ORIGIN_LEN);
	demon_bind_blob(&q, ":key", public_key, DEMON_ED25519_PUBLIC_LEN);
	rc = demon_step(&q, ret_known, err);
	*ret_bound =
	    !rc && *ret_known && strcmp(demon_col_str(&q, 0), state_names[DEMON_KEY_BOUND]) == 0;
	return rc;
}

static enum demon_rc add(struct demon_db *db, const unsigned char *origin,
			 const unsigned char *public_key, enum demon_key_state state,
			 demon_time now, struct demon_err *err)
{
	unsigned char id[DEMON_KEY_ID_LEN];
	enum demon_rc rc = demon_key_id(public_key, id, err);

	if (rc)
		return rc;
	DEMON_STMT(q, db, &sql_add);
	demon_bind_blob(&q, ":origin", origin, DEMON_ORIGIN_LEN);
	demon_bind_blob(&q, ":key", public_key, DEMON_ED25519_PUBLIC_LEN);
	demon_bind_blob(&q, ":id", id, sizeof(id));
	demon_bind_str(&q, ":state", state_names[state]);
	demon_bind_i64(&q, ":now", now);
	return demon_exec(&q, err);
}

static enum demon_rc any_key(struct demon_db *db, const unsigned char *origin, bool *ret,
			     struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_any);

	demon_bind_blob(&q, ":origin", origin, DEMON_ORIGIN_LEN);
	return demon_step(&q, ret, err);
}

enum demon_rc demon_peer_key_announced(struct demon_db *db, const struct demon_event *event,
				       demon_time now, bool *ret_bound, struct demon_err *err)
{
	unsigned char public_key[DEMON_ED25519_PUBLIC_LEN];
	json_t *json;
	const char *label;
	bool known = true;
	bool any = true;
	bool good = false;
	enum demon_rc rc;

	*ret_bound = false;
	if (!read_announcement(event, &json, public_key))
		return DEMON_OK;
	label = json_string_value(json_object_get(json, "label"));
	rc = find_state(db, event->origin, public_key, &known, ret_bound, err);
	if (!rc && !known)
		rc = any_key(db, event->origin, &any, err);
	if (!rc && !known && any)
		rc = endorsed(db, event, public_key,
			      json_string_value(json_object_get(json, "endorsement")), &good, err);
	if (!rc && !known) {
		*ret_bound = !any || good;
		rc = add(db, event->origin, public_key,
			 *ret_bound ? DEMON_KEY_BOUND : DEMON_KEY_REFUSED, now, err);
	}
	if (!rc && *ret_bound)
		rc = demon_peer_seen(db, event->origin, label, now, err);
	json_decref(json);
	return rc;
}

enum demon_rc demon_peer_key_set(struct demon_db *db, const unsigned char origin[DEMON_ORIGIN_LEN],
				 const unsigned char public_key[DEMON_ED25519_PUBLIC_LEN],
				 enum demon_key_state state, demon_time now, struct demon_err *err)
{
	bool known;
	bool bound;
	enum demon_rc rc = find_state(db, origin, public_key, &known, &bound, err);

	if (rc)
		return rc;
	if (!known && state != DEMON_KEY_BOUND)
		return demon_err_set(err, DEMON_NOTFOUND, "no such key of that node is known");
	if (!known)
		return add(db, origin, public_key, state, now, err);
	DEMON_STMT(q, db, &sql_set);
	demon_bind_str(&q, ":state", state_names[state]);
	demon_bind_i64(&q, ":now", now);
	demon_bind_blob(&q, ":origin", origin, DEMON_ORIGIN_LEN);
	demon_bind_blob(&q, ":key", public_key, DEMON_ED25519_PUBLIC_LEN);
	return demon_exec(&q, err);
}

enum demon_rc demon_peer_seen(struct demon_db *db, const unsigned char origin[DEMON_ORIGIN_LEN],
			      const char *label, demon_time now, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_seen);

	demon_bind_blob(&q, ":origin", origin, DEMON_ORIGIN_LEN);
	demon_bind_str(&q, ":label", label);
	demon_bind_i64(&q, ":now", now);
	return demon_exec(&q, err);
}
