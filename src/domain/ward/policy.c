#include "policy.h"

#include "domain/admin/register.h"
#include "domain/admin/trust.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TENANTING "TENANTING_ENABLED"

DEMON_SQL(sql_any, "SELECT 1 FROM registers WHERE kind = 'policy' AND " DEMON_TRUSTED(
		       "registers.origin") "LIMIT 1");

struct demon_wards {
	json_t *quotas; /* by tenant; NULL: none */
	json_t *rules;
	json_t *schedules;
	char *zones;
};

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a policy");
}

static enum demon_rc read_switch(const char *text, bool *ret_on, struct demon_err *err)
{
	static const char *const words[] = {"", "0", "false", "no", "off", "1", "true"};

	for (size_t i = 0; i < demon_count(words); i++)
		if (strcasecmp(text ? text : "", words[i]) == 0) {
			*ret_on = i >= 5;
			return DEMON_OK;
		}
	return demon_err_set(err, DEMON_INVALID, TENANTING ": '%.40s' is not 1, true, 0 or false",
			     text);
}

static void wards_close_p(struct demon_wards **wards)
{
	demon_wards_close(*wards);
}

enum demon_rc demon_wards_open(const struct demon_wards_options *options,
			       struct demon_wards **ret_wards, struct demon_err *err)
{
	struct demon_quota_texts texts = {.capabilities = options->capabilities,
					  .tenants = options->tenants,
					  .global = options->global};
	demon_cleanup(wards_close_p) struct demon_wards *w = demon_calloc(1, sizeof(*w));
	enum demon_rc rc;

	if (!w)
		return no_memory(err);
	w->zones = demon_strdup(options->zones);
	if (options->zones && !w->zones)
		return no_memory(err);
	if ((rc = read_switch(options->tenanting, &texts.per_tenant, err)) ||
	    (rc = demon_quotas_read(&texts, &w->quotas, &w->rules, err)) ||
	    (rc = demon_schedules_read(options->schedules, w->zones, &w->schedules, err)))
		return rc;
	*ret_wards = demon_take(w);
	return DEMON_OK;
}

void demon_wards_close(struct demon_wards *wards)
{
	if (!wards)
		return;
	json_decref(wards->quotas);
	json_decref(wards->rules);
	json_decref(wards->schedules);
	free(wards->zones);
	free(wards);
}

static void part_done(struct demon_policy_part *part)
{
	json_decref(part->of_tenant);
	json_decref(part->of_node);
}

void demon_policy_done(struct demon_policy *policy)
{
	part_done(&policy->quotas);
	part_done(&policy->schedules);
	*policy = (struct demon_policy){0};
}

static enum demon_rc check_document(const char *name, bool of_node, const json_t *value,
				    const char *zones, json_t **ret, struct demon_err *err)
{
	char what[64];
	const struct demon_policy_place place = {what, ""};

	(void)snprintf(what, sizeof(what), "policy '%.32s'", name);
	if (strcmp(name, DEMON_POLICY_QUOTAS) == 0)
		return demon_quotas_check(value, of_node, &place, ret, err);
	if (strcmp(name, DEMON_POLICY_SCHEDULES) == 0)
		return demon_schedules_check(value, zones, &place, ret, err);
	return demon_err_set(err, DEMON_INVALID, "there is no policy '%.64s': quotas, schedules",
			     name);
}

enum demon_rc demon_policy_check(const char *name, bool of_node, const json_t *value,
				 json_t **ret_value, struct demon_err *err)
{
	return check_document(name, of_node, value, NULL, ret_value, err);
}

/* A register that is read. */
struct reading {
	json_t *document; /* owned */
	char fault[256];
	bool found;
};

/* What another node wrote may be anything: it is held against the form here, its zones when they
 * are asked for. */
static enum demon_rc take(void *ctx, const struct demon_register_row *row, struct demon_err *err)
{
	struct reading *r = ctx;
	bool of_node = strcmp(row->tenant, DEMON_TENANT_ALL) == 0;
	json_auto_t *value = NULL;
	enum demon_rc rc;

	r->found = true;
	rc = demon_json_parse(row->value, row->value_len, &demon_json_payload_limits, &value, err);
	if (!rc)
		rc =
		    check_document(row->name, of_node, value, DEMON_ZONES_LATER, &r->document, err);
	if (rc == DEMON_NOMEM)
		return rc;
	if (rc)
		(void)snprintf(r->fault, sizeof(r->fault), "of %s: %.200s",
			       of_node ? "the node" : "the tenant", err->msg);
	return DEMON_OK;
}

static enum demon_rc read_register(struct demon_db *db, const char *tenant, const char *name,
				   struct reading *r, struct demon_err *err)
{
	enum demon_rc rc =
	    demon_register_get(db, DEMON_REGISTER_POLICY, tenant, name, take, r, err);

	return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
}

static bool is_there(const json_t *document)
{
	return json_object_size(document) > 0;
}

/* One part of the policy, from one source. */
static enum demon_rc find_part(struct demon_db *db, const json_t *given, const char *tenant,
			       const char *name, struct demon_policy *policy, struct demon_err *err)
{
	bool quotas = strcmp(name, DEMON_POLICY_QUOTAS) == 0;
	struct demon_policy_part *part = quotas ? &policy->quotas : &policy->schedules;
	bool node = strcmp(tenant, DEMON_TENANT_ALL) == 0;
	struct reading own = {.found = false};
	struct reading all = {.found = false};
	enum demon_rc rc = DEMON_OK;

	if (db && !(rc = read_register(db, DEMON_TENANT_ALL, name, &all, err)) && !node)
		rc = read_register(db, tenant, name, &own, err);
	part->of_tenant = own.document;
	part->of_node = all.document;
	if (rc)
		return rc;
	if (!own.found && !all.found) {
		part->of_tenant = node ? NULL : json_incref(json_object_get(given, tenant));
		part->of_node = json_incref(json_object_get(given, DEMON_TENANT_ALL));
	}
	part->any = own.found || all.found ? is_there(part->of_tenant) || is_there(part->of_node)
					   : given != NULL;
	part->source = own.found || all.found ? "database" : given ? "environment" : "none";
	if (!*policy->fault)
		(void)snprintf(policy->fault, sizeof(policy->fault), "%s",
			       *own.fault ? own.fault : all.fault);
	return DEMON_OK;
}

static bool add_part(json_t *all, const char *name, const char *tenant,
		     const struct demon_policy_part *part)
{
	json_t *documents = json_object();

	return json_object_set_new(all, name, documents) == 0 &&
	       (!is_there(part->of_tenant) ||
		json_object_set(documents, tenant, part->of_tenant) == 0) &&
	       (!is_there(part->of_node) ||
		json_object_set(documents, DEMON_TENANT_ALL, part->of_node) == 0);
}

static enum demon_rc set_digest(const char *tenant, struct demon_policy *p, struct demon_err *err)
{
	json_auto_t *all = json_object();
	unsigned char digest[DEMON_HASH_LEN];
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if (!all || !add_part(all, DEMON_POLICY_QUOTAS, tenant, &p->quotas) ||
	    !add_part(all, DEMON_POLICY_SCHEDULES, tenant, &p->schedules))
		return no_memory(err);
	if ((rc = demon_json_canonical(all, &text, err)) || (rc = demon_buf_rc(&text, err)) ||
	    (rc = demon_sha256(text.data, text.len, digest, err)))
		return rc;
	demon_hex(digest, sizeof(digest), p->digest);
	return DEMON_OK;
}

/* Whether any policy was ever set: the common case costs one look. */
static enum demon_rc has_policy(struct demon_db *db, bool *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_any);

	return demon_step(&q, ret, err);
}

enum demon_rc demon_policy_find(struct demon_db *db, const struct demon_wards *wards,
				const char *tenant, struct demon_policy *policy, bool *ret_any,
				struct demon_err *err)
{
	const json_t *quotas = wards ? wards->quotas : NULL;
	const json_t *schedules = wards ? wards->schedules : NULL;
	DEMON_POLICY(p);
	bool set;
	enum demon_rc rc;

	*ret_any = false;
	if ((rc = has_policy(db, &set, err)) || (!set && !quotas && !schedules))
		return rc;
	p.zones = wards ? wards->zones : NULL;
	if ((rc = find_part(set ? db : NULL, quotas, tenant, DEMON_POLICY_QUOTAS, &p, err)) ||
	    (rc = find_part(set ? db : NULL, schedules, tenant, DEMON_POLICY_SCHEDULES, &p, err)))
		return rc;
	if (wards && strcmp(p.quotas.source, "environment") == 0)
		p.rules = wards->rules;
	if (!*p.fault && (rc = set_digest(tenant, &p, err)))
		return rc;
	*ret_any = *p.fault || strcmp(p.quotas.source, "none") != 0 ||
		   strcmp(p.schedules.source, "none") != 0;
	if (*ret_any) {
		*policy = p;
		p = (struct demon_policy){0};
	}
	return DEMON_OK;
}
