#include "yaml_scalar.h"

#include "buf.h"
#include "json.h"

#include <string.h>

#define NUMBER_MAX 400 /* characters of a number; a double needs fewer */

static const struct demon_json_limits number_limits = {NUMBER_MAX + 16, 1};

static bool is_one_of(const char *text, size_t len, const char *const words[3])
{
	for (size_t i = 0; i < 3; i++)
		if (strlen(words[i]) == len && memcmp(text, words[i], len) == 0)
			return true;
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t count_digits(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && is_digit(text[n]))
		n++;
	return n;
}

/* A number of the core schema in parts, each maybe empty. */
struct parts {
	bool negative;
	bool is_float; /* it has a point or an exponent */
	const char *whole;
	size_t whole_len;
	const char *fraction;
	size_t fraction_len;
	const char *exponent; /* with its sign */
	size_t exponent_len;
};

static bool split_exponent(const char *text, size_t len, struct parts *p)
{
	size_t sign;

	if (len == 0)
		return true;
	if (*text != 'e' && *text != 'E')
		return false;
	p->is_float = true;
	p->exponent = text + 1;
	p->exponent_len = len - 1;
	sign = p->exponent_len && (*p->exponent == '+' || *p->exponent == '-');
	return p->exponent_len > sign &&
	       count_digits(p->exponent + sign, p->exponent_len - sign) == p->exponent_len - sign;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool split_number(const char *text, size_t len, struct parts *p)
{
	*p = (struct parts){0};
	if (len && (*text == '-' || *text == '+')) {
		p->negative = *text == '-';
		text++;
		len--;
	}
	p->whole = text;
	p->whole_len = count_digits(text, len);
	text += p->whole_len;
	len -= p->whole_len;
	if (len && *text == '.') {
		p->is_float = true;
		p->fraction = text + 1;
		p->fraction_len = count_digits(text + 1, len - 1);
		text += 1 + p->fraction_len;
		len -= 1 + p->fraction_len;
	}
	if (!p->whole_len && !p->fraction_len)
		return false;
	return split_exponent(text, len, p);
}

/* The same number as JSON writes it, which the one reader of numbers then reads. */
static enum demon_rc read_number(const struct parts *p, json_t **ret_json, struct demon_err *err)
{
	DEMON_BUF(text, NUMBER_MAX);
	const char *whole = p->whole;
	size_t len = p->whole_len;
	enum demon_rc rc;

	while (len > 1 && *whole == '0') {
		whole++;
		len--;
	}
	if (p->negative)
		demon_buf_char(&text, '-');
	if (len)
		demon_buf_add(&text, whole, len);
	else
		demon_buf_char(&text, '0');
	if (p->fraction_len) {
		demon_buf_char(&text, '.');
		demon_buf_add(&text, p->fraction, p->fraction_len);
	} else if (p->is_float && !p->exponent_len) {
		demon_buf_str(&text, ".0");
	}
	if (p->exponent_len) {
		demon_buf_char(&text, 'e');
		demon_buf_add(&text, p->exponent, p->exponent_len);
	}
	if ((rc = demon_buf_rc(&text, err)))
		return rc == DEMON_TOOBIG
			   ? demon_err_set(err, DEMON_INVALID,
					   "a number of more than %d characters", NUMBER_MAX)
			   : rc;
	rc = demon_json_parse(text.data, text.len, &number_limits, ret_json, err);
	if (rc == DEMON_INVALID)
		return demon_err_set(
		    err, rc,
		    "the number %.40s cannot be held exactly or overflows; quote it to "
		    "keep it as text",
		    text.data);
	return rc;
}

static int digit_of(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Digits in base 8 or 16. False: they are not all digits of it. */
static bool read_based(const char *text, size_t len, unsigned base, json_t **ret_json,
		       bool *ret_exact)
{
	uint64_t v = 0;

	*ret_exact = true;
	for (size_t i = 0; i < len; i++) {
		unsigned d = (unsigned)digit_of(text[i]);

		if (d >= base)
			return false;
		*ret_exact = *ret_exact && v <= (UINT64_MAX - d) / base;
		v = v * base + d;
	}
	*ret_exact = *ret_exact && v <= (uint64_t)1 << 53;
	*ret_json = *ret_exact ? json_integer((json_int_t)v) : NULL;
	return len > 0;
}

static enum demon_rc done(json_t *json, json_t **ret_json, struct demon_err *err)
{
	*ret_json = json;
	return json ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "out of memory");
}

enum demon_rc demon_yaml_resolve(const char *text, size_t len, json_t **ret_json,
				 struct demon_err *err)
{
	static const char *const nulls[] = {"null", "Null", "NULL"};
	static const char *const trues[] = {"true", "True", "TRUE"};
	static const char *const falses[] = {"false", "False", "FALSE"};
	static const char *const infs[] = {".inf", ".Inf", ".INF"};
	static const char *const nans[] = {".nan", ".NaN", ".NAN"};
	size_t sign = len && (*text == '-' || *text == '+');
	struct parts parts;
	bool exact;

	if (len == 0 || (len == 1 && *text == '~') || is_one_of(text, len, nulls))
		return done(json_null(), ret_json, err);
	if (is_one_of(text, len, trues))
		return done(json_true(), ret_json, err);
	if (is_one_of(text, len, falses))
		return done(json_false(), ret_json, err);
	if (is_one_of(text + sign, len - sign, infs) || is_one_of(text, len, nans))
		return demon_err_set(err, DEMON_INVALID,
				     "%.*s has no place in JSON; quote it to keep it "
				     "as text",
				     (int)len, text);
	if (split_number(text, len, &parts))
		return read_number(&parts, ret_json, err);
	if (len > 2 && text[0] == '0' && (text[1] == 'o' || text[1] == 'x') &&
	    read_based(text + 2, len - 2, text[1] == 'o' ? 8 : 16, ret_json, &exact))
		return exact ? done(*ret_json, ret_json, err)
			     : demon_err_set(
				   err, DEMON_INVALID,
				   "the number %.*s is larger than 2^53; quote it to keep it as "
				   "text",
				   len < 40 ? (int)len : 40, text);
	return done(json_stringn(text, len), ret_json, err);
}
