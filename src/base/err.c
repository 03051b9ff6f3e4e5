#include <demon/err.h>

#include "base.h"
#include "json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ROW(code, words, http, status) {words, http, status},
static const struct {
	const char *words;
	int http;
	int status;
} table[] = {DEMON_RC_LIST(ROW)};
#undef ROW

const char *demon_rc_text(enum demon_rc rc)
{
	return (size_t)rc < demon_count(table) ? table[rc].words : "unknown result";
}

int demon_rc_http(enum demon_rc rc)
{
	return (size_t)rc < demon_count(table) ? table[rc].http : 500;
}

int demon_rc_exit(enum demon_rc rc)
{
	return (size_t)rc < demon_count(table) ? table[rc].status : 1;
}

/* An error is one line of valid UTF-8 whatever was quoted in it, and wherever it was cut. */
static void flatten(char *text)
{
	const char *end = text + strlen(text);

	while (text < end) {
		unsigned char c = (unsigned char)*text;
		size_t n = c < 0x80 ? 1 : demon_json_utf8(text, end);

		if (c < 0x20 || c == 0x7f)
			*text = ' ';
		else if (n == 0)
			*text = '?';
		text += n ? n : 1;
	}
}

enum demon_rc demon_err_set(struct demon_err *err, enum demon_rc rc, const char *fmt, ...)
{
	va_list args;

	err->rc = rc;
	err->sys = 0;
	va_start(args, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	flatten(err->msg);
	return rc;
}

enum demon_rc demon_err_sys(struct demon_err *err, enum demon_rc rc, int sys, const char *fmt, ...)
{
	char text[128];
	va_list args;
	size_t n;

	err->rc = rc;
	err->sys = sys;
	va_start(args, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	n = strlen(err->msg);
	(void)snprintf(err->msg + n, sizeof(err->msg) - n, ": %s",
		       strerror_r(sys, text, sizeof(text)));
	flatten(err->msg);
	return rc;
}

enum demon_rc demon_err_wrap(struct demon_err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list args;
	size_t n;

	memcpy(old, err->msg, sizeof(old));
	va_start(args, fmt);
	(void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	n = strlen(err->msg);
	(void)snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", old);
	flatten(err->msg);
	return err->rc;
}
