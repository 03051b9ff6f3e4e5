#include "value.h"

#include "base/json_text.h"

#include <math.h>
#include <string.h>

#define DEPTH_MAX 256 /* more than any reader accepts; the stack bears it */

static void write_string(jv value, struct demon_buf *out)
{
	const char *at = jv_string_value(value);
	const char *end = at + jv_string_length_bytes(jv_copy(value));

	demon_buf_char(out, '"');
	while (at < end && !out->rc) {
		const char *plain = at;

		while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
			at++;
		demon_buf_add(out, plain, (size_t)(at - plain));
		if (at == end)
			break;
		if (*at == '"' || *at == '\\')
			demon_buf_fmt(out, "\\%c", *at);
		else
			demon_buf_fmt(out, "\\u%04x", (unsigned)*at);
		at++;
	}
	demon_buf_char(out, '"');
}

static const char *write_number(jv value, struct demon_buf *out)
{
	char text[DEMON_JSON_NUMBER_MAX];
	double v = jv_number_value(value);

	if (isnan(v))
		return "the result has NaN, which is no JSON";
	if (isinf(v))
		return "the result has an infinite number, which is no JSON";
	demon_buf_add(out, text, demon_json_number_print(v, text));
	return NULL;
}

static const char *write_value(jv value, unsigned depth, struct demon_buf *out);

static const char *write_array(jv value, unsigned depth, struct demon_buf *out)
{
	int n = jv_array_length(jv_copy(value));
	const char *why = NULL;

	demon_buf_char(out, '[');
	for (int i = 0; i < n && !why && !out->rc; i++) {
		jv item = jv_array_get(jv_copy(value), i);

		if (i)
			demon_buf_char(out, ',');
		why = write_value(item, depth + 1, out);
		jv_free(item);
	}
	demon_buf_char(out, ']');
	return why;
}

static const char *write_object(jv value, unsigned depth, struct demon_buf *out)
{
	const char *why = NULL;
	bool first = true;

	demon_buf_char(out, '{');
	for (int i = jv_object_iter(value); jv_object_iter_valid(value, i) && !why && !out->rc;
	     i = jv_object_iter_next(value, i)) {
		jv key = jv_object_iter_key(value, i);
		jv item = jv_object_iter_value(value, i);

		if (!first)
			demon_buf_char(out, ',');
		first = false;
		write_string(key, out);
		demon_buf_char(out, ':');
		why = write_value(item, depth + 1, out);
		jv_free(key);
		jv_free(item);
	}
	demon_buf_char(out, '}');
	return why;
}

static const char *write_value(jv value, unsigned depth, struct demon_buf *out)
{
	if (depth > DEPTH_MAX)
		return "the result is nested too deeply";
	switch (jv_get_kind(value)) {
	case JV_KIND_NULL:
		demon_buf_str(out, "null");
		return NULL;
	case JV_KIND_FALSE:
		demon_buf_str(out, "false");
		return NULL;
	case JV_KIND_TRUE:
		demon_buf_str(out, "true");
		return NULL;
	case JV_KIND_NUMBER:
		return write_number(value, out);
	case JV_KIND_STRING:
		write_string(value, out);
		return NULL;
	case JV_KIND_ARRAY:
		return write_array(value, depth, out);
	case JV_KIND_OBJECT:
		return write_object(value, depth, out);
	case JV_KIND_INVALID:
	default:
		return "the result is none";
	}
}

const char *value_write(jv value, struct demon_buf *out)
{
	return write_value(value, 0, out);
}

void value_write_error(jv error, size_t most, struct demon_buf *out)
{
	if (jv_get_kind(error) == JV_KIND_STRING) {
		size_t len = (size_t)jv_string_length_bytes(jv_copy(error));

		demon_buf_add(out, jv_string_value(error), len < most ? len : most);
		return;
	}
	demon_buf_str(out, "error: ");
	(void)write_value(error, 0, out);
}
