/*
 * demonctl policy show, set, remove, check.
 */
#include "policy.h"

#include "base/yaml.h"
#include "cli/file.h"
#include "cli/wards.h"
#include "domain/admin/register.h"
#include "domain/capsule/capsule.h"
#include "domain/ward/ward.h"
#include "out.h"
#include "store/readers.h"
#include "when.h"

#include <stdio.h>
#include <string.h>

static void close_wards(struct demon_wards **wards)
{
	demon_wards_close(*wards);
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a policy");
}

/* JSON on the command line, or a file of JSON or YAML; *ret_value is new. */
static enum demon_rc read_value(const char *text, json_t **ret_value, struct demon_err *err)
{
	demon_cleanup(demon_yaml_free_p) struct demon_yaml_doc *doc = NULL;
	DEMON_BUF(file, demon_json_payload_limits.max_bytes);
	enum demon_rc rc;

	if (text[strspn(text, " \t\r\n")] == '{') {
		rc = demon_json_parse(text, strlen(text), &demon_json_payload_limits, ret_value,
				      err);
		return rc ? demon_err_wrap(err, "the policy") : DEMON_OK;
	}
	text += *text == '@';
	if ((rc = demon_file_read(text, &file, err)) ||
	    (rc =
		 demon_yaml_parse(text, file.data, file.len, &demon_yaml_ritual_limits, &doc, err)))
		return rc;
	*ret_value = demon_yaml_json(demon_yaml_root(doc));
	return *ret_value ? DEMON_OK : no_memory(err);
}

/* What names no capsule of this program may be meant for a later one, or misspelt. */
static void note_unknown(const struct demon_ctl *ctl, const json_t *value)
{
	const char *key;
	json_t *unused;

	json_object_foreach(demon_json_iterable(value), key, unused)
	{
		const char *dot = strchr(key, '.');

		(void)unused;
		if (dot && !demon_capsule_find(dot + 1))
			demon_out_note(&ctl->settings, "note: nothing in this version is '%s'",
				       key);
	}
}

static enum demon_rc change(struct demon_ctl *ctl, json_t *value, struct demon_err *err)
{
	/* as with a freeze, what is set once and for all must not narrow what is meant */
	const char *tenant = demon_args_get(&ctl->args, "tenant");
	struct demon_register_write write = {.kind = DEMON_REGISTER_POLICY,
					     .tenant = tenant ? tenant : DEMON_TENANT_ALL,
					     .name = ctl->words[0],
					     .value = value,
					     .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_actor actor;
	bool new;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, value != NULL, err)) ||
	    (!tenant && (rc = demon_ctl_whole(ctl, err))) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	write.actor = &actor;
	if ((rc = demon_register_set(ctl->store, &write, &new, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s,s:b,s:s,s:O*}", "name", write.name, "noop",
						!new, "tenant", write.tenant, "value", value),
				      err);
	if (value)
		note_unknown(ctl, value);
	demon_out_note(&ctl->settings, "%s of %s%s %s%s", write.name,
		       tenant ? "tenant " : "the node", tenant ? tenant : "",
		       value ? "are set" : "are no more", new ? "" : ", as before");
	return DEMON_OK;
}

static enum demon_rc check_name(const char *name, struct demon_err *err)
{
	if (strcmp(name, DEMON_POLICY_QUOTAS) == 0 || strcmp(name, DEMON_POLICY_SCHEDULES) == 0)
		return DEMON_OK;
	return demon_err_set(err, DEMON_USAGE, "'%.64s' is no policy: quotas, schedules", name);
}

enum demon_rc demon_command_policy_set(struct demon_ctl *ctl, struct demon_err *err)
{
	bool of_node = !demon_args_has(&ctl->args, "tenant");
	json_auto_t *value = NULL;
	json_auto_t *checked = NULL;
	enum demon_rc rc;

	if ((rc = check_name(ctl->words[0], err)) ||
	    (rc = read_value(ctl->words[1], &value, err)) ||
	    (rc = demon_policy_check(ctl->words[0], of_node, value, &checked, err))) {
		demon_ctl_hint(ctl, "docs/policy.md has the form of quotas and schedules");
		return rc;
	}
	return change(ctl, checked, err);
}

enum demon_rc demon_command_policy_remove(struct demon_ctl *ctl, struct demon_err *err)
{
	enum demon_rc rc = check_name(ctl->words[0], err);

	return rc ? rc : change(ctl, NULL, err);
}

static json_t *part_json(const struct demon_policy_part *part)
{
	return json_pack("{s:O*,s:s,s:O*}", "node", part->of_node, "source",
			 part->source ? part->source : "none", "tenant", part->of_tenant);
}

static void add_quota(const json_t *quota, struct demon_buf *out)
{
	demon_buf_fmt(out, "%lld within %lld s%s",
		      (long long)json_integer_value(json_object_get(quota, "limit")),
		      (long long)json_integer_value(json_object_get(quota, "windowSeconds")),
		      json_is_true(json_object_get(quota, "perTenant")) ? ", each tenant" : "");
}

static void add_rule(const json_t *rule, struct demon_buf *out)
{
	const json_t *days = json_object_get(rule, "days");

	demon_buf_fmt(out, "%s ", json_string_value(json_object_get(rule, "action")));
	for (size_t i = 0; i < json_array_size(days); i++)
		demon_buf_fmt(out, "%s%s", json_string_value(json_array_get(days, i)),
			      i + 1 < json_array_size(days) ? "," : " ");
	if (days && !json_array_size(days))
		demon_buf_str(out, "never ");
	demon_buf_fmt(out, "%s-%s %s", json_string_value(json_object_get(rule, "start")),
		      json_string_value(json_object_get(rule, "end")),
		      json_string_value(json_object_get(rule, "timezone")));
}

static void add_row(struct demon_table *t, const char *capability, const char *scope,
		    const struct demon_buf *rule, const char *source)
{
	demon_table_cell(t, capability);
	demon_table_cell(t, scope);
	demon_table_cell(t, rule->data);
	demon_table_cell(t, source);
}

static void add_document(struct demon_table *t, const json_t *document, const char *scope,
			 const char *source)
{
	const char *capability;
	json_t *value;

	json_object_foreach(demon_json_iterable(document), capability, value)
	{
		for (size_t i = 0; i < json_array_size(value); i++) {
			DEMON_BUF(rule, 0);

			add_rule(json_array_get(value, i), &rule);
			add_row(t, capability, scope, &rule, source);
		}
		if (json_is_object(value)) {
			DEMON_BUF(rule, 0);

			add_quota(value, &rule);
			add_row(t, capability, scope, &rule, source);
		}
	}
}

static enum demon_rc print_policy(const struct demon_ctl *ctl, const struct demon_policy *p,
				  struct demon_err *err)
{
	static const char *const heads[] = {"CAPABILITY", "OF", "RULE", "FROM", NULL};
	const char *tenant = ctl->settings.tenant.value;
	const struct demon_policy_part *const parts[] = {&p->quotas, &p->schedules};
	struct demon_table table = demon_table_begin(&ctl->settings, heads, (size_t)-1);
	enum demon_rc rc;

	if (ctl->settings.json)
		return demon_out_json(
		    &ctl->settings,
		    json_pack("{s:s*,s:s*,s:o,s:o,s:s}", "digest", *p->digest ? p->digest : NULL,
			      "fault", *p->fault ? p->fault : NULL, "quotas", part_json(&p->quotas),
			      "schedules", part_json(&p->schedules), "tenant", tenant),
		    err);
	for (size_t i = 0; i < demon_count(parts); i++) {
		add_document(&table, parts[i]->of_tenant, tenant, parts[i]->source);
		add_document(&table, parts[i]->of_node, "all tenants", parts[i]->source);
	}
	rc = demon_table_print(&table, err);
	demon_table_done(&table);
	if (*p->fault)
		demon_out_note(&ctl->settings, "nothing is allowed: %s", p->fault);
	else if (p->quotas.any)
		demon_out_note(&ctl->settings, "what no quota names is denied");
	else
		demon_out_note(&ctl->settings, "there are no quotas");
	return rc;
}

enum demon_rc demon_command_policy_show(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(close_wards) struct demon_wards *wards = NULL;
	DEMON_POLICY(policy);
	bool any;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_ward_settings_read(&wards, err)) ||
	    (rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_store_borrow(ctl->store, &loan, err)) ||
	    (rc =
		 demon_policy_find(loan.db, wards, ctl->settings.tenant.value, &policy, &any, err)))
		return rc;
	return print_policy(ctl, &policy, err);
}

static int64_t left_of(const struct demon_ward_verdict *v)
{
	return v->limit > v->used ? v->limit - v->used : 0;
}

static demon_time window_end(const struct demon_ward_verdict *v)
{
	return v->window + v->window_s * 1000;
}

static bool has_clock(const struct demon_ward_verdict *v)
{
	return v->schedule == DEMON_SCHEDULE_ALLOW || v->schedule == DEMON_SCHEDULE_DENY;
}

static enum demon_rc verdict_json(const struct demon_ctl *ctl, const struct demon_ward_question *q,
				  const struct demon_ward_verdict *v, struct demon_err *err)
{
	json_auto_t *doc = json_pack(
	    "{s:b,s:b,s:o,s:s,s:s*,s:s*,s:s,s:s*,s:s,s:s}", "allowed", demon_ward_allows(v),
	    "asked", v->asked, "at", demon_out_time_json(q->t), "capability", q->capability,
	    "detail", *v->detail ? v->detail : NULL, "policyDigest", *v->digest ? v->digest : NULL,
	    "reason", demon_ward_reason_name(v->reason), "rule", *v->rule ? v->rule : NULL,
	    "source", v->source, "tenant", q->tenant);
	json_auto_t *quota =
	    json_pack("{s:I,s:I,s:I,s:o,s:I,s:o}", "limit", (json_int_t)v->limit, "remaining",
		      (json_int_t)left_of(v), "used", (json_int_t)v->used, "windowEnd",
		      demon_out_time_json(window_end(v)), "windowSeconds", (json_int_t)v->window_s,
		      "windowStart", demon_out_time_json(v->window));
	char local[DEMON_LOCAL_LEN + 1];

	demon_local_text(&v->local, local);
	if (!doc || !quota || (v->has_quotas && json_object_update(doc, quota)) ||
	    (has_clock(v) && json_object_set_new(doc, "localTime", json_string(local))))
		return no_memory(err);
	return demon_out_json(&ctl->settings, demon_take(doc), err);
}

static void print_verdict(const struct demon_ward_question *q, const struct demon_ward_verdict *v)
{
	char local[DEMON_LOCAL_LEN + 1];

	demon_out_field("capability", "%s", q->capability);
	demon_out_field("tenant", "%s", q->tenant);
	demon_out_field("at", "%s", demon_out_time(q->t));
	demon_out_field("decision", "%s", demon_ward_allows(v) ? "allowed" : "denied");
	demon_out_field("reason", "%s",
			v->asked ? demon_ward_reason_name(v->reason) : "no policy is about it");
	if (*v->detail)
		demon_out_field("detail", "%s", v->detail);
	if (*v->rule)
		demon_out_field("rule", "%s (%s)", v->rule, v->source);
	if (has_clock(v)) {
		demon_local_text(&v->local, local);
		demon_out_field("local time", "%s", local);
	}
	if (!v->has_quotas)
		return;
	demon_out_field("quota", "%lld within %lld s, %lld left", (long long)v->limit,
			(long long)v->window_s, (long long)left_of(v));
	demon_out_field("window", "%s to %s", demon_out_time(v->window),
			demon_out_time(window_end(v)));
}

static enum demon_rc ask(struct demon_ctl *ctl, const struct demon_ward_question *q,
			 struct demon_ward_verdict *ret, struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(ctl->store, &loan, err)))
		return rc;
	return demon_ward_decide(loan.db, q, ret, err);
}

enum demon_rc demon_command_policy_check(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_env *env = demon_env_real();
	const char *at = demon_args_get(&ctl->args, "at");
	demon_cleanup(close_wards) struct demon_wards *wards = NULL;
	char capability[DEMON_CAPABILITY_MAX + 1];
	struct demon_ward_question q = {.tenant = ctl->settings.tenant.value,
					.capability = capability,
					.t = env->now(env->ctx)};
	struct demon_ward_verdict v;
	enum demon_rc rc;

	if (demon_capability_name(ctl->words[0], capability, err))
		return err->rc = DEMON_USAGE;
	if ((at && (rc = demon_when(at, "at", 1, &q.t, err))) ||
	    (rc = demon_ward_settings_read(&wards, err)) || (rc = demon_ctl_open(ctl, false, err)))
		return rc;
	q.wards = wards;
	if ((rc = ask(ctl, &q, &v, err)))
		return rc;
	if (!ctl->settings.json)
		print_verdict(&q, &v);
	else if ((rc = verdict_json(ctl, &q, &v, err)))
		return rc;
	if (demon_ward_allows(&v))
		return DEMON_OK;
	return demon_err_set(err, DEMON_DENIED, "%s would be denied: %s", capability, v.detail);
}
