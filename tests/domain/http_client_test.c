#include "support/test.h"

#include "domain/http_client/http_client.h"
#include "domain/http_client/http_redirect.h"
#include "domain/http_client/libcurl.h"
#include "support/http_calls.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether a file whose path has @p part is mapped into this process. */
static bool is_mapped(const char *part)
{
	char line[1024];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, part) != NULL;
	(void)fclose(maps);
	return found;
}

/* --- the library --- */

static void nothing_is_loaded_before_the_first_request(void **state)
{
	struct fixture *f = *state;
	const struct demon_libcurl *curl;
	const struct demon_libcurl *again;

	assert_false(is_mapped("libcurl"));
	assert_false(is_mapped("libssl"));
	assert_ok(demon_libcurl(&curl, &f->err), &f->err);
	assert_true(is_mapped("libcurl"));
	assert_ok(demon_libcurl(&again, &f->err), &f->err);
	assert_ptr_equal(curl, again);
}

static void a_library_that_is_missing_or_another_is_told(void **state)
{
	struct fixture *f = *state;
	struct demon_libcurl table = {0};

	assert_rc(demon_libcurl_load("libcurl-absent.so.4", &table, &f->err), DEMON_UNAVAIL,
		  &f->err);
	assert_contains(f->err.msg, "cannot load libcurl: libcurl-absent.so.4");
	assert_rc(demon_libcurl_load("libc.so.6", &table, &f->err), DEMON_UNAVAIL, &f->err);
	assert_contains(f->err.msg, "'libc.so.6' has no function 'curl_global_init'");
	assert_null(table.easy_init);
}

/* --- where redirects lead --- */

static void redirects_are_resolved_and_judged(void **state)
{
	static const struct {
		const char *from;
		const char *location;
		const char *url; /* NULL: refused */
		bool same_origin;
	} cases[] = {
	    {"http://h/a/b", "c", "http://h/a/c", true},
	    {"http://h/a/b", "/c?d#e", "http://h/c?d", true},
	    {"http://h/a/b", "../../c", "http://h/c", true},
	    {"http://h/a", "?x", "http://h/a?x", true},
	    {"http://h/a", "http://H:80/", "http://H:80/", true},
	    {"http://h/a", "http://h:81/", "http://h:81/", false},
	    {"http://h/a", "http://i/", "http://i/", false},
	    {"http://h/a", "//i/x", "http://i/x", false},
	    {"http://h/a", "https://h/", "https://h/", false},
	    {"https://h/a", "https://h:443/", "https://h:443/", true},
	    {"http://h/a", "http://u:p@h/x", "http://h/x", true},
	    {"http://h/a", "http://h.evil/", "http://h.evil/", false},
	    {"http://h/a", "/sp ace", "http://h/sp%20ace", true},
	    {"https://h/a", "http://h/a", NULL, false},
	    {"http://h/a", "file:///etc/passwd", NULL, false},
	    {"http://h/a", "javascript:alert(1)", NULL, false},
	    {"http://h/a", "http://", NULL, false},
	    {"http://h/a", "http://h:99999/", NULL, false},
	};
	struct fixture *f = *state;
	const struct demon_libcurl *curl;

	assert_ok(demon_libcurl(&curl, &f->err), &f->err);
	for (size_t i = 0; i < demon_count(cases); i++) {
		struct demon_http_redirect to;
		bool same;

		assert_ok(demon_http_redirect(curl, cases[i].from, cases[i].location, &to, &f->err),
			  &f->err);
		same = to.refused ? !cases[i].url
				  : cases[i].url && strcmp(to.url, cases[i].url) == 0 &&
					to.same_origin == cases[i].same_origin;
		if (!same)
			fail_msg("%s: '%s' became '%s' (%s)", cases[i].from, cases[i].location,
				 to.url ? to.url : "", to.refused ? to.refused : "followed");
		free(to.url);
	}
}

#define NOW INT64_C(784111772000) /* Sun, 06 Nov 1994 08:49:32 GMT */

static void retry_after_is_seconds_or_a_date(void **state)
{
	static const struct {
		const char *value;
		int64_t ms; /* -1: it does not say */
	} cases[] = {
	    {"0", 0},
	    {"120", 120000},
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 5000},
	    {"Sunday, 06-Nov-94 08:49:37 GMT", 5000},
	    {"Sun Nov  6 08:49:37 1994", 5000},
	    {"Thu, 01 Jan 1970 00:00:01 GMT", 0},
	    {"soon", -1},
	    {"", -1},
	    {"-5", -1},
	};
	struct demon_http_response r = {.end = DEMON_HTTP_ANSWERED};
	int64_t ms = 7;

	(void)state;
	assert_false(demon_http_retry_after(&r, NOW, &ms));
	for (size_t i = 0; i < demon_count(cases); i++) {
		demon_http_fields_add(&r.fields, "retry-after", cases[i].value);
		if (demon_http_retry_after(&r, NOW, &ms) != (cases[i].ms >= 0) ||
		    (cases[i].ms >= 0 && ms != cases[i].ms))
			fail_msg("'%s': %lld ms", cases[i].value, (long long)ms);
		demon_http_fields_clear(&r.fields);
	}
	demon_http_response_done(&r);
}

static void fields_are_read_line_by_line(void **state)
{
	struct demon_http_fields fields = {0};
	static const char *const lines[] = {"A: 1 \r\n",   "b:\r\n",     "  more\r\n",
					    "nothing\r\n", ": none\r\n", "a: 2\r\n"};

	(void)state;
	for (size_t i = 0; i < demon_count(lines); i++)
		demon_http_fields_line(&fields, lines[i], strlen(lines[i]));
	assert_int_equal(fields.count, 3);
	assert_string_equal(demon_http_fields_get(&fields, "a"), "1");
	assert_string_equal(demon_http_fields_get(&fields, "B"), "more");
	assert_string_equal(fields.items[2].value, "2");
	assert_null(demon_http_fields_get(&fields, "c"));
	demon_http_fields_done(&fields);
}

/* --- TLS --- */

/* A TLS server of the openssl command, and the certificates that it makes. */
struct tls_server {
	pid_t pid;
	FILE *out;
	int port;
};

static void make_certificate(const struct fixture *f, const char *name, const char *host)
{
	char command[1024];

	(void)snprintf(
	    command, sizeof(command),
	    "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-days 2 -keyout %s.key -out %s.crt -subj /CN=%s -addext "
	    "subjectAltName=%s 2>/dev/null",
	    f->dir, name, name, name, host);
	if (system(command) != 0) /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
		fail_msg("openssl does not make a certificate");
}

/* Serves the files of the test's folder until its stdin is closed; it says where. */
static struct tls_server start_tls(const struct fixture *f, const char *certificate,
				   const char *more)
{
	struct tls_server s = {.pid = -1};
	char command[1024];
	char line[256];
	int out[2];

	(void)snprintf(
	    command, sizeof(command),
	    "cd '%s' && exec openssl s_server -accept 127.0.0.1:0 -cert %s.crt -key %s.key -WWW %s "
	    "2>/dev/null",
	    f->dir, certificate, certificate, more);
	assert_int_equal(pipe(out), 0);
	if ((s.pid = fork()) == 0) {
		(void)dup2(out[1], STDOUT_FILENO);
		(void)close(out[0]);
		(void)close(out[1]);
		(void)execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	(void)close(out[1]);
	s.out = fdopen(out[0], "r");
	assert_non_null(s.out);
	while (s.port == 0 && fgets(line, sizeof(line), s.out))
		if (strncmp(line, "ACCEPT ", 7) == 0)
			s.port = (int)strtol(strrchr(line, ':') + 1, NULL, 10);
	assert_true(s.port > 0);
	return s;
}

static void stop_tls(struct tls_server *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
	(void)fclose(s->out);
}

/* Asks a TLS server on @p host; `more` continues the arguments. */
static void ask_tls(struct fixture *f, const struct tls_server *s, const char *host,
		    const char *more)
{
	char with[2048];

	(void)snprintf(with, sizeof(with),
		       "{\"method\":\"get\",\"endpoint\":\"https://%s:%d/hello.txt\"%s}", host,
		       s->port, more);
	call(f, with);
	assert_int_equal(f->problems.len, 0);
}

static const char *tls_of(const struct fixture *f, const char *ca, const char *own)
{
	static char text[1024];
	size_t len;

	(void)snprintf(text, sizeof(text), ",\"tls\":{\"caFile\":\"%s/%s.crt\"", f->dir, ca);
	len = strlen(text);
	if (own)
		(void)snprintf(text + len, sizeof(text) - len,
			       ",\"certFile\":\"%s/%s.crt\",\"keyFile\":\"%s/%s.key\"", f->dir, own,
			       f->dir, own);
	len = strlen(text);
	(void)snprintf(text + len, sizeof(text) - len, "}");
	return text;
}

static void who_is_not_trusted_is_not_asked(void **state)
{
	struct fixture *f = *state;
	struct tls_server s;

	f->dir = test_dir();
	test_write(test_path(f->dir, "hello.txt"), "hello", 5);
	make_certificate(f, "mine", "IP:127.0.0.1");
	make_certificate(f, "other", "DNS:elsewhere.example");
	s = start_tls(f, "mine", "");
	ask_tls(f, &s, "127.0.0.1", "");
	assert_failure(f, "HTTP_TLS", "certificate");
	ask_tls(f, &s, "127.0.0.1", tls_of(f, "other", NULL));
	assert_failure(f, "HTTP_TLS", "certificate");
	ask_tls(f, &s, "localhost", tls_of(f, "mine", NULL));
	assert_failure(f, "HTTP_TLS", "localhost");
	ask_tls(f, &s, "127.0.0.1", tls_of(f, "absent", NULL));
	assert_failure(f, "HTTP_TLS", "absent.crt");
	ask_tls(f, &s, "127.0.0.1", tls_of(f, "mine", NULL));
	assert_data(f, "\"hello\"");
	stop_tls(&s);
}

static void this_side_shows_its_certificate(void **state)
{
	struct fixture *f = *state;
	struct tls_server s;

	f->dir = test_dir();
	test_write(test_path(f->dir, "hello.txt"), "hello", 5);
	make_certificate(f, "mine", "IP:127.0.0.1");
	make_certificate(f, "client", "DNS:client.example");
	s = start_tls(f, "mine", "-Verify 1 -verify_return_error -CAfile client.crt");
	ask_tls(f, &s, "127.0.0.1", tls_of(f, "mine", NULL));
	assert_true(json_is_false(at(f, "result.success")));
	ask_tls(f, &s, "127.0.0.1", tls_of(f, "mine", "client"));
	assert_data(f, "\"hello\"");
	ask_tls(f, &s, "127.0.0.1", tls_of(f, "mine", "absent"));
	assert_failure(f, "HTTP_TLS", "");
	stop_tls(&s);
}

static void plain_tls_1_1_is_not_spoken(void **state)
{
	struct fixture *f = *state;
	struct tls_server s;

	f->dir = test_dir();
	make_certificate(f, "mine", "IP:127.0.0.1");
	s = start_tls(f, "mine", "-tls1_1 -cipher ALL:@SECLEVEL=0");
	ask_tls(f, &s, "127.0.0.1", tls_of(f, "mine", NULL));
	assert_failure(f, "HTTP_TLS", "");
	stop_tls(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_calls_set_up, http_calls_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(nothing_is_loaded_before_the_first_request),
	    TEST(a_library_that_is_missing_or_another_is_told),
	    TEST(redirects_are_resolved_and_judged),
	    TEST(retry_after_is_seconds_or_a_date),
	    TEST(fields_are_read_line_by_line),
	    TEST(who_is_not_trusted_is_not_asked),
	    TEST(this_side_shows_its_certificate),
	    TEST(plain_tls_1_1_is_not_spoken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
