#include "quota.h"

#include <stdio.h>
#include <string.h>

#define PREFIX      "capsule."
#define POINTER_LEN 320

static const struct demon_json_limits limits = {.max_bytes = (size_t)256 * 1024, .depth = 16};

static bool is_name(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++) {
		char c = name[n];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return false;
	}
	return n > 0;
}

enum demon_rc demon_capability_name(const char *name, char out[DEMON_CAPABILITY_MAX + 1],
				    struct demon_err *err)
{
	bool full = strncmp(name, PREFIX, strlen(PREFIX)) == 0;
	size_t len = strlen(name) + (full ? 0 : strlen(PREFIX));

	if (!is_name(name) || len > DEMON_CAPABILITY_MAX || len == strlen(PREFIX))
		return demon_err_set(err, DEMON_INVALID,
				     "'%.80s' is no capability: 1 to 128 of A-Z a-z 0-9 . _ -",
				     name);
	(void)snprintf(out, DEMON_CAPABILITY_MAX + 1, "%s%s", full ? "" : PREFIX, name);
	return DEMON_OK;
}

enum demon_rc demon_policy_wrong(const struct demon_policy_place *place, const char *why,
				 struct demon_err *err)
{
	return demon_err_set(err, DEMON_INVALID, "%s: at '%.200s': %s", place->what, place->pointer,
			     why);
}

enum demon_rc demon_policy_parse(const char *what, const char *text, json_t **ret_json,
				 struct demon_err *err)
{
	if (demon_json_parse(text, strlen(text), &limits, ret_json, err))
		return demon_err_wrap(err, "%s", what);
	return DEMON_OK;
}

static bool in_range(const json_t *value, json_int_t least, json_int_t most)
{
	return json_is_integer(value) && json_integer_value(value) >= least &&
	       json_integer_value(value) <= most;
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for quotas");
}

enum demon_rc demon_quota_check(const json_t *quota, bool of_node,
				const struct demon_policy_place *place, struct demon_err *err)
{
	const char *key;
	json_t *value;
	char why[128];

	if (!json_is_object(quota))
		return demon_policy_wrong(place, "expected {\"limit\":N,\"windowSeconds\":N}", err);
	json_object_foreach(demon_json_iterable(quota), key, value)
	{
		if (strcmp(key, "limit") == 0 || strcmp(key, "windowSeconds") == 0)
			continue;
		if (strcmp(key, "perTenant") == 0 && of_node && json_is_boolean(value))
			continue;
		(void)snprintf(why, sizeof(why),
			       strcmp(key, "perTenant") != 0 ? "unknown key '%.64s'"
			       : of_node                     ? "'%s': expected true or false"
					 : "'%s' is for quotas of the whole node",
			       key);
		return demon_policy_wrong(place, why, err);
	}
	if (!in_range(json_object_get(quota, "limit"), 0, DEMON_QUOTA_LIMIT_MAX))
		return demon_policy_wrong(
		    place, "'limit': expected a whole number from 0 to 4294967295", err);
	if (!in_range(json_object_get(quota, "windowSeconds"), 1, DEMON_QUOTA_WINDOW_MAX))
		return demon_policy_wrong(
		    place, "'windowSeconds': expected a whole number from 1 to 315360000", err);
	return DEMON_OK;
}

enum demon_rc demon_quotas_check(const json_t *document, bool of_node,
				 const struct demon_policy_place *place, json_t **ret_document,
				 struct demon_err *err)
{
	json_auto_t *named = json_object();
	const char *key;
	json_t *quota;
	char name[DEMON_CAPABILITY_MAX + 1] = DEMON_CAPABILITY_ANY;
	enum demon_rc rc;

	if (!named)
		return no_memory(err);
	if (!json_is_object(document))
		return demon_policy_wrong(place, "expected a mapping of capabilities", err);
	json_object_foreach(demon_json_iterable(document), key, quota)
	{
		char pointer[POINTER_LEN];
		const struct demon_policy_place at = {place->what, pointer};
		bool any = strcmp(key, DEMON_CAPABILITY_ANY) == 0;
		struct demon_err why;

		(void)snprintf(pointer, sizeof(pointer), "%s/%.128s", place->pointer, key);
		if (!any && demon_capability_name(key, name, &why))
			return demon_policy_wrong(place, why.msg, err);
		if ((rc = demon_quota_check(quota, of_node, &at, err)))
			return rc;
		if (json_object_get(named, any ? key : name))
			return demon_policy_wrong(&at, "the same capability twice", err);
		if (json_object_set(named, any ? key : name, quota))
			return no_memory(err);
	}
	*ret_document = demon_take(named);
	return DEMON_OK;
}

bool demon_quota_find(const json_t *of_tenant, const json_t *of_node, const char *capability,
		      struct demon_quota *ret_quota)
{
	const struct {
		const json_t *document;
		const char *key;
	} places[] = {{of_tenant, capability},
		      {of_tenant, DEMON_CAPABILITY_ANY},
		      {of_node, capability},
		      {of_node, DEMON_CAPABILITY_ANY}};

	for (size_t i = 0; i < demon_count(places); i++) {
		const json_t *quota = json_object_get(places[i].document, places[i].key);

		if (!quota)
			continue;
		*ret_quota = (struct demon_quota){
		    .limit = json_integer_value(json_object_get(quota, "limit")),
		    .window_s = json_integer_value(json_object_get(quota, "windowSeconds")),
		    .of_tenant = i < 2,
		    .per_tenant = i < 2 || json_is_true(json_object_get(quota, "perTenant")),
		    .key = places[i].key,
		};
		return true;
	}
	return false;
}
