#include "run_error.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/json_text.h"
#include "domain/capsule/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DETAIL_MAX 1024
#define TEXT_MAX   ((size_t)16 * 1024) /* so that an event holds all, however it is escaped */
#define KIT_BASE   "https://serverlessworkflow.io/dsl/errors/types/"

void demon_run_error_done(struct demon_run_error *error)
{
	json_decref(error->value);
	error->value = NULL;
}

/* What was quoted may have been cut within a character, or be none; JSON takes neither. */
static void mend(char *text)
{
	const char *end = text + strlen(text);

	while (text < end) {
		size_t n = demon_json_utf8(text, end);

		if (n == 0)
			*text = '?';
		text += n ? n : 1;
	}
}

enum demon_rc demon_run_error_set(struct demon_run_error *error, const char *type, int status,
				  const char *title, struct demon_err *err, const char *fmt, ...)
{
	char detail[DETAIL_MAX + 1];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	detail[demon_output_clip(detail, DETAIL_MAX - 1)] = '\0';
	mend(detail);
	demon_run_error_done(error);
	error->value = json_pack("{s:s, s:i, s:s, s:s}", "type", type, "status", status, "title",
				 title, "detail", detail);
	if (!error->value)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the error of a step");
	return demon_err_set(err, DEMON_FAILED, "%s", detail);
}

enum demon_rc demon_run_error_unfit(struct demon_run_error *error, enum demon_rc rc,
				    const char *what, struct demon_err *err)
{
	if (rc != DEMON_TOOBIG && rc != DEMON_INVALID)
		return rc;
	return demon_run_error_set(error, DEMON_ERROR_RUNTIME, 500, "Step failed", err, "%s_%s: %s",
				   what, rc == DEMON_TOOBIG ? "TOO_LARGE" : "INVALID", err->msg);
}

/* A JSON pointer, as events have it. */
static bool is_pointer(const char *text)
{
	if (*text && *text != '/')
		return false;
	for (text = strchr(text, '~'); text; text = strchr(text + 1, '~'))
		if (text[1] != '0' && text[1] != '1')
			return false;
	return true;
}

static bool copy_text(json_t *error, const char *key, const json_t *from, const char *source)
{
	const char *text = json_string_value(json_object_get(from, source));

	return json_object_set_new(
		   error, key, json_stringn(text, (size_t)demon_output_clip(text, TEXT_MAX))) == 0;
}

/* The members of an error that are known and of their type. */
static json_t *only_known(const json_t *value)
{
	const char *title = json_string_value(json_object_get(value, "title"));
	const char *instance = json_string_value(json_object_get(value, "instance"));
	json_auto_t *error = json_object();

	if (!copy_text(error, "type", value, "type") ||
	    json_object_set(error, "status", json_object_get(value, "status")) ||
	    !copy_text(error, "title", value, title && *title ? "title" : "type") ||
	    (json_is_string(json_object_get(value, "detail")) &&
	     !copy_text(error, "detail", value, "detail")) ||
	    (instance && strlen(instance) <= TEXT_MAX && is_pointer(instance) &&
	     !copy_text(error, "instance", value, "instance")))
		return NULL;
	return demon_take(error);
}

enum demon_rc demon_run_error_raise(struct demon_run_error *error, const json_t *value,
				    struct demon_err *err)
{
	json_int_t status = json_integer_value(json_object_get(value, "status"));

	if (json_string_length(json_object_get(value, "type")) == 0 || status < 100 || status > 599)
		return demon_run_error_set(
		    error, DEMON_ERROR_VALIDATION, 400, "Not an error", err,
		    "an error needs a type (a string) and a status (100 to 599)");
	demon_run_error_done(error);
	error->value = only_known(value);
	if (!error->value)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the error of a step");
	return demon_err_set(err, DEMON_FAILED, "raised");
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
	if (strcmp(code, "DENIED") == 0)
		return demon_run_error_set(error, DEMON_ERROR_DENIED, 403, "Denied", err, "%s",
					   message);
	return demon_run_error_set(error, DEMON_ERROR_RUNTIME, 500, "Step failed", err, "%s: %s",
				   code, message);
}

bool demon_run_error_is_denial(const json_t *error)
{
	const char *type = json_string_value(json_object_get(error, "type"));

	return type && demon_run_error_type_is_denial(type);
}

bool demon_run_error_type_is_denial(const char *type)
{
	return strcmp(type, DEMON_ERROR_DENIED) == 0 || strcmp(type, DEMON_ERROR_POLICY) == 0;
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
