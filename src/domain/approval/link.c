#include "link.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/json.h"
#include "store/key.h"
#include "store/store.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>

/* What stands before the text that is signed, so that no signature of the key for something else
 * is one of a link. */
#define SIGNED_AS "demon-link:v1\n"

/* Far enough for every deadline, near enough for every printer of dates. */
#define TIME_MAX  INT64_C(253402300799999)

static const struct demon_json_limits limits = {.max_bytes = DEMON_LINK_TOKEN_MAX, .depth = 1};

static enum demon_rc check_nonce(const char *nonce, struct demon_err *err)
{
	unsigned char bytes[DEMON_LINK_NONCE_LEN / 2];

	if (!demon_unhex(nonce, bytes, sizeof(bytes)))
		return demon_err_set(err, DEMON_INVALID, "link: the nonce is not %d digits",
				     DEMON_LINK_NONCE_LEN);
	return DEMON_OK;
}

static enum demon_rc check(const struct demon_link *link, struct demon_err *err)
{
	const struct demon_actor actor = {.subject = link->approver, .auth = DEMON_AUTH_LINK};
	enum demon_rc rc;

	if ((rc = demon_id_check("tenant", link->tenant_id, err)) ||
	    (rc = demon_id_check("run", link->run_id, err)) ||
	    (rc = demon_id_check("gate", link->gate_id, err)) ||
	    (rc = demon_actor_check(&actor, err)) ||
	    (*link->nonce && (rc = check_nonce(link->nonce, err))))
		return rc;
	if (link->round < 1 || link->round > INT32_MAX)
		return demon_err_set(err, DEMON_INVALID, "link: there is no such round");
	if (link->expires_at < 0 || link->expires_at > TIME_MAX)
		return demon_err_set(err, DEMON_INVALID, "link: its end is out of range");
	return DEMON_OK;
}

static void choose_nonce(struct demon_store *store, char *out)
{
	const struct demon_env *env = demon_store_env(store);
	unsigned char bytes[DEMON_LINK_NONCE_LEN / 2];

	env->random(env->ctx, bytes, sizeof(bytes));
	demon_hex(bytes, sizeof(bytes), out);
}

/* The text that is signed, SIGNED_AS included. */
static void write_text(const struct demon_link *link, const unsigned char *origin,
		       struct demon_buf *out)
{
	char signer[2 * DEMON_ORIGIN_LEN + 1];
	char run_origin[2 * DEMON_ORIGIN_LEN + 1];
	struct demon_jw w;

	demon_hex(origin, DEMON_ORIGIN_LEN, signer);
	demon_hex(link->run_origin, DEMON_ORIGIN_LEN, run_origin);
	demon_buf_str(out, SIGNED_AS);
	w = demon_jw_begin(out);
	demon_jw_str(&w, "approver", link->approver);
	demon_jw_i64(&w, "expires", link->expires_at);
	demon_jw_str(&w, "gate", link->gate_id);
	demon_jw_str(&w, "nonce", link->nonce);
	demon_jw_i64(&w, "round", link->round);
	demon_jw_str(&w, "run", link->run_id);
	demon_jw_str(&w, "runOrigin", run_origin);
	demon_jw_str(&w, "signer", signer);
	demon_jw_str(&w, "tenant", link->tenant_id);
	demon_jw_end(&w);
}

enum demon_rc demon_link_make(struct demon_store *store, const struct demon_link *link,
			      struct demon_buf *ret_token, struct demon_err *err)
{
	const size_t head = sizeof(SIGNED_AS) - 1;
	unsigned char signature[DEMON_ED25519_SIGNATURE_LEN];
	struct demon_link full = *link;
	struct demon_key key;
	enum demon_rc rc;
	DEMON_BUF(text, 0);

	if ((rc = check(link, err)))
		return rc;
	if (!*full.nonce)
		choose_nonce(store, full.nonce);
	write_text(&full, demon_store_origin(store), &text);
	if ((rc = demon_buf_rc(&text, err)) || (rc = demon_key_load(store, &key, err)))
		return rc;
	rc = demon_ed25519_sign(key.seed, text.data, text.len, signature, err);
	explicit_bzero(&key, sizeof(key));
	if (rc)
		return rc;
	demon_base64url(ret_token, text.data + head, text.len - head);
	demon_buf_char(ret_token, '.');
	demon_base64url(ret_token, signature, sizeof(signature));
	return demon_buf_rc(ret_token, err);
}

static enum demon_rc no_link(struct demon_err *err)
{
	return demon_err_set(err, DEMON_DENIED, "this link is not complete, or was changed");
}

/* Splits a token into the text that was signed (SIGNED_AS included) and the signature. */
static enum demon_rc split(const char *token, struct demon_buf *text, struct demon_buf *signature,
			   struct demon_err *err)
{
	const char *dot = strchr(token, '.');
	enum demon_rc rc;

	demon_buf_str(text, SIGNED_AS);
	if (strlen(token) > DEMON_LINK_TOKEN_MAX || !dot ||
	    !demon_base64url_read(token, (size_t)(dot - token), text) ||
	    !demon_base64url_read(dot + 1, strlen(dot + 1), signature))
		return no_link(err);
	if ((rc = demon_buf_rc(text, err)) || (rc = demon_buf_rc(signature, err)))
		return rc;
	return signature->len == DEMON_ED25519_SIGNATURE_LEN ? DEMON_OK : no_link(err);
}

static bool copy(char *out, size_t room, const char *text)
{
	size_t len = strlen(text);

	if (len >= room)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static enum demon_rc parse(const char *text, size_t len, unsigned char *ret_signer,
			   struct demon_link *ret_link, struct demon_err *err)
{
	struct demon_link link = {0};
	const char *approver;
	const char *gate;
	const char *nonce;
	const char *run;
	const char *run_origin;
	const char *signer;
	const char *tenant;
	json_int_t expires;
	json_int_t round;
	json_auto_t *json = NULL;
	enum demon_rc rc = demon_json_parse(text, len, &limits, &json, err);

	if (rc)
		return rc == DEMON_NOMEM ? rc : no_link(err);
	if (json_unpack_ex(json, NULL, JSON_STRICT, "{s:s,s:I,s:s,s:s,s:I,s:s,s:s,s:s,s:s}",
			   "approver", &approver, "expires", &expires, "gate", &gate, "nonce",
			   &nonce, "round", &round, "run", &run, "runOrigin", &run_origin, "signer",
			   &signer, "tenant", &tenant) ||
	    !copy(link.approver, sizeof(link.approver), approver) ||
	    !copy(link.gate_id, sizeof(link.gate_id), gate) ||
	    !copy(link.nonce, sizeof(link.nonce), nonce) ||
	    !copy(link.run_id, sizeof(link.run_id), run) ||
	    !copy(link.tenant_id, sizeof(link.tenant_id), tenant) ||
	    !demon_unhex(run_origin, link.run_origin, sizeof(link.run_origin)) ||
	    !demon_unhex(signer, ret_signer, DEMON_ORIGIN_LEN))
		return no_link(err);
	link.round = round;
	link.expires_at = expires;
	if (!*link.nonce || check(&link, err))
		return no_link(err);
	*ret_link = link;
	return DEMON_OK;
}

enum demon_rc demon_link_read(struct demon_store *store, const char *token, demon_time now,
			      struct demon_link *ret_link, struct demon_err *err)
{
	const size_t head = sizeof(SIGNED_AS) - 1;
	unsigned char signer[DEMON_ORIGIN_LEN];
	struct demon_link link = {.round = 0};
	struct demon_key key;
	enum demon_rc rc;
	DEMON_BUF(text, 0);
	DEMON_BUF(signature, 0);

	if ((rc = split(token, &text, &signature, err)) ||
	    (rc = parse(text.data + head, text.len - head, signer, &link, err)))
		return rc;
	/* before the key is asked for: what others signed makes no key here */
	if (memcmp(signer, demon_store_origin(store), sizeof(signer)) != 0)
		return demon_err_set(err, DEMON_DENIED, "this link was made by another node");
	if ((rc = demon_key_load(store, &key, err)))
		return rc;
	explicit_bzero(key.seed, sizeof(key.seed));
	rc = demon_ed25519_verify(key.public_key, text.data, text.len,
				  (const unsigned char *)signature.data, err);
	if (rc)
		return rc == DEMON_CORRUPT ? no_link(err) : rc;
	if (now >= link.expires_at)
		return demon_err_set(err, DEMON_DENIED, "the time of this link is over");
	*ret_link = link;
	return DEMON_OK;
}

/* Printable ASCII without what delimits or quotes. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || strchr("\"<>\\^`{|}@?#", *text))
			return false;
	return true;
}

enum demon_rc demon_link_check_base(const char *base, struct demon_err *err)
{
	const char *host = strstr(base, "://");
	bool http = strncmp(base, "http://", 7) == 0 || strncmp(base, "https://", 8) == 0;

	if (!http || strlen(base) > 1024 || !is_plain(base) || !host[3] || strchr("/:", host[3]))
		return demon_err_set(err, DEMON_INVALID,
				     "'%.100s' is not an address like https://ops.example/demon",
				     base);
	return DEMON_OK;
}

void demon_link_address(const char *base, const char *path, struct demon_buf *out)
{
	size_t len = strlen(base);

	while (len && base[len - 1] == '/')
		len--;
	demon_buf_add(out, base, len);
	demon_buf_str(out, path);
}

void demon_link_url(const char *base, const char *token, struct demon_buf *out)
{
	demon_link_address(base, "/approve#", out);
	demon_buf_str(out, token);
}
