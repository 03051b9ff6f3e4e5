/*
 * The checker of canonical text: true exactly when parsing the text and writing it again gives
 * the same bytes, and they are an object.
 */
#include "json.h"

#include "json_text.h"

#define UNIQUE_DIGITS 15 /* decimals this long are the shortest of their doubles */
#define SMALL_ZEROS   5  /* zeros behind "0." before ECMAScript turns to an exponent */

struct scan {
	const char *p;
	const char *end;
	unsigned depth; /* levels that may still be entered */
};

/* A key as it stands between its quotes. */
struct key {
	const char *at;
	const char *end;
	bool escaped;
};

static bool take(struct scan *s, char c)
{
	if (s->p >= s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* The character of a canonical escape at @p p (on the backslash), or 0; *ret_len: its bytes. */
static unsigned char unescape(const char *p, const char *end, size_t *ret_len)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = "btnfr\"\\";
	static const char meanings[] = "\b\t\n\f\r\"\\";
	const char *found;
	unsigned char c;

	if (end - p < 2 || !p[1])
		return 0;
	*ret_len = 2;
	found = strchr(letters, p[1]);
	if (found)
		return (unsigned char)meanings[found - letters];
	*ret_len = 6;
	if (end - p < 6 || memcmp(p, "\\u00", 4) != 0 || (p[4] != '0' && p[4] != '1') || !p[5])
		return 0;
	found = strchr(hex, p[5]);
	if (!found)
		return 0;
	c = (unsigned char)((p[4] == '1' ? 16 : 0) + (found - hex));
	return demon_json_short_escape(c) ? 0 : c;
}

static bool scan_string(struct scan *s, struct key *ret_key)
{
	size_t n;

	if (!take(s, '"'))
		return false;
	*ret_key = (struct key){.at = s->p};
	for (;;) {
		s->p = demon_json_plain_end(s->p, s->end);
		if (s->p >= s->end)
			return false;
		switch ((enum demon_json_class)demon_json_classes[(unsigned char)*s->p]) {
		case DEMON_JSON_QUOTE:
			ret_key->end = s->p++;
			return true;
		case DEMON_JSON_BACKSLASH:
			ret_key->escaped = true;
			if (!unescape(s->p, s->end, &n))
				return false;
			break;
		case DEMON_JSON_MULTI:
			n = demon_json_utf8(s->p, s->end);
			if (n == 0)
				return false;
			break;
		case DEMON_JSON_PLAIN:
		case DEMON_JSON_CONTROL:
		default:
			return false;
		}
		s->p += n;
	}
}

/* The next byte of a key, its escapes undone. */
static char next_byte(const char **p, const char *end)
{
	size_t n = 1;
	char c = **p;

	if (c == '\\')
		c = (char)unescape(*p, end, &n);
	*p += n;
	return c;
}

/* Up to the first difference both keys are the same text, so undoing escapes there is enough. */
static bool ascends(const struct key *a, const struct key *b)
{
	const char *p = a->at;
	const char *q = b->at;

	if (!a->escaped && !b->escaped)
		return demon_json_key_order(p, (size_t)(a->end - p), q, (size_t)(b->end - q)) < 0;
	while (p < a->end && q < b->end) {
		char c = next_byte(&p, a->end);
		char d = next_byte(&q, b->end);

		if (c != d)
			return demon_json_key_order(&c, 1, &d, 1) < 0;
	}
	return p >= a->end && q < b->end;
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* True for a short decimal that surely is canonical; false: look closer. [start, dot) are its
 * integer digits. */
static bool is_plain_decimal(const char *start, const char *dot, const char *end)
{
	const char *first = dot + 1;
	size_t digits = (size_t)(dot - start);

	if (end == first || end[-1] == '0')
		return false;
	if (*start == '0') {
		if (digits > 1)
			return false;
		while (*first == '0')
			first++;
		if (first - dot > SMALL_ZEROS + 1)
			return false;
		digits = 0;
	}
	return digits + (size_t)(end - first) <= UNIQUE_DIGITS;
}

static bool scan_any_number(struct scan *s)
{
	char text[DEMON_JSON_NUMBER_MAX];
	bool integer = false;
	size_t len = demon_json_number_span(s->p, s->end, &integer);
	double v = 0;

	if (len == 0 || len > sizeof(text) ||
	    demon_json_number_read(s->p, len, integer, &v) != DEMON_JSON_FITS ||
	    demon_json_number_print(v, text) != len || memcmp(text, s->p, len) != 0)
		return false;
	s->p += len;
	return true;
}

static bool scan_number(struct scan *s)
{
	const char *start = s->p + (*s->p == '-');
	const char *p = skip_digits(start, s->end);
	const char *dot = p;

	if (p < s->end && *p == '.')
		p = skip_digits(p + 1, s->end);
	if (p < s->end && (*p == 'e' || *p == 'E'))
		return scan_any_number(s);
	if (p == dot) {
		if (dot - start > UNIQUE_DIGITS)
			return scan_any_number(s);
		if (p == start || (*start == '0' && (dot - start > 1 || *s->p == '-')))
			return false;
	} else if (dot == start || !is_plain_decimal(start, dot, p)) {
		return scan_any_number(s);
	}
	s->p = p;
	return true;
}

static bool scan_word(struct scan *s, const char *word, size_t len)
{
	if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
		return false;
	s->p += len;
	return true;
}

static bool scan_value(struct scan *s);

static bool scan_object(struct scan *s)
{
	struct key keys[2];
	unsigned now = 0;

	if (s->depth == 0 || !take(s, '{'))
		return false;
	s->depth--;
	if (!take(s, '}')) {
		for (bool first = true;; first = false, now ^= 1) {
			if (!scan_string(s, &keys[now]) || !take(s, ':') ||
			    (!first && !ascends(&keys[now ^ 1], &keys[now])) || !scan_value(s))
				return false;
			if (take(s, '}'))
				break;
			if (!take(s, ','))
				return false;
		}
	}
	s->depth++;
	return true;
}

static bool scan_array(struct scan *s)
{
	if (s->depth == 0 || !take(s, '['))
		return false;
	s->depth--;
	if (!take(s, ']')) {
		do {
			if (!scan_value(s))
				return false;
		} while (take(s, ','));
		if (!take(s, ']'))
			return false;
	}
	s->depth++;
	return true;
}

static bool scan_value(struct scan *s)
{
	struct key ignored;

	if (s->p >= s->end)
		return false;
	switch (*s->p) {
	case '"':
		return scan_string(s, &ignored);
	case '{':
		return scan_object(s);
	case '[':
		return scan_array(s);
	case 't':
		return scan_word(s, "true", 4);
	case 'f':
		return scan_word(s, "false", 5);
	case 'n':
		return scan_word(s, "null", 4);
	default:
		return scan_number(s);
	}
}

bool demon_json_is_canonical(const char *text, size_t len, const struct demon_json_limits *limits)
{
	struct scan s = {.p = text, .end = text + len, .depth = limits->depth};

	if (s.depth > DEMON_JSON_DEPTH_MAX)
		s.depth = DEMON_JSON_DEPTH_MAX;
	return len <= limits->max_bytes && scan_object(&s) && s.p == s.end;
}
