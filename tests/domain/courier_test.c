/*
 * The courier: what endpoints may do, and what becomes of a delivery.
 */
#include "support/test.h"

#include "domain/approval/link.h"
#include "support/post.h"

#include <stdio.h>

#define HOOK \
	"{'kind':'webhook','url':'URL','events':['ritual.failed'],'secret':'secret://hooks/key'}"

static void fail_and_plan(struct post *f, const char *route)
{
	post_route(f, "*", "hook", route);
	post_fail_run(f, NULL, "r-1");
	assert_int_equal(post_plan(f), 1);
}

static void what_is_taken_is_sent_once(void **state)
{
	struct post *f = *state;

	fail_and_plan(f, HOOK);
	post_deliver(f, DEMON_DELIVERY_SENT);
	assert_int_equal(post_due(f), 0);
	assert_int_equal(http_server_count(f->server), 1);
	assert_contains(http_server_request(f->server, 1), "POST /hook HTTP/1.1\r\n");
	assert_string_equal(post_field(f, 1, "X-Demon-Event"), "ritual.failed");
	assert_int_equal(strlen(post_field(f, 1, "Idempotency-Key")), 32);
	assert_contains(post_field(f, 1, "Webhook-Signature"), "v1,");
	assert_contains(post_body(f, 1), "\"runId\":\"r-1\"");
	assert_null(strstr(http_server_request(f->server, 1), "s3cr3t"));
}

static void a_failure_is_tried_again_with_the_same_key_and_body(void **state)
{
	static const char *const answers[] = {"500", "", "301 Location: http://127.0.0.1/\r\n",
					      "200"};
	struct post *f = *state;
	char key[64];
	char *body;

	post_answers(f, answers, 4);
	fail_and_plan(f, HOOK);
	for (int64_t i = 1; i <= 3; i++) {
		post_deliver(f, DEMON_DELIVERY_DUE);
		assert_int_equal(post_due(f), 0);
		fake_env_advance(&f->clock, INT64_C(700) << (i - 1));
		assert_int_equal(post_due(f), 0);
		fake_env_advance(&f->clock, INT64_C(600) << (i - 1));
		assert_int_equal(post_due(f), 1);
		assert_int_equal(f->due[0].attempts, i);
		assert_true(*f->due[0].error);
	}
	post_deliver(f, DEMON_DELIVERY_SENT);
	assert_int_equal(http_server_count(f->server), 4);
	(void)snprintf(key, sizeof(key), "%s", post_field(f, 1, "Idempotency-Key"));
	body = strdup(post_body(f, 1));
	for (size_t i = 2; i <= 4; i++) {
		assert_string_equal(post_field(f, i, "Idempotency-Key"), key);
		assert_string_equal(post_body(f, i), body);
	}
	free(body);
}

static void a_crash_between_sending_and_recording_repeats_the_key(void **state)
{
	struct post *f = *state;
	struct demon_delivery before;
	char key[64];

	fail_and_plan(f, HOOK);
	assert_int_equal(post_due(f), 1);
	before = f->due[0];
	post_deliver(f, DEMON_DELIVERY_SENT);
	(void)snprintf(key, sizeof(key), "%s", post_field(f, 1, "Idempotency-Key"));
	/* whoever does not know of the record sends again; the record stays as it is */
	assert_ok(demon_courier_deliver(&f->courier, &before, &f->delivered, &f->err), &f->err);
	assert_string_equal(post_field(f, 2, "Idempotency-Key"), key);
	assert_int_equal(post_count(f, DEMON_DELIVERY_SENT), 1);
	assert_int_equal(post_count(f, DEMON_DELIVERY_DUE), 0);
}

static void the_other_side_may_say_when_to_come_again(void **state)
{
	static const char *const answers[] = {"429 Retry-After: 120\r\n",
					      "503 Retry-After: 99999999\r\n", "200"};
	struct post *f = *state;

	post_answers(f, answers, 3);
	fail_and_plan(f, HOOK);
	post_deliver(f, DEMON_DELIVERY_DUE);
	fake_env_advance(&f->clock, 119999);
	assert_int_equal(post_due(f), 0);
	fake_env_advance(&f->clock, 1);
	assert_int_equal(post_due(f), 1);
	post_deliver(f, DEMON_DELIVERY_DUE);
	fake_env_advance(&f->clock, DEMON_DELIVERY_ASKED_MAX - 1);
	assert_int_equal(post_due(f), 0);
	fake_env_advance(&f->clock, 1);
	post_deliver(f, DEMON_DELIVERY_SENT);
}

static void what_is_refused_is_given_up_and_can_be_taken_up_again(void **state)
{
	static const char *const answers[] = {"404", "404", "404", "404", "404",
					      "404", "404", "404", "200"};
	struct post *f = *state;
	int64_t count;

	post_answers(f, answers, 9);
	fail_and_plan(f, HOOK);
	for (int i = 0; i < DEMON_DELIVERY_REFUSALS; i++) {
		post_deliver(f, i < DEMON_DELIVERY_REFUSALS - 1 ? DEMON_DELIVERY_DUE
								: DEMON_DELIVERY_DEAD);
		fake_env_advance(&f->clock, INT64_C(2) * DEMON_DELIVERY_DELAY_MAX);
	}
	assert_int_equal(post_due(f), 0);
	assert_int_equal(post_count(f, DEMON_DELIVERY_DEAD), 1);
	assert_ok(demon_deliveries_retry(f->store, NULL, &count, &f->err), &f->err);
	assert_int_equal(count, 1);
	post_deliver(f, DEMON_DELIVERY_SENT);
	assert_rc(demon_deliveries_retry(f->store, f->due[0].key, &count, &f->err), DEMON_CONFLICT,
		  &f->err);
	assert_rc(demon_deliveries_drop(f->store, "0", &count, &f->err), DEMON_NOTFOUND, &f->err);
}

static void attempts_are_as_many_as_the_route_says(void **state)
{
	static const char *const answers[] = {"500"};
	struct post *f = *state;
	int64_t count;

	post_answers(f, answers, 1);
	fail_and_plan(f, "{'kind':'slack','url':'URL','events':['ritual.failed'],'attempts':2}");
	post_deliver(f, DEMON_DELIVERY_DUE);
	fake_env_advance(&f->clock, 10000);
	post_deliver(f, DEMON_DELIVERY_DEAD);
	assert_ok(demon_deliveries_drop(f->store, NULL, &count, &f->err), &f->err);
	assert_int_equal(count, 1);
	assert_int_equal(post_count(f, DEMON_DELIVERY_DEAD), 0);
}

static void a_missing_secret_is_waited_for_and_never_shown(void **state)
{
	struct post *f = *state;

	fail_and_plan(f, "{'kind':'slack','url':'secret://hooks/nowhere','events':["
			 "'ritual.failed']}");
	post_deliver(f, DEMON_DELIVERY_DUE);
	assert_contains(f->delivered.sent.text, "nowhere");
	post_route(f, "*", "hook",
		   "{'kind':'slack','url':'secret://hooks/key','events':["
		   "'ritual.failed']}");
	fake_env_advance(&f->clock, 10000);
	post_deliver(f, DEMON_DELIVERY_DUE);
	assert_null(strstr(f->delivered.sent.text, "s3cr3t"));
	/* a route that was repaired is used as it is now */
	post_route(f, "*", "hook", HOOK);
	fake_env_advance(&f->clock, 10000);
	post_deliver(f, DEMON_DELIVERY_SENT);
}

static void without_its_route_a_delivery_is_given_up(void **state)
{
	struct post *f = *state;

	fail_and_plan(f, HOOK);
	post_route(f, "*", "hook", NULL);
	post_deliver(f, DEMON_DELIVERY_DEAD);
	assert_string_equal(f->delivered.sent.text, "the route was taken away");
	assert_int_equal(http_server_count(f->server), 0);
}

static void nobody_waits_longer_because_the_clock_was_set_back(void **state)
{
	static const char *const answers[] = {"500", "200"};
	struct post *f = *state;

	post_answers(f, answers, 2);
	fail_and_plan(f, HOOK);
	post_deliver(f, DEMON_DELIVERY_DUE);
	f->clock.now -= INT64_C(365) * 24 * 3600 * 1000;
	fake_env_advance(&f->clock, 10000);
	assert_int_equal(post_due(f), 0);
	assert_ok(demon_deliveries_clock(f->store, &f->err), &f->err);
	fake_env_advance(&f->clock, 1300);
	assert_int_equal(post_due(f), 1);
	/* a year ahead is no reason to give up */
	f->clock.now += INT64_C(365) * 24 * 3600 * 1000;
	post_deliver(f, DEMON_DELIVERY_SENT);
}

static void what_is_about_one_gate_arrives_in_order(void **state)
{
	static const char *const answers[] = {"500", "200"};
	struct post *f = *state;
	int64_t first;

	post_answers(f, answers, 2);
	post_route(f, "*", "hook",
		   "{'kind':'webhook','url':'URL','events':['approval.requested','ritual.failed',"
		   "'approval.warned']}");
	post_open_gate(f, "r-1", ",'ttl':'PT1H'");
	post_fail_run(f, NULL, "r-2");
	assert_int_equal(post_plan(f), 2);
	post_deliver(f, DEMON_DELIVERY_DUE);
	first = f->due[0].id;
	/* the one about another run goes ahead */
	post_deliver(f, DEMON_DELIVERY_SENT);
	assert_string_equal(f->due[0].run_id, "r-2");
	fake_env_advance(&f->clock, 2000);
	assert_int_equal(post_due(f), 1);
	assert_int_equal(f->due[0].id, first);
	post_deliver(f, DEMON_DELIVERY_SENT);
}

/* The link in a body, as the node reads it. */
static void read_link(struct post *f, size_t number, struct demon_link *ret)
{
	const char *at = strstr(post_body(f, number), "https://ops.test/demon/approve#");
	char token[DEMON_LINK_TOKEN_MAX];

	assert_non_null(at);
	at = strchr(at, '#') + 1;
	(void)snprintf(token, sizeof(token), "%.*s", (int)strcspn(at, "\""), at);
	assert_ok(demon_link_read(f->store, token, f->clock.now, ret, &f->err), &f->err);
}

static void links_are_for_one_person_and_the_same_each_time(void **state)
{
	static const char *const answers[] = {"500", "200"};
	struct post *f = *state;
	struct demon_link first;
	struct demon_link again;

	post_answers(f, answers, 2);
	post_route(f, "*", "hook",
		   "{'kind':'webhook','url':'URL','events':['approval.requested'],'links':true}");
	post_open_gate(f, "r-1", ",'approvers':['lee@corp.test'],'ttl':'PT1H'");
	assert_int_equal(post_plan(f), 1);
	post_deliver(f, DEMON_DELIVERY_DUE);
	fake_env_advance(&f->clock, 2000);
	post_deliver(f, DEMON_DELIVERY_SENT);
	read_link(f, 1, &first);
	read_link(f, 2, &again);
	assert_memory_equal(&first, &again, sizeof(first));
	assert_string_equal(first.approver, "lee@corp.test");
	assert_string_equal(first.gate_id, "prod");
	assert_string_equal(first.run_id, "r-1");
	assert_int_equal(first.round, 1);
}

static void a_gate_that_asks_for_a_token_has_no_links(void **state)
{
	struct post *f = *state;

	post_route(f, "*", "hook",
		   "{'kind':'webhook','url':'URL','events':['approval.requested'],'links':true}");
	post_open_gate(f, "r-1", ",'approvers':['lee@corp.test'],'authentication':'token'");
	assert_int_equal(post_plan(f), 1);
	post_deliver(f, DEMON_DELIVERY_SENT);
	assert_null(strstr(post_body(f, 1), "approve#"));
}

static void delays_grow_to_an_hour_and_vary(void **state)
{
	struct post *f = *state;

	(void)state;
	for (int64_t n = 1; n < 100; n++) {
		int64_t delay = demon_delivery_delay(n, -1, &f->clock.env);
		int64_t want = n <= 12 ? INT64_C(1000) << (n - 1) : DEMON_DELIVERY_DELAY_MAX;

		assert_true(delay >= want * 4 / 5 && delay <= want * 6 / 5);
	}
	assert_int_equal(demon_delivery_delay(1, 5000, &f->clock.env), 5000);
}

static void a_test_is_sent_at_once_and_leaves_no_trace(void **state)
{
	struct post *f = *state;
	struct demon_sent sent;

	post_route(f, "blue", "hook", HOOK);
	assert_ok(demon_courier_test(&f->courier, "blue", "hook", NULL, &sent, &f->err), &f->err);
	assert_int_equal(sent.end, DEMON_SENT);
	assert_string_equal(post_field(f, 1, "X-Demon-Event"), "test");
	assert_rc(demon_courier_test(&f->courier, "red", "hook", NULL, &sent, &f->err),
		  DEMON_NOTFOUND, &f->err);
	assert_int_equal(post_plan(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    POST_TEST(what_is_taken_is_sent_once),
	    POST_TEST(a_failure_is_tried_again_with_the_same_key_and_body),
	    POST_TEST(a_crash_between_sending_and_recording_repeats_the_key),
	    POST_TEST(the_other_side_may_say_when_to_come_again),
	    POST_TEST(what_is_refused_is_given_up_and_can_be_taken_up_again),
	    POST_TEST(attempts_are_as_many_as_the_route_says),
	    POST_TEST(a_missing_secret_is_waited_for_and_never_shown),
	    POST_TEST(without_its_route_a_delivery_is_given_up),
	    POST_TEST(nobody_waits_longer_because_the_clock_was_set_back),
	    POST_TEST(what_is_about_one_gate_arrives_in_order),
	    POST_TEST(links_are_for_one_person_and_the_same_each_time),
	    POST_TEST(a_gate_that_asks_for_a_token_has_no_links),
	    POST_TEST(delays_grow_to_an_hour_and_vary),
	    POST_TEST(a_test_is_sent_at_once_and_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
