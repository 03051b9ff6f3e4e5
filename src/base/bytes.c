#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*() */
#include "bytes.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

void demon_hex(const void *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = bytes;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * n] = '\0';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool demon_unhex(const char *text, void *bytes, size_t n)
{
	unsigned char *out = bytes;

	if (strlen(text) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = digit_value(text[2 * i]);
		int low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

bool demon_equal(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a;
	const volatile unsigned char *y = b;
	unsigned char differ = 0;

	for (size_t i = 0; i < n; i++)
		differ = (unsigned char)(differ | (x[i] ^ y[i]));
	return !differ;
}

uint64_t demon_get_be64(const void *bytes)
{
	const unsigned char *in = bytes;
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return v;
}

uint32_t demon_get_be32(const void *bytes)
{
	const unsigned char *in = bytes;
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++)
		v = v << 8 | in[i];
	return v;
}

/* libcrypto's plain functions: fetching the same digest from its providers reads a configuration,
 * costs a third of a short command's memory and half of a short digest. */
struct demon_sha256 {
	SHA256_CTX ctx;
};

struct demon_sha256 *demon_sha256_new(void)
{
	return demon_calloc(1, sizeof(struct demon_sha256));
}

void demon_sha256_free(struct demon_sha256 *s)
{
	free(s);
}

/* None of these can fail; if one does, no hash may be used. */
void demon_sha256_begin(struct demon_sha256 *s)
{
	if (!SHA256_Init(&s->ctx))
		abort();
}

void demon_sha256_add(struct demon_sha256 *s, const void *bytes, size_t n)
{
	if (!SHA256_Update(&s->ctx, bytes, n))
		abort();
}

void demon_sha256_end(struct demon_sha256 *s, unsigned char out[DEMON_HASH_LEN])
{
	if (!SHA256_Final(out, &s->ctx))
		abort();
}

enum demon_rc demon_sha256(const void *bytes, size_t n, unsigned char out[DEMON_HASH_LEN],
			   struct demon_err *err)
{
	struct demon_sha256 *s = demon_sha256_new();

	if (!s)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a digest");
	demon_sha256_begin(s);
	demon_sha256_add(s, bytes, n);
	demon_sha256_end(s, out);
	demon_sha256_free(s);
	return DEMON_OK;
}

void demon_uuid7(const struct demon_env *env, char *out)
{
	unsigned char b[16];
	uint64_t ms = (uint64_t)env->now(env->ctx);
	char hex[33];

	env->random(env->ctx, b, sizeof(b));
	for (size_t i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x70);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	demon_hex(b, sizeof(b), hex);
	(void)snprintf(out, DEMON_UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		       hex + 16, hex + 20);
}

/* Proleptic Gregorian calendar by eras of 400 years of 146097 days, March first
 * (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	int64_t era;
	int64_t yoe;
	int64_t doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int *y, int *m, int *d)
{
	int64_t era;
	int64_t doe;
	int64_t yoe;
	int64_t doy;
	int64_t mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = (int)(yoe + era * 400 + (*m <= 2));
}

static void put_digits(char *to, int value, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		to[i] = (char)('0' + value % 10);
		value /= 10;
	}
}

void demon_rfc3339(demon_time t, char *out)
{
	static const demon_time first = -62167219200000; /* 0000-01-01T00:00:00Z */
	static const demon_time last = 253402300799999;  /* 9999-12-31T23:59:59.999Z */
	int64_t days;
	int64_t ms;
	int y;
	int m;
	int d;

	if (t < first)
		t = first;
	if (t > last)
		t = last;
	days = t / 86400000 - (t % 86400000 < 0);
	ms = t - days * 86400000;
	civil_from_days(days, &y, &m, &d);
	memcpy(out, "0000-00-00T00:00:00.000Z", DEMON_RFC3339_LEN + 1);
	put_digits(out, y, 4);
	put_digits(out + 5, m, 2);
	put_digits(out + 8, d, 2);
	put_digits(out + 11, (int)(ms / 3600000), 2);
	put_digits(out + 14, (int)(ms / 60000 % 60), 2);
	put_digits(out + 17, (int)(ms / 1000 % 60), 2);
	put_digits(out + 20, (int)(ms % 1000), 3);
}

/* Reads exactly @p width digits; -1: there are other characters. */
static int take_digits(const char **p, int width)
{
	int value = 0;

	for (int i = 0; i < width; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool take_fraction(const char **p, int *ret_ms)
{
	int scale = 100;
	int n = 0;

	*ret_ms = 0;
	if (!take_char(p, '.'))
		return true;
	for (; **p >= '0' && **p <= '9'; (*p)++, n++, scale /= 10)
		*ret_ms += (**p - '0') * scale;
	return n >= 1 && n <= 9;
}

static bool take_offset(const char **p, int *ret_minutes)
{
	int sign = **p == '-' ? -1 : 1;
	int h;
	int m;

	*ret_minutes = 0;
	if (take_char(p, 'Z'))
		return true;
	if (!take_char(p, '+') && !take_char(p, '-'))
		return false;
	h = take_digits(p, 2);
	if (h < 0 || h > 23 || !take_char(p, ':'))
		return false;
	m = take_digits(p, 2);
	if (m < 0 || m > 59)
		return false;
	*ret_minutes = sign * (h * 60 + m);
	return true;
}

static int month_length(int y, int m)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return m == 2 && leap ? 29 : lengths[m - 1];
}

enum demon_rc demon_rfc3339_parse(const char *text, demon_time *ret_t, struct demon_err *err)
{
	const char *p = text;
	int v[6];
	int ms;
	int offset;
	static const char separators[] = "--T::";

	for (size_t i = 0; i < 6; i++) {
		v[i] = take_digits(&p, i == 0 ? 4 : 2);
		if (v[i] < 0 || (i < 5 && !take_char(&p, separators[i])))
			goto bad;
	}
	if (v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > month_length(v[0], v[1]) || v[3] > 23 ||
	    v[4] > 59 || v[5] > 59)
		goto bad;
	if (!take_fraction(&p, &ms) || !take_offset(&p, &offset) || *p)
		goto bad;
	*ret_t = ((days_from_civil(v[0], v[1], v[2]) * 24 + v[3]) * 60 + v[4] - offset) * 60000 +
		 (demon_time)v[5] * 1000 + ms;
	return DEMON_OK;
bad:
	return demon_err_set(err, DEMON_INVALID, "'%.40s' is not a time as in RFC 3339", text);
}
