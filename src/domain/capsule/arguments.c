#include "arguments.h"

#include "base/suggest.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

void demon_arguments_pointer(struct demon_buf *out, const char *key)
{
	demon_buf_char(out, '/');
	for (; *key; key++) {
		if (*key == '~')
			demon_buf_str(out, "~0");
		else if (*key == '/')
			demon_buf_str(out, "~1");
		else
			demon_buf_char(out, *key);
	}
}

void demon_arguments_report(const struct demon_arguments *a, const char *pointer, const char *fmt,
			    ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	a->report(a->ctx, pointer, false, text);
}

void demon_arguments_report_key(const struct demon_arguments *a, const char *pointer,
				const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	a->report(a->ctx, pointer, true, text);
}

static bool is_known(const char *key, const char *const *known, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(key, known[i]) == 0)
			return true;
	return false;
}

static void report_unknown(const struct demon_arguments *a, const char *key,
			   const char *const *known, size_t count)
{
	DEMON_BUF(pointer, 0);
	DEMON_BUF(text, 0);
	int shown = demon_output_clip(key, 64);
	const char *nearest = key[shown] ? NULL : demon_suggest(key, known, count);

	demon_arguments_pointer(&pointer, key);
	demon_buf_fmt(&text, "unknown argument '%.*s'", shown, key);
	if (nearest)
		demon_buf_fmt(&text, " (did you mean '%s'?)", nearest);
	else
		demon_buf_str(&text, ", expected one of ");
	for (size_t i = 0; !nearest && i < count; i++)
		demon_buf_fmt(&text, "%s%s", i ? ", " : "", known[i]);
	a->report(a->ctx, pointer.data, true, text.data);
}

bool demon_arguments_known(const struct demon_arguments *a, const char *const *known, size_t count)
{
	json_t *with = demon_json_iterable(a->with);
	const char *key;
	json_t *value;

	if (!a->with)
		return true;
	if (!json_is_object(a->with)) {
		demon_arguments_report(a, "", "arguments: expected a mapping, found %s",
				       demon_json_describe(a->with));
		return false;
	}
	json_object_foreach(with, key, value) if (!is_known(key, known, count))
	    report_unknown(a, key, known, count);
	return true;
}

static void report_type(const struct demon_arguments *a, const char *key, const char *wanted,
			const json_t *found)
{
	DEMON_BUF(pointer, 0);

	demon_arguments_pointer(&pointer, key);
	demon_arguments_report(a, pointer.data, "argument '%s': expected %s, found %s", key, wanted,
			       demon_json_describe(found));
}

const char *demon_arguments_text(const struct demon_arguments *a, const char *key)
{
	const json_t *value = json_object_get(a->with, key);

	if (value && !json_is_string(value))
		report_type(a, key, "a string", value);
	return json_string_value(value);
}

void demon_arguments_flag(const struct demon_arguments *a, const char *key)
{
	const json_t *value = json_object_get(a->with, key);

	if (value && !json_is_boolean(value))
		report_type(a, key, "true or false", value);
}

static bool in_range(double ms, int64_t max_ms, int64_t *ret_ms)
{
	if (!(ms >= 1) || ms > (double)max_ms)
		return false;
	*ret_ms = (int64_t)(ms + 0.5);
	return true;
}

/* A number of ASCII digits, with a fraction if @p fraction says so; NULL: there is none. */
static const char *read_number(const char *p, bool fraction, double *ret)
{
	double value = 0;
	double unit = 1;
	const char *start = p;

	for (; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (*p - '0');
	if (p == start)
		return NULL;
	if (fraction && *p == '.' && p[1] >= '0' && p[1] <= '9')
		for (p++; *p >= '0' && *p <= '9'; p++)
			value += (*p - '0') * (unit /= 10);
	*ret = value;
	return p;
}

/* Its parts stand in one order, each at most once. */
bool demon_arguments_period(const char *text, double *ret_ms)
{
	static const struct {
		char unit;
		bool time;
		double ms;
	} parts[] = {{'W', false, 604800e3},
		     {'D', false, 86400e3},
		     {'H', true, 3600e3},
		     {'M', true, 60e3},
		     {'S', true, 1e3}};
	const char *p = text;
	size_t next = 0;
	bool time = false;
	bool any = false;

	*ret_ms = 0;
	if (*p++ != 'P')
		return false;
	while (*p) {
		double value;

		if (*p == 'T' && !time) {
			time = true;
			any = false;
			p++;
			continue;
		}
		p = read_number(p, time, &value);
		while (p && next < demon_count(parts) &&
		       (parts[next].unit != *p || parts[next].time != time))
			next++;
		if (!p || next == demon_count(parts))
			return false;
		*ret_ms += value * parts[next++].ms;
		any = true;
		p++;
	}
	return any;
}

bool demon_arguments_duration(const json_t *value, int64_t max_ms, int64_t *ret_ms)
{
	double ms;

	if (json_is_number(value))
		return in_range(json_number_value(value) * 1e3, max_ms, ret_ms);
	if (!json_is_string(value) || !demon_arguments_period(json_string_value(value), &ms))
		return false;
	return in_range(ms, max_ms, ret_ms);
}

void demon_argument_note(void *ctx, const char *pointer, bool at_key, const char *text)
{
	struct demon_argument_problem *p = ctx;

	(void)at_key;
	if (p->found)
		return;
	p->found = true;
	(void)snprintf(p->pointer, sizeof(p->pointer), "%.*s", demon_output_clip(pointer, 127),
		       pointer);
	(void)snprintf(p->text, sizeof(p->text), "%.*s", demon_output_clip(text, 255), text);
}
