#include "schedule.h"

#include "domain/admin/register.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VARIABLE    "WARDS_SCHEDULES"
#define GLOBAL      "global"
#define POINTER_LEN 320
#define PAUSE_MAX   ((json_int_t)3650 * 86400)

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for schedules");
}

/* 0: Monday; -1: it is no day. */
static int day_of(const char *name)
{
	static const char *const days[] = {"monday", "tuesday",  "wednesday", "thursday",
					   "friday", "saturday", "sunday"};

	for (int i = 0; i < (int)demon_count(days); i++)
		if (strcasecmp(name, days[i]) == 0 ||
		    (strlen(name) == 3 && strncasecmp(name, days[i], 3) == 0))
			return i;
	return -1;
}

/* "HH:MM" as a minute of the day; one digit will do. -1: it is none. */
static int minute_of(const char *text)
{
	int part[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		int digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 3; digits++)
			part[i] = 10 * part[i] + (*text++ - '0');
		if (!digits || digits > 2 || *text != (i ? '\0' : ':'))
			return -1;
		text++;
	}
	return part[0] < 24 && part[1] < 60 ? part[0] * 60 + part[1] : -1;
}

static enum demon_rc check_keys(const json_t *rule, const struct demon_policy_place *place,
				struct demon_err *err)
{
	static const char *const known[] = {"action", "timezone", "days",
					    "start",  "end",      "escalation_timeout_seconds"};
	const char *key;
	json_t *value;

	json_object_foreach(demon_json_iterable(rule), key, value)
	{
		char why[128];
		size_t i = 0;

		while (i < demon_count(known) && strcmp(key, known[i]) != 0)
			i++;
		(void)snprintf(why, sizeof(why), "unknown key '%.64s'", key);
		if (i == demon_count(known))
			return demon_policy_wrong(place, why, err);
	}
	return DEMON_OK;
}

static enum demon_rc check_days(const json_t *days, const struct demon_policy_place *place,
				struct demon_err *err)
{
	if (days && !json_is_array(days))
		return demon_policy_wrong(place, "'days': expected a list", err);
	for (size_t i = 0; i < json_array_size(days); i++) {
		const char *name = json_string_value(json_array_get(days, i));
		char why[128];

		(void)snprintf(why, sizeof(why), "'days': '%.32s' is no day: mon, monday … sunday",
			       name ? name : demon_json_describe(json_array_get(days, i)));
		if (!name || day_of(name) < 0)
			return demon_policy_wrong(place, why, err);
	}
	return DEMON_OK;
}

static enum demon_rc check_time(const json_t *rule, const char *key,
				const struct demon_policy_place *place, struct demon_err *err)
{
	const char *text = json_string_value(json_object_get(rule, key));
	char why[128];

	if (text && minute_of(text) >= 0)
		return DEMON_OK;
	(void)snprintf(why, sizeof(why), "'%s': expected a time of day, \"HH:MM\"", key);
	return demon_policy_wrong(place, why, err);
}

static enum demon_rc check_zone(const json_t *rule, const char *zones,
				const struct demon_policy_place *place, struct demon_err *err)
{
	const char *name = json_string_value(json_object_get(rule, "timezone"));
	demon_cleanup(demon_zone_free_p) struct demon_zone *zone = NULL;
	struct demon_err why;
	enum demon_rc rc;

	if (!name)
		return demon_policy_wrong(place, "'timezone': expected a name like 'Europe/Oslo'",
					  err);
	rc = zones && !*zones ? demon_zone_check(name, &why)
			      : demon_zone_open(zones, name, &zone, &why);
	if (rc == DEMON_INVALID)
		return demon_policy_wrong(place, why.msg, err);
	return rc ? demon_err_set(err, rc, "%s: at '%.200s': %s", place->what, place->pointer,
				  why.msg)
		  : DEMON_OK;
}

static enum demon_rc check_rule(const json_t *rule, const char *zones,
				const struct demon_policy_place *place, struct demon_err *err)
{
	const char *action = json_string_value(json_object_get(rule, "action"));
	const json_t *pause = json_object_get(rule, "escalation_timeout_seconds");
	enum demon_rc rc;

	if (!json_is_object(rule))
		return demon_policy_wrong(place, "expected a rule", err);
	if ((rc = check_keys(rule, place, err)))
		return rc;
	if (!action || (strcmp(action, "allow") != 0 && strcmp(action, "deny") != 0))
		return demon_policy_wrong(place, "'action': expected 'allow' or 'deny'", err);
	if (pause && (!json_is_integer(pause) || json_integer_value(pause) < 0 ||
		      json_integer_value(pause) > PAUSE_MAX))
		return demon_policy_wrong(
		    place, "'escalation_timeout_seconds': expected whole seconds", err);
	if ((rc = check_days(json_object_get(rule, "days"), place, err)) ||
	    (rc = check_time(rule, "start", place, err)) ||
	    (rc = check_time(rule, "end", place, err)))
		return rc;
	return check_zone(rule, zones, place, err);
}

static enum demon_rc check_rules(const json_t *rules, const char *zones,
				 const struct demon_policy_place *place, struct demon_err *err)
{
	enum demon_rc rc;

	if (!json_is_array(rules))
		return demon_policy_wrong(place, "expected a list of rules", err);
	if (json_array_size(rules) > DEMON_SCHEDULE_RULES)
		return demon_policy_wrong(place, "more than 256 rules", err);
	for (size_t i = 0; i < json_array_size(rules); i++) {
		char pointer[POINTER_LEN];
		const struct demon_policy_place at = {place->what, pointer};

		(void)snprintf(pointer, sizeof(pointer), "%.300s/%zu", place->pointer, i);
		if ((rc = check_rule(json_array_get(rules, i), zones, &at, err)))
			return rc;
	}
	return DEMON_OK;
}

enum demon_rc demon_schedules_check(const json_t *document, const char *zones,
				    const struct demon_policy_place *place, json_t **ret_document,
				    struct demon_err *err)
{
	json_auto_t *named = json_object();
	const char *key;
	json_t *rules;
	enum demon_rc rc;

	if (!named)
		return no_memory(err);
	if (!json_is_object(document))
		return demon_policy_wrong(place, "expected a mapping of capabilities", err);
	json_object_foreach(demon_json_iterable(document), key, rules)
	{
		char pointer[POINTER_LEN];
		const struct demon_policy_place at = {place->what, pointer};
		char name[DEMON_CAPABILITY_MAX + 1];
		struct demon_err why;

		(void)snprintf(pointer, sizeof(pointer), "%.160s/%.128s", place->pointer, key);
		if (demon_capability_name(key, name, &why))
			return demon_policy_wrong(place, why.msg, err);
		if ((rc = check_rules(rules, zones, &at, err)))
			return rc;
		if (json_object_get(named, name))
			return demon_policy_wrong(&at, "the same capability twice", err);
		if (json_object_set(named, name, rules))
			return no_memory(err);
	}
	*ret_document = demon_take(named);
	return DEMON_OK;
}

static bool on_day(const json_t *days, int weekday)
{
	if (!days)
		return true;
	for (size_t i = 0; i < json_array_size(days); i++)
		if (day_of(json_string_value(json_array_get(days, i))) == weekday)
			return true;
	return false;
}

static enum demon_rc matches(const json_t *rule, const char *zones, demon_time t,
			     struct demon_local *ret_local, bool *ret_match, struct demon_err *err)
{
	const char *name = json_string_value(json_object_get(rule, "timezone"));
	int start = minute_of(json_string_value(json_object_get(rule, "start")));
	int end = minute_of(json_string_value(json_object_get(rule, "end")));
	demon_cleanup(demon_zone_free_p) struct demon_zone *zone = NULL;
	struct demon_local local;
	enum demon_rc rc;

	if ((rc = demon_zone_open(zones, name, &zone, err)))
		return rc;
	local = demon_zone_local(zone, t);
	*ret_local = local;
	*ret_match = on_day(json_object_get(rule, "days"), local.weekday) &&
		     (start <= end ? local.minute >= start && local.minute <= end
				   : local.minute >= start || local.minute <= end);
	return DEMON_OK;
}

static bool denies(const json_t *rule)
{
	return strcmp(json_string_value(json_object_get(rule, "action")), "deny") == 0;
}

/* Asks the rules of one document, unless one before has decided. */
static enum demon_rc judge(const json_t *rules, const char *zones, demon_time t,
			   struct demon_schedule_verdict *v, struct demon_err *err)
{
	for (size_t i = 0; !v->rule && i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);
		bool match;
		enum demon_rc rc;

		v->result = DEMON_SCHEDULE_NOMATCH;
		if ((rc = matches(rule, zones, t, &v->local, &match, err)))
			return rc;
		if (!match)
			continue;
		v->result = denies(rule) ? DEMON_SCHEDULE_DENY : DEMON_SCHEDULE_ALLOW;
		v->index = i;
		v->rule = rule;
	}
	return DEMON_OK;
}

enum demon_rc demon_schedule_judge(const struct demon_schedules *schedules, const char *capability,
				   demon_time t, struct demon_schedule_verdict *ret_verdict,
				   struct demon_err *err)
{
	const json_t *own = json_object_get(schedules->of_tenant, capability);
	const json_t *node = json_object_get(schedules->of_node, capability);
	struct demon_schedule_verdict v = {.result = DEMON_SCHEDULE_NONE};
	enum demon_rc rc;

	if ((rc = judge(own, schedules->zones, t, &v, err)))
		return rc;
	v.of_tenant = v.rule;
	if ((rc = judge(node, schedules->zones, t, &v, err)))
		return rc;
	*ret_verdict = v;
	return DEMON_OK;
}

enum demon_rc demon_schedules_read(const char *text, const char *zones, json_t **ret_documents,
				   struct demon_err *err)
{
	const struct demon_policy_place root = {VARIABLE, ""};
	json_auto_t *all = NULL;
	json_auto_t *documents = json_object();
	const char *tenant;
	json_t *given;
	enum demon_rc rc;

	*ret_documents = NULL;
	if (!text || !text[strspn(text, " \t\r\n")])
		return DEMON_OK;
	if (!documents)
		return no_memory(err);
	if ((rc = demon_policy_parse(VARIABLE, text, &all, err)))
		return rc;
	if (!json_is_object(all))
		return demon_policy_wrong(&root, "expected a mapping of tenants", err);
	json_object_foreach(all, tenant, given)
	{
		bool node = strcmp(tenant, GLOBAL) == 0 || strcmp(tenant, DEMON_TENANT_ALL) == 0;
		const char *key = node ? DEMON_TENANT_ALL : tenant;
		char pointer[80];
		const struct demon_policy_place place = {VARIABLE, pointer};
		json_t *document = NULL;

		(void)snprintf(pointer, sizeof(pointer), "/%.64s", tenant);
		if (!node && !demon_id_valid(tenant))
			return demon_policy_wrong(&place, "it is no tenant", err);
		if (json_object_get(documents, key))
			return demon_policy_wrong(&place, "'global' and '*' are the same", err);
		if ((rc = demon_schedules_check(given, zones, &place, &document, err)))
			return rc;
		if (json_object_set_new(documents, key, document))
			return no_memory(err);
	}
	if (json_object_size(documents))
		*ret_documents = demon_take(documents);
	return DEMON_OK;
}
