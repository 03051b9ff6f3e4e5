#include "escalation.h"

#include "domain/admin/actor.h"
#include "domain/admin/register.h"

#include <stdio.h>
#include <string.h>

#define WHERE_LEN   256
#define TIMEOUT_MAX ((json_int_t)3650 * 24 * 3600)

static const struct demon_json_limits limits = {.max_bytes = (size_t)256 * 1024, .depth = 16};

static enum demon_rc wrong(const char *where, const char *key, const char *why,
			   struct demon_err *err)
{
	return demon_err_set(err, DEMON_INVALID, "escalation rules: at '%s%s': %s", where, key,
			     why);
}

static bool is_known(const char *key, const char *const *known)
{
	for (; *known; known++)
		if (strcmp(key, *known) == 0)
			return true;
	return false;
}

/* Reports what is no mapping, and keys that are not known. */
static enum demon_rc check_keys(const json_t *value, const char *where, const char *const *known,
				struct demon_err *err)
{
	const char *key;
	json_t *item;

	if (!json_is_object(value))
		return wrong(where, "", "expected a mapping", err);
	json_object_foreach(demon_json_iterable(value), key, item)
	{
		if (!is_known(key, known))
			return demon_err_set(err, DEMON_INVALID,
					     "escalation rules: at '%s': unknown key '%.64s'",
					     where, key);
	}
	return DEMON_OK;
}

static enum demon_rc check_names(const json_t *names, const char *where, const char *key,
				 struct demon_err *err)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		struct demon_err why;

		if (!name || demon_line_check("name", name, &why))
			return wrong(where, key, name ? why.msg : "expected strings", err);
	}
	return DEMON_OK;
}

static bool in_range(const json_t *value, json_int_t least, json_int_t most)
{
	return json_is_integer(value) && json_integer_value(value) >= least &&
	       json_integer_value(value) <= most;
}

static enum demon_rc check_level(const json_t *level, size_t index, const char *where,
				 struct demon_err *err)
{
	static const char *const known[] = {
	    "level", "roles", "timeoutSeconds", "emergencyOverride", "notifications", NULL};
	const json_t *roles = json_object_get(level, "roles");
	const json_t *override = json_object_get(level, "emergencyOverride");
	const json_t *notify = json_object_get(level, "notifications");
	enum demon_rc rc;

	if ((rc = check_keys(level, where, known, err)))
		return rc;
	if (!in_range(json_object_get(level, "level"), (json_int_t)index + 1,
		      (json_int_t)index + 1))
		return wrong(where, "/level", "levels are numbered from 1, in order", err);
	if (json_array_size(roles) == 0)
		return wrong(where, "/roles", "expected a list of at least one role", err);
	if (!in_range(json_object_get(level, "timeoutSeconds"), 0, TIMEOUT_MAX))
		return wrong(where, "/timeoutSeconds", "expected whole seconds, 0: no end", err);
	if (override && !json_is_boolean(override))
		return wrong(where, "/emergencyOverride", "expected true or false", err);
	if (notify && !json_is_array(notify))
		return wrong(where, "/notifications", "expected a list", err);
	if ((rc = check_names(roles, where, "/roles", err)))
		return rc;
	return check_names(notify, where, "/notifications", err);
}

enum demon_rc demon_escalation_check(const json_t *chain, const char *where, struct demon_err *err)
{
	static const char *const known[] = {"levels", "repeat", NULL};
	const json_t *levels = json_object_get(chain, "levels");
	const json_t *repeat = json_object_get(chain, "repeat");
	char place[WHERE_LEN];
	enum demon_rc rc;

	if ((rc = check_keys(chain, where, known, err)))
		return rc;
	if (json_array_size(levels) == 0 || json_array_size(levels) > DEMON_ESCALATION_LEVELS)
		return wrong(where, "/levels", "expected a list of 1 to 64 levels", err);
	if (repeat && !in_range(repeat, 0, DEMON_ESCALATION_REPEATS))
		return wrong(where, "/repeat", "expected a whole number from 0 to 1000", err);
	for (size_t i = 0; i < json_array_size(levels); i++) {
		(void)snprintf(place, sizeof(place), "%s/levels/%zu", where, i);
		if ((rc = check_level(json_array_get(levels, i), i, place, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc check_tenant(const char *tenant, const json_t *value, struct demon_err *err)
{
	static const char *const known[] = {"gates", NULL};
	const char *gate;
	json_t *chain;
	char place[WHERE_LEN];
	enum demon_rc rc;

	(void)snprintf(place, sizeof(place), "/tenants/%.64s", tenant);
	if ((rc = check_keys(value, place, known, err)))
		return rc;
	if (!json_is_object(json_object_get(value, "gates")))
		return wrong(place, "/gates", "expected a mapping", err);
	json_object_foreach(json_object_get(value, "gates"), gate, chain)
	{
		(void)snprintf(place, sizeof(place), "/tenants/%.64s/gates/%.64s", tenant, gate);
		if ((rc = demon_escalation_check(chain, place, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc check_rules(const json_t *rules, struct demon_err *err)
{
	static const char *const known[] = {"tenants", NULL};
	const char *tenant;
	json_t *value;
	enum demon_rc rc;

	if ((rc = check_keys(rules, "", known, err)))
		return rc;
	if (!json_is_object(json_object_get(rules, "tenants")))
		return wrong("", "/tenants", "expected a mapping", err);
	json_object_foreach(json_object_get(rules, "tenants"), tenant, value)
	{
		if ((rc = check_tenant(tenant, value, err)))
			return rc;
	}
	return DEMON_OK;
}

enum demon_rc demon_escalation_parse(const char *text, json_t **ret_rules, struct demon_err *err)
{
	json_auto_t *rules = NULL;
	enum demon_rc rc;

	*ret_rules = NULL;
	if (!text || !text[strspn(text, " \t\r\n")])
		return DEMON_OK;
	if (demon_json_parse(text, strlen(text), &limits, &rules, err))
		return demon_err_wrap(err, "escalation rules");
	if ((rc = check_rules(rules, err)))
		return rc;
	*ret_rules = demon_take(rules);
	return DEMON_OK;
}

static enum demon_rc take_chain(void *ctx, const struct demon_register_row *row,
				struct demon_err *err)
{
	json_t **ret = ctx;

	return demon_json_parse(row->value, row->value_len, &limits, ret, err);
}

/* The register of a gate: of its tenant, else of all. */
static enum demon_rc find_register(struct demon_db *db, const char *tenant, const char *gate,
				   json_t **ret_chain, struct demon_err *err)
{
	const char *const tenants[] = {tenant, DEMON_TENANT_ALL};

	for (size_t i = 0; i < demon_count(tenants); i++) {
		enum demon_rc rc = demon_register_get(db, DEMON_REGISTER_ESCALATION, tenants[i],
						      gate, take_chain, ret_chain, err);

		if (rc != DEMON_NOTFOUND)
			return rc;
	}
	return DEMON_OK;
}

enum demon_rc demon_escalation_find(struct demon_db *db, const json_t *rules, const char *tenant,
				    const char *gate, struct demon_escalation *ret,
				    struct demon_err *err)
{
	const json_t *of_tenant = json_object_get(json_object_get(rules, "tenants"), tenant);
	json_t *given = json_object_get(json_object_get(of_tenant, "gates"), gate);
	json_auto_t *chain = NULL;
	enum demon_rc rc;

	if ((rc = find_register(db, tenant, gate, &chain, err)) ||
	    (chain && (rc = demon_escalation_check(chain, "", err))))
		return rc;
	ret->source = chain ? "database" : given ? "environment" : "none";
	ret->chain = chain ? demon_take(chain) : json_incref(given);
	return DEMON_OK;
}
