/*
 * Quotas as a process is given them: three variables, one of which has two notations.
 */
#include "base/bytes.h"
#include "domain/admin/register.h"
#include "quota.h"
#include "store/subject.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CAPABILITIES "WARDS_CAP_QUOTAS"
#define TENANTS      "WARDS_QUOTAS"
#define GLOBAL       "WARDS_GLOBAL_QUOTA"
#define BLANKS       " \t\r\n"
#define ENTRY_MAX    512
#define PLACE_LEN    (DEMON_CAPABILITY_MAX + 160)

/** Documents that are being made, and where each quota is from. */
struct books {
	json_t *documents;
	json_t *rules;
	bool per_tenant;
};

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for quotas");
}

static bool is_blank(const char *text)
{
	return !text || !text[strspn(text, BLANKS)];
}

static json_t *page(json_t *book, const char *tenant)
{
	json_t *found = json_object_get(book, tenant);

	if (!found && (found = json_object()) && json_object_set_new(book, tenant, found))
		return NULL;
	return found;
}

/* Enters a quota that was checked. */
static enum demon_rc enter(struct books *b, const char *tenant, const char *capability,
			   const json_t *quota, const char *rule, struct demon_err *err)
{
	json_t *document = page(b->documents, tenant);
	json_t *rules = page(b->rules, tenant);
	json_auto_t *copy = json_deep_copy(quota);

	if (!document || !rules || !copy ||
	    (b->per_tenant && strcmp(tenant, DEMON_TENANT_ALL) == 0 &&
	     json_object_set_new(copy, "perTenant", json_true())) ||
	    json_object_set(document, capability, copy) ||
	    json_object_set_new(rules, capability, json_string(rule)))
		return no_memory(err);
	return DEMON_OK;
}

static enum demon_rc check_tenant(const char *what, const char *tenant, bool or_all,
				  struct demon_err *err)
{
	if ((or_all && strcmp(tenant, DEMON_TENANT_ALL) == 0) || demon_id_valid(tenant))
		return DEMON_OK;
	return demon_err_set(err, DEMON_INVALID,
			     "%s: '%.80s' is no tenant: 1 to 64 of A-Z a-z 0-9 _ -", what, tenant);
}

static enum demon_rc read_document(struct books *b, const char *tenant, const json_t *given,
				   struct demon_err *err)
{
	char pointer[80];
	const struct demon_policy_place place = {CAPABILITIES, pointer};
	json_auto_t *document = NULL;
	const char *capability;
	json_t *quota;
	char rule[PLACE_LEN];
	enum demon_rc rc;

	(void)snprintf(pointer, sizeof(pointer), "/%.64s", tenant);
	if ((rc = demon_quotas_check(given, false, &place, &document, err)))
		return rc;
	if (json_object_get(document, DEMON_CAPABILITY_ANY))
		return demon_policy_wrong(&place,
					  "'*' is no capability here: " TENANTS " and " GLOBAL
					  " are for all of them",
					  err);
	json_object_foreach(document, capability, quota)
	{
		(void)snprintf(rule, sizeof(rule), CAPABILITIES " at '/%s/%s'", tenant, capability);
		if ((rc = enter(b, tenant, capability, quota, rule, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc read_json(struct books *b, const char *text, struct demon_err *err)
{
	const struct demon_policy_place root = {CAPABILITIES, ""};
	json_auto_t *all = NULL;
	const char *tenant;
	json_t *document;
	enum demon_rc rc;

	if ((rc = demon_policy_parse(CAPABILITIES, text, &all, err)))
		return rc;
	if (!json_is_object(all))
		return demon_policy_wrong(&root, "expected a mapping of tenants", err);
	json_object_foreach(all, tenant, document)
	{
		if ((rc = check_tenant(CAPABILITIES, tenant, true, err)) ||
		    (rc = read_document(b, tenant, document, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc bad_entry(size_t number, const char *why, struct demon_err *err)
{
	return demon_err_set(err, DEMON_INVALID, CAPABILITIES ": entry %zu: %s", number, why);
}

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len && strchr(BLANKS, text[len - 1]))
		text[--len] = '\0';
	return text;
}

static bool read_number(const char *text, json_int_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !errno && !*end;
}

/* "<limit>:<window>" */
static enum demon_rc read_pair(char *text, size_t number, json_t **ret_quota, struct demon_err *err)
{
	char *colon = strchr(text, ':');
	json_int_t limit;
	json_int_t window;

	if (!colon || strchr(colon + 1, ':'))
		return bad_entry(number, "expected LIMIT:SECONDS behind the '='", err);
	*colon = '\0';
	if (!read_number(trim(text), &limit) || !read_number(trim(colon + 1), &window))
		return bad_entry(number, "limit and seconds are whole numbers", err);
	*ret_quota = json_pack("{s:I,s:I}", "limit", limit, "windowSeconds", window);
	return *ret_quota ? DEMON_OK : no_memory(err);
}

/* "GLOBAL:<capability>" or "TENANT:<tenant>:<capability>" */
static enum demon_rc read_names(char *text, size_t number, const char **ret_tenant,
				const char **ret_capability, struct demon_err *err)
{
	char *colon;

	if (strncmp(text, "GLOBAL:", 7) == 0) {
		*ret_tenant = DEMON_TENANT_ALL;
		*ret_capability = trim(text + 7);
		return DEMON_OK;
	}
	if (strncmp(text, "TENANT:", 7) != 0)
		return bad_entry(number, "expected GLOBAL:CAPABILITY or TENANT:TENANT:CAPABILITY",
				 err);
	colon = strchr(text + 7, ':');
	if (!colon)
		return bad_entry(number, "expected TENANT:TENANT:CAPABILITY", err);
	*colon = '\0';
	*ret_tenant = trim(text + 7);
	*ret_capability = trim(colon + 1);
	if (!demon_id_valid(*ret_tenant))
		return bad_entry(number, "the tenant is none: 1 to 64 of A-Z a-z 0-9 _ -", err);
	return DEMON_OK;
}

static enum demon_rc read_entry(struct books *b, char *text, size_t number, struct demon_err *err)
{
	char *equals = strchr(text, '=');
	json_auto_t *quota = NULL;
	char rule[64];
	char name[DEMON_CAPABILITY_MAX + 1];
	struct demon_err why;
	const struct demon_policy_place place = {rule, ""};
	const char *tenant = "";
	const char *capability = "";
	enum demon_rc rc;

	if (!equals || strchr(equals + 1, '='))
		return bad_entry(number, "expected exactly one '='", err);
	*equals = '\0';
	if ((rc = read_names(trim(text), number, &tenant, &capability, err)) ||
	    (rc = read_pair(equals + 1, number, &quota, err)))
		return rc;
	if (demon_capability_name(capability, name, &why))
		return bad_entry(number, why.msg, err);
	(void)snprintf(rule, sizeof(rule), CAPABILITIES " entry %zu", number);
	if ((rc = demon_quota_check(quota, false, &place, err)))
		return rc;
	return enter(b, tenant, name, quota, rule, err);
}

/* Empty entries count, and are passed over. */
static enum demon_rc read_compact(struct books *b, const char *text, struct demon_err *err)
{
	size_t number = 0;

	for (const char *at = text; at; at = strchr(at, ',')) {
		char entry[ENTRY_MAX];
		size_t len;
		enum demon_rc rc;

		at += number++ ? 1 : 0;
		len = strcspn(at, ",");
		if (len >= sizeof(entry))
			return bad_entry(number, "it is longer than 511 bytes", err);
		memcpy(entry, at, len);
		entry[len] = '\0';
		if (!is_blank(entry) && (rc = read_entry(b, entry, number, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc read_tenants(struct books *b, const char *text, struct demon_err *err)
{
	const struct demon_policy_place root = {TENANTS, ""};
	json_auto_t *all = NULL;
	const char *tenant;
	json_t *quota;
	enum demon_rc rc;

	if ((rc = demon_policy_parse(TENANTS, text, &all, err)))
		return rc;
	if (!json_is_object(all))
		return demon_policy_wrong(&root, "expected a mapping of tenants", err);
	json_object_foreach(all, tenant, quota)
	{
		char pointer[80];
		char rule[PLACE_LEN];
		const struct demon_policy_place place = {TENANTS, pointer};

		(void)snprintf(pointer, sizeof(pointer), "/%.64s", tenant);
		(void)snprintf(rule, sizeof(rule), TENANTS " at '%s'", pointer);
		if ((rc = check_tenant(TENANTS, tenant, false, err)) ||
		    (rc = demon_quota_check(quota, false, &place, err)) ||
		    (rc = enter(b, tenant, DEMON_CAPABILITY_ANY, quota, rule, err)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc read_global(struct books *b, const char *text, struct demon_err *err)
{
	const struct demon_policy_place root = {GLOBAL, ""};
	json_auto_t *quota = NULL;
	enum demon_rc rc;

	if ((rc = demon_policy_parse(GLOBAL, text, &quota, err)) ||
	    (rc = demon_quota_check(quota, false, &root, err)))
		return rc;
	return enter(b, DEMON_TENANT_ALL, DEMON_CAPABILITY_ANY, quota, GLOBAL, err);
}

enum demon_rc demon_quotas_read(const struct demon_quota_texts *texts, json_t **ret_documents,
				json_t **ret_rules, struct demon_err *err)
{
	json_auto_t *documents = json_object();
	json_auto_t *rules = json_object();
	struct books b = {documents, rules, texts->per_tenant};
	const char *first = texts->capabilities;
	enum demon_rc rc = DEMON_OK;

	if (!documents || !rules)
		return no_memory(err);
	if (!is_blank(first))
		rc = first[strspn(first, BLANKS)] == '{' ? read_json(&b, first, err)
							 : read_compact(&b, first, err);
	if (!rc && !is_blank(texts->tenants))
		rc = read_tenants(&b, texts->tenants, err);
	if (!rc && !is_blank(texts->global))
		rc = read_global(&b, texts->global, err);
	if (rc)
		return rc;
	*ret_documents = json_object_size(documents) ? json_incref(documents) : NULL;
	*ret_rules = json_object_size(documents) ? json_incref(rules) : NULL;
	return DEMON_OK;
}
