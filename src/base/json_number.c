/*
 * Numbers of JSON: from digits to the nearest double, and back to the digits that ECMAScript
 * prints (ECMA-262, Number::toString): as few as read back as the same double, of those the
 * nearest.
 *
 * strtod and snprintf round correctly; here they see neither a decimal point nor grouping, so
 * the locale of the process changes nothing.
 */
#include "json_text.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

/* No decision between two doubles needs more than 767 digits; what follows counts as one more. */
#define DIGITS_MAX    800
#define PRINTED_MAX   17                /* digits that always suffice */
#define UNIQUE_DIGITS DBL_DIG           /* decimals this long differ as normal doubles, too */
#define EXPONENT_MAX  1000000000        /* a larger one is as good as infinite */
#define EXPONENT_MIN  (-2000)           /* of DIGITS_MAX digits: surely 0 */
#define EXACT_POWER   22                /* 10^22 is the largest exact power of ten */
#define EXACT_LIMIT   9007199254740992. /* 2^53: integers below it are exact */

static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
					       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The value digits × 10^exponent. */
struct decimal {
	char digits[DIGITS_MAX + 1]; /* the first is not 0; none at all: zero */
	size_t count;
	long long exponent;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

size_t demon_json_number_span(const char *text, const char *end, bool *ret_integer)
{
	const char *p = text;
	const char *digits;

	if (p < end && *p == '-')
		p++;
	digits = p;
	p = skip_digits(p, end);
	if (p == digits || (*digits == '0' && p > digits + 1))
		return 0;
	*ret_integer = true;
	if (p < end && *p == '.') {
		digits = ++p;
		p = skip_digits(p, end);
		if (p == digits)
			return 0;
		*ret_integer = false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		p = skip_digits(p, end);
		if (p == digits)
			return 0;
		*ret_integer = false;
	}
	return (size_t)(p - text);
}

static long long read_exponent(const char *p, const char *end)
{
	bool negative = p < end && *p == '-';
	long long v = 0;

	for (; p < end; p++)
		if (is_digit(*p) && v < EXPONENT_MAX)
			v = v * 10 + (*p - '0');
	return negative ? -v : v;
}

/* One digit of the fraction (@p shift 1) or of what stands before it (0). */
static void add_digit(struct decimal *d, char c, int shift, bool *more)
{
	if (d->count == 0 && c == '0') {
		d->exponent -= shift;
	} else if (d->count < DIGITS_MAX) {
		d->digits[d->count++] = c;
		d->exponent -= shift;
	} else {
		d->exponent += 1 - shift;
		*more = *more || c != '0';
	}
}

static void split(const char *literal, size_t len, struct decimal *d)
{
	const char *end = literal + len;
	bool more = false;
	int shift = 0;

	d->count = 0;
	d->exponent = 0;
	for (const char *p = literal; p < end; p++) {
		if (is_digit(*p)) {
			add_digit(d, *p, shift, &more);
		} else if (*p == '.') {
			shift = 1;
		} else if (*p != '-') {
			d->exponent += read_exponent(p + 1, end);
			break;
		}
	}
	if (more) {
		d->digits[d->count++] = '1';
		d->exponent--;
	}
}

/* Both operands are exact, so one division or multiplication rounds once. */
static bool read_fast(const struct decimal *d, double *ret_v)
{
#if FLT_EVAL_METHOD == 0
	int64_t v = 0;

	if (d->count > UNIQUE_DIGITS || d->exponent < -EXACT_POWER || d->exponent > EXACT_POWER)
		return false;
	for (size_t i = 0; i < d->count; i++)
		v = v * 10 + (d->digits[i] - '0');
	*ret_v =
	    d->exponent < 0 ? (double)v / powers[-d->exponent] : (double)v * powers[d->exponent];
	return true;
#else
	(void)d;
	(void)ret_v;
	return false;
#endif
}

static double read_decimal(const struct decimal *d)
{
	char text[DIGITS_MAX + 32];
	double v;

	if (d->count == 0)
		return 0;
	if (read_fast(d, &v))
		return v;
	if (d->exponent > DBL_MAX_10_EXP)
		return HUGE_VAL;
	if (d->exponent < EXPONENT_MIN)
		return 0;
	memcpy(text, d->digits, d->count);
	(void)snprintf(text + d->count, sizeof(text) - d->count, "e%d", (int)d->exponent);
	return strtod(text, NULL);
}

/* Canonical text must read back, and above 2^53 it is an integer literal that only names its
 * double: such a literal stays as it was given, so nothing is lost. */
static bool keeps_integer(const char *digits, size_t len, double v)
{
	char text[DBL_MAX_10_EXP + 8];
	int n = snprintf(text, sizeof(text), "%.0f", v);

	if (n > 0 && (size_t)n == len && memcmp(text, digits, len) == 0)
		return true;
	return len < DEMON_JSON_NUMBER_MAX && demon_json_number_print(v, text) == len &&
	       memcmp(text, digits, len) == 0;
}

enum demon_json_fit demon_json_number_read(const char *literal, size_t len, bool integer,
					   double *ret_v)
{
	bool negative = literal[0] == '-';
	struct decimal d;
	double v;

	split(literal, len, &d);
	v = read_decimal(&d);
	if (isinf(v))
		return DEMON_JSON_OVERFLOW;
	if (integer && len - negative > UNIQUE_DIGITS &&
	    !keeps_integer(literal + negative, len - negative, v))
		return DEMON_JSON_INEXACT;
	*ret_v = negative && v > 0 ? -v : v;
	return DEMON_JSON_FITS;
}

/* A double that is a short decimal, found by undoing one division. Uniqueness makes the first
 * decimal found the shortest. */
static bool shorten_fast(double v, struct decimal *d)
{
#if FLT_EVAL_METHOD == 0
	if (v < 1e-3 || v > 1e12)
		return false;
	for (int k = 1; k <= UNIQUE_DIGITS; k++) {
		double scaled = v * powers[k];
		int64_t digits;

		if (scaled >= 1e15)
			return false;
		digits = (int64_t)(scaled + 0.5);
		if ((double)digits / powers[k] == v) {
			int n = snprintf(d->digits, sizeof(d->digits), "%lld", (long long)digits);

			d->count = n > 0 ? (size_t)n : 0;
			d->exponent = -k;
			return d->count > 0;
		}
	}
#else
	(void)v;
	(void)d;
#endif
	return false;
}

/* The decimal of @p precision digits that is nearest to v, a tie to the even one. */
static void round_to(double v, int precision, struct decimal *d)
{
	char text[PRINTED_MAX + 32];
	const char *e;

	(void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
	e = strchr(text, 'e');
	d->count = 0;
	for (const char *p = text; p < e; p++)
		if (is_digit(*p))
			d->digits[d->count++] = *p;
	d->exponent = read_exponent(e + 1, e + strlen(e)) - (precision - 1);
}

static void step_up(struct decimal *d)
{
	size_t i = d->count;

	while (i > 0 && d->digits[i - 1] == '9')
		d->digits[--i] = '0';
	if (i > 0) {
		d->digits[i - 1]++;
	} else {
		d->digits[0] = '1';
		d->exponent++;
	}
}

/*
 * Around a power of two the doubles below stand closer than those above: the nearest decimal may
 * lie below and read as another double while the next one up, though farther, reads back. All
 * other intervals are symmetric, and there the nearest decimal decides.
 */
static void shorten(double v, struct decimal *d)
{
	int binary;
	bool lopsided = frexp(v, &binary) == 0.5 && v > DBL_MIN;
	int precision = v < DBL_MIN ? 1 : UNIQUE_DIGITS;

	if (shorten_fast(v, d))
		return;
	for (; precision <= PRINTED_MAX; precision++) {
		round_to(v, precision, d);
		if (read_decimal(d) == v)
			break;
		if (lopsided) {
			step_up(d);
			if (read_decimal(d) == v)
				break;
		}
	}
	while (d->count > 1 && d->digits[d->count - 1] == '0') {
		d->count--;
		d->exponent++;
	}
}

static char *put(char *to, const char *bytes, size_t n)
{
	memcpy(to, bytes, n);
	return to + n;
}

static char *put_zeros(char *to, int n)
{
	for (; n > 0; n--)
		*to++ = '0';
	return to;
}

static char *put_integer(char *to, int64_t v)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return put(to, digits + at, sizeof(digits) - at);
}

/* @p n is the place of the point among the digits, as in ECMA-262. */
static char *put_decimal(char *to, const struct decimal *d, int n)
{
	int count = (int)d->count;

	if (n > 21 || n <= -6) {
		to = put(to, d->digits, 1);
		if (count > 1) {
			*to++ = '.';
			to = put(to, d->digits + 1, d->count - 1);
		}
		*to++ = 'e';
		*to++ = n > 0 ? '+' : '-';
		return put_integer(to, n > 0 ? n - 1 : 1 - n);
	}
	if (n >= count)
		return put_zeros(put(to, d->digits, d->count), n - count);
	if (n > 0) {
		to = put(to, d->digits, (size_t)n);
		*to++ = '.';
		return put(to, d->digits + n, (size_t)(count - n));
	}
	to = put_zeros(put(to, "0.", 2), -n);
	return put(to, d->digits, d->count);
}

size_t demon_json_number_print(double v, char out[DEMON_JSON_NUMBER_MAX])
{
	struct decimal d;
	char *to = out;

	if (v < 0) {
		*to++ = '-';
		v = -v;
	}
	if (v < EXACT_LIMIT && v == (double)(int64_t)v) {
		to = put_integer(to, (int64_t)v);
	} else {
		shorten(v, &d);
		to = put_decimal(to, &d, (int)(d.exponent + (long long)d.count));
	}
	return (size_t)(to - out);
}
