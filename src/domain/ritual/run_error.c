#include "run_error.h"

#include "base/buf.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DETAIL_MAX 1024
#define KIT_BASE   "https://serverlessworkflow.io/dsl/errors/types/"

void demon_run_error_done(struct demon_run_error *error)
{
	json_decref(error->value);
	error->value = NULL;
}

/* Cuts a text that snprintf() has cut, not within a character. */
static void trim(char *text, size_t size)
{
	size_t at = size - 1;

	while (at && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
		at--;
	if (at && (unsigned char)text[at - 1] >= 0xc0)
		at--;
	text[at] = '\0';
}

enum demon_rc demon_run_error_set(struct demon_run_error *error, const char *type, int status,
				  const char *title, struct demon_err *err, const char *fmt, ...)
{
	char detail[DETAIL_MAX];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	if (n >= (int)sizeof(detail))
		trim(detail, sizeof(detail));
	demon_run_error_done(error);
	error->value = json_pack("{s:s, s:i, s:s, s:s}", "type", type, "status", status, "title",
				 title, "detail", detail);
	if (!error->value)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the error of a step");
	return demon_err_set(err, DEMON_FAILED, "%s", detail);
}

static bool ends_in(const char *text, const char *ending)
{
	size_t len = strlen(text);
	size_t n = strlen(ending);

	return len >= n && strcmp(text + len - n, ending) == 0;
}

enum demon_rc demon_run_error_of(struct demon_run_error *error, const json_t *result,
				 struct demon_err *err)
{
	const json_t *cause = json_object_get(result, "error");
	const char *code = json_string_value(json_object_get(cause, "code"));
	const char *message = json_string_value(json_object_get(cause, "message"));
	const json_t *status = json_object_get(json_object_get(cause, "details"), "status");
	json_int_t number = json_integer_value(status);

	if (!code || !message)
		return demon_run_error_set(error, DEMON_ERROR_RUNTIME, 500, "Step failed", err,
					   "NO_RESULT: the call has not answered with a result");
	if (ends_in(code, "TIMEOUT"))
		return demon_run_error_set(error, DEMON_ERROR_TIMEOUT, 408, "Step timed out", err,
					   "%s: %s", code, message);
	if (strncmp(code, "HTTP_", 5) == 0)
		return demon_run_error_set(error, DEMON_ERROR_COMMUNICATION,
					   number >= 100 && number <= 599 ? (int)number : 502,
					   "Communication failed", err, "%s: %s", code, message);
	return demon_run_error_set(error, DEMON_ERROR_RUNTIME, 500, "Step failed", err, "%s: %s",
				   code, message);
}

/* The part of an error type of the DSL that names it; NULL: it is another's. */
static const char *kind_of(const json_t *type)
{
	const char *text = json_string_value(type);

	if (text && strncmp(text, DEMON_ERROR_BASE, strlen(DEMON_ERROR_BASE)) == 0)
		return text + strlen(DEMON_ERROR_BASE);
	if (text && strncmp(text, KIT_BASE, strlen(KIT_BASE)) == 0)
		return text + strlen(KIT_BASE);
	return NULL;
}

static bool is_same(const char *key, const json_t *have, const json_t *want)
{
	const char *a;
	const char *b;

	if (strcmp(key, "type") == 0 && (a = kind_of(have)) && (b = kind_of(want)))
		return strcmp(a, b) == 0;
	if (json_is_number(have) && json_is_number(want))
		return json_number_value(have) == json_number_value(want);
	return json_equal(have, want);
}

bool demon_run_error_matches(const json_t *error, const json_t *filter)
{
	const char *key;
	json_t *want;

	json_object_foreach(demon_json_iterable(filter), key, want)
	{
		const json_t *have = json_object_get(error, key);

		if (!have || !is_same(key, have, want))
			return false;
	}
	return true;
}
