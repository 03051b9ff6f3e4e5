#include "support/test.h"

#include "domain/ward/quota.h"

/* What holds for a capability of a tenant, as "limit:window rule", or "none". */
static const char *held(const struct demon_quota_texts *texts, const char *tenant,
			const char *capability)
{
	static char text[256];
	json_t *documents = NULL;
	json_t *rules = NULL;
	const json_t *page;
	struct demon_quota q;
	struct demon_err err;

	assert_ok(demon_quotas_read(texts, &documents, &rules, &err), &err);
	if (!demon_quota_find(json_object_get(documents, tenant), json_object_get(documents, "*"),
			      capability, &q)) {
		(void)snprintf(text, sizeof(text), "none");
	} else {
		page = json_object_get(rules, q.of_tenant ? tenant : "*");
		(void)snprintf(text, sizeof(text), "%lld:%lld%s %s", (long long)q.limit,
			       (long long)q.window_s, q.per_tenant ? "" : " shared",
			       json_string_value(json_object_get(page, q.key)));
	}
	json_decref(documents);
	json_decref(rules);
	return text;
}

static void the_most_particular_quota_holds(void **state)
{
	const struct demon_quota_texts texts = {
	    .capabilities = "GLOBAL:capsule.http=9:30,TENANT:blue:capsule.http=2:60",
	    .tenants = "{\"blue\":{\"limit\":5,\"windowSeconds\":10}}",
	    .global = "{\"limit\":7,\"windowSeconds\":3600}",
	};

	(void)state;
	assert_string_equal(held(&texts, "blue", "capsule.http"), "2:60 WARDS_CAP_QUOTAS entry 2");
	/* a quota of the tenant outranks one of the capability for all */
	assert_string_equal(held(&texts, "blue", "capsule.echo"), "5:10 WARDS_QUOTAS at '/blue'");
	assert_string_equal(held(&texts, "red", "capsule.http"),
			    "9:30 shared WARDS_CAP_QUOTAS entry 1");
	assert_string_equal(held(&texts, "red", "capsule.echo"),
			    "7:3600 shared WARDS_GLOBAL_QUOTA");
}

static void without_a_quota_that_is_meant_none_holds(void **state)
{
	const struct demon_quota_texts texts = {.capabilities = "TENANT:blue:http=2:60"};

	(void)state;
	assert_string_equal(held(&texts, "blue", "capsule.echo"), "none");
	assert_string_equal(held(&texts, "red", "capsule.http"), "none");
}

static void short_and_full_names_are_the_same_capability(void **state)
{
	const struct demon_quota_texts compact = {.capabilities =
						      "GLOBAL:http=1:1, GLOBAL:capsule.http=3:4 ,"};
	const struct demon_quota_texts json = {
	    .capabilities = " {\"blue\":{\"http\":{\"limit\":1,\"windowSeconds\":2}},"
			    "\"*\":{\"capsule.echo\":{\"limit\":3,\"windowSeconds\":4}}}",
	    .per_tenant = true};

	(void)state;
	/* the later one counts */
	assert_string_equal(held(&compact, "red", "capsule.http"),
			    "3:4 shared WARDS_CAP_QUOTAS entry 2");
	assert_string_equal(held(&json, "blue", "capsule.http"),
			    "1:2 WARDS_CAP_QUOTAS at '/blue/capsule.http'");
	assert_string_equal(held(&json, "blue", "capsule.echo"),
			    "3:4 WARDS_CAP_QUOTAS at '/*/capsule.echo'");
}

static void blank_texts_configure_nothing(void **state)
{
	static const char *const blank[] = {NULL, "", " \t\n", " , ,, ", "{}"};
	json_t *documents;
	json_t *rules;
	struct demon_err err;

	(void)state;
	for (size_t i = 0; i < demon_count(blank); i++) {
		const struct demon_quota_texts texts = {.capabilities = blank[i],
							.tenants = i == 3 ? NULL : blank[i],
							.global = i < 3 ? blank[i] : NULL};

		assert_ok(demon_quotas_read(&texts, &documents, &rules, &err), &err);
		assert_null(documents);
		assert_null(rules);
	}
}

static void refused(const struct demon_quota_texts *texts, const char *why)
{
	json_t *documents = NULL;
	json_t *rules = NULL;
	struct demon_err err;

	assert_rc(demon_quotas_read(texts, &documents, &rules, &err), DEMON_INVALID, &err);
	assert_string_equal(err.msg, why);
	assert_null(documents);
	assert_null(rules);
}

static void entries_that_are_wrong_are_named_by_their_number(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} rows[] = {
	    {"GLOBAL:http=1:1,http=1:1",
	     "entry 2: expected GLOBAL:CAPABILITY or TENANT:TENANT:CAPABILITY"},
	    {"global:http=1:1", "entry 1: expected GLOBAL:CAPABILITY or TENANT:TENANT:CAPABILITY"},
	    {",,GLOBAL:http", "entry 3: expected exactly one '='"},
	    {"GLOBAL:http=1=2:3", "entry 1: expected exactly one '='"},
	    {"TENANT:blue=1:1", "entry 1: expected TENANT:TENANT:CAPABILITY"},
	    {"TENANT:b*:http=1:1", "entry 1: the tenant is none: 1 to 64 of A-Z a-z 0-9 _ -"},
	    {"TENANT:blue:h:ttp=1:1",
	     "entry 1: 'h:ttp' is no capability: 1 to 128 of A-Z a-z 0-9 . _ -"},
	    {"GLOBAL:=1:1", "entry 1: '' is no capability: 1 to 128 of A-Z a-z 0-9 . _ -"},
	    {"GLOBAL:http=1", "entry 1: expected LIMIT:SECONDS behind the '='"},
	    {"GLOBAL:http=1:2:3", "entry 1: expected LIMIT:SECONDS behind the '='"},
	    {"GLOBAL:http=-1:2", "entry 1: limit and seconds are whole numbers"},
	    {"GLOBAL:http=1:2s", "entry 1: limit and seconds are whole numbers"},
	    {"GLOBAL:http=99999999999999999999:2", "entry 1: limit and seconds are whole numbers"},
	};

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		char why[256];

		(void)snprintf(why, sizeof(why), "WARDS_CAP_QUOTAS: %s", rows[i].why);
		refused(&(struct demon_quota_texts){.capabilities = rows[i].text}, why);
	}
	refused(&(struct demon_quota_texts){.capabilities = "GLOBAL:http=1:0"},
		"WARDS_CAP_QUOTAS entry 1: at '': 'windowSeconds': expected a whole number from 1 "
		"to 315360000");
}

static void what_is_wrong_in_json_is_named_by_its_place(void **state)
{
	(void)state;
	refused(&(struct demon_quota_texts){.capabilities = "{\"blue\":{\"http\":{\"limit\":1}}}"},
		"WARDS_CAP_QUOTAS: at '/blue/http': 'windowSeconds': expected a whole number from "
		"1 to 315360000");
	refused(&(struct demon_quota_texts){.capabilities = "{\"blue\":{\"http\":3}}"},
		"WARDS_CAP_QUOTAS: at '/blue/http': expected {\"limit\":N,\"windowSeconds\":N}");
	refused(&(struct demon_quota_texts){.capabilities = "{\"b.\":{}}"},
		"WARDS_CAP_QUOTAS: 'b.' is no tenant: 1 to 64 of A-Z a-z 0-9 _ -");
	refused(
	    &(struct demon_quota_texts){.capabilities =
					    "{\"b\":{\"http\":{\"limit\":1,\"windowSeconds\":1},"
					    "\"capsule.http\":{\"limit\":1,\"windowSeconds\":1}}}"},
	    "WARDS_CAP_QUOTAS: at '/b/capsule.http': the same capability twice");
	refused(
	    &(struct demon_quota_texts){
		.tenants = "{\"b\":{\"limit\":1,\"windowSeconds\":1,\"burst\":1}}"},
	    "WARDS_QUOTAS: at '/b': unknown key 'burst'");
	refused(&(struct demon_quota_texts){.tenants = "[]"},
		"WARDS_QUOTAS: at '': expected a mapping of tenants");
	refused(&(struct demon_quota_texts){.global = "{\"limit\":1.5,\"windowSeconds\":1}"},
		"WARDS_GLOBAL_QUOTA: at '': 'limit': expected a whole number from 0 to "
		"4294967295");
	refused(&(struct demon_quota_texts){.global = "{\"limit\":4294967296,\"windowSeconds\":1}"},
		"WARDS_GLOBAL_QUOTA: at '': 'limit': expected a whole number from 0 to "
		"4294967295");
	refused(&(struct demon_quota_texts){.global = "limit:100,windowSeconds:3600"},
		"WARDS_GLOBAL_QUOTA: 1:1: expected a value, found 'l'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_most_particular_quota_holds),
	    cmocka_unit_test(without_a_quota_that_is_meant_none_holds),
	    cmocka_unit_test(short_and_full_names_are_the_same_capability),
	    cmocka_unit_test(blank_texts_configure_nothing),
	    cmocka_unit_test(entries_that_are_wrong_are_named_by_their_number),
	    cmocka_unit_test(what_is_wrong_in_json_is_named_by_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
