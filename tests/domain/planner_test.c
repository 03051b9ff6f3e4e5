/*
 * The planner: which events become deliveries, by which routes, and that none does twice.
 */
#include "support/test.h"

#include "domain/admin/roles.h"
#include "support/exchange.h"
#include "support/post.h"

#include <stdio.h>

#define HOOK(events) "{'kind':'webhook','url':'URL','events':[" events "]}"

static const struct demon_actor kim = {.subject = "kim@corp.test"};

static void each_route_gets_an_event_once(void **state)
{
	struct post *f = *state;

	post_route(f, "*", "one", HOOK("'ritual.failed'"));
	post_route(f, "*", "two", HOOK("'ritual.failed','ritual.completed'"));
	post_route(f, "*", "three", HOOK("'ritual.completed'"));
	post_fail_run(f, NULL, "r-1");
	assert_int_equal(post_plan(f), 2);
	assert_int_equal(post_plan(f), 0);
	assert_int_equal(post_due(f), 2);
	assert_string_equal(f->due[0].route, "one");
	assert_string_equal(f->due[0].topic, "ritual.failed");
	assert_string_equal(f->due[0].run_id, "r-1");
	assert_string_equal(f->due[1].route, "two");
	assert_string_not_equal(f->due[0].key, f->due[1].key);
}

static void a_planner_that_starts_anew_plans_nothing_again(void **state)
{
	struct post *f = *state;

	post_route(f, "*", "one", HOOK("'ritual.failed'"));
	post_fail_run(f, NULL, "r-1");
	assert_int_equal(post_plan(f), 1);
	demon_planner_close(f->planner);
	assert_ok(demon_planner_open(f->store, &f->planner, &f->err), &f->err);
	post_fail_run(f, NULL, "r-2");
	assert_int_equal(post_plan(f), 1);
	assert_int_equal(post_count(f, DEMON_DELIVERY_DUE), 2);
}

static void what_happened_while_no_daemon_ran_is_told_later(void **state)
{
	struct post *f = *state;

	post_fail_run(f, NULL, "r-0");
	post_route(f, "*", "one", HOOK("'ritual.failed'"));
	post_fail_run(f, NULL, "r-1");
	demon_planner_close(f->planner);
	assert_ok(demon_planner_open(f->store, &f->planner, &f->err), &f->err);
	assert_int_equal(post_plan(f), 1);
	assert_int_equal(post_due(f), 1);
	assert_string_equal(f->due[0].run_id, "r-1");
}

static void a_route_takes_nothing_that_was_before_it(void **state)
{
	struct post *f = *state;

	post_route(f, "*", "old", HOOK("'ritual.completed'"));
	post_fail_run(f, NULL, "r-1");
	post_route(f, "*", "new", HOOK("'ritual.failed'"));
	assert_int_equal(post_plan(f), 0);
	/* one that is changed goes on; one that was taken away begins anew */
	post_fail_run(f, NULL, "r-2");
	post_route(f, "*", "new", HOOK("'ritual.failed','ritual.canceled'"));
	assert_int_equal(post_plan(f), 1);
	post_fail_run(f, NULL, "r-3");
	post_route(f, "*", "new", NULL);
	post_route(f, "*", "new", HOOK("'ritual.failed'"));
	assert_int_equal(post_plan(f), 0);
}

static void a_clock_that_is_set_back_hides_nothing(void **state)
{
	struct post *f = *state;

	post_route(f, "*", "one", HOOK("'ritual.failed'"));
	f->clock.now -= INT64_C(365) * 24 * 3600 * 1000;
	post_fail_run(f, NULL, "r-1");
	assert_int_equal(post_plan(f), 1);
}

static void a_tenants_route_takes_the_place_of_the_nodes(void **state)
{
	struct post *f = *state;

	post_route(f, "*", "chat", HOOK("'ritual.failed'"));
	post_route(f, "blue", "chat", HOOK("'ritual.failed'"));
	post_route(f, "blue", "own", HOOK("'ritual.failed'"));
	post_route(f, "red", "chat",
		   "{'kind':'webhook','url':'URL','disabled':true,"
		   "'events':['ritual.failed']}");
	post_fail_run(f, "blue", "r-1");
	assert_int_equal(post_plan(f), 2);
	assert_int_equal(post_due(f), 2);
	assert_string_equal(f->due[0].route_tenant, "blue");
	assert_string_equal(f->due[1].route_tenant, "blue");
	post_fail_run(f, "red", "r-2");
	assert_int_equal(post_plan(f), 0);
	post_fail_run(f, "green", "r-3");
	assert_int_equal(post_plan(f), 1);
}

static void only_the_node_that_owns_a_run_tells_of_it(void **state)
{
	struct post *f = *state;
	const struct demon_options options = {
	    .create = true, .env = &f->clock.env, .node_id = "other"};
	struct demon_store *other = NULL;
	char *lines;

	assert_ok(demon_open(test_path(f->dir, "b.db"), &options, &other, &f->err), &f->err);
	post_route(f, "*", "one", HOOK("'ritual.failed'"));
	post_fail_run(f, NULL, "r-1");
	lines = exchange_export(f->store);
	exchange_import(other, lines);
	free(lines);
	demon_planner_close(f->planner);
	assert_ok(demon_planner_open(other, &f->planner, &f->err), &f->err);
	assert_int_equal(post_plan(f), 0);
	demon_planner_close(f->planner);
	demon_close(other);
	assert_ok(demon_planner_open(f->store, &f->planner, &f->err), &f->err);
	assert_int_equal(post_plan(f), 1);
}

static void give_role(struct post *f, const char *tenant, const char *subject, const char *role)
{
	const struct demon_roles_request request = {
	    .tenant = tenant, .subject = subject, .roles = &role, .count = 1, .actor = &kim};
	bool new;

	assert_ok(demon_roles_set(f->store, &request, &new, &f->err), &f->err);
}

static bool is_told(const struct post *f, const char *recipient)
{
	for (size_t i = 0; i < f->due_count; i++)
		if (strcmp(f->due[i].recipient, recipient) == 0)
			return true;
	return false;
}

static void a_mail_goes_to_each_who_may_decide(void **state)
{
	struct post *f = *state;

	give_role(f, "default", "lead@corp.test", "lead");
	give_role(f, "*", "boss@corp.test", "lead");
	give_role(f, "*", "cook@corp.test", "cook");
	give_role(f, "other", "stranger@corp.test", "lead");
	post_route(f, "*", "mail",
		   "{'kind':'smtp','url':'smtp://127.0.0.1:1','from':'d@corp.test',"
		   "'to':['ops@corp.test'],'approvers':true,'startTls':'never',"
		   "'events':['approval.requested','ritual.failed']}");
	post_open_gate(f, "r-1",
		       ",'approvers':['lee','ada@corp.test','KIM@corp.test',"
		       "'OPS@corp.test'],'roles':['lead']");
	assert_int_equal(post_plan(f), 4);
	assert_int_equal(post_due(f), 4);
	assert_true(is_told(f, "ops@corp.test") && is_told(f, "ada@corp.test"));
	assert_true(is_told(f, "lead@corp.test") && is_told(f, "boss@corp.test"));
	post_fail_run(f, NULL, "r-2");
	assert_int_equal(post_plan(f), 1);
}

static void a_level_may_name_whom_to_tell_besides(void **state)
{
	struct post *f = *state;
	json_t *chain =
	    json_pack("{s:[{s:i,s:[s],s:i,s:[s,s]}]}", "levels", "level", 1, "roles", "lead",
		      "timeoutSeconds", 0, "notifications", "desk@corp.test", "pager");
	const struct demon_register_write write = {.kind = DEMON_REGISTER_ESCALATION,
						   .tenant = "default",
						   .name = "prod",
						   .value = chain,
						   .actor = &kim};

	assert_ok(demon_register_set(f->store, &write, NULL, &f->err), &f->err);
	json_decref(chain);
	give_role(f, "*", "lead@corp.test", "lead");
	post_route(f, "*", "mail",
		   "{'kind':'smtp','url':'smtp://127.0.0.1:1','from':'d@corp.test',"
		   "'approvers':true,'startTls':'never',"
		   "'events':['approval.requested']}");
	post_open_gate(f, "r-1", "");
	assert_int_equal(post_plan(f), 2);
	assert_int_equal(post_due(f), 2);
	assert_true(is_told(f, "lead@corp.test") && is_told(f, "desk@corp.test"));
}

static void many_events_are_planned_piece_by_piece(void **state)
{
	struct post *f = *state;
	char id[16];

	post_route(f, "*", "a", HOOK("'ritual.failed'"));
	post_route(f, "*", "b", HOOK("'ritual.failed'"));
	post_route(f, "*", "c", HOOK("'ritual.failed'"));
	for (int i = 0; i < 50; i++) {
		(void)snprintf(id, sizeof(id), "r-%d", i);
		post_fail_run(f, NULL, id);
	}
	assert_int_equal(post_plan(f), 150);
	assert_int_equal(post_count(f, DEMON_DELIVERY_DUE), 150);
}

static void every_topic_is_looked_for(void **state)
{
	struct demon_topic last = {0};

	(void)state;
	/* planner.c names the types in its SQL: whoever adds a topic adds one there */
	assert_int_equal(demon_topic_count, 14);
	for (size_t i = 0; i < demon_topic_count; i++)
		last = demon_topics[i];
	assert_string_equal(last.name, "test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    POST_TEST(each_route_gets_an_event_once),
	    POST_TEST(a_planner_that_starts_anew_plans_nothing_again),
	    POST_TEST(what_happened_while_no_daemon_ran_is_told_later),
	    POST_TEST(a_route_takes_nothing_that_was_before_it),
	    POST_TEST(a_clock_that_is_set_back_hides_nothing),
	    POST_TEST(a_tenants_route_takes_the_place_of_the_nodes),
	    POST_TEST(only_the_node_that_owns_a_run_tells_of_it),
	    POST_TEST(a_mail_goes_to_each_who_may_decide),
	    POST_TEST(a_level_may_name_whom_to_tell_besides),
	    POST_TEST(many_events_are_planned_piece_by_piece),
	    cmocka_unit_test(every_topic_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
