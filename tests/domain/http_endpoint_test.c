#include "support/test.h"

#include "base/fault.h"
#include "domain/capsule/capsule.h"
#include "support/http_calls.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"
#define JSON "Content-Type: application/json\r\n"

/* --- redirects --- */

/* "/to/STATUS/REST" redirects to "/REST", or to the other server where there is one. */
static void answer_redirects(struct http_peer *peer)
{
	struct fixture *f = peer->ctx;
	const char *path = strstr(peer->request, "/to/");
	char *rest;
	char location[512];
	long status;

	if (!path) {
		(void)http_peer_answer(peer, 200, JSON, "{\"ok\":true}");
		return;
	}
	status = strtol(path + 4, &rest, 10);
	(void)snprintf(location, sizeof(location), "Location: %s%.*s\r\n",
		       f->other ? http_server_url(f->other, "") : "", (int)strcspn(rest, " "),
		       rest);
	(void)http_peer_answer(peer, (int)status, location, "ignored");
}

static void a_redirect_is_an_error_unless_the_step_wants_it(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_redirects);
	ask(f, "get", "/to/302/there", "");
	assert_failure(f, "HTTP_STATUS", "status 302");
	assert_string_equal(json_string_value(at(f, "result.error.details.headers.location")),
			    "/there");
	assert_int_equal(http_server_count(f->server), 1);
	ask(f, "get", "/to/302/there?x=1#y", ",\"redirect\":true,\"output\":\"response\"");
	assert_int_equal(number_at(f, "result.data.statusCode"), 200);
	assert_string_equal(json_string_value(at(f, "result.data.request.uri")),
			    http_server_url(f->server, "/there?x=1"));
	assert_int_equal(number_at(f, "metrics.counters.redirects"), 1);
	assert_contains(request(f, 3), "GET /there?x=1 HTTP/1.1\r\n");
}

static void a_redirect_keeps_the_request_or_makes_a_get_of_it(void **state)
{
	static const struct {
		const char *method;
		const char *wanted;
		int status;
		bool body;
	} cases[] = {
	    {"POST", "GET ", 301, false}, {"POST", "GET ", 302, false},
	    {"POST", "GET ", 303, false}, {"POST", "POST ", 307, true},
	    {"POST", "POST ", 308, true}, {"PUT", "PUT ", 301, true},
	    {"PUT", "GET ", 303, false},  {"PATCH", "PATCH ", 307, true},
	};
	struct fixture *f = *state;

	serve(f, answer_redirects);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[64];
		const char *second;

		(void)snprintf(path, sizeof(path), "/to/%d/there", cases[i].status);
		ask(f, cases[i].method, path, ",\"redirect\":true,\"body\":{\"a\":1}");
		assert_data(f, "{\"ok\":true}");
		second = request(f, 2 * i + 2);
		assert_true(strncmp(second, cases[i].wanted, strlen(cases[i].wanted)) == 0);
		assert_int_equal(strstr(second, "{\"a\":1}") != NULL, cases[i].body);
		assert_int_equal(strstr(second, "Content-Type:") != NULL, cases[i].body);
		assert_contains(second, "\r\nIdempotency-Key: " HTTP_CALL_KEY "\r\n");
	}
}

static void redirect_in_a_circle(struct http_peer *peer)
{
	(void)http_peer_answer(peer, 302, "Location: /again\r\n", "");
}

static void redirects_in_a_circle_end_after_ten(void **state)
{
	struct fixture *f = *state;

	serve(f, redirect_in_a_circle);
	get(f, ",\"redirect\":true");
	assert_failure(f, "HTTP_REDIRECTS", "more redirects than 10");
	assert_int_equal(http_server_count(f->server), 11);
}

static void answer_location(struct http_peer *peer)
{
	static const char *const locations[] = {
	    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:1/x", "http://",
	    "data:text/plain,x",
	};
	char field[128];

	(void)snprintf(field, sizeof(field), "Location: %s\r\n", locations[peer->number - 1]);
	(void)http_peer_answer(peer, 302, field, "");
}

static void redirects_lead_to_http_only(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_location);
	for (size_t i = 0; i < 5; i++) {
		get(f, ",\"redirect\":true");
		assert_failure(f, "HTTP_REDIRECTS", "it redirects to ");
		assert_int_equal(number_at(f, "result.error.details.status"), 302);
	}
	assert_int_equal(http_server_count(f->server), 5);
}

static void another_origin_sees_no_credentials(void **state)
{
	struct fixture *f = *state;
	const char *first;
	const char *second;
	char with[1024];

	f->other = http_server_open(answer_redirects, &(struct fixture){0});
	serve(f, answer_redirects);
	(void)snprintf(with, sizeof(with),
		       "{\"method\":\"get\",\"redirect\":true,\"headers\":{\"X-Api-Key\":\"k-1\","
		       "\"Cookie\":\"c\",\"Accept\":\"text/x\",\"Host\":\"mine\"},\"endpoint\":{"
		       "\"uri\":\"%s\",\"authentication\":{\"bearer\":{\"token\":\"t-0\"}}}}",
		       http_server_url(f->server, "/to/302/there"));
	call(f, with);
	assert_data(f, "{\"ok\":true}");
	first = request(f, 1);
	assert_contains(first, "Bearer t-0");
	assert_contains(first, "k-1");
	second = http_server_request(f->other, 1);
	assert_null(strstr(second, "Authorization"));
	assert_null(strstr(second, "k-1"));
	assert_null(strstr(second, "Cookie"));
	assert_null(strstr(second, "Host: mine"));
	assert_contains(second, "\r\nAccept: text/x\r\n");
}

/* --- retries --- */

static void answer_busy_twice(struct http_peer *peer)
{
	if (peer->number == 1)
		(void)http_peer_answer(peer, 503, "Retry-After: 120\r\n", "busy");
	else if (peer->number == 2)
		(void)http_peer_answer(peer, 429, "Retry-After: Fri, 02 Jan 2026 03:05:05 GMT\r\n",
				       "");
	else
		(void)http_peer_answer(peer, 200, JSON, "{\"ok\":true}");
}

static void a_busy_endpoint_is_asked_again_when_it_says(void **state)
{
	struct fixture *f = *state;
	const json_t *said;

	use_fast_clock(f, 1000);
	serve(f, answer_busy_twice);
	ask(f, "post", "/", ",\"timeout\":3600,\"retry\":{\"attempts\":3}");
	assert_data(f, "{\"ok\":true}");
	assert_int_equal(http_server_count(f->server), 3);
	assert_int_equal(number_at(f, "metrics.counters.tries"), 3);
	said = at(f, "diagnostics");
	assert_contains(json_string_value(json_object_get(json_array_get(said, 0), "message")),
			"status 503, trying again in 120000 ms");
	assert_contains(json_string_value(json_object_get(json_array_get(said, 1), "message")),
			"status 429, trying again in 59322 ms");
	assert_contains(request(f, 3), "\r\nIdempotency-Key: " HTTP_CALL_KEY "\r\n");
}

static void answer_busy_for_ever(struct http_peer *peer)
{
	(void)http_peer_answer(peer, 503, "Retry-After: 99999999999999999999\r\n", "busy");
}

static void retries_are_bounded_in_number_and_wait(void **state)
{
	struct fixture *f = *state;

	use_fast_clock(f, 1000);
	serve(f, answer_busy_for_ever);
	get(f, ",\"timeout\":3600,\"retry\":{\"attempts\":2}");
	assert_failure(f, "HTTP_STATUS", "status 503");
	assert_int_equal(http_server_count(f->server), 3);
	assert_contains(f->text.data, "trying again in 300000 ms");
	/* a wait that would outlast the step is not begun */
	f->limit_ms = 200000;
	use_fast_clock(f, 20);
	get(f, ",\"timeout\":3600,\"retry\":{\"attempts\":2}");
	assert_failure(f, "HTTP_STATUS", "status 503");
	assert_int_equal(http_server_count(f->server), 4);
	assert_contains(f->text.data, "no time is left");
	/* other statuses than the step's are final */
	f->limit_ms = 0;
	get(f, ",\"timeout\":3600,\"retry\":{\"attempts\":2,\"statuses\":[500]}");
	assert_int_equal(http_server_count(f->server), 5);
}

static void hang_up(struct http_peer *peer)
{
	(void)peer;
}

static void what_may_have_arrived_is_not_sent_again(void **state)
{
	struct fixture *f = *state;

	use_fast_clock(f, 10);
	serve(f, hang_up);
	ask(f, "post", "/", ",\"retry\":{\"attempts\":2}");
	assert_failure(f, "HTTP_CONNECT", "");
	assert_int_equal(http_server_count(f->server), 1);
	ask(f, "get", "/", ",\"retry\":{\"attempts\":2}");
	assert_failure(f, "HTTP_CONNECT", "");
	assert_int_equal(http_server_count(f->server), 4);
}

static void nobody_who_listens_is_an_error_that_is_tried_again(void **state)
{
	struct fixture *f = *state;

	use_fast_clock(f, 10);
	call(f, "{\"method\":\"post\",\"endpoint\":\"http://127.0.0.1:1/"
		"\",\"retry\":{\"attempts\":2}}");
	assert_failure(f, "HTTP_CONNECT", "");
	assert_int_equal(number_at(f, "metrics.counters.tries"), 3);
	call(f,
	     "{\"method\":\"get\",\"endpoint\":\"http://"
	     "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg.invalid/\"}");
	assert_failure(f, "HTTP_DNS", "");
}

/* --- endpoints that take their time --- */

static void trickle(struct http_peer *peer)
{
	if (!http_peer_say(peer, HEAD "Content-Type: text/plain\r\n\r\n"))
		return;
	while (http_peer_say(peer, "x") && !http_peer_wait(peer, 10))
		;
}

static void trickle_fields(struct http_peer *peer)
{
	(void)http_peer_say(peer, HEAD);
	while (http_peer_say(peer, "X: y\r\n") && !http_peer_wait(peer, 10))
		;
}

static void say_nothing(struct http_peer *peer)
{
	(void)http_peer_wait(peer, -1);
}

static void stop_in_the_middle(struct http_peer *peer)
{
	(void)http_peer_say(peer, HEAD "Content-Length: 10\r\n\r\nhalf");
	(void)http_peer_wait(peer, -1);
}

static http_server_fn *const slow[] = {trickle, trickle_fields, say_nothing, stop_in_the_middle};

static void an_endpoint_that_takes_its_time_is_given_up(void **state)
{
	struct fixture *f = *state;

	use_fast_clock(f, 10);
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		serve(f, slow[i]);
		get(f, ",\"timeout\":3");
		assert_failure(f, "HTTP_TIMEOUT", "its time was up");
	}
}

static void the_limit_of_the_step_holds_whatever_the_timeout(void **state)
{
	struct fixture *f = *state;

	use_fast_clock(f, 10);
	f->limit_ms = 3000;
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		serve(f, slow[i]);
		get(f, ",\"timeout\":\"PT1H\",\"retry\":{\"attempts\":5}");
		assert_failure(f, "TIMEOUT", "time was up");
		assert_int_equal(http_server_count(f->server), 1);
	}
}

static void a_call_that_is_canceled_ends_at_once(void **state)
{
	struct fixture *f = *state;

	f->cancel_at = 2;
	f->env.ctx = f;
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		f->asked = 0;
		serve(f, slow[i]);
		get(f, "");
		assert_failure(f, "CANCELED", "canceled");
		assert_int_equal(f->asked, 2);
	}
	serve(f, answer_busy_for_ever);
	f->asked = 0;
	f->cancel_at = 3;
	get(f, ",\"retry\":{\"attempts\":2}");
	assert_failure(f, "CANCELED", "canceled");
	assert_int_equal(http_server_count(f->server), 1);
}

/* --- endpoints that send too much --- */

static void flood(struct http_peer *peer, const char *head)
{
	struct fixture *f = peer->ctx;
	static const char block[65536] = {0};

	f->sent = 0;
	if (!http_peer_say(peer, "%s", head))
		return;
	while (http_peer_send(peer, block, sizeof(block)) && f->sent < (size_t)10 << 30)
		f->sent += sizeof(block);
}

static void send_10_gb(struct http_peer *peer)
{
	flood(peer, HEAD "Content-Length: 10737418240\r\n\r\n");
}

static void send_without_end(struct http_peer *peer)
{
	flood(peer, HEAD "\r\n");
}

static void send_a_large_error(struct http_peer *peer)
{
	flood(peer, "HTTP/1.1 500 Oops\r\nContent-Length: 10737418240\r\n\r\n");
}

static void redirect_with_a_large_body(struct http_peer *peer)
{
	if (peer->number == 1)
		flood(peer,
		      "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 10737418240\r\n\r\n");
	else
		(void)http_peer_answer(peer, 200, JSON, "1");
}

static long resident_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

static void ten_gigabytes_are_offered_and_one_megabyte_is_read(void **state)
{
	struct fixture *f = *state;
	long before;

	serve(f, send_10_gb);
	get(f, ",\"maxBytes\":1000");
	before = resident_kib();
	get(f, "");
	assert_failure(f, "HTTP_TOO_LARGE", "larger than 1048576 bytes");
	serve(f, send_without_end);
	get(f, "");
	assert_failure(f, "HTTP_TOO_LARGE", "larger than 1048576 bytes");
	serve(f, send_a_large_error);
	get(f, "");
	assert_failure(f, "HTTP_STATUS", "status 500");
	serve(f, redirect_with_a_large_body);
	get(f, ",\"redirect\":true");
	assert_data(f, "1");
	http_server_close(f->server);
	f->server = NULL;
	assert_true(f->sent < (size_t)64 << 20);
	assert_true(resident_kib() - before < 48L * 1024);
}

static void answer_4_mb(struct http_peer *peer)
{
	static char body[500001];

	memset(body, 'x', sizeof(body) - 1);
	(void)http_peer_answer(peer, 200, "Content-Type: text/plain\r\n", body);
}

static void an_answer_that_no_event_holds_is_refused(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_4_mb);
	get(f, "");
	assert_failure(f, "HTTP_TOO_LARGE", "larger than 491520 bytes of JSON");
	get(f, ",\"maxBytes\":1000");
	assert_failure(f, "HTTP_TOO_LARGE", "larger than 1000 bytes");
}

static void send_fields_without_end(struct http_peer *peer)
{
	(void)http_peer_say(peer, HEAD);
	while (http_peer_say(peer, "X-Much: %01000d\r\n", 0))
		;
}

static void send_one_long_field(struct http_peer *peer)
{
	(void)http_peer_say(peer, HEAD "X-Long: ");
	while (http_peer_say(peer, "%01000d", 0))
		;
}

static void continue_for_ever(struct http_peer *peer)
{
	while (http_peer_say(peer, "HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"))
		;
}

static void header_fields_without_end_are_given_up(void **state)
{
	struct fixture *f = *state;

	serve(f, send_fields_without_end);
	get(f, "");
	assert_failure(f, "HTTP_TOO_LARGE", "64 KiB");
	serve(f, continue_for_ever);
	get(f, "");
	assert_failure(f, "HTTP_TOO_LARGE", "64 KiB");
	serve(f, send_one_long_field);
	get(f, "");
	assert_failure(f, "HTTP_TOO_LARGE", "too large");
}

/* --- endpoints that break the rules --- */

static const struct broken {
	const char *sent;
	const char *code;
} broken[] = {
    {HEAD "Content-Length: 10\r\n\r\nhalf", "HTTP_PROTOCOL"},
    {HEAD "Content-Length: abc\r\n\r\nhalf", "HTTP_PROTOCOL"},
    {HEAD "Content-Length: -1\r\n\r\nhalf", "HTTP_PROTOCOL"},
    {HEAD "Content-Length: 4\r\nContent-Length: 5\r\n\r\nhalf", "HTTP_PROTOCOL"},
    {HEAD "Content-Length: 99999999999999999999999\r\n\r\nhalf", "HTTP_PROTOCOL"},
    {HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf", "HTTP_PROTOCOL"},
    {HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "HTTP_PROTOCOL"},
    {HEAD "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhalf\r\n", "HTTP_PROTOCOL"},
    {"HTTP/1.1 200 OK\r\nConte", "HTTP_PROTOCOL"},
    {"HTTP/1.1 200 OK\r\nX: y\r\n", "HTTP_PROTOCOL"},
    {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP_PROTOCOL"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "HTTP_PROTOCOL"},
    {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP_PROTOCOL"},
    {"<html>no head at all</html>", "HTTP_PROTOCOL"},
    {"HTTP/1.1 99999 Odd\r\n\r\n", "HTTP_PROTOCOL"},
    {"HTTP/9.9 200 OK\r\n\r\n", "HTTP_PROTOCOL"},
    {"", "HTTP_CONNECT"},
};

static void answer_broken(struct http_peer *peer)
{
	const char *text = broken[peer->number - 1].sent;

	(void)http_peer_send(peer, text, strlen(text));
}

static void answers_that_break_the_rules_are_errors(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_broken);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		get(f, "");
		assert_failure(f, broken[i].code, "");
	}
}

static void answer_with_interim(struct http_peer *peer)
{
	(void)http_peer_say(peer,
			    "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
			    "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" HEAD JSON
			    "X-Final: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
			    "3\r\n[1,\r\n2\r\n2]\r\n0\r\nX-Late: 1\r\n\r\n");
}

static void interim_answers_and_trailers_are_not_the_answer(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_with_interim);
	get(f, ",\"output\":\"response\"");
	assert_int_equal(number_at(f, "result.data.statusCode"), 200);
	assert_int_equal(json_array_size(at(f, "result.data.content")), 2);
	assert_non_null(find(f, "result.data.headers.x-final"));
	assert_null(find(f, "result.data.headers.x-interim"));
	assert_null(find(f, "result.data.headers.link"));
	assert_null(find(f, "result.data.headers.x-late"));
}

static void answer_deep(struct http_peer *peer)
{
	char body[2001];

	memset(body, '[', 1000);
	memset(body + 1000, ']', 1000);
	body[2000] = '\0';
	(void)http_peer_answer(peer, 200, JSON, body);
}

static void json_of_a_thousand_levels_is_refused(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_deep);
	get(f, "");
	assert_failure(f, "HTTP_BAD_JSON", "48");
}

/* --- memory --- */

static void memory_that_runs_out_ends_the_call_and_not_the_process(void **state)
{
	struct fixture *f = *state;
	struct demon_call call = {.env = &f->env,
				  .tenant_id = "blue",
				  .ritual_id = "ask",
				  .run_id = "r-1",
				  .step_name = "Ask",
				  .idempotency_key = HTTP_CALL_KEY,
				  .attempt = 1};
	unsigned failed = 0;
	unsigned hits = 1;
	char with[512];

	serve(f, answer_redirects);
	(void)snprintf(with, sizeof(with),
		       "{\"method\":\"post\",\"redirect\":true,\"body\":[1,2],\"query\":{\"a\":1},"
		       "\"output\":\"response\",\"endpoint\":{\"uri\":\"%s\",\"authentication\":"
		       "{\"basic\":{\"username\":\"u\",\"password\":\"p\"}}}}",
		       http_server_url(f->server, "/to/307/there"));
	assert_string_equal(problems_of(f, with), "");
	call.with = f->with;
	for (unsigned nth = 1; hits; nth++) {
		json_t *envelope = NULL;
		enum demon_rc rc;

		demon_fault_arm(DEMON_FAULT_ALLOC, nth, false);
		rc = demon_capsule_http.run(&call, &envelope, &f->err);
		hits = demon_fault_disarm();
		json_decref(envelope);
		failed += rc == DEMON_NOMEM;
		if (rc != DEMON_OK && rc != DEMON_NOMEM)
			fail_msg("allocation %u: %s", nth, f->err.msg);
		assert_int_equal(envelope != NULL, rc == DEMON_OK);
	}
	assert_true(failed > 20);
}

/* --- threads --- */

static void answer_number(struct http_peer *peer)
{
	(void)http_peer_answer(peer, 200, JSON, "{\"ok\":true}");
}

struct asker {
	pthread_t thread;
	char with[256];
	unsigned good;
};

static void *ask_often(void *ctx)
{
	struct asker *a = ctx;
	json_t *with = json_loads(a->with, 0, NULL);
	struct demon_call call = {.env = demon_env_real(),
				  .with = with,
				  .tenant_id = "blue",
				  .ritual_id = "ask",
				  .run_id = "r-1",
				  .step_name = "Ask",
				  .idempotency_key = HTTP_CALL_KEY,
				  .attempt = 1};

	for (int i = 0; i < 20; i++) {
		json_t *envelope = NULL;
		struct demon_err err;

		if (demon_capsule_http.run(&call, &envelope, &err))
			break;
		a->good +=
		    json_is_true(json_object_get(json_object_get(envelope, "result"), "success"));
		json_decref(envelope);
	}
	json_decref(with);
	return NULL;
}

static void threads_ask_at_the_same_time(void **state)
{
	struct fixture *f = *state;
	struct asker askers[8] = {{.good = 0}};

	serve(f, answer_number);
	for (size_t i = 0; i < demon_count(askers); i++) {
		(void)snprintf(askers[i].with, sizeof(askers[i].with),
			       "{\"method\":\"get\",\"endpoint\":\"%s\"}",
			       http_server_url(f->server, "/"));
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
	}
	for (size_t i = 0; i < demon_count(askers); i++) {
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
		assert_int_equal(askers[i].good, 20);
	}
	assert_int_equal(http_server_count(f->server), 160);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_calls_set_up, http_calls_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_redirect_is_an_error_unless_the_step_wants_it),
	    TEST(a_redirect_keeps_the_request_or_makes_a_get_of_it),
	    TEST(redirects_in_a_circle_end_after_ten),
	    TEST(redirects_lead_to_http_only),
	    TEST(another_origin_sees_no_credentials),
	    TEST(a_busy_endpoint_is_asked_again_when_it_says),
	    TEST(retries_are_bounded_in_number_and_wait),
	    TEST(what_may_have_arrived_is_not_sent_again),
	    TEST(nobody_who_listens_is_an_error_that_is_tried_again),
	    TEST(an_endpoint_that_takes_its_time_is_given_up),
	    TEST(the_limit_of_the_step_holds_whatever_the_timeout),
	    TEST(a_call_that_is_canceled_ends_at_once),
	    TEST(ten_gigabytes_are_offered_and_one_megabyte_is_read),
	    TEST(an_answer_that_no_event_holds_is_refused),
	    TEST(header_fields_without_end_are_given_up),
	    TEST(answers_that_break_the_rules_are_errors),
	    TEST(interim_answers_and_trailers_are_not_the_answer),
	    TEST(json_of_a_thousand_levels_is_refused),
	    TEST(memory_that_runs_out_ends_the_call_and_not_the_process),
	    TEST(threads_ask_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
