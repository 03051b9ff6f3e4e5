/*
 * Wards: decisions in the interpreter, and how uses are counted.
 */
#include "support/test.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "base/json_member.h"
#include "domain/admin/register.h"
#include "domain/ward/ward.h"
#include "store/readers.h"
#include "support/exchange.h"
#include "support/play.h"

#include <stdio.h>

#define CALL(name) "{'" name "':{'call':'echo','with':{'message':'m'}}}"
#define ONCE(name) "{'" name "':{'call':'exec','with':{'command':['true'],'idempotent':false}}}"
#define CATCH(with, what) \
	"{'t':{'try':[" what "],'catch':{'errors':{'with':{" with "}},'do':[" SET("c", "1") "]}}}"
#define POLICY_ERROR "'type':'https://demon.example/errors/policy'"

static const struct demon_actor kim = {.subject = "kim@corp.test"};

struct fixture {
	struct play *play;
	struct demon_wards *wards;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	void *play;

	if (play_set_up(&play))
		return 1;
	f->play = play;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	void *play = f->play;

	demon_wards_close(f->wards);
	free(f);
	return play_tear_down(&play);
}

static void give(struct fixture *f, const struct demon_wards_options *options)
{
	struct demon_err err;

	demon_wards_close(f->wards);
	f->wards = NULL;
	assert_ok(demon_wards_open(options, &f->wards, &err), &err);
	f->play->wards = f->wards;
}

static void set(struct fixture *f, const char *tenant, const char *name, const char *text)
{
	struct demon_register_write write = {
	    .kind = DEMON_REGISTER_POLICY, .tenant = tenant, .name = name, .actor = &kim};
	json_t *value = text ? json_loads(text, 0, NULL) : NULL;
	struct demon_err err;
	bool new;

	write.value = value;
	assert_ok(demon_register_set(f->play->store, &write, &new, &err), &err);
	json_decref(value);
}

static struct demon_ward_verdict ask(struct fixture *f, const char *tenant, const char *capability,
				     demon_time t)
{
	const struct demon_ward_question question = {f->wards, tenant, capability, t};
	struct demon_ward_verdict v = {.asked = false};
	struct demon_err err;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->play->store, &loan, &err), &err);
	assert_ok(demon_ward_decide(loan.db, &question, &v, &err), &err);
	return v;
}

static int64_t uses(struct fixture *f, const char *tenant, int64_t from, int64_t to)
{
	const struct demon_ward_span span = {tenant, "capsule.echo", from, to};
	struct demon_err err;
	int64_t n = -1;
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(f->play->store, &loan, &err), &err);
	assert_ok(demon_ward_uses(loan.db, &span, &n, &err), &err);
	return n;
}

/* The payload of the nth event of a type, from 0; fails when there is none. */
static const char *event(const struct play *p, const char *type, size_t n)
{
	for (size_t i = 0; i < p->events.count; i++)
		if (strcmp(p->events.items[i].type, type) == 0 && n-- == 0)
			return p->events.items[i].payload;
	fail_msg("there is no such %s", type);
	return NULL;
}

static size_t count(const struct play *p, const char *type)
{
	size_t n = 0;

	for (size_t i = 0; i < p->events.count; i++)
		n += strcmp(p->events.items[i].type, type) == 0;
	return n;
}

static void without_a_policy_nothing_is_asked_or_written(void **state)
{
	struct fixture *f = *state;

	give(f, &(struct demon_wards_options){.tenanting = "1"});
	play(f->play, DSL(CALL("a")));
	assert_string_equal(f->play->outcome.status, "Completed");
	assert_int_equal(count(f->play, "policy.decision:v1"), 0);
	assert_int_equal(count(f->play, "policy.evaluated:v1"), 0);
	assert_int_equal(uses(f, "*", 0, DEMON_QUOTA_WINDOW_MAX * 10), 0);
}

static void what_exceeds_a_quota_is_denied_and_ends_the_run(void **state)
{
	struct fixture *f = *state;
	const struct play *p = f->play;

	give(f, &(struct demon_wards_options){.capabilities = "TENANT:default:echo=2:60"});
	play(f->play, DSL(CALL("a") "," CALL("b") "," CALL("c") "," CALL("d")));
	assert_string_equal(p->outcome.status, "Denied");
	assert_contains(p->outcome.terminal, "\"type\":\"https://demon.example/errors/policy\"");
	assert_contains(p->outcome.terminal, "\"status\":429");
	assert_contains(p->outcome.terminal,
			"capsule.echo: quota_exceeded: 2 of 2 until 2026-01-02T03:05:00.000Z "
			"(WARDS_CAP_QUOTAS entry 1)");
	assert_int_equal(count(p, "step.completed:v1"), 2);
	assert_int_equal(count(p, "step.started:v1"), 3);
	assert_contains(event(p, "policy.decision:v1", 0),
			"\"capability\":\"capsule.echo\",\"decision\":{\"allowed\":true},");
	assert_contains(event(p, "policy.decision:v1", 1),
			"\"quota\":{\"limit\":2,\"remaining\":0,\"windowSeconds\":60}");
	assert_contains(event(p, "policy.decision:v1", 2),
			"\"decision\":{\"allowed\":false,\"reason\":\"limit_exceeded\"}");
	assert_contains(event(p, "policy.evaluated:v1", 2),
			"\"reason\":\"quota_exceeded\",\"ritualId\":\"test\",\"rule\":"
			"\"WARDS_CAP_QUOTAS entry 1\",\"runId\":\"r-1\",\"source\":"
			"\"environment\",\"stepId\":3,");
	assert_int_equal(uses(f, "default", 0, DEMON_QUOTA_WINDOW_MAX * 10), 2);
	assert_int_equal(uses(f, "*", 0, DEMON_QUOTA_WINDOW_MAX * 10), 2);
}

static void the_decision_is_in_the_group_that_starts_the_step(void **state)
{
	struct fixture *f = *state;
	const struct run_events *events = &f->play->events;

	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:echo=2:60"});
	play(f->play, DSL(CALL("a")));
	for (size_t i = 0; i + 2 < events->count; i++)
		if (strcmp(events->items[i].type, "step.started:v1") == 0) {
			assert_string_equal(events->items[i + 1].type, "policy.decision:v1");
			assert_string_equal(events->items[i + 2].type, "policy.evaluated:v1");
			assert_int_equal(events->items[i + 1].group_first,
					 events->items[i].group_first);
			assert_int_equal(events->items[i + 2].group_first,
					 events->items[i].group_first);
		}
	assert_int_equal(count(f->play, "policy.evaluated:v1"), 1);
}

static void what_no_quota_names_is_denied_as_soon_as_there_is_one(void **state)
{
	struct fixture *f = *state;
	struct demon_ward_verdict v;

	give(f, &(struct demon_wards_options){.capabilities = "TENANT:blue:http=5:30"});
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_true(v.asked);
	assert_false(demon_ward_allows(&v));
	assert_int_equal(v.limit, 0);
	assert_int_equal(v.window_s, 60);
	assert_string_equal(v.detail, "no quota names the capability");
	v = ask(f, "red", "capsule.http", f->play->clock.now);
	assert_false(demon_ward_allows(&v));
	v = ask(f, "blue", "capsule.http", f->play->clock.now);
	assert_true(demon_ward_allows(&v));
	assert_int_equal(demon_ward_remaining(&v), 4);
}

static void only_a_catch_that_names_the_type_catches_it(void **state)
{
	struct fixture *f = *state;

	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:http=1:60"});
	play(f->play, DSL(CATCH("'status':429", CALL("a"))));
	assert_string_equal(f->play->outcome.status, "Denied");
}

static void a_catch_that_names_the_type_catches_it(void **state)
{
	struct fixture *f = *state;

	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:http=1:60"});
	play(f->play, DSL(CATCH(POLICY_ERROR, CALL("a"))));
	assert_string_equal(f->play->outcome.status, "Completed");
	assert_int_equal(count(f->play, "step.caught:v1"), 1);
}

/* Every try asks again, and the window that follows has room. */
static void each_attempt_is_a_decision_of_its_own(void **state)
{
	struct fixture *f = *state;
	const struct play *p = f->play;

	give(f, &(struct demon_wards_options){.global = "{\"limit\":1,\"windowSeconds\":60}"});
	play(f->play, DSL(CALL("a") ",{'t':{'try':[" CALL(
			  "b") "],'catch':{'errors':{'with':{" POLICY_ERROR
			       "}},'retry':{'delay':{'seconds':30},'limit':{'attempt':{'count':5}}}"
			       "}}}"));
	assert_string_equal(p->outcome.status, "Waiting");
	assert_int_equal(count(p, "policy.decision:v1"), 2);
	fake_env_advance(&f->play->clock, 30000);
	play_on(f->play);
	assert_string_equal(p->outcome.status, "Waiting");
	fake_env_advance(&f->play->clock, 30000);
	play_on(f->play);
	assert_string_equal(p->outcome.status, "Completed");
	assert_int_equal(count(p, "policy.decision:v1"), 4);
	assert_contains(event(p, "policy.decision:v1", 3), "{\"allowed\":true}");
}

/* A step in flight that may not be repeated suspends its run; one that was denied never ran. */
static void a_process_that_ends_after_a_denial_leaves_it_denied(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_options options = {.run_id = "r-1"};
	struct demon_err err;

	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:http=1:60"});
	f->play->definition = run_definition(DSL(ONCE("a")));
	assert_ok(
	    demon_run_start(f->play->store, f->play->definition, &options, &f->play->run, &err),
	    &err);
	demon_fault_arm(DEMON_FAULT_STEP_STARTED, 1, false);
	assert_rc(play_try(f->play, &err), DEMON_IO, &err);
	assert_int_equal(demon_fault_disarm(), 1);
	assert_int_equal(count(f->play, "policy.evaluated:v1"), 1);
	give(f, &(struct demon_wards_options){.tenanting = "0"});
	play_on(f->play);
	assert_string_equal(f->play->outcome.status, "Denied");
	assert_int_equal(count(f->play, "policy.evaluated:v1"), 1);
	assert_int_equal(count(f->play, "ritual.suspended:v1"), 0);
}

static void windows_begin_at_multiples_of_their_length_wherever_the_clock_jumps(void **state)
{
	struct fixture *f = *state;
	const demon_time now = f->play->clock.now; /* 03:04:05 */
	struct demon_ward_verdict v;

	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:echo=1:60"});
	play(f->play, DSL(CALL("a")));
	v = ask(f, "default", "capsule.echo", now);
	assert_int_equal(v.window, now - 5000);
	assert_int_equal(v.used, 1);
	assert_false(demon_ward_allows(&v));
	v = ask(f, "default", "capsule.echo", now + 54999);
	assert_false(demon_ward_allows(&v));
	v = ask(f, "default", "capsule.echo", now + 55000);
	assert_true(demon_ward_allows(&v));
	/* back: what that window had is still known, and what lies ahead counts nowhere else */
	v = ask(f, "default", "capsule.echo", now - 5001);
	assert_true(demon_ward_allows(&v));
	v = ask(f, "default", "capsule.echo", now - 5000);
	assert_false(demon_ward_allows(&v));
	/* another length of the window counts the same uses */
	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:echo=1:3600"});
	v = ask(f, "default", "capsule.echo", now + 55000);
	assert_int_equal(v.used, 1);
	assert_false(demon_ward_allows(&v));
}

static void a_quota_of_the_node_is_shared_unless_tenants_are_apart(void **state)
{
	struct fixture *f = *state;
	struct demon_ward_verdict v;

	give(f, &(struct demon_wards_options){.capabilities =
						  "GLOBAL:echo=1:60,TENANT:red:echo=1:60"});
	play(f->play, DSL(CALL("a")));
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_false(demon_ward_allows(&v));
	/* what is a tenant's own is counted for it alone */
	v = ask(f, "red", "capsule.echo", f->play->clock.now);
	assert_true(demon_ward_allows(&v));
	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:echo=1:60",
					      .tenanting = "TRUE"});
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_true(demon_ward_allows(&v));
	v = ask(f, "default", "capsule.echo", f->play->clock.now);
	assert_false(demon_ward_allows(&v));
}

static void a_schedule_denies_without_taking_of_the_quota(void **state)
{
	struct fixture *f = *state;
	const struct play *p = f->play;

	/* a Friday, 04:04 in Oslo */
	give(f, &(struct demon_wards_options){
		    .schedules = "{\"global\":{\"echo\":[{\"action\":\"deny\",\"timezone\":"
				 "\"Europe/Oslo\",\"days\":[\"fri\"],\"start\":\"4:00\",\"end\":"
				 "\"4:10\"}]}}",
		    .capabilities = "GLOBAL:echo=5:60"});
	play(f->play, DSL(CALL("a")));
	assert_string_equal(p->outcome.status, "Denied");
	assert_contains(p->outcome.terminal, "\"status\":403");
	assert_contains(p->outcome.terminal, "time_policy_denied: it is 2026-01-02T04:04:05+01:00 "
					     "in Europe/Oslo");
	assert_contains(event(p, "policy.decision:v1", 0),
			"{\"limit\":5,\"remaining\":0,\"windowSeconds\":60}");
	assert_contains(event(p, "policy.evaluated:v1", 0),
			"\"localTime\":\"2026-01-02T04:04:05+01:00\"");
	assert_contains(event(p, "policy.evaluated:v1", 0),
			"\"rule\":\"WARDS_SCHEDULES of the node at '/capsule.echo/0'\"");
	assert_int_equal(uses(f, "*", 0, DEMON_QUOTA_WINDOW_MAX * 10), 0);
}

static void schedules_alone_make_no_quota(void **state)
{
	struct fixture *f = *state;
	struct demon_ward_verdict v;

	give(f, &(struct demon_wards_options){
		    .schedules = "{\"global\":{\"echo\":[{\"action\":\"deny\",\"timezone\":\"UTC\","
				 "\"start\":\"4:00\",\"end\":\"4:10\"}]}}"});
	v = ask(f, "default", "capsule.http", f->play->clock.now);
	assert_false(v.asked);
	v = ask(f, "default", "capsule.echo", f->play->clock.now);
	assert_true(v.asked && demon_ward_allows(&v));
	play(f->play, DSL(CALL("a")));
	assert_string_equal(f->play->outcome.status, "Completed");
	assert_contains(event(f->play, "policy.decision:v1", 0), "\"limit\":4294967295,");
}

static void the_database_comes_before_the_environment(void **state)
{
	struct fixture *f = *state;
	struct demon_ward_verdict v;

	give(f, &(struct demon_wards_options){.capabilities =
						  "TENANT:blue:echo=9:60,GLOBAL:echo=8:60"});
	set(f, "*", "quotas", "{\"echo\":{\"limit\":3,\"windowSeconds\":10}}");
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_int_equal(v.limit, 3);
	assert_string_equal(v.source, "database");
	assert_string_equal(v.rule, "quotas of the node at '/capsule.echo'");
	set(f, "blue", "quotas", "{\"*\":{\"limit\":2,\"windowSeconds\":10}}");
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_int_equal(v.limit, 2);
	assert_string_equal(v.rule, "quotas of tenant 'blue' at '/*'");
	set(f, "*", "quotas", NULL);
	v = ask(f, "red", "capsule.echo", f->play->clock.now);
	assert_int_equal(v.limit, 8);
	assert_string_equal(v.source, "environment");
	set(f, "blue", "quotas", NULL);
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_int_equal(v.limit, 9);
	/* what is set for one tenant is about no other */
	give(f, &(struct demon_wards_options){.tenanting = NULL});
	set(f, "blue", "quotas", "{\"*\":{\"limit\":2,\"windowSeconds\":10}}");
	v = ask(f, "red", "capsule.echo", f->play->clock.now);
	assert_false(v.asked);
}

/* Another node, of whatever version, may have written anything. */
static void a_policy_that_cannot_be_read_denies_everything(void **state)
{
	static const char *const bad[] = {"{\"echo\":3}",
					  "{\"e cho\":{\"limit\":1,\"windowSeconds\":1}}",
					  "{\"echo\":{\"limit\":1,\"windowSeconds\":0}}"};
	struct fixture *f = *state;
	struct demon_ward_verdict v;

	for (size_t i = 0; i < demon_count(bad); i++) {
		set(f, "*", "quotas", bad[i]);
		v = ask(f, "blue", "capsule.echo", f->play->clock.now);
		assert_true(v.asked);
		assert_int_equal(v.reason, DEMON_WARD_FAULT);
		assert_contains(v.detail, "of the node: policy 'quotas': at '");
	}
	play(f->play, DSL(CALL("a")));
	assert_string_equal(f->play->outcome.status, "Denied");
	assert_contains(f->play->outcome.terminal, "\"status\":403");
	assert_contains(event(f->play, "policy.evaluated:v1", 0), "\"reason\":\"policy_invalid\"");
}

static void a_zone_that_is_not_there_denies(void **state)
{
	struct fixture *f = *state;
	struct demon_ward_verdict v;

	set(f, "*", "schedules",
	    "{\"echo\":[{\"action\":\"allow\",\"timezone\":\"Mars/Base\",\"start\":\"0:00\","
	    "\"end\":\"23:59\"}]}");
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_int_equal(v.reason, DEMON_WARD_FAULT);
	assert_string_equal(v.detail, "there is no time zone 'Mars/Base'");
	v = ask(f, "blue", "capsule.http", f->play->clock.now);
	assert_false(v.asked);
}

static void decide_at(struct demon_store *store, demon_time t, bool allowed)
{
	const struct demon_run_id run = {.tenant_id = "blue", .run_id = "r-9"};
	struct demon_run_id own = run;
	struct demon_node node;
	char ts[DEMON_RFC3339_LEN + 1];
	char text[512];

	demon_node_get(store, &node);
	memcpy(own.origin, node.origin, sizeof(own.origin));
	demon_rfc3339(t, ts);
	(void)snprintf(text, sizeof(text),
		       "{\"capability\":\"%s\",\"decision\":{\"allowed\":%s},\"event\":"
		       "\"policy.decision:v1\",\"quota\":{\"limit\":1,\"remaining\":0,"
		       "\"windowSeconds\":60},\"ritualId\":\"x\",\"runId\":\"r-9\",\"tenantId\":"
		       "\"blue\",\"ts\":\"%s\"}",
		       t % 2 ? "echo" : "capsule.echo", allowed ? "true" : "false", ts);
	run_append(store, &own, "x", "policy.decision:v1", text);
}

static void uses_in_any_span_are_those_that_were_allowed_in_it(void **state)
{
	enum { DECISIONS = 200 };
	struct fixture *f = *state;
	uint64_t seed = test_seed(99);
	const int64_t base = 1767300000;
	int64_t at[DECISIONS];
	size_t n = 0;

	for (int i = 0; i < DECISIONS; i++) {
		int64_t s = base + (int64_t)(test_random(&seed) % (i % 2 ? 200000 : 4000));
		bool allowed = test_random(&seed) % 4 != 0;

		decide_at(f->play->store, s * 1000 + (int64_t)(test_random(&seed) % 1000), allowed);
		if (allowed)
			at[n++] = s;
	}
	for (int i = 0; i < 3000; i++) {
		int64_t from = base - 4000 + (int64_t)(test_random(&seed) % 210000);
		int64_t to = from + (int64_t)(test_random(&seed) % (i % 3 == 0   ? 100
								    : i % 3 == 1 ? 8000
										 : 200000));
		int64_t want = 0;

		for (size_t k = 0; k < n; k++)
			want += at[k] >= from && at[k] < to;
		assert_int_equal(uses(f, "blue", from, to), want);
		assert_int_equal(uses(f, "*", from, to), want);
	}
}

/* Each node has used its quota while it was alone; together they know. */
static void decisions_of_other_nodes_count(void **state)
{
	struct fixture *f = *state;
	const struct demon_options options = {
	    .create = true, .node_id = "m", .env = &f->play->clock.env};
	struct demon_store *other = NULL;
	struct demon_ward_verdict v;
	struct demon_err err;
	char mine[65];
	char theirs[65];
	char *lines;

	give(f, &(struct demon_wards_options){.capabilities = "GLOBAL:echo=3:60"});
	assert_ok(demon_open(test_path(f->play->dir, "other.db"), &options, &other, &err), &err);
	decide_at(f->play->store, f->play->clock.now, true);
	decide_at(other, f->play->clock.now, true);
	decide_at(other, f->play->clock.now, true);
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_true(demon_ward_allows(&v));
	lines = exchange_export(other);
	exchange_import(f->play->store, lines);
	free(lines);
	lines = exchange_export(f->play->store);
	exchange_import(other, lines);
	free(lines);
	v = ask(f, "blue", "capsule.echo", f->play->clock.now);
	assert_int_equal(v.used, 3);
	assert_false(demon_ward_allows(&v));
	exchange_digest(f->play->store, mine);
	exchange_digest(other, theirs);
	assert_string_equal(mine, theirs);
	demon_close(other);
}

static void a_switch_that_is_none_is_refused(void **state)
{
	struct demon_wards *wards = NULL;
	struct demon_err err;

	(void)state;
	assert_rc(demon_wards_open(&(struct demon_wards_options){.tenanting = "yes please"}, &wards,
				   &err),
		  DEMON_INVALID, &err);
	assert_string_equal(err.msg, "TENANTING_ENABLED: 'yes please' is not 1, true, 0 or false");
	assert_null(wards);
}

#define WARD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WARD_TEST(without_a_policy_nothing_is_asked_or_written),
	    WARD_TEST(what_exceeds_a_quota_is_denied_and_ends_the_run),
	    WARD_TEST(the_decision_is_in_the_group_that_starts_the_step),
	    WARD_TEST(what_no_quota_names_is_denied_as_soon_as_there_is_one),
	    WARD_TEST(only_a_catch_that_names_the_type_catches_it),
	    WARD_TEST(a_catch_that_names_the_type_catches_it),
	    WARD_TEST(each_attempt_is_a_decision_of_its_own),
	    WARD_TEST(a_process_that_ends_after_a_denial_leaves_it_denied),
	    WARD_TEST(windows_begin_at_multiples_of_their_length_wherever_the_clock_jumps),
	    WARD_TEST(a_quota_of_the_node_is_shared_unless_tenants_are_apart),
	    WARD_TEST(a_schedule_denies_without_taking_of_the_quota),
	    WARD_TEST(schedules_alone_make_no_quota),
	    WARD_TEST(the_database_comes_before_the_environment),
	    WARD_TEST(a_policy_that_cannot_be_read_denies_everything),
	    WARD_TEST(a_zone_that_is_not_there_denies),
	    WARD_TEST(uses_in_any_span_are_those_that_were_allowed_in_it),
	    WARD_TEST(decisions_of_other_nodes_count),
	    cmocka_unit_test(a_switch_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
