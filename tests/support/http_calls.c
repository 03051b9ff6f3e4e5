#include "http_calls.h"

#include "domain/capsule/capsule.h"

#include <stdio.h>

static demon_time fixed_now(void *ctx)
{
	(void)ctx;
	return 1767323045678; /* 2026-01-02T03:04:05.678Z */
}

static demon_ticks fast_mono(void *ctx)
{
	struct fixture *f = ctx;

	return demon_env_real()->mono(NULL) * f->speed;
}

static bool cancel(void *ctx)
{
	struct fixture *f = ctx;

	return ++f->asked >= f->cancel_at;
}

int http_calls_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->env = *demon_env_real();
	f->env.now = fixed_now;
	*state = f;
	return 0;
}

int http_calls_tear_down(void **state)
{
	struct fixture *f = *state;

	http_server_close(f->server);
	http_server_close(f->other);
	json_decref(f->with);
	json_decref(f->envelope);
	demon_buf_done(&f->problems);
	demon_buf_done(&f->text);
	if (f->dir)
		test_dir_remove(f->dir);
	free(f);
	return 0;
}

void use_fast_clock(struct fixture *f, int64_t speed)
{
	f->speed = speed;
	f->env.mono = fast_mono;
	f->env.ctx = f;
}

void serve(struct fixture *f, http_server_fn *answer)
{
	http_server_close(f->server);
	f->server = http_server_open(answer, f);
}

static void note(void *ctx, const char *pointer, bool at_key, const char *text)
{
	struct fixture *f = ctx;

	demon_buf_fmt(&f->problems, "%s|%s%s\n", pointer, at_key ? "key: " : "", text);
}

const char *problems_of(struct fixture *f, const char *with)
{
	json_error_t error;

	json_decref(f->with);
	f->with = json_loads(with, 0, &error);
	if (!f->with)
		fail_msg("%s: %s", with, error.text);
	demon_buf_clear(&f->problems);
	demon_capsule_http.check(f->with, note, f);
	return f->problems.len ? f->problems.data : "";
}

void call(struct fixture *f, const char *with)
{
	struct demon_call call = {.env = &f->env,
				  .tenant_id = "blue",
				  .ritual_id = "ask",
				  .run_id = "r-1",
				  .step_name = "Ask",
				  .idempotency_key = HTTP_CALL_KEY,
				  .attempt = 1,
				  .limit_ms = f->limit_ms,
				  .canceled = f->cancel_at ? cancel : NULL,
				  .ctx = f};

	(void)problems_of(f, with);
	call.with = f->with;
	json_decref(f->envelope);
	f->envelope = NULL;
	assert_ok(demon_capsule_http.run(&call, &f->envelope, &f->err), &f->err);
	demon_buf_clear(&f->text);
	assert_ok(demon_json_canonical(f->envelope, &f->text, &f->err), &f->err);
	assert_ok(demon_buf_rc(&f->text, &f->err), &f->err);
	assert_true(f->text.len < (size_t)500 * 1024);
}

void ask(struct fixture *f, const char *method, const char *path, const char *more)
{
	char with[4096];

	(void)snprintf(with, sizeof(with), "{\"method\":\"%s\",\"endpoint\":\"%s\"%s}", method,
		       http_server_url(f->server, path), more);
	call(f, with);
	assert_int_equal(f->problems.len, 0);
}

void get(struct fixture *f, const char *more)
{
	ask(f, "get", "/", more);
}

const json_t *find(const struct fixture *f, const char *path)
{
	const json_t *value = f->envelope;
	char copy[256];
	char *rest = copy;
	char *key;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")))
		value = json_object_get(value, key);
	return value;
}

const json_t *at(const struct fixture *f, const char *path)
{
	const json_t *value = find(f, path);

	if (!value)
		fail_msg("no '%s' in %s", path, f->text.data);
	return value;
}

json_int_t number_at(const struct fixture *f, const char *path)
{
	return json_integer_value(at(f, path));
}

void assert_data(const struct fixture *f, const char *json)
{
	json_t *wanted = json_loads(json, JSON_DECODE_ANY, NULL);
	bool same;

	assert_non_null(wanted);
	if (!json_is_true(at(f, "result.success")))
		fail_msg("expected a success: %s", f->text.data);
	same = json_equal(at(f, "result.data"), wanted);
	json_decref(wanted);
	if (!same)
		fail_msg("expected %s: %s", json, f->text.data);
}

void assert_failure(const struct fixture *f, const char *code, const char *message)
{
	if (!json_is_false(at(f, "result.success")))
		fail_msg("expected a failure: %.400s", f->text.data);
	if (strcmp(json_string_value(at(f, "result.error.code")), code) != 0)
		fail_msg("expected %s: %s", code, f->text.data);
	assert_contains(json_string_value(at(f, "result.error.message")), message);
}

const char *request(const struct fixture *f, size_t number)
{
	return http_server_request(f->server, number);
}
