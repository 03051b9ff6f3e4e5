#include "token_value.h"

#include "store/subject.h"

#include <stdio.h>
#include <string.h>

static json_t *time_json(demon_time t)
{
	char text[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(t, text);
	return json_string(text);
}

static json_t *hash_json(const unsigned char hash[DEMON_HASH_LEN])
{
	char text[2 * DEMON_HASH_LEN + 1];

	demon_hex(hash, DEMON_HASH_LEN, text);
	return json_string(text);
}

json_t *demon_token_value_json(const struct demon_token_value *value)
{
	json_t *previous = NULL;

	if (value->previous_until)
		previous = json_pack("{s:o,s:o}", "expiresAt", time_json(value->previous_until),
				     "secretHash", hash_json(value->previous_hash));
	return json_pack(
	    "{s:o,s:o*,s:o*,s:s,s:o,s:s,s:s*}", "createdAt", time_json(value->created_at),
	    "expiresAt", value->expires_at ? time_json(value->expires_at) : NULL, "previous",
	    previous, "role", demon_role_name(value->role), "secretHash", hash_json(value->hash),
	    "subject", value->subject, "tenant", *value->tenant ? value->tenant : NULL);
}

static bool read_hash(const json_t *object, unsigned char out[DEMON_HASH_LEN])
{
	const char *text = json_string_value(json_object_get(object, "secretHash"));

	return text && demon_unhex(text, out, DEMON_HASH_LEN);
}

/* A time that is given must be one: that of a token that expires must not get lost. */
static bool read_time(const json_t *object, const char *key, demon_time *ret_t)
{
	const json_t *value = json_object_get(object, key);
	struct demon_err unused;

	*ret_t = 0;
	return !value ||
	       (json_is_string(value) &&
		demon_rfc3339_parse(json_string_value(value), ret_t, &unused) == DEMON_OK &&
		*ret_t > 0);
}

static bool read_tenant(const json_t *object, char out[65])
{
	const json_t *value = json_object_get(object, "tenant");
	const char *text = json_string_value(value);

	*out = '\0';
	if (!value)
		return true;
	if (!text || !demon_id_valid(text))
		return false;
	(void)snprintf(out, 65, "%s", text);
	return true;
}

static bool read_previous(const json_t *object, struct demon_token_value *v)
{
	const json_t *previous = json_object_get(object, "previous");

	v->previous_until = 0;
	return !previous || (read_time(previous, "expiresAt", &v->previous_until) &&
			     v->previous_until && read_hash(previous, v->previous_hash));
}

enum demon_rc demon_token_value_read(const char *text, size_t len, struct demon_token_value *ret,
				     struct demon_err *err)
{
	struct demon_token_value v = {0};
	json_auto_t *object = NULL;
	const char *subject;
	const char *role;
	enum demon_rc rc;

	if ((rc = demon_json_parse(text, len, &demon_json_payload_limits, &object, err)))
		return rc;
	subject = json_string_value(json_object_get(object, "subject"));
	role = json_string_value(json_object_get(object, "role"));
	if ((rc = demon_actor_check(
		 &(struct demon_actor){.subject = subject, .auth = DEMON_AUTH_TOKEN}, err)) ||
	    (rc = demon_role_find(role ? role : "", &v.role, err)))
		return rc;
	if (!read_hash(object, v.hash) || !read_time(object, "createdAt", &v.created_at) ||
	    !read_time(object, "expiresAt", &v.expires_at) || !read_tenant(object, v.tenant) ||
	    !read_previous(object, &v))
		return demon_err_set(err, DEMON_INVALID, "it is not a token");
	(void)snprintf(v.subject, sizeof(v.subject), "%s", subject);
	*ret = v;
	return DEMON_OK;
}
