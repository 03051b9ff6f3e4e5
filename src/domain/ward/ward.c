#include "ward.h"

#include "domain/admin/register.h"

#include <stdio.h>
#include <string.h>

const char *demon_ward_reason_name(enum demon_ward_reason reason)
{
	static const char *const names[] = {"allowed", "quota_exceeded", "time_policy_denied",
					    "policy_invalid"};

	return names[reason];
}

bool demon_ward_allows(const struct demon_ward_verdict *verdict)
{
	return verdict->reason == DEMON_WARD_ALLOWED;
}

int64_t demon_ward_remaining(const struct demon_ward_verdict *verdict)
{
	int64_t left = verdict->limit - verdict->used - 1;

	return demon_ward_allows(verdict) && left > 0 ? left : 0;
}

static void set_fault(struct demon_ward_verdict *v, const char *source, const char *why)
{
	v->reason = DEMON_WARD_FAULT;
	v->source = source;
	v->rule[0] = '\0';
	(void)snprintf(v->detail, sizeof(v->detail), "%s", why);
}

/* "quotas of tenant 'blue' at '/capsule.http'" */
static void name_rule(struct demon_ward_verdict *v, const char *part, bool of_tenant,
		      const char *tenant, const char *pointer)
{
	(void)snprintf(v->rule, sizeof(v->rule), "%s of %s%s%s at '%.150s'", part,
		       of_tenant ? "tenant '" : "the node", of_tenant ? tenant : "",
		       of_tenant ? "'" : "", pointer);
}

/* Asks the schedules. What is wrong with them denies. */
static enum demon_rc ask_schedules(const struct demon_policy *p,
				   const struct demon_ward_question *q,
				   struct demon_ward_verdict *v, struct demon_err *err)
{
	const struct demon_schedules schedules = {p->schedules.of_tenant, p->schedules.of_node,
						  p->zones};
	struct demon_schedule_verdict s;
	char pointer[DEMON_CAPABILITY_MAX + 32];
	char text[DEMON_LOCAL_LEN + 1];
	enum demon_rc rc = demon_schedule_judge(&schedules, q->capability, q->t, &s, err);

	if (rc == DEMON_NOMEM)
		return rc;
	if (rc) {
		set_fault(v, p->schedules.source, err->msg);
		return DEMON_OK;
	}
	v->schedule = s.result;
	v->local = s.local;
	if (!s.rule)
		return DEMON_OK;
	v->source = p->schedules.source;
	(void)snprintf(pointer, sizeof(pointer), "/%s/%zu", q->capability, s.index);
	name_rule(v, strcmp(v->source, "database") == 0 ? "schedules" : "WARDS_SCHEDULES",
		  s.of_tenant, q->tenant, pointer);
	if (s.result != DEMON_SCHEDULE_DENY)
		return DEMON_OK;
	demon_local_text(&s.local, text);
	v->reason = DEMON_WARD_TIME;
	(void)snprintf(v->detail, sizeof(v->detail), "it is %s in %.64s", text,
		       json_string_value(json_object_get(s.rule, "timezone")));
	return DEMON_OK;
}

static void name_quota(const struct demon_policy *p, const char *tenant,
		       const struct demon_quota *q, struct demon_ward_verdict *v)
{
	const json_t *page = json_object_get(p->rules, q->of_tenant ? tenant : DEMON_TENANT_ALL);
	const char *from = json_string_value(json_object_get(page, q->key));
	char pointer[DEMON_CAPABILITY_MAX + 2];

	v->source = p->quotas.source;
	(void)snprintf(pointer, sizeof(pointer), "/%s", q->key);
	if (from)
		(void)snprintf(v->rule, sizeof(v->rule), "%s", from);
	else
		name_rule(v, "quotas", q->of_tenant, tenant, pointer);
}

static int64_t seconds_of(demon_time t)
{
	return t >= 0 ? t / 1000 : -((-t + 999) / 1000);
}

static int64_t window_begin(int64_t seconds, int64_t window)
{
	int64_t n = seconds >= 0 ? seconds / window : -((-seconds + window - 1) / window);

	return n * window;
}

static void set_exceeded(struct demon_ward_verdict *v, bool found)
{
	char until[DEMON_RFC3339_LEN + 1];

	v->reason = DEMON_WARD_EXCEEDED;
	demon_rfc3339(v->window + v->window_s * 1000, until);
	if (found)
		(void)snprintf(v->detail, sizeof(v->detail), "%lld of %lld until %s",
			       (long long)v->used, (long long)v->limit, until);
	else
		(void)snprintf(v->detail, sizeof(v->detail), "no quota names the capability");
}

/* Asks the quota; what is denied already only learns what that is. */
static enum demon_rc ask_quota(struct demon_db *db, const struct demon_policy *p,
			       const struct demon_ward_question *ask, struct demon_ward_verdict *v,
			       struct demon_err *err)
{
	struct demon_quota q = {.window_s = DEMON_QUOTA_WINDOW_DEFAULT, .per_tenant = true};
	bool found = demon_quota_find(p->quotas.of_tenant, p->quotas.of_node, ask->capability, &q);
	int64_t from = window_begin(seconds_of(ask->t), q.window_s);
	const struct demon_ward_span span = {q.per_tenant ? ask->tenant : DEMON_TENANT_ALL,
					     ask->capability, from, from + q.window_s};
	enum demon_rc rc;

	v->has_quotas = p->quotas.any;
	v->limit = found || v->has_quotas ? q.limit : DEMON_QUOTA_LIMIT_MAX;
	v->window_s = q.window_s;
	v->window = from * 1000;
	if ((rc = demon_ward_uses(db, &span, &v->used, err)))
		return rc;
	if (!demon_ward_allows(v) || !v->has_quotas)
		return DEMON_OK;
	v->rule[0] = '\0';
	v->source = p->quotas.source;
	if (found)
		name_quota(p, ask->tenant, &q, v);
	if (v->used >= v->limit)
		set_exceeded(v, found);
	return DEMON_OK;
}

enum demon_rc demon_ward_decide(struct demon_db *db, const struct demon_ward_question *question,
				struct demon_ward_verdict *ret_verdict, struct demon_err *err)
{
	struct demon_ward_verdict v = {.source = "none", .window_s = DEMON_QUOTA_WINDOW_DEFAULT};
	DEMON_POLICY(p);
	enum demon_rc rc;

	if ((rc = demon_policy_find(db, question->wards, question->tenant, &p, &v.asked, err)))
		return rc;
	if (!v.asked) {
		*ret_verdict = v;
		return DEMON_OK;
	}
	memcpy(v.digest, p.digest, sizeof(v.digest));
	if (*p.fault) {
		set_fault(&v, "database", p.fault);
		v.window = window_begin(seconds_of(question->t), v.window_s) * 1000;
	} else if ((rc = ask_schedules(&p, question, &v, err)) ||
		   (rc = ask_quota(db, &p, question, &v, err))) {
		return rc;
	}
	v.asked = v.has_quotas || v.schedule != DEMON_SCHEDULE_NONE || !demon_ward_allows(&v);
	*ret_verdict = v;
	return DEMON_OK;
}

static bool set(json_t *object, const char *key, json_t *value_new)
{
	return json_object_set_new_nocheck(object, key, value_new) == 0;
}

static bool set_time(json_t *object, const char *key, demon_time t)
{
	char text[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(t, text);
	return set(object, key, json_string_nocheck(text));
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a decision");
}

enum demon_rc demon_ward_decision(const struct demon_ward_verdict *verdict, const char *capability,
				  json_t *payload, struct demon_err *err)
{
	bool allowed = demon_ward_allows(verdict);

	/* the contract has one reason for all */
	if (!set(payload, "capability", json_string(capability)) ||
	    !set(payload, "decision",
		 allowed ? json_pack("{s:b}", "allowed", 1)
			 : json_pack("{s:b,s:s}", "allowed", 0, "reason", "limit_exceeded")) ||
	    !set(payload, "quota",
		 json_pack("{s:I,s:I,s:I}", "limit", (json_int_t)verdict->limit, "remaining",
			   (json_int_t)demon_ward_remaining(verdict), "windowSeconds",
			   (json_int_t)verdict->window_s)))
		return no_memory(err);
	return DEMON_OK;
}

static bool set_clock(json_t *payload, const struct demon_ward_verdict *v)
{
	char text[DEMON_LOCAL_LEN + 1];

	if (v->schedule != DEMON_SCHEDULE_ALLOW && v->schedule != DEMON_SCHEDULE_DENY)
		return true;
	demon_local_text(&v->local, text);
	return set(payload, "localTime", json_string(text));
}

enum demon_rc demon_ward_evaluated(const struct demon_ward_verdict *verdict, const char *capability,
				   json_t *payload, struct demon_err *err)
{
	const struct demon_ward_verdict *v = verdict;

	if (!set(payload, "capability", json_string(capability)) ||
	    !set(payload, "allowed", json_boolean(demon_ward_allows(v))) ||
	    !set(payload, "reason", json_string(demon_ward_reason_name(v->reason))) ||
	    !set(payload, "source", json_string(v->source)) ||
	    (*v->rule && !set(payload, "rule", json_string(v->rule))) ||
	    (*v->detail && !set(payload, "detail", json_string(v->detail))) ||
	    (*v->digest && !set(payload, "policyDigest", json_string(v->digest))) ||
	    !set(payload, "used", json_integer(v->used)) ||
	    !set_time(payload, "windowStart", v->window) || !set_clock(payload, v))
		return no_memory(err);
	return DEMON_OK;
}
