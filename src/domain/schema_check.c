#include "base/bytes.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/suggest.h"
#include "domain/capsule/output.h"
#include "schema_node.h"

#include <string.h>

#define SHOWN 60 /* bytes of a string that are quoted */

/* Where a check stands; `err` takes what does not fit. */
struct checker {
	const struct demon_json_place *place;
	struct demon_err *err;
};

static bool check(struct checker *c, const struct demon_schema *s, const json_t *value);

__attribute__((format(printf, 2, 3))) static bool refuse(struct checker *c, const char *fmt, ...)
{
	char place[DEMON_JSON_PLACE_LEN];
	va_list args;
	DEMON_BUF(text, 0);

	va_start(args, fmt);
	demon_buf_vfmt(&text, fmt, args);
	va_end(args);
	demon_json_place_text(c->place, place);
	(void)demon_err_set(c->err, DEMON_INVALID, "%s%s", place, text.data);
	return false;
}

/* Appends how a message calls a value. */
static void show(struct demon_buf *out, const json_t *value)
{
	const char *text = json_string_value(value);
	int shown;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		demon_buf_str(out, "an object");
		break;
	case JSON_ARRAY:
		demon_buf_str(out, "an array");
		break;
	case JSON_STRING:
		shown = demon_output_clip(text, SHOWN);
		demon_buf_fmt(out, "'%.*s%s'", shown, text, text[shown] ? "..." : "");
		break;
	case JSON_INTEGER:
		demon_buf_i64(out, json_integer_value(value));
		break;
	case JSON_REAL:
		demon_json_number(out, json_real_value(value));
		break;
	case JSON_TRUE:
		demon_buf_str(out, "true");
		break;
	case JSON_FALSE:
		demon_buf_str(out, "false");
		break;
	case JSON_NULL:
		demon_buf_str(out, "null");
		break;
	}
}

static bool expected(struct checker *c, const char *what, const json_t *found)
{
	DEMON_BUF(text, 0);

	show(&text, found);
	return refuse(c, "expected %s, found %s", what, text.data);
}

/* A finite number without a fraction; from 2^53 on none has one. */
static bool is_whole(double v)
{
	return v >= 0x1p53 || v <= -0x1p53 || v == (double)(int64_t)v;
}

/* The types that a value is of. */
static unsigned types_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return DEMON_SCHEMA_OBJECT;
	case JSON_ARRAY:
		return DEMON_SCHEMA_ARRAY;
	case JSON_STRING:
		return DEMON_SCHEMA_STRING;
	case JSON_INTEGER:
		return DEMON_SCHEMA_INTEGER | DEMON_SCHEMA_NUMBER;
	case JSON_REAL:
		return is_whole(json_real_value(value)) ? DEMON_SCHEMA_INTEGER | DEMON_SCHEMA_NUMBER
							: DEMON_SCHEMA_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return DEMON_SCHEMA_BOOLEAN;
	case JSON_NULL:
		break;
	}
	return DEMON_SCHEMA_NULL;
}

static bool wrong_type(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	static const struct {
		enum demon_schema_type type;
		const char *words;
	} names[] = {
	    {DEMON_SCHEMA_STRING, "a string"},  {DEMON_SCHEMA_INTEGER, "an integer"},
	    {DEMON_SCHEMA_NUMBER, "a number"},  {DEMON_SCHEMA_BOOLEAN, "true or false"},
	    {DEMON_SCHEMA_OBJECT, "an object"}, {DEMON_SCHEMA_ARRAY, "an array"},
	    {DEMON_SCHEMA_NULL, "null"},
	};
	DEMON_BUF(words, 0);

	for (size_t i = 0; i < demon_count(names); i++)
		if (s->types & names[i].type)
			demon_buf_fmt(&words, "%s%s", words.len ? " or " : "", names[i].words);
	return expected(c, words.data, value);
}

static bool check_options(struct checker *c, const json_t *options, const json_t *value)
{
	const char *texts[64];
	size_t count = 0;
	const char *nearest = NULL;
	DEMON_BUF(words, 0);

	demon_buf_str(&words, json_array_size(options) > 1 ? "one of " : "");
	for (size_t i = 0; i < json_array_size(options); i++) {
		const json_t *option = json_array_get(options, i);

		if (json_equal(option, value))
			return true;
		demon_buf_str(&words, i ? ", " : "");
		show(&words, option);
		if (json_is_string(option) && count < demon_count(texts))
			texts[count++] = json_string_value(option);
	}
	if (json_is_string(value))
		nearest = demon_suggest(json_string_value(value), texts, count);
	if (!nearest)
		return expected(c, words.data, value);
	return refuse(c, "expected %s, found '%s' (did you mean '%s'?)", words.data,
		      json_string_value(value), nearest);
}

static bool check_constant(struct checker *c, const json_t *constant, const json_t *value)
{
	DEMON_BUF(words, 0);

	if (json_equal(constant, value))
		return true;
	show(&words, constant);
	return expected(c, words.data, value);
}

static size_t code_points(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static bool check_size(struct checker *c, const char *unit, size_t n, size_t low, size_t high)
{
	if (n < low)
		return refuse(c, "expected at least %zu %s%s, found %zu", low, unit,
			      low == 1 ? "" : "s", n);
	if (n > high)
		return refuse(c, "expected at most %zu %s%s, found %zu", high, unit,
			      high == 1 ? "" : "s", n);
	return true;
}

static bool matches(struct demon_schema_pattern *pattern, const char *text)
{
	int rc;

	(void)pthread_mutex_lock(&pattern->lock);
	rc = regexec(&pattern->regex, text, 0, NULL, 0);
	(void)pthread_mutex_unlock(&pattern->lock);
	return rc == 0;
}

static bool check_string(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	bool whole = strlen(text) == len;
	struct demon_err unused;
	demon_time time;

	if (!check_size(c, "character", code_points(text, len), s->min_length, s->max_length))
		return false;
	if (s->date_time && (!whole || demon_rfc3339_parse(text, &time, &unused)))
		return expected(c, "a time as in RFC 3339", value);
	if (s->pattern && (!whole || !matches(s->pattern, text))) {
		DEMON_BUF(found, 0);

		show(&found, value);
		return refuse(c, "expected a string that matches '%s', found %s", s->pattern->text,
			      found.data);
	}
	return true;
}

static bool check_number(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	double v = json_number_value(value);
	const char *relation = v < s->minimum ? "at least" : "at most";
	double bound = v < s->minimum ? s->minimum : s->maximum;
	DEMON_BUF(words, 0);

	if (v >= s->minimum && v <= s->maximum)
		return true;
	demon_buf_fmt(&words, "%s %g", relation, bound);
	return expected(c, words.data, value);
}

static bool check_array(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	struct demon_json_place here = {.up = c->place, .at = DEMON_JSON_AT_ITEM};
	size_t n = json_array_size(value);
	bool fits = true;

	if (!check_size(c, "item", n, s->min_items, s->max_items))
		return false;
	if (!s->items)
		return true;
	c->place = &here;
	for (; fits && here.index < n; here.index++)
		fits = check(c, s->items, json_array_get(value, here.index));
	c->place = here.up;
	return fits;
}

static bool check_member(struct checker *c, const struct demon_schema *s, const char *key,
			 const json_t *value)
{
	const struct demon_json_place here = {
	    .up = c->place, .at = DEMON_JSON_AT_KEY, .key = key, .key_len = strlen(key)};
	bool fits;

	c->place = &here;
	fits = check(c, s, value);
	c->place = here.up;
	return fits;
}

static bool unknown_key(struct checker *c, const struct demon_schema *s, const char *key)
{
	int shown = demon_output_clip(key, SHOWN);
	const char *nearest = demon_suggest(key, s->names, s->count);

	if (nearest)
		return refuse(c, "unknown key '%.*s' (did you mean '%s'?)", shown, key, nearest);
	return refuse(c, "unknown key '%.*s%s'", shown, key, key[shown] ? "..." : "");
}

/* The members that `properties` does not name. */
static bool check_others(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	json_t *object = demon_json_iterable(value);

	if (!s->closed && !s->additional)
		return true;
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		const char *key = json_object_iter_key(at);

		if (json_object_get(s->properties, key))
			continue;
		if (s->closed)
			return unknown_key(c, s, key);
		if (!check_member(c, s->additional, key, json_object_iter_value(at)))
			return false;
	}
	return true;
}

/* A misspelt key is both unknown and missing; the former says more. */
static bool check_object(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	if (!check_others(c, s, value))
		return false;
	for (size_t i = 0; i < json_array_size(s->required); i++) {
		const char *key = json_string_value(json_array_get(s->required, i));

		if (!json_object_get(value, key))
			return refuse(c, "the key '%s' is missing", key);
	}
	for (size_t i = 0; i < s->count; i++) {
		const struct demon_schema_part *part = &s->members[i];
		const json_t *member = json_object_get(value, part->name);

		if (member && !check_member(c, part->schema, part->name, member))
			return false;
	}
	return true;
}

static bool check_condition(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	struct demon_err unused;
	struct checker trial = {.place = c->place, .err = &unused};
	const struct demon_schema *follows;

	if (!s->when)
		return true;
	follows = check(&trial, s->when, value) ? s->then : s->otherwise;
	return !follows || check(c, follows, value);
}

static bool check_own(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	if (s->types && !(s->types & types_of(value)))
		return wrong_type(c, s, value);
	if (s->constant && !check_constant(c, s->constant, value))
		return false;
	if (s->options && !check_options(c, s->options, value))
		return false;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return check_object(c, s, value);
	case JSON_ARRAY:
		return check_array(c, s, value);
	case JSON_STRING:
		return check_string(c, s, value);
	case JSON_INTEGER:
	case JSON_REAL:
		return check_number(c, s, value);
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return true;
}

static bool check(struct checker *c, const struct demon_schema *s, const json_t *value)
{
	if (s->reference && !check(c, s->reference, value))
		return false;
	if (!check_own(c, s, value))
		return false;
	for (size_t i = 0; i < s->all_count; i++)
		if (!check(c, s->all[i].schema, value))
			return false;
	return check_condition(c, s, value);
}

enum demon_rc demon_schema_check(const struct demon_schema *schema, const json_t *value,
				 struct demon_err *err)
{
	struct checker c = {.err = err};

	return check(&c, schema, value) ? DEMON_OK : DEMON_INVALID;
}
