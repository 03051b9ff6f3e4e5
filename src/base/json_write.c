#include "json.h"

#include "bytes.h"
#include "json_text.h"

#include <assert.h>
#include <math.h>

#define FEW_MEMBERS 16  /* objects this small are sorted on the stack */
#define LEVELS_MAX  128 /* more nesting than any reader of ours accepts; a cycle ends here */
#define EXACT_LIMIT (INT64_C(1) << 53)

struct writer {
	struct demon_buf *out;
	bool pretty;
	unsigned level;
	const struct demon_json_place *place;
	struct demon_err *err;
};

struct member {
	const char *key; /* borrowed from the object */
	size_t len;
	const json_t *value;
};

static enum demon_rc fail(struct writer *w, enum demon_rc rc, const char *why)
{
	char place[DEMON_JSON_PLACE_LEN];

	demon_json_place_text(w->place, place);
	return demon_err_set(w->err, rc, "%s%s", place, why);
}

static void add_control(struct demon_buf *out, unsigned char c)
{
	char text[6] = {'\\', 'u', '0', '0'};
	char letter = demon_json_short_escape(c);

	if (letter) {
		text[1] = letter;
		demon_buf_add(out, text, 2);
		return;
	}
	text[4] = (char)('0' + (c >> 4));
	text[5] = "0123456789abcdef"[c & 15];
	demon_buf_add(out, text, sizeof(text));
}

/* Adds the character at @p p and returns its bytes, or 0 when it is none. */
static size_t add_special(struct demon_buf *out, const char *p, const char *end)
{
	size_t n = 1;

	switch ((enum demon_json_class)demon_json_classes[(unsigned char)*p]) {
	case DEMON_JSON_QUOTE:
		demon_buf_add(out, "\\\"", 2);
		break;
	case DEMON_JSON_BACKSLASH:
		demon_buf_add(out, "\\\\", 2);
		break;
	case DEMON_JSON_CONTROL:
		if (*p == '\0')
			return 0;
		add_control(out, (unsigned char)*p);
		break;
	case DEMON_JSON_MULTI:
		n = demon_json_utf8(p, end);
		demon_buf_add(out, p, n);
		break;
	case DEMON_JSON_PLAIN:
	default:
		demon_buf_char(out, *p);
		break;
	}
	return n;
}

/* False: something was not a character and U+FFFD stands for it. */
static bool add_string(struct demon_buf *out, const char *text, size_t len)
{
	const char *end = text + len;
	const char *p = demon_json_plain_end(text, end);
	bool valid = true;
	char *to;

	if (p == end) {
		to = demon_buf_room(out, len + 2);
		if (!to)
			return true;
		to[0] = '"';
		if (len)
			memcpy(to + 1, text, len);
		to[len + 1] = '"';
		to[len + 2] = '\0';
		out->len += len + 2;
		return true;
	}
	demon_buf_char(out, '"');
	for (;;) {
		size_t n;

		demon_buf_add(out, text, (size_t)(p - text));
		if (p == end)
			break;
		n = add_special(out, p, end);
		if (n == 0) {
			demon_buf_add(out, "\xef\xbf\xbd", 3);
			valid = false;
			n = 1;
		}
		text = p + n;
		p = demon_json_plain_end(text, end);
	}
	demon_buf_char(out, '"');
	return valid;
}

void demon_json_string(struct demon_buf *out, const char *text, size_t len)
{
	(void)add_string(out, text, len);
}

void demon_json_number(struct demon_buf *out, double v)
{
	char text[DEMON_JSON_NUMBER_MAX];

	assert(isfinite(v));
	demon_buf_add(out, text, demon_json_number_print(v, text));
}

static enum demon_rc write_string(struct writer *w, const char *text, size_t len)
{
	if (!add_string(w->out, text, len))
		return fail(w, DEMON_INVALID, "a string is not UTF-8 without NUL");
	return DEMON_OK;
}

static enum demon_rc write_integer(struct writer *w, json_int_t v)
{
	const double limit = 9223372036854775808.;
	double real = (double)v;

	if (v >= -EXACT_LIMIT && v <= EXACT_LIMIT) {
		demon_buf_i64(w->out, v);
		return DEMON_OK;
	}
	if (real >= limit || (json_int_t)real != v)
		return fail(w, DEMON_INVALID, "an integer is not exact as a double");
	demon_json_number(w->out, real);
	return DEMON_OK;
}

static enum demon_rc write_real(struct writer *w, double v)
{
	if (!isfinite(v))
		return fail(w, DEMON_INVALID, "a number is not finite");
	demon_json_number(w->out, v);
	return DEMON_OK;
}

static int order(const struct member *a, const struct member *b)
{
	return demon_json_key_order(a->key, a->len, b->key, b->len);
}

static int order_any(const void *a, const void *b)
{
	return order(a, b);
}

/* Trees mostly come in order already. */
static void sort(struct member *members, size_t count)
{
	size_t i = 1;

	while (i < count && order(&members[i - 1], &members[i]) < 0)
		i++;
	if (count > FEW_MEMBERS && i < count) {
		qsort(members, count, sizeof(*members), order_any);
		return;
	}
	for (; i < count; i++) {
		struct member moved = members[i];
		size_t at = i;

		for (; at > 0 && order(&moved, &members[at - 1]) < 0; at--)
			members[at] = members[at - 1];
		members[at] = moved;
	}
}

static size_t collect(const json_t *object, struct member *members)
{
	json_t *it = demon_json_iterable(object);
	size_t i = 0;

	for (void *at = json_object_iter(it); at; at = json_object_iter_next(it, at))
		members[i++] =
		    (struct member){json_object_iter_key(at), json_object_iter_key_len(at),
				    json_object_iter_value(at)};
	return i;
}

static void new_line(struct writer *w)
{
	if (!w->pretty)
		return;
	demon_buf_char(w->out, '\n');
	for (unsigned i = 0; i < w->level; i++)
		demon_buf_add(w->out, "  ", 2);
}

static enum demon_rc write_value(struct writer *w, const json_t *json);

static enum demon_rc write_members(struct writer *w, const struct member *members, size_t count,
				   struct demon_json_place *here)
{
	enum demon_rc rc;

	here->at = DEMON_JSON_AT_KEY;
	for (size_t i = 0; i < count; i++) {
		here->key = members[i].key;
		here->key_len = members[i].len;
		if (i)
			demon_buf_char(w->out, ',');
		new_line(w);
		if ((rc = write_string(w, members[i].key, members[i].len)))
			return rc;
		demon_buf_add(w->out, ": ", w->pretty ? 2 : 1);
		if ((rc = write_value(w, members[i].value)))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc write_object(struct writer *w, const json_t *object,
				  struct demon_json_place *here)
{
	struct member few[FEW_MEMBERS];
	demon_auto_free struct member *many = NULL;
	struct member *members = few;
	size_t count = json_object_size(object);

	if (count > FEW_MEMBERS) {
		members = many = demon_calloc(count, sizeof(*many));
		if (!many)
			return fail(w, DEMON_NOMEM, demon_rc_text(DEMON_NOMEM));
	}
	count = collect(object, members);
	sort(members, count);
	return write_members(w, members, count, here);
}

static enum demon_rc write_array(struct writer *w, const json_t *array,
				 struct demon_json_place *here)
{
	enum demon_rc rc;

	here->at = DEMON_JSON_AT_ITEM;
	for (size_t i = 0; i < json_array_size(array); i++) {
		here->index = i;
		if (i)
			demon_buf_char(w->out, ',');
		new_line(w);
		if ((rc = write_value(w, json_array_get(array, i))))
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc write_collection(struct writer *w, const json_t *json)
{
	struct demon_json_place here = {.up = w->place};
	bool object = json_is_object(json);
	bool empty = object ? json_object_size(json) == 0 : json_array_size(json) == 0;
	enum demon_rc rc;

	if (w->level >= LEVELS_MAX)
		return fail(w, DEMON_TOOBIG, "nested too deep");
	w->place = &here;
	w->level++;
	demon_buf_char(w->out, object ? '{' : '[');
	rc = object ? write_object(w, json, &here) : write_array(w, json, &here);
	w->level--;
	w->place = here.up;
	if (rc)
		return rc;
	if (!empty)
		new_line(w);
	demon_buf_char(w->out, object ? '}' : ']');
	return DEMON_OK;
}

static enum demon_rc write_value(struct writer *w, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		return write_collection(w, json);
	case JSON_STRING:
		return write_string(w, json_string_value(json), json_string_length(json));
	case JSON_INTEGER:
		return write_integer(w, json_integer_value(json));
	case JSON_REAL:
		return write_real(w, json_real_value(json));
	case JSON_TRUE:
		demon_buf_add(w->out, "true", 4);
		return DEMON_OK;
	case JSON_FALSE:
		demon_buf_add(w->out, "false", 5);
		return DEMON_OK;
	case JSON_NULL:
		break;
	}
	demon_buf_add(w->out, "null", 4);
	return DEMON_OK;
}

static enum demon_rc write_tree(const json_t *json, struct demon_buf *out, bool pretty,
				struct demon_err *err)
{
	struct writer w = {.out = out, .pretty = pretty, .err = err};
	size_t start = out->len;
	enum demon_rc rc = write_value(&w, json);

	if (!rc)
		rc = demon_buf_rc(out, err);
	if (rc && out->len > start) {
		out->len = start;
		out->data[start] = '\0';
	}
	return rc;
}

enum demon_rc demon_json_canonical(const json_t *json, struct demon_buf *out, struct demon_err *err)
{
	return write_tree(json, out, false, err);
}

enum demon_rc demon_json_pretty(const json_t *json, struct demon_buf *out, struct demon_err *err)
{
	return write_tree(json, out, true, err);
}

struct demon_jw demon_jw_begin(struct demon_buf *out)
{
	demon_buf_char(out, '{');
	return (struct demon_jw){.out = out};
}

static void add_key(struct demon_jw *w, const char *key)
{
	size_t len = strlen(key);
	char *to = demon_buf_room(w->out, len + 3 + w->any);

	assert(!w->last || strcmp(w->last, key) < 0);
	w->last = key;
	if (!to)
		return;
	if (w->any)
		*to++ = ',';
	*to++ = '"';
	memcpy(to, key, len);
	to += len;
	*to++ = '"';
	*to++ = ':';
	*to = '\0';
	w->out->len += len + 3 + w->any;
	w->any = true;
}

void demon_jw_str(struct demon_jw *w, const char *key, const char *text)
{
	if (!text)
		return;
	add_key(w, key);
	demon_json_string(w->out, text, strlen(text));
}

void demon_jw_i64(struct demon_jw *w, const char *key, int64_t v)
{
	assert(v >= -EXACT_LIMIT && v <= EXACT_LIMIT);
	add_key(w, key);
	demon_buf_i64(w->out, v);
}

void demon_jw_bool(struct demon_jw *w, const char *key, bool v)
{
	add_key(w, key);
	demon_buf_add(w->out, v ? "true" : "false", v ? 4 : 5);
}

void demon_jw_time(struct demon_jw *w, const char *key, int64_t ms)
{
	char text[DEMON_RFC3339_LEN + 3];

	add_key(w, key);
	text[0] = '"';
	demon_rfc3339(ms, text + 1);
	text[DEMON_RFC3339_LEN + 1] = '"';
	demon_buf_add(w->out, text, DEMON_RFC3339_LEN + 2);
}

void demon_jw_raw(struct demon_jw *w, const char *key, const char *canonical, size_t len)
{
	if (!canonical)
		return;
	add_key(w, key);
	demon_buf_add(w->out, canonical, len);
}

struct demon_jw demon_jw_object(struct demon_jw *w, const char *key)
{
	add_key(w, key);
	return demon_jw_begin(w->out);
}

void demon_jw_end(struct demon_jw *w)
{
	demon_buf_char(w->out, '}');
}

bool demon_json_scalar(const json_t *value, struct demon_buf *out)
{
	if (json_is_string(value))
		demon_buf_add(out, json_string_value(value), json_string_length(value));
	else if (json_is_number(value))
		demon_json_number(out, json_number_value(value));
	else if (json_is_boolean(value))
		demon_buf_str(out, json_is_true(value) ? "true" : "false");
	else
		return false;
	return true;
}

json_t *demon_json_copy(const json_t *tree)
{
	json_t *copy = json_deep_copy(tree);

	if (copy && !json_equal(copy, tree)) {
		json_decref(copy);
		return NULL;
	}
	return copy;
}

const char *demon_json_describe(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}
