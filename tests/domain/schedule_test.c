#include "support/test.h"

#include "base/bytes.h"
#include "domain/ward/schedule.h"

#define DENY_FRIDAY                                      \
	"{\"action\":\"deny\",\"timezone\":\"Europe/"    \
	"Oslo\",\"days\":[\"Fri\"],\"start\":\"15:00\"," \
	"\"end\":\"23:59\"}"

static struct demon_schedule_verdict ask(const char *text, const char *tenant, const char *at)
{
	struct demon_schedule_verdict v = {0};
	struct demon_schedules schedules = {0};
	json_t *documents = NULL;
	struct demon_err err;
	demon_time t;

	assert_ok(demon_rfc3339_parse(at, &t, &err), &err);
	assert_ok(demon_schedules_read(text, NULL, &documents, &err), &err);
	schedules.of_tenant = json_object_get(documents, tenant);
	schedules.of_node = json_object_get(documents, "*");
	assert_ok(demon_schedule_judge(&schedules, "capsule.deploy", t, &v, &err), &err);
	json_decref(documents);
	v.rule = NULL;
	return v;
}

static enum demon_schedule_result result(const char *rules, const char *at)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), "{\"global\":{\"deploy\":[%s]}}", rules);
	return ask(text, "blue", at).result;
}

static void both_ends_are_in_and_the_zone_is_the_rules_own(void **state)
{
	(void)state;
	/* Friday, 2026-06-05; Oslo is two hours ahead */
	assert_int_equal(result(DENY_FRIDAY, "2026-06-05T12:59:59Z"), DEMON_SCHEDULE_NOMATCH);
	assert_int_equal(result(DENY_FRIDAY, "2026-06-05T13:00:00Z"), DEMON_SCHEDULE_DENY);
	assert_int_equal(result(DENY_FRIDAY, "2026-06-05T21:59:59.999Z"), DEMON_SCHEDULE_DENY);
	assert_int_equal(result(DENY_FRIDAY, "2026-06-05T22:00:00Z"), DEMON_SCHEDULE_NOMATCH);
	assert_int_equal(result(DENY_FRIDAY, "2026-06-04T14:00:00Z"), DEMON_SCHEDULE_NOMATCH);
	/* and one in winter */
	assert_int_equal(result(DENY_FRIDAY, "2026-01-02T13:59:59Z"), DEMON_SCHEDULE_NOMATCH);
	assert_int_equal(result(DENY_FRIDAY, "2026-01-02T14:00:00Z"), DEMON_SCHEDULE_DENY);
}

static void a_rule_over_midnight_belongs_to_the_day_that_it_reaches(void **state)
{
	static const char rule[] =
	    "{\"action\":\"deny\",\"timezone\":\"UTC\",\"days\":[\"SATURDAY\"],"
	    "\"start\":\"22:00\",\"end\":\"6:0\"}";

	(void)state;
	assert_int_equal(result(rule, "2026-06-05T23:00:00Z"), DEMON_SCHEDULE_NOMATCH); /* Friday */
	assert_int_equal(result(rule, "2026-06-06T06:00:59Z"), DEMON_SCHEDULE_DENY);
	assert_int_equal(result(rule, "2026-06-06T06:01:00Z"), DEMON_SCHEDULE_NOMATCH);
	assert_int_equal(result(rule, "2026-06-06T22:00:00Z"), DEMON_SCHEDULE_DENY);
	assert_int_equal(result(rule, "2026-06-07T01:00:00Z"), DEMON_SCHEDULE_NOMATCH); /* Sunday */
}

static void equal_ends_are_one_minute_and_no_days_are_never(void **state)
{
	static const char minute[] =
	    "{\"action\":\"deny\",\"timezone\":\"UTC\",\"start\":\"09:05\",\"end\":\"9:5\"}";
	static const char never[] = "{\"action\":\"deny\",\"timezone\":\"UTC\",\"days\":[],"
				    "\"start\":\"0:0\",\"end\":\"23:59\"}";

	(void)state;
	assert_int_equal(result(minute, "2026-06-05T09:05:59Z"), DEMON_SCHEDULE_DENY);
	assert_int_equal(result(minute, "2026-06-05T09:06:00Z"), DEMON_SCHEDULE_NOMATCH);
	assert_int_equal(result(never, "2026-06-05T09:05:59Z"), DEMON_SCHEDULE_NOMATCH);
}

static void the_first_of_overlapping_rules_decides_the_tenants_own_before(void **state)
{
	static const char text[] =
	    "{\"global\":{\"capsule.deploy\":[" DENY_FRIDAY "]},"
	    "\"blue\":{\"deploy\":["
	    "{\"action\":\"allow\",\"timezone\":\"UTC\",\"start\":\"14:00\",\"end\":\"14:30\","
	    "\"escalation_timeout_seconds\":900},"
	    "{\"action\":\"deny\",\"timezone\":\"UTC\",\"start\":\"14:30\",\"end\":\"14:40\"}]}}";
	struct demon_schedule_verdict v = ask(text, "blue", "2026-06-05T14:30:00Z");

	(void)state;
	assert_int_equal(v.result, DEMON_SCHEDULE_ALLOW);
	assert_true(v.of_tenant);
	assert_int_equal(v.index, 0);
	v = ask(text, "blue", "2026-06-05T14:31:00Z");
	assert_int_equal(v.result, DEMON_SCHEDULE_DENY);
	assert_int_equal(v.index, 1);
	/* what the tenant's rules say nothing about is left to those of all */
	v = ask(text, "blue", "2026-06-05T14:41:00Z");
	assert_int_equal(v.result, DEMON_SCHEDULE_DENY);
	assert_false(v.of_tenant);
	assert_int_equal(ask(text, "red", "2026-06-05T14:30:00Z").result, DEMON_SCHEDULE_DENY);
	assert_int_equal(ask("{}", "red", "2026-06-05T14:30:00Z").result, DEMON_SCHEDULE_NONE);
}

static void the_hour_that_is_left_out_matches_nothing_and_the_double_one_twice(void **state)
{
	static const char rule[] = "{\"action\":\"deny\",\"timezone\":\"Europe/Oslo\","
				   "\"start\":\"02:00\",\"end\":\"02:59\"}";

	(void)state;
	assert_int_equal(result(rule, "2026-03-29T00:59:59Z"), DEMON_SCHEDULE_NOMATCH);
	assert_int_equal(result(rule, "2026-03-29T01:00:00Z"), DEMON_SCHEDULE_NOMATCH);
	assert_int_equal(result(rule, "2026-10-25T00:30:00Z"), DEMON_SCHEDULE_DENY);
	assert_int_equal(result(rule, "2026-10-25T01:30:00Z"), DEMON_SCHEDULE_DENY);
	assert_int_equal(result(rule, "2026-10-25T02:00:00Z"), DEMON_SCHEDULE_NOMATCH);
}

static void what_is_wrong_is_an_error_with_its_place(void **state)
{
	static const struct {
		const char *rule;
		const char *why;
	} rows[] = {
	    {"3", "expected a rule"},
	    {"{}", "'action': expected 'allow' or 'deny'"},
	    {"{\"action\":\"Deny\"}", "'action': expected 'allow' or 'deny'"},
	    {"{\"action\":\"deny\",\"days\":[\"frid\"]}",
	     "'days': 'frid' is no day: mon, monday … sunday"},
	    {"{\"action\":\"deny\",\"days\":\"mon\"}", "'days': expected a list"},
	    {"{\"action\":\"deny\",\"days\":[1]}",
	     "'days': 'an integer' is no day: mon, monday … sunday"},
	    {"{\"action\":\"deny\",\"start\":\"24:00\"}",
	     "'start': expected a time of day, \"HH:MM\""},
	    {"{\"action\":\"deny\",\"start\":\"9\"}", "'start': expected a time of day, \"HH:MM\""},
	    {"{\"action\":\"deny\",\"start\":\"9:00\",\"end\":\"9:60\"}",
	     "'end': expected a time of day, \"HH:MM\""},
	    {"{\"action\":\"deny\",\"start\":\"9:00\",\"end\":\"10:00\"}",
	     "'timezone': expected a name like 'Europe/Oslo'"},
	    {"{\"action\":\"deny\",\"start\":\"9:00\",\"end\":\"10:00\",\"timezone\":\"Mars/"
	     "Base\"}",
	     "there is no time zone 'Mars/Base'"},
	    {"{\"action\":\"deny\",\"start\":\"9:00\",\"end\":\"10:00\",\"timezone\":\"../x\"}",
	     "'../x' is no name of a time zone, like 'Europe/Oslo' or 'UTC'"},
	    {"{\"action\":\"deny\",\"tz\":\"UTC\"}", "unknown key 'tz'"},
	    {"{\"action\":\"deny\",\"escalation_timeout_seconds\":-1}",
	     "'escalation_timeout_seconds': expected whole seconds"},
	};
	struct demon_err err;
	json_t *documents = NULL;

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		char text[512];
		char why[512];

		(void)snprintf(text, sizeof(text), "{\"blue\":{\"x\":[%s]}}", rows[i].rule);
		(void)snprintf(why, sizeof(why), "WARDS_SCHEDULES: at '/blue/x/0': %s",
			       rows[i].why);
		assert_rc(demon_schedules_read(text, NULL, &documents, &err), DEMON_INVALID, &err);
		assert_string_equal(err.msg, why);
	}
	assert_rc(demon_schedules_read("{\"b b\":{}}", NULL, &documents, &err), DEMON_INVALID,
		  &err);
	assert_rc(demon_schedules_read("{\"*\":{},\"global\":{}}", NULL, &documents, &err),
		  DEMON_INVALID, &err);
	assert_rc(demon_schedules_read("[", NULL, &documents, &err), DEMON_INVALID, &err);
	assert_null(documents);
	assert_ok(demon_schedules_read(" ", NULL, &documents, &err), &err);
	assert_null(documents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_are_in_and_the_zone_is_the_rules_own),
	    cmocka_unit_test(a_rule_over_midnight_belongs_to_the_day_that_it_reaches),
	    cmocka_unit_test(equal_ends_are_one_minute_and_no_days_are_never),
	    cmocka_unit_test(the_first_of_overlapping_rules_decides_the_tenants_own_before),
	    cmocka_unit_test(the_hour_that_is_left_out_matches_nothing_and_the_double_one_twice),
	    cmocka_unit_test(what_is_wrong_is_an_error_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
