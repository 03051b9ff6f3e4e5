#include "token.h"

#include "domain/capsule/output.h"
#include "store/store.h"
#include "store/subject.h"
#include "token_value.h"
#include "trust.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECRET_LEN 32
#define SECRET_HEX ((size_t)2 * SECRET_LEN)
#define PREFIX     "demon_"

DEMON_SQL(sql_revoked,
	  "SELECT 1 FROM registers WHERE kind = 'token' AND tenant = '*' "
	  "AND name = :id AND value IS NULL AND " DEMON_TRUSTED("registers.origin") "LIMIT 1");
DEMON_SQL(sql_any,
	  "SELECT 1 FROM registers WHERE kind = 'token' AND tenant = '*' AND " DEMON_TRUSTED(
	      "registers.origin") "LIMIT 1");
DEMON_SQL(sql_next, "SELECT name FROM registers WHERE kind = 'token' AND tenant = '*' "
		    "AND name > :after ORDER BY name LIMIT 1");

/* The text of a token with this id and a new secret, and the hash that is kept of it. */
static enum demon_rc make_secret(const struct demon_env *env, const char *id,
				 struct demon_token_secret *secret,
				 unsigned char hash[DEMON_HASH_LEN], struct demon_err *err)
{
	unsigned char bytes[SECRET_LEN];
	char hex[2 * SECRET_LEN + 1];
	enum demon_rc rc;

	env->random(env->ctx, bytes, sizeof(bytes));
	demon_hex(bytes, sizeof(bytes), hex);
	(void)snprintf(secret->id, sizeof(secret->id), "%s", id);
	(void)snprintf(secret->text, sizeof(secret->text), PREFIX "%s_%s", id, hex);
	rc = demon_sha256(hex, SECRET_HEX, hash, err);
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(hex, sizeof(hex));
	return rc;
}

static struct demon_register_write write_of(const char *id, const json_t *value,
					    const struct demon_actor *actor, const char *reason)
{
	return (struct demon_register_write){.kind = DEMON_REGISTER_TOKEN,
					     .tenant = DEMON_TENANT_ALL,
					     .name = id,
					     .value = value,
					     .actor = actor,
					     .reason = reason};
}

static enum demon_rc check_expiry(demon_time expires_at, demon_time now, struct demon_err *err)
{
	if (expires_at && expires_at <= now)
		return demon_err_set(err, DEMON_INVALID, "it would have expired already");
	return DEMON_OK;
}

static enum demon_rc check_request(const struct demon_token_request *request, demon_time now,
				   struct demon_err *err)
{
	const struct demon_actor bearer = {.subject = request->subject, .auth = DEMON_AUTH_TOKEN};
	enum demon_rc rc;

	if ((rc = demon_actor_check(&bearer, err)) ||
	    (request->tenant && (rc = demon_id_check("tenant", request->tenant, err))))
		return rc;
	if (request->role < DEMON_ROLE_VIEWER || request->role > DEMON_ROLE_ADMIN)
		return demon_err_set(err, DEMON_INVALID, "a token needs a role");
	return check_expiry(request->expires_at, now, err);
}

enum demon_rc demon_token_create(struct demon_store *store,
				 const struct demon_token_request *request,
				 struct demon_token_secret *ret_secret, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct demon_token_value v = {.role = request->role,
				      .created_at = env->now(env->ctx),
				      .expires_at = request->expires_at};
	unsigned char bytes[DEMON_TOKEN_ID_LEN / 2];
	struct demon_register_write write;
	struct demon_token_secret secret;
	char id[DEMON_TOKEN_ID_LEN + 1];
	json_auto_t *value = NULL;
	enum demon_rc rc;

	if ((rc = check_request(request, v.created_at, err)))
		return rc;
	(void)snprintf(v.subject, sizeof(v.subject), "%s", request->subject);
	(void)snprintf(v.tenant, sizeof(v.tenant), "%s", request->tenant ? request->tenant : "");
	env->random(env->ctx, bytes, sizeof(bytes));
	demon_hex(bytes, sizeof(bytes), id);
	if ((rc = make_secret(env, id, &secret, v.hash, err)))
		return rc;
	if (!(value = demon_token_value_json(&v)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a token");
	write = write_of(id, value, request->actor, request->reason);
	if ((rc = demon_register_set(store, &write, NULL, err)))
		return rc;
	*ret_secret = secret;
	return DEMON_OK;
}

/* The value that holds. */
struct found {
	struct demon_token_value value;
	char by[DEMON_ACTOR_MAX + 1];
	bool bad; /* there is one, and it is no token */
};

static enum demon_rc take(void *ctx, const struct demon_register_row *row, struct demon_err *err)
{
	struct found *found = ctx;
	enum demon_rc rc = demon_token_value_read(row->value, row->value_len, &found->value, err);

	(void)snprintf(found->by, sizeof(found->by), "%.*s",
		       demon_output_clip(row->by, DEMON_ACTOR_MAX), row->by);
	found->bad = rc;
	return rc == DEMON_NOMEM ? rc : DEMON_OK;
}

static enum demon_rc is_revoked(struct demon_db *db, const char *id, bool *ret_revoked,
				struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_revoked);

	demon_bind_str(&q, ":id", id);
	return demon_step(&q, ret_revoked, err);
}

static enum demon_rc no_such(const char *id, struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOTFOUND, "there is no token '%.64s'", id);
}

/* Reads a token; *ret_revoked: then *found may be empty. DEMON_NOTFOUND: there was never one. */
static enum demon_rc find(struct demon_db *db, const char *id, struct found *found,
			  bool *ret_revoked, struct demon_err *err)
{
	enum demon_rc rc;

	*found = (struct found){0};
	if ((rc = is_revoked(db, id, ret_revoked, err)))
		return rc;
	rc = demon_register_get(db, DEMON_REGISTER_TOKEN, DEMON_TENANT_ALL, id, take, found, err);
	if (rc == DEMON_NOTFOUND)
		return *ret_revoked ? DEMON_OK : no_such(id, err);
	return rc;
}

struct change {
	const struct demon_token_change *request;
	demon_time now;
	struct demon_token_secret secret;
	unsigned char hash[DEMON_HASH_LEN];
	bool new;
};

static enum demon_rc rotate(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct change *c = ctx;
	const struct demon_token_change *r = c->request;
	struct found found;
	struct demon_register_write write;
	json_auto_t *value = NULL;
	bool revoked;
	enum demon_rc rc;

	if ((rc = find(demon_write_db(w), r->id, &found, &revoked, err)))
		return rc;
	if (revoked || found.bad)
		return demon_err_set(err, DEMON_CONFLICT, "token '%.64s' %s", r->id,
				     revoked ? "was revoked" : "is damaged");
	if (found.value.expires_at && found.value.expires_at <= c->now)
		return demon_err_set(err, DEMON_CONFLICT, "token '%.64s' has expired", r->id);
	memcpy(found.value.previous_hash, found.value.hash, DEMON_HASH_LEN);
	memcpy(found.value.hash, c->hash, DEMON_HASH_LEN);
	found.value.previous_until = r->overlap_ms ? c->now + r->overlap_ms : 0;
	if (r->expires_at)
		found.value.expires_at = r->expires_at;
	if (!(value = demon_token_value_json(&found.value)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a token");
	write = write_of(r->id, value, r->actor, r->reason);
	return demon_register_put(w, &write, c->now, &c->new, err);
}

static enum demon_rc check_id(const char *id, struct demon_err *err)
{
	unsigned char bytes[DEMON_TOKEN_ID_LEN / 2];

	return demon_unhex(id, bytes, sizeof(bytes)) ? DEMON_OK : no_such(id, err);
}

enum demon_rc demon_token_rotate(struct demon_store *store, const struct demon_token_change *change,
				 struct demon_token_secret *ret_secret, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct change c = {.request = change, .now = env->now(env->ctx)};
	enum demon_rc rc;

	if (change->overlap_ms < 0 || change->overlap_ms > DEMON_TOKEN_OVERLAP_MAX)
		return demon_err_set(err, DEMON_INVALID,
				     "an overlap of %" PRId64 " ms: it is 0 to 90 days",
				     change->overlap_ms);
	if ((rc = check_id(change->id, err)) ||
	    (rc = check_expiry(change->expires_at, c.now, err)) ||
	    (rc = make_secret(env, change->id, &c.secret, c.hash, err)) ||
	    (rc = demon_store_write_repeatable(store, rotate, &c, err)))
		return rc;
	*ret_secret = c.secret;
	return DEMON_OK;
}

static enum demon_rc revoke(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct change *c = ctx;
	const struct demon_token_change *r = c->request;
	const struct demon_register_write write = write_of(r->id, NULL, r->actor, r->reason);
	struct found found;
	bool revoked;
	enum demon_rc rc;

	c->new = false;
	if ((rc = find(demon_write_db(w), r->id, &found, &revoked, err)) || revoked)
		return rc;
	return demon_register_put(w, &write, c->now, &c->new, err);
}

enum demon_rc demon_token_revoke(struct demon_store *store, const struct demon_token_change *change,
				 bool *ret_new, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct change c = {.request = change, .now = env->now(env->ctx)};
	enum demon_rc rc;

	if ((rc = check_id(change->id, err)) ||
	    (rc = demon_store_write_repeatable(store, revoke, &c, err)))
		return rc;
	*ret_new = c.new;
	return DEMON_OK;
}

static struct demon_token token_of(const char *id, const struct found *found, bool revoked)
{
	struct demon_token t = {
	    .role = found->value.role,
	    .created_at = found->value.created_at,
	    .expires_at = found->value.expires_at,
	    .previous_until = found->value.previous_until,
	    .revoked = revoked,
	};

	(void)snprintf(t.id, sizeof(t.id), "%s", id);
	(void)snprintf(t.subject, sizeof(t.subject), "%s", found->value.subject);
	(void)snprintf(t.tenant, sizeof(t.tenant), "%s", found->value.tenant);
	(void)snprintf(t.by, sizeof(t.by), "%s", found->by);
	return t;
}

/* The next id behind @p id, which it replaces. */
static enum demon_rc next_id(struct demon_db *db, struct demon_buf *id, bool *ret_found,
			     struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_next);

	demon_bind_text(&q, ":after", id->data, id->len);
	if ((rc = demon_step(&q, ret_found, err)) || !*ret_found)
		return rc;
	demon_buf_clear(id);
	demon_buf_add(id, demon_col_str(&q, 0), demon_col_len(&q, 0));
	return demon_buf_rc(id, err);
}

enum demon_rc demon_token_list(struct demon_db *db, demon_token_fn *fn, void *ctx,
			       struct demon_err *err)
{
	bool more;
	enum demon_rc rc;
	DEMON_BUF(id, 0);

	while (!(rc = next_id(db, &id, &more, err)) && more) {
		struct found found;
		struct demon_token token;
		struct demon_err unused;
		bool revoked;

		/* what is no token lets nobody in, and is none to list */
		if (check_id(id.data, &unused))
			continue;
		if ((rc = find(db, id.data, &found, &revoked, err)))
			return rc;
		if (found.bad && !revoked)
			continue;
		token = token_of(id.data, &found, revoked);
		if ((rc = fn(ctx, &token, err)))
			return rc;
	}
	return rc;
}

enum demon_rc demon_token_any(struct demon_db *db, bool *ret_any, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_any);

	return demon_step(&q, ret_any, err);
}

/* Splits "demon_ID_SECRET". */
static bool split(const char *text, char id[DEMON_TOKEN_ID_LEN + 1], const char **ret_secret)
{
	unsigned char bytes[SECRET_LEN];
	size_t prefix = strlen(PREFIX);

	if (strlen(text) != DEMON_TOKEN_TEXT_LEN || strncmp(text, PREFIX, prefix) != 0 ||
	    text[prefix + DEMON_TOKEN_ID_LEN] != '_')
		return false;
	memcpy(id, text + prefix, DEMON_TOKEN_ID_LEN);
	id[DEMON_TOKEN_ID_LEN] = '\0';
	*ret_secret = text + prefix + DEMON_TOKEN_ID_LEN + 1;
	return demon_unhex(id, bytes, DEMON_TOKEN_ID_LEN / 2) &&
	       demon_unhex(*ret_secret, bytes, SECRET_LEN);
}

static enum demon_rc denied(const char *why, struct demon_err *err)
{
	return demon_err_set(err, DEMON_DENIED, "the token %s", why);
}

static enum demon_rc expired(demon_time at, const char *what, struct demon_err *err)
{
	char text[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(at, text);
	return demon_err_set(err, DEMON_DENIED, "the token %s %s", what, text);
}

enum demon_rc demon_token_check(struct demon_db *db, const char *text, demon_time now,
				struct demon_bearer *ret_bearer, struct demon_err *err)
{
	unsigned char hash[DEMON_HASH_LEN];
	char id[DEMON_TOKEN_ID_LEN + 1];
	const char *secret;
	struct found found;
	bool revoked;
	bool is_current;
	bool is_previous;
	enum demon_rc rc;

	if (!split(text, id, &secret))
		return denied("is not one: it is not demon_ID_SECRET", err);
	if ((rc = demon_sha256(secret, SECRET_HEX, hash, err)))
		return rc;
	rc = find(db, id, &found, &revoked, err);
	if (rc && rc != DEMON_NOTFOUND)
		return rc;
	is_current = demon_equal(hash, found.value.hash, sizeof(hash));
	is_previous = demon_equal(hash, found.value.previous_hash, sizeof(hash)) &&
		      found.value.previous_until;
	if (rc || found.bad || (!is_current && !is_previous))
		return denied(revoked ? "was revoked" : "is not known", err);
	if (revoked)
		return denied("was revoked", err);
	if (found.value.expires_at && found.value.expires_at <= now)
		return expired(found.value.expires_at, "expired", err);
	if (!is_current && found.value.previous_until <= now)
		return expired(found.value.previous_until, "was rotated; its overlap ended", err);
	*ret_bearer = (struct demon_bearer){.role = found.value.role};
	memcpy(ret_bearer->id, id, sizeof(id));
	memcpy(ret_bearer->subject, found.value.subject, sizeof(ret_bearer->subject));
	memcpy(ret_bearer->tenant, found.value.tenant, sizeof(ret_bearer->tenant));
	return DEMON_OK;
}

struct demon_actor demon_bearer_actor(const struct demon_bearer *bearer)
{
	return (struct demon_actor){.subject = bearer->subject,
				    .auth = DEMON_AUTH_TOKEN,
				    .role = bearer->role,
				    .tenant = *bearer->tenant ? bearer->tenant : NULL};
}
