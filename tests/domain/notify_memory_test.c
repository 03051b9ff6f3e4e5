/*
 * Memory that runs out while notifications are planned and sent: whichever allocation fails,
 * nothing leaks, nothing is planned twice, and what was not sent still is.
 */
#include "support/test.h"

#include "base/fault.h"
#include "store/key.h"
#include "support/post.h"

#include <jansson.h>
#include <stdio.h>

/* Allocations of jansson fail too, at the n-th from now; 0: none. */
static unsigned countdown;
static unsigned triggered;

static void *failing_malloc(size_t size)
{
	if (countdown && --countdown == 0) {
		triggered++;
		return NULL;
	}
	return malloc(size);
}

static void arm(bool jansson, unsigned nth)
{
	triggered = 0;
	if (jansson)
		countdown = nth;
	else
		demon_fault_arm(DEMON_FAULT_ALLOC, nth, false);
}

static bool disarm(bool jansson)
{
	countdown = 0;
	return jansson ? triggered : demon_fault_disarm();
}

static void set_routes(struct post *f)
{
	post_route(f, "*", "hook",
		   "{'kind':'webhook','url':'URL','events':['approval.requested'],'links':true,"
		   "'secret':'secret://hooks/key','headers':{'X-Team':'ops'},'templates':{'*':{"
		   "'body':{'a':['{{reason}}',1],'b':{'c':'{{requester}}'}}}}}");
	post_route(f, "*", "pager",
		   "{'kind':'pagerduty','url':'URL','routingKey':'secret://hooks/key','events':["
		   "'approval.requested']}");
	post_route(f, "*", "mail",
		   "{'kind':'smtp','url':'smtp://127.0.0.1:1','from':'d@corp.test','startTls':"
		   "'never','approvers':true,'links':true,'events':['approval.requested']}");
}

/* Plans with the n-th allocation failing, then without. */
static bool plan_without(struct post *f, bool jansson, unsigned nth)
{
	size_t planned;
	bool more;
	bool hit;
	enum demon_rc rc;

	demon_planner_close(f->planner);
	assert_ok(demon_planner_open(f->store, &f->planner, &f->err), &f->err);
	arm(jansson, nth);
	rc = demon_planner_look(f->planner, &planned, &more, &f->err);
	hit = disarm(jansson);
	if (rc && rc != DEMON_NOMEM)
		fail_msg("allocation %u: %s: %s", nth, demon_rc_text(rc), f->err.msg);
	(void)post_plan(f);
	return hit;
}

static void plan_everywhere(struct post *f, bool jansson)
{
	bool hit = true;
	int64_t runs = 0;

	set_routes(f);
	for (unsigned nth = 1; hit; nth += 1 + nth / 32) {
		char id[16];

		(void)snprintf(id, sizeof(id), "r-%u", nth);
		post_open_gate(f, id, ",'approvers':['ada@corp.test','lee@corp.test']");
		hit = plan_without(f, jansson, nth);
		runs++;
		assert_int_equal(post_count(f, DEMON_DELIVERY_DUE), 4 * runs);
	}
	assert_true(runs > 10);
}

static void nothing_is_lost_when_planning_lacks_memory(void **state)
{
	plan_everywhere(*state, false);
}

static void nothing_is_lost_when_planning_lacks_memory_for_json(void **state)
{
	plan_everywhere(*state, true);
}

/* Attempts with the n-th allocation failing, until none does. */
static void deliver_everywhere(struct post *f, bool jansson, const char *route)
{
	const struct demon_delivery *d = NULL;
	bool hit = true;
	unsigned nth;

	for (size_t i = 0; i < post_due(f); i++)
		if (strcmp(f->due[i].route, route) == 0)
			d = &f->due[i];
	assert_non_null(d);
	for (nth = 1; hit; nth += 1 + nth / 64) {
		enum demon_rc rc;

		arm(jansson, nth);
		rc = demon_courier_deliver(&f->courier, d, &f->delivered, &f->err);
		hit = disarm(jansson);
		if (rc && rc != DEMON_NOMEM)
			fail_msg("allocation %u: %s: %s", nth, demon_rc_text(rc), f->err.msg);
		if (!rc && f->delivered.state == DEMON_DELIVERY_DEAD)
			fail_msg("allocation %u: given up: %s", nth, f->delivered.sent.text);
	}
	print_message("%s: %u allocations\n", route, nth);
	assert_true(nth > 10);
}

/* Whatever was sent under one key has one body: nothing was left out for lack of memory. */
static void assert_whole(struct post *f)
{
	size_t count = http_server_count(f->server);
	char key[64] = "";
	char *body = NULL;
	size_t sent = 0;

	for (size_t i = 1; i <= count && i < 200; i++) {
		const char *now = post_field(f, i, "Idempotency-Key");

		if (strcmp(now, key) != 0) {
			free(body);
			(void)snprintf(key, sizeof(key), "%s", now);
			body = strdup(post_body(f, i));
			sent++;
		}
		assert_string_equal(post_body(f, i), body);
	}
	free(body);
	assert_int_equal(sent, 2);
}

static void send_everywhere(struct post *f, bool jansson)
{
	struct demon_key key;

	assert_ok(demon_key_load(f->store, &key, &f->err), &f->err);
	set_routes(f);
	post_open_gate(f, "r-1", ",'approvers':['ada@corp.test']");
	assert_int_equal(post_plan(f), 3);
	deliver_everywhere(f, jansson, "hook");
	deliver_everywhere(f, jansson, "pager");
	deliver_everywhere(f, jansson, "mail");
	assert_whole(f);
	assert_int_equal(post_count(f, DEMON_DELIVERY_SENT), 2);
	assert_int_equal(post_count(f, DEMON_DELIVERY_DUE), 1);
}

static void nothing_is_given_up_when_sending_lacks_memory(void **state)
{
	send_everywhere(*state, false);
}

static void nothing_is_given_up_when_sending_lacks_memory_for_json(void **state)
{
	send_everywhere(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    POST_TEST(nothing_is_lost_when_planning_lacks_memory),
	    POST_TEST(nothing_is_lost_when_planning_lacks_memory_for_json),
	    POST_TEST(nothing_is_given_up_when_sending_lacks_memory),
	    POST_TEST(nothing_is_given_up_when_sending_lacks_memory_for_json),
	};

	json_set_alloc_funcs(failing_malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
