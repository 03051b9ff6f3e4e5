#include "json.h"

#include "json_text.h"

#include <stdio.h>

#define PLAIN_DIGITS 15 /* integers this long need no thought */

const struct demon_json_limits demon_json_payload_limits = {(size_t)512 * 1024, 64};

struct parser {
	const char *text;
	const char *end;
	const char *p;                        /* the next byte */
	unsigned limit;                       /* levels allowed */
	unsigned level;                       /* collections around p */
	const struct demon_json_place *place; /* of the innermost of them, or NULL */
	struct demon_err *err;
};

/* A string: within the text, or unescaped into memory of its own. */
struct string {
	const char *bytes;
	size_t len;
	char *owned;
};

static void string_done(struct string *s)
{
	free(s->owned);
}

static enum demon_rc fail(struct parser *in, const char *at, enum demon_rc rc, const char *fmt, ...)
    demon_printf_like(4, 5);

static enum demon_rc fail(struct parser *in, const char *at, enum demon_rc rc, const char *fmt, ...)
{
	char place[DEMON_JSON_PLACE_LEN];
	char why[160];
	size_t line = 1;
	size_t column = 1;
	va_list args;

	for (const char *p = in->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			column++;
		}
	}
	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	demon_json_place_text(in->place, place);
	return demon_err_set(in->err, rc, "%zu:%zu: %s%s", line, column, place, why);
}

static enum demon_rc out_of_memory(struct parser *in)
{
	return fail(in, in->p, DEMON_NOMEM, "%s", demon_rc_text(DEMON_NOMEM));
}

static enum demon_rc expected(struct parser *in, const char *what)
{
	unsigned char c;

	if (in->p >= in->end)
		return fail(in, in->p, DEMON_INVALID, "expected %s, found the end", what);
	c = (unsigned char)*in->p;
	if (c > 0x20 && c < 0x7f)
		return fail(in, in->p, DEMON_INVALID, "expected %s, found '%c'", what, c);
	if (in->end - in->p >= 3 && memcmp(in->p, "\xef\xbb\xbf", 3) == 0)
		return fail(in, in->p, DEMON_INVALID, "expected %s, found a byte order mark", what);
	return fail(in, in->p, DEMON_INVALID, "expected %s, found byte 0x%02x", what, c);
}

static void skip_space(struct parser *in)
{
	while (in->p < in->end &&
	       (*in->p == ' ' || *in->p == '\n' || *in->p == '\t' || *in->p == '\r'))
		in->p++;
}

static bool take(struct parser *in, char c)
{
	if (in->p >= in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of "\uXXXX" at @p p, or -1. */
static int32_t code_unit(const char *p, const char *end)
{
	int32_t unit = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static void add_utf8(struct demon_buf *out, uint32_t c)
{
	char bytes[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

	for (size_t i = n; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(lead[n] | c);
	demon_buf_add(out, bytes, n);
}

/* Reads "\uXXXX", or two of them that make one character. */
static enum demon_rc read_unicode(struct parser *in, struct demon_buf *out)
{
	int32_t unit = code_unit(in->p, in->end);
	uint32_t c = (uint32_t)unit;
	int32_t low;

	if (unit < 0)
		return fail(in, in->p, DEMON_INVALID, "\\u needs four hexadecimal digits");
	if (unit == 0)
		return fail(in, in->p, DEMON_INVALID, "a string cannot hold U+0000");
	if (unit >= 0xd800 && unit < 0xe000) {
		low = code_unit(in->p + 6, in->end);
		if (unit >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
			return fail(in, in->p, DEMON_INVALID, "lone surrogate \\u%04x",
				    (unsigned)unit);
		c = 0x10000 + ((uint32_t)unit - 0xd800) * 0x400 + ((uint32_t)low - 0xdc00);
		in->p += 6;
	}
	in->p += 6;
	add_utf8(out, c);
	return DEMON_OK;
}

static enum demon_rc read_escape(struct parser *in, struct demon_buf *out)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char *found = NULL;

	if (in->end - in->p >= 2 && in->p[1] == 'u')
		return read_unicode(in, out);
	if (in->end - in->p >= 2 && in->p[1])
		found = strchr(letters, in->p[1]);
	if (!found)
		return fail(in, in->p, DEMON_INVALID, "unknown escape in a string");
	demon_buf_char(out, meanings[found - letters]);
	in->p += 2;
	return DEMON_OK;
}

/* Passes bytes that stand for themselves, up to a quote or a backslash. */
static enum demon_rc read_run(struct parser *in)
{
	for (;;) {
		size_t n;

		in->p = demon_json_plain_end(in->p, in->end);
		if (in->p >= in->end)
			return fail(in, in->p, DEMON_INVALID, "a string has no end");
		switch ((enum demon_json_class)demon_json_classes[(unsigned char)*in->p]) {
		case DEMON_JSON_CONTROL:
			return fail(in, in->p, DEMON_INVALID,
				    "a string holds byte 0x%02x, write it as \\u%04x", *in->p,
				    *in->p);
		case DEMON_JSON_MULTI:
			n = demon_json_utf8(in->p, in->end);
			if (n == 0)
				return fail(in, in->p, DEMON_INVALID, "byte 0x%02x is not UTF-8",
					    (unsigned char)*in->p);
			in->p += n;
			break;
		case DEMON_JSON_PLAIN:
		case DEMON_JSON_QUOTE:
		case DEMON_JSON_BACKSLASH:
			return DEMON_OK;
		}
	}
}

/* Goes on at the first backslash of a string that began at @p start. */
static enum demon_rc read_escaped(struct parser *in, const char *start, struct string *ret_string)
{
	DEMON_BUF(out, 0);
	enum demon_rc rc = DEMON_OK;

	demon_buf_add(&out, start, (size_t)(in->p - start));
	while (!rc && !take(in, '"')) {
		if ((rc = read_escape(in, &out)))
			break;
		start = in->p;
		rc = read_run(in);
		if (!rc)
			demon_buf_add(&out, start, (size_t)(in->p - start));
	}
	if (rc)
		return rc;
	ret_string->len = out.len;
	ret_string->owned = demon_buf_take(&out);
	if (!ret_string->owned)
		return out_of_memory(in);
	ret_string->bytes = ret_string->owned;
	return DEMON_OK;
}

/* Reads a string whose quote is next. */
static enum demon_rc read_string(struct parser *in, struct string *ret_string)
{
	const char *start = ++in->p;
	enum demon_rc rc = read_run(in);

	if (rc)
		return rc;
	if (*in->p == '\\')
		return read_escaped(in, start, ret_string);
	ret_string->bytes = start;
	ret_string->len = (size_t)(in->p - start);
	in->p++;
	return DEMON_OK;
}

static json_t *integer_or_real(double v)
{
	const double limit = 9007199254740992.;

	if (v >= -limit && v <= limit && v == (double)(json_int_t)v)
		return json_integer((json_int_t)v);
	return json_real(v);
}

static json_t *plain_integer(const char *p, const char *end)
{
	bool negative = *p == '-';
	json_int_t v = 0;

	for (p += negative; p < end; p++)
		v = v * 10 + (*p - '0');
	return json_integer(negative ? -v : v);
}

static enum demon_rc read_number(struct parser *in, json_t **ret_json)
{
	bool integer = false;
	size_t len = demon_json_number_span(in->p, in->end, &integer);
	int shown = len < 40 ? (int)len : 40;
	const char *dots = len < 40 ? "" : "...";
	double v = 0;

	if (len == 0)
		return fail(in, in->p, DEMON_INVALID, "malformed number");
	if (integer && len <= PLAIN_DIGITS) {
		*ret_json = plain_integer(in->p, in->p + len);
		in->p += len;
		return *ret_json ? DEMON_OK : out_of_memory(in);
	}
	switch (demon_json_number_read(in->p, len, integer, &v)) {
	case DEMON_JSON_OVERFLOW:
		return fail(in, in->p, DEMON_INVALID, "number %.*s%s is too large for a double",
			    shown, in->p, dots);
	case DEMON_JSON_INEXACT:
		return fail(in, in->p, DEMON_INVALID,
			    "integer %.*s%s is not exact as a double, write it as a string", shown,
			    in->p, dots);
	case DEMON_JSON_FITS:
		break;
	}
	in->p += len;
	*ret_json = integer_or_real(v);
	return *ret_json ? DEMON_OK : out_of_memory(in);
}

static enum demon_rc read_word(struct parser *in, json_t **ret_json)
{
	static const struct {
		const char *word;
		size_t len;
	} words[] = {{"true", 4}, {"false", 5}, {"null", 4}};

	for (size_t i = 0; i < demon_count(words); i++) {
		if ((size_t)(in->end - in->p) < words[i].len ||
		    memcmp(in->p, words[i].word, words[i].len) != 0)
			continue;
		in->p += words[i].len;
		*ret_json = i == 2 ? json_null() : json_boolean(i == 0);
		return DEMON_OK;
	}
	return expected(in, "a value");
}

static enum demon_rc read_value(struct parser *in, json_t **ret_json);

/* Enters the collection whose bracket is next. */
static enum demon_rc enter(struct parser *in, struct demon_json_place *here)
{
	if (in->level >= in->limit)
		return fail(in, in->p, DEMON_TOOBIG, "nested deeper than %u levels", in->limit);
	*here = (struct demon_json_place){.up = in->place};
	in->place = here;
	in->level++;
	in->p++;
	skip_space(in);
	return DEMON_OK;
}

static void leave(struct parser *in)
{
	in->place = in->place->up;
	in->level--;
}

/* Reads what follows a member or an item. */
static enum demon_rc read_separator(struct parser *in, char close, bool *ret_more)
{
	skip_space(in);
	*ret_more = take(in, ',');
	if (*ret_more) {
		skip_space(in);
		return DEMON_OK;
	}
	if (take(in, close))
		return DEMON_OK;
	return expected(in, close == '}' ? "',' or '}'" : "',' or ']'");
}

static enum demon_rc read_member(struct parser *in, json_t *object, struct demon_json_place *here)
{
	demon_cleanup(string_done) struct string key = {.owned = NULL};
	const char *start = in->p;
	size_t count = json_object_size(object);
	json_t *value = NULL;
	enum demon_rc rc;

	if (in->p >= in->end || *in->p != '"')
		return expected(in, "a key in double quotes");
	if ((rc = read_string(in, &key)))
		return rc;
	here->at = DEMON_JSON_AT_KEY;
	here->key = key.bytes;
	here->key_len = key.len;
	skip_space(in);
	if (!take(in, ':'))
		return expected(in, "':'");
	skip_space(in);
	if ((rc = read_value(in, &value)))
		return rc;
	if (json_object_setn_new_nocheck(object, key.bytes, key.len, value))
		return out_of_memory(in);
	if (json_object_size(object) == count)
		return fail(in, start, DEMON_INVALID, "duplicate key");
	here->at = DEMON_JSON_AT_SELF;
	return DEMON_OK;
}

static enum demon_rc read_object(struct parser *in, json_t **ret_json)
{
	json_auto_t *object = json_object();
	struct demon_json_place here;
	bool more = true;
	enum demon_rc rc;

	if (!object)
		return out_of_memory(in);
	if ((rc = enter(in, &here)))
		return rc;
	if (take(in, '}'))
		more = false;
	while (more)
		if ((rc = read_member(in, object, &here)) || (rc = read_separator(in, '}', &more)))
			return rc;
	leave(in);
	*ret_json = demon_take(object);
	return DEMON_OK;
}

static enum demon_rc read_array(struct parser *in, json_t **ret_json)
{
	json_auto_t *array = json_array();
	struct demon_json_place here;
	bool more = true;
	enum demon_rc rc;

	if (!array)
		return out_of_memory(in);
	if ((rc = enter(in, &here)))
		return rc;
	if (take(in, ']'))
		more = false;
	while (more) {
		json_t *value = NULL;

		here.at = DEMON_JSON_AT_ITEM;
		here.index = json_array_size(array);
		if ((rc = read_value(in, &value)))
			return rc;
		if (json_array_append_new(array, value))
			return out_of_memory(in);
		here.at = DEMON_JSON_AT_SELF;
		if ((rc = read_separator(in, ']', &more)))
			return rc;
	}
	leave(in);
	*ret_json = demon_take(array);
	return DEMON_OK;
}

static enum demon_rc read_text(struct parser *in, json_t **ret_json)
{
	demon_cleanup(string_done) struct string s = {.owned = NULL};
	enum demon_rc rc = read_string(in, &s);

	if (rc)
		return rc;
	*ret_json = json_stringn_nocheck(s.bytes, s.len);
	return *ret_json ? DEMON_OK : out_of_memory(in);
}

static enum demon_rc read_value(struct parser *in, json_t **ret_json)
{
	char c;

	if (in->p >= in->end)
		return expected(in, "a value");
	c = *in->p;
	if (c == '"')
		return read_text(in, ret_json);
	if (c == '{')
		return read_object(in, ret_json);
	if (c == '[')
		return read_array(in, ret_json);
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(in, ret_json);
	return read_word(in, ret_json);
}

enum demon_rc demon_json_parse(const char *text, size_t len, const struct demon_json_limits *limits,
			       json_t **ret_json, struct demon_err *err)
{
	struct parser in = {
	    .text = text, .end = text + len, .p = text, .limit = limits->depth, .err = err};
	json_auto_t *json = NULL;
	enum demon_rc rc;

	if (len > limits->max_bytes)
		return demon_err_set(err, DEMON_TOOBIG,
				     "%zu bytes of JSON, at most %zu are allowed", len,
				     limits->max_bytes);
	if (in.limit > DEMON_JSON_DEPTH_MAX)
		in.limit = DEMON_JSON_DEPTH_MAX;
	skip_space(&in);
	if ((rc = read_value(&in, &json)))
		return rc;
	skip_space(&in);
	if (in.p < in.end)
		return expected(&in, "the end after the value");
	*ret_json = demon_take(json);
	return DEMON_OK;
}
