#include "support/test.h"

#include "domain/capsule/capsule.h"
#include "domain/capsule/http_uri.h"
#include "support/http_calls.h"

#include <stdio.h>

#define KEY HTTP_CALL_KEY

/* --- arguments --- */

static const struct {
	const char *with;
	const char *problem;
} refused[] = {
#define OK "\"method\":\"get\",\"endpoint\":\"http://h/\""
    {"{}", "|missing required argument 'method'\n|missing required argument 'endpoint'\n"},
    {"{" OK ",\"url\":1}", "/url|key: unknown argument 'url'"},
    {"{\"method\":\"gte\",\"endpoint\":\"http://h/\"}",
     "/method|argument 'method': unknown 'gte', expected one of GET,"},
    {"{\"method\":\"get\",\"endpoint\":\"ftp://h/\"}",
     "/endpoint|the endpoint's URI: expected http"},
    {"{\"method\":\"get\",\"endpoint\":\"file:///etc/passwd\"}", "expected http"},
    {"{\"method\":\"get\",\"endpoint\":\"http:///x\"}", "has no host"},
    {"{\"method\":\"get\",\"endpoint\":\"http://u:p@h/\"}", "use 'authentication'"},
    {"{\"method\":\"get\",\"endpoint\":\"http://h/a b\"}", "percent-encode it"},
    {"{\"method\":\"get\",\"endpoint\":\"http://h/{a\"}", "'}' is missing"},
    {"{\"method\":\"get\",\"endpoint\":\"http://h/{?a}\"}", "operator '?'"},
    {"{\"method\":\"get\",\"endpoint\":{\"url\":\"http://h/\"}}",
     "/endpoint/url|key: unknown argument 'url' in 'endpoint'\n"
     "/endpoint|argument 'endpoint': 'uri' is missing"},
    {"{\"method\":\"get\",\"endpoint\":{\"uri\":\"http://h/"
     "\",\"authentication\":{\"digest\":{}}}}",
     "/endpoint/authentication/digest|key: authentication 'digest' is not supported"},
    {"{\"method\":\"get\",\"endpoint\":{\"uri\":\"http://h/"
     "\",\"authentication\":{\"oauth2\":{}}}}",
     "authentication 'oauth2' is not supported"},
    {"{\"method\":\"get\",\"endpoint\":{\"uri\":\"http://h/"
     "\",\"authentication\":\"mine\"}}",
     "expected 'basic' or 'bearer', found a string"},
    {"{\"method\":\"get\",\"endpoint\":{\"uri\":\"http://h/"
     "\",\"authentication\":{\"basic\":"
     "{\"username\":\"a:b\"}}}}",
     "'username' has a ':'\n/endpoint/authentication/basic|authentication: 'password' is "
     "missing"},
    {"{\"method\":\"get\",\"endpoint\":{\"uri\":\"http://h/"
     "\",\"authentication\":{\"bearer\":"
     "{\"token\":\"a\\nb\"}}}}",
     "'token' has control characters"},
    {"{" OK ",\"headers\":{\"X\":\"a\\r\\nY: b\"}}",
     "/headers/X|argument 'headers': value of 'X' has control"},
    {"{" OK ",\"headers\":{\"a b\":\"\"}}", "'a b' is not the name of a header field"},
    {"{" OK ",\"headers\":{\"content-length\":\"1\"}}", "is set by the client itself"},
    {"{" OK ",\"headers\":{\"Accept\":\"a\",\"accept\":\"b\"}}", "is there already"},
    {"{" OK ",\"headers\":{\"X\":[]}}", "expected a string, found a list"},
    {"{" OK ",\"query\":[]}", "/query|argument 'query': expected a mapping, found a list"},
    {"{" OK ",\"query\":{\"a\":{}}}", "/query/a|argument 'query': value of 'a'"},
    {"{" OK ",\"output\":\"text\"}", "expected one of raw, content, response"},
    {"{" OK ",\"redirect\":\"yes\"}", "/redirect|argument 'redirect': expected true or false"},
    {"{" OK ",\"timeout\":0}", "/timeout|argument 'timeout': expected seconds above 0"},
    {"{" OK ",\"maxBytes\":5000000}",
     "/maxBytes|argument 'maxBytes': expected an integer from 1 to"},
    {"{" OK ",\"retry\":{}}", "'attempts': expected an integer from 1 to 20, found nothing"},
    {"{" OK ",\"retry\":{\"attempts\":2,\"statuses\":[503,200]}}", "/retry/statuses/1|"},
    {"{" OK ",\"retry\":{\"attempts\":2,\"delay\":\"PT1H\"}}", "/retry/delay|"},
    {"{" OK ",\"tls\":{\"verify\":false}}", "/tls/verify|key: unknown argument 'verify' in 'tls'"},
    {"{" OK ",\"tls\":{\"keyFile\":\"k\"}}", "'keyFile' without 'certFile'"},
    {"{" OK ",\"idempotent\":1}", "/idempotent|argument 'idempotent': expected true or false"},
    {"{\"method\":\"head\",\"endpoint\":\"http://h/\",\"body\":1}", "HEAD has none"},
};

static void arguments_that_no_request_can_have_are_refused(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_contains(problems_of(f, refused[i].with), refused[i].problem);
	assert_string_equal(
	    problems_of(f, "{\"method\":\"get\",\"endpoint\":\"https://h:1/{petId}?a={b.c}#x\"}"),
	    "");
}

static void secrets_may_stand_where_their_values_will(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
	    problems_of(f, "{\"method\":\"post\",\"endpoint\":\"secret://chat/webhook\"}"), "");
	assert_string_equal(
	    problems_of(f, "{\"method\":\"get\",\"endpoint\":{\"uri\":\"http://h/\","
			   "\"authentication\":{\"basic\":{\"username\":\"secret://a/b\","
			   "\"password\":\"secret://a/c\"}}}}"),
	    "");
	call(f, "{\"method\":\"post\",\"endpoint\":\"secret://chat/webhook\"}");
	assert_failure(f, "HTTP_PROTOCOL", "not supported");
}

static void arguments_that_come_of_an_expression_are_checked_again(void **state)
{
	struct fixture *f = *state;

	call(f, "{\"method\":\"get\",\"endpoint\":\"gopher://h/\"}");
	assert_failure(f, "HTTP_ARGUMENTS", "expected http");
	assert_string_equal(json_string_value(at(f, "result.error.details.pointer")), "/endpoint");
}

static void methods_that_mean_no_change_may_be_repeated(void **state)
{
	static const struct {
		const char *with;
		bool idempotent;
	} cases[] = {
	    {"{\"method\":\"get\"}", true},
	    {"{\"method\":\"HEAD\"}", true},
	    {"{\"method\":\"options\"}", true},
	    {"{\"method\":\"put\"}", true},
	    {"{\"method\":\"Delete\"}", true},
	    {"{\"method\":\"post\"}", false},
	    {"{\"method\":\"patch\"}", false},
	    {"{}", false},
	    {"{\"method\":\"post\",\"idempotent\":true}", true},
	    {"{\"method\":\"get\",\"idempotent\":false}", false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)problems_of(f, cases[i].with);
		assert_int_equal(demon_capsule_http.idempotent(f->with), cases[i].idempotent);
	}
}

static const struct {
	const char *uri;
	const char *expanded; /* NULL: message says why not */
	const char *message;
} templates[] = {
    {"http://h/pet/{petId}", "http://h/pet/1", NULL},
    {"http://h/{name}?q={text}", "http://h/R%26D?q=a%20%2F%3F%C3%A9~", NULL},
    {"http://h/{yes}/{half}/{a.b}/{x.y}", "http://h/true/0.5/flat/deep", NULL},
    {"http://h/", "http://h/", NULL},
    {"http://h/{missing}", NULL, "URI template: '{missing}': the input has no 'missing'"},
    {"http://h/{x.z}", NULL, "the input has no 'x.z'"},
    {"http://h/{none}", NULL, "found null"},
    {"http://h/{list}", NULL, "found a list"},
    {"http://h/{x}", NULL, "found a mapping"},
    {"http://h/{}", NULL, "expected a name"},
    {"http://h/{+name}", NULL, "operator '+' is not supported"},
    {"http://h/{name*}", NULL, "'*' is not supported"},
    {"http://h/{name", NULL, "'}' is missing"},
    {"http://h/}", NULL, "'}' without '{'"},
};

static void templates_take_their_values_from_data(void **state)
{
	struct fixture *f = *state;

	f->with = json_loads("{\"petId\":1,\"name\":\"R&D\",\"text\":\"a /?\\u00e9~\",\"yes\":true,"
			     "\"half\":0.5,\"none\":null,\"list\":[1],\"a.b\":\"flat\","
			     "\"x\":{\"y\":\"deep\"}}",
			     0, NULL);
	assert_non_null(f->with);
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		demon_buf_clear(&f->text);
		assert_rc(demon_http_expand(templates[i].uri, f->with, &f->text, &f->err),
			  templates[i].expanded ? DEMON_OK : DEMON_INVALID, &f->err);
		if (templates[i].expanded)
			assert_string_equal(f->text.data, templates[i].expanded);
		else
			assert_contains(f->err.msg, templates[i].message);
	}
}

/* --- what is sent --- */

static void answer_ok(struct http_peer *peer)
{
	(void)http_peer_answer(peer, 200, "Content-Type: application/json\r\n", "{\"ok\":true}");
}

static void a_request_is_what_the_step_says(void **state)
{
	struct fixture *f = *state;
	const char *sent;

	serve(f, answer_ok);
	ask(f, "post", "/a?x=1#part",
	    ",\"query\":{\"q\":\"a b&c\",\"n\":2},\"headers\":{\"X-Mine\":\"yes\",\"X-None\":\"\"},"
	    "\"body\":{\"b\":1,\"a\":[true,null]}");
	assert_data(f, "{\"ok\":true}");
	sent = request(f, 1);
	assert_contains(sent, "POST /a?x=1&q=a%20b%26c&n=2 HTTP/1.1\r\n");
	assert_contains(sent, "\r\nX-Mine: yes\r\n");
	assert_contains(sent, "\r\nX-None:");
	assert_contains(sent, "\r\nContent-Type: application/json\r\n");
	assert_contains(sent, "\r\nIdempotency-Key: " KEY "\r\n");
	assert_contains(sent, "\r\nUser-Agent: demon\r\n");
	assert_contains(sent, "\r\n\r\n{\"a\":[true,null],\"b\":1}");
	assert_null(strstr(sent, "Expect:"));
	assert_null(strstr(sent, "Accept-Encoding"));

	ask(f, "PUT", "/", ",\"body\":\"as it is\",\"headers\":{\"idempotency-key\":\"mine\"}");
	sent = request(f, 2);
	assert_contains(sent, "PUT / HTTP/1.1\r\n");
	assert_contains(sent, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
	assert_contains(sent, "\r\nidempotency-key: mine\r\n");
	assert_contains(sent, "\r\n\r\nas it is");
	assert_null(strstr(sent, KEY));

	ask(f, "post", "/", ",\"body\":null");
	assert_contains(request(f, 3), "\r\nContent-Length: 0\r\n");
	assert_null(strstr(request(f, 3), "Content-Type"));
	ask(f, "patch", "/", ",\"body\":[1],\"headers\":{\"content-type\":\"text/x\"}");
	assert_contains(request(f, 4), "PATCH / HTTP/1.1\r\n");
	assert_contains(request(f, 4), "\r\ncontent-type: text/x\r\n");
	assert_null(strstr(request(f, 4), "application/json"));
	ask(f, "delete", "/", "");
	assert_contains(request(f, 5), "DELETE / HTTP/1.1\r\n");
	assert_null(strstr(request(f, 5), "Content-"));
}

static void credentials_are_sent_and_not_told(void **state)
{
	struct fixture *f = *state;
	char with[512];

	serve(f, answer_ok);
	(void)snprintf(
	    with, sizeof(with),
	    "{\"method\":\"get\",\"output\":\"response\",\"endpoint\":{\"uri\":\"%s\","
	    "\"authentication\":{\"basic\":{\"username\":\"Aladdin\",\"password\":\"open "
	    "sesame\"}}}}",
	    http_server_url(f->server, "/"));
	call(f, with);
	assert_contains(request(f, 1), "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
	assert_int_equal(number_at(f, "result.data.statusCode"), 200);
	assert_null(find(f, "result.data.request.headers.authorization"));
	assert_null(strstr(f->text.data, "QWxhZGRpbjpvcGVuIHNlc2FtZQ"));
	(void)snprintf(with, sizeof(with),
		       "{\"method\":\"get\",\"endpoint\":{\"uri\":\"%s\","
		       "\"authentication\":{\"bearer\":{\"token\":\"t-0\"}}}}",
		       http_server_url(f->server, "/"));
	call(f, with);
	assert_contains(request(f, 2), "\r\nAuthorization: Bearer t-0\r\n");
	get(f, ",\"output\":\"response\",\"headers\":{\"Authorization\":\"Mine "
	       "123\",\"cookie\":\"c=9\"}");
	assert_contains(request(f, 3), "\r\nAuthorization: Mine 123\r\n");
	assert_string_equal(json_string_value(at(f, "result.data.request.headers.authorization")),
			    "[redacted]");
	assert_string_equal(json_string_value(at(f, "result.data.request.headers.cookie")),
			    "[redacted]");
	assert_null(strstr(f->text.data, "Mine 123"));
}

static void set_proxy(bool on)
{
	static const char *const names[] = {"http_proxy", "all_proxy", "HTTPS_PROXY"};

	for (size_t i = 0; i < demon_count(names); i++)
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): before the request's threads */
		(void)(on ? setenv(names[i], "http://127.0.0.1:1", 1) : unsetenv(names[i]));
}

static void the_environment_names_no_proxy(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_ok);
	set_proxy(true);
	get(f, "");
	set_proxy(false);
	assert_data(f, "{\"ok\":true}");
}

/* --- what is answered --- */

static void answer_by_path(struct http_peer *peer)
{
	static const struct {
		const char *path;
		int status;
		const char *fields;
		const char *body;
	} pages[] = {
	    {"/problem ", 200, "Content-Type: application/problem+json; charset=utf-8\r\n", "[1]"},
	    {"/text ", 200, "Content-Type: text/plain\r\n", "gr\xc3\xbc\xc3\x9f dich"},
	    {"/latin ", 200, "Content-Type: text/plain\r\n", "gr\xfc\xdf"},
	    {"/none ", 200, "", ""},
	    {"/gone ", 204, "Content-Type: application/json\r\n", ""},
	    {"/gzip ", 200, "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n", "\x1f\x8b"},
	    {"/bad ", 200, "Content-Type: application/json\r\n", "{\"a\": nope}"},
	    {"/large-number ", 200, "Content-Type: application/json\r\n",
	     "{\"a\": [9007199254740993]}"},
	    {"/twice ", 200, "X-A: 1\r\nx-a: 2\r\nX-B:\r\n", "x"},
	    {"/404", 404, "Content-Type: application/json\r\nSet-Cookie: s=secret\r\n",
	     "{\"why\":\"no pet\"}"},
	    {"/500 ", 500, "Content-Type: application/json\r\n", "<oops>"},
	    {"/304 ", 304, "", ""},
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strstr(peer->request, pages[i].path)) {
			(void)http_peer_answer(peer, pages[i].status, pages[i].fields,
					       pages[i].body);
			return;
		}
	(void)http_peer_answer(peer, 400, "", "");
}

static void content_is_read_as_what_it_says_it_is(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_by_path);
	ask(f, "get", "/problem", "");
	assert_data(f, "[1]");
	ask(f, "get", "/text", "");
	assert_data(f, "\"gr\\u00fc\\u00df dich\"");
	ask(f, "get", "/latin", "");
	assert_data(f, "\"Z3L83w==\"");
	ask(f, "get", "/none", "");
	assert_data(f, "null");
	ask(f, "get", "/gone", "");
	assert_data(f, "null");
	ask(f, "head", "/text", "");
	assert_data(f, "null");
	ask(f, "get", "/gzip", "");
	assert_failure(f, "HTTP_PROTOCOL", "encoded as 'gzip'");
	ask(f, "get", "/gzip", ",\"output\":\"raw\"");
	assert_data(f, "\"H4s=\"");
	ask(f, "get", "/problem", ",\"output\":\"raw\"");
	assert_data(f, "\"WzFd\"");
	ask(f, "get", "/none", ",\"output\":\"raw\"");
	assert_data(f, "\"\"");
}

static void a_response_has_request_status_fields_and_content(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_by_path);
	ask(f, "get", "/twice", ",\"output\":\"response\"");
	assert_int_equal(number_at(f, "result.data.statusCode"), 200);
	assert_string_equal(json_string_value(at(f, "result.data.content")), "x");
	assert_string_equal(json_string_value(at(f, "result.data.headers.x-a")), "1, 2");
	assert_string_equal(json_string_value(at(f, "result.data.headers.x-b")), "");
	assert_string_equal(json_string_value(at(f, "result.data.request.method")), "GET");
	assert_string_equal(json_string_value(at(f, "result.data.request.uri")),
			    http_server_url(f->server, "/twice"));
	assert_string_equal(json_string_value(at(f, "result.data.request.headers.idempotency-key")),
			    KEY);
}

static void content_that_no_event_holds_is_an_error_and_raw_the_way_out(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_by_path);
	ask(f, "get", "/bad", "");
	assert_failure(f, "HTTP_BAD_JSON", "1:7");
	ask(f, "get", "/large-number", "");
	assert_failure(f, "HTTP_BAD_JSON", "at '/a/0'");
	ask(f, "get", "/large-number", ",\"output\":\"raw\"");
	assert_data(f, "\"eyJhIjogWzkwMDcxOTkyNTQ3NDA5OTNdfQ==\"");
}

static void a_status_other_than_success_is_an_error_that_holds_the_answer(void **state)
{
	struct fixture *f = *state;

	serve(f, answer_by_path);
	ask(f, "get", "/404", ",\"query\":{\"token\":\"geheim\"}");
	assert_failure(f, "HTTP_STATUS", "/404': answered with status 404");
	assert_int_equal(number_at(f, "result.error.details.status"), 404);
	assert_int_equal(number_at(f, "result.error.details.statusCode"), 404);
	assert_string_equal(json_string_value(at(f, "result.error.details.content.why")), "no pet");
	assert_non_null(find(f, "result.error.details.headers.content-type"));
	assert_null(strstr(f->text.data, "s=secret"));
	assert_null(strstr(f->text.data, "geheim"));
	ask(f, "get", "/500", "");
	assert_failure(f, "HTTP_STATUS", "status 500");
	assert_string_equal(json_string_value(at(f, "result.error.details.content")), "<oops>");
	ask(f, "get", "/304", "");
	assert_failure(f, "HTTP_STATUS", "status 304");
	ask(f, "get", "/304", ",\"redirect\":true");
	assert_data(f, "null");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_calls_set_up, http_calls_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(arguments_that_no_request_can_have_are_refused),
	    TEST(secrets_may_stand_where_their_values_will),
	    TEST(arguments_that_come_of_an_expression_are_checked_again),
	    TEST(methods_that_mean_no_change_may_be_repeated),
	    TEST(templates_take_their_values_from_data),
	    TEST(a_request_is_what_the_step_says),
	    TEST(credentials_are_sent_and_not_told),
	    TEST(the_environment_names_no_proxy),
	    TEST(content_is_read_as_what_it_says_it_is),
	    TEST(a_response_has_request_status_fields_and_content),
	    TEST(content_that_no_event_holds_is_an_error_and_raw_the_way_out),
	    TEST(a_status_other_than_success_is_an_error_that_holds_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
