/*
 * Heads, kept outside the file: what finds a tail that was cut off.
 */
#include "base/json.h"
#include "db/txn.h"
#include "handle.h"
#include "key.h"
#include "readers.h"
#include "subject.h"

#include <inttypes.h>
#include <string.h>

DEMON_SQL_SCAN(sql_heads, "log_chains has a row a chain, not an event",
	       "SELECT c.origin, c.epoch, c.stream, e.origin_seq, e.hash FROM log_chains c "
	       "JOIN log_events e ON e.chain_id = c.id AND e.origin_seq = "
	       "(SELECT max(x.origin_seq) FROM log_events x WHERE x.chain_id = c.id) "
	       "ORDER BY c.origin, c.epoch, c.stream");
static const struct demon_json_limits line_limits = {4096, 2};

static void add_hex(struct demon_jw *w, const char *key, const void *bytes, size_t n)
{
	char text[2 * DEMON_ED25519_SIGNATURE_LEN + 1];

	demon_hex(bytes, n, text);
	demon_jw_str(w, key, text);
}

/* One line; signed when @p key is given and the head is the node's own. */
static enum demon_rc write_head(const struct demon_event_ref *head, const struct demon_key *key,
				struct demon_buf *out, struct demon_err *err)
{
	DEMON_BUF(bytes, 0);
	unsigned char signature[DEMON_ED25519_SIGNATURE_LEN];
	struct demon_jw w = demon_jw_begin(out);
	enum demon_rc rc;

	add_hex(&w, "epoch", head->epoch, sizeof(head->epoch));
	add_hex(&w, "hash", head->hash, sizeof(head->hash));
	add_hex(&w, "origin", head->origin, sizeof(head->origin));
	if (key)
		add_hex(&w, "publicKey", key->public_key, sizeof(key->public_key));
	demon_jw_i64(&w, "sequence", head->sequence);
	if (key) {
		demon_head_bytes(head, &bytes);
		if ((rc = demon_buf_rc(&bytes, err)) ||
		    (rc = demon_ed25519_sign(key->seed, bytes.data, bytes.len, signature, err)))
			return rc;
		add_hex(&w, "signature", signature, sizeof(signature));
	}
	demon_jw_str(&w, "stream", demon_stream_name(head->stream));
	demon_jw_end(&w);
	demon_buf_char(out, '\n');
	return DEMON_OK;
}

enum demon_rc demon_heads(struct demon_store *store, bool sign, char **ret_lines,
			  struct demon_err *err)
{
	DEMON_READ(loan);
	DEMON_BUF(out, 0);
	struct demon_key key;
	bool row;
	enum demon_rc rc;

	if ((sign && (rc = demon_key_load(store, &key, err))) ||
	    (rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_heads);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_event_ref head = {.sequence = demon_col_i64(&q, 3)};
		bool own;

		if (!demon_stream_find(demon_col_str(&q, 2), &head.stream))
			return demon_err_set(err, DEMON_CORRUPT, "a chain has an unknown stream");
		memcpy(head.origin, demon_col_blob(&q, 0), sizeof(head.origin));
		memcpy(head.epoch, demon_col_blob(&q, 1), sizeof(head.epoch));
		memcpy(head.hash, demon_col_blob(&q, 4), sizeof(head.hash));
		own = memcmp(head.origin, store->node.origin, sizeof(head.origin)) == 0;
		if ((rc = write_head(&head, sign && own ? &key : NULL, &out, err)))
			return rc;
	}
	if (rc || (rc = demon_buf_rc(&out, err)))
		return rc;
	*ret_lines = demon_buf_take(&out);
	return *ret_lines ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for heads");
}

static bool get_hex(const json_t *json, const char *key, void *bytes, size_t n)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text && demon_unhex(text, bytes, n);
}

static enum demon_rc check_signature(const json_t *json, const struct demon_event_ref *head,
				     struct demon_err *err)
{
	DEMON_BUF(bytes, 0);
	unsigned char public_key[DEMON_ED25519_PUBLIC_LEN];
	unsigned char signature[DEMON_ED25519_SIGNATURE_LEN];
	enum demon_rc rc;

	if (!json_object_get(json, "signature"))
		return DEMON_OK;
	if (!get_hex(json, "publicKey", public_key, sizeof(public_key)) ||
	    !get_hex(json, "signature", signature, sizeof(signature)))
		return demon_err_set(err, DEMON_INVALID, "the signature is malformed");
	demon_head_bytes(head, &bytes);
	if ((rc = demon_buf_rc(&bytes, err)))
		return rc;
	return demon_ed25519_verify(public_key, bytes.data, bytes.len, signature, err);
}

static enum demon_rc read_head(const json_t *json, struct demon_event_ref *ret,
			       struct demon_err *err)
{
	const char *stream = json_string_value(json_object_get(json, "stream"));

	ret->sequence = json_integer_value(json_object_get(json, "sequence"));
	if (!get_hex(json, "origin", ret->origin, sizeof(ret->origin)) ||
	    !get_hex(json, "epoch", ret->epoch, sizeof(ret->epoch)) ||
	    !get_hex(json, "hash", ret->hash, sizeof(ret->hash)) || ret->sequence < 1 || !stream ||
	    !demon_stream_find(stream, &ret->stream))
		return demon_err_set(err, DEMON_INVALID, "not a head");
	return check_signature(json, ret, err);
}

static enum demon_rc check_held(struct demon_db *db, const struct demon_event_ref *head,
				struct demon_err *err)
{
	struct demon_held held;
	enum demon_rc rc = demon_log_held(db, head, &held, err);

	if (rc)
		return rc;
	if (!held.found)
		return demon_err_set(err, DEMON_CORRUPT,
				     "stream '%s': event %" PRId64 " is missing from the log",
				     demon_stream_name(head->stream), head->sequence);
	if (memcmp(held.hash, head->hash, sizeof(head->hash)) != 0)
		return demon_err_set(err, DEMON_CORRUPT,
				     "stream '%s': event %" PRId64 " is another",
				     demon_stream_name(head->stream), head->sequence);
	return DEMON_OK;
}

static enum demon_rc check_line(struct demon_db *db, const char *line, size_t len,
				struct demon_err *err)
{
	struct demon_event_ref head;
	json_t *json;
	enum demon_rc rc;

	if ((rc = demon_json_parse(line, len, &line_limits, &json, err)))
		return rc;
	rc = read_head(json, &head, err);
	json_decref(json);
	return rc ? rc : check_held(db, &head, err);
}

enum demon_rc demon_heads_check(struct demon_store *store, const char *lines, size_t len,
				int64_t *ret_heads, struct demon_err *err)
{
	DEMON_READ(loan);
	size_t at = 0;
	enum demon_rc rc;

	*ret_heads = 0;
	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	for (int64_t n = 1; at < len; n++) {
		const char *end = memchr(lines + at, '\n', len - at);
		size_t line_len = end ? (size_t)(end - lines) - at : len - at;

		if (line_len && check_line(loan.db, lines + at, line_len, err))
			return demon_err_wrap(err, "line %" PRId64, n);
		*ret_heads += line_len != 0;
		at += line_len + 1;
	}
	if (!*ret_heads)
		return demon_err_set(err, DEMON_INVALID, "no heads to check against");
	return DEMON_OK;
}
