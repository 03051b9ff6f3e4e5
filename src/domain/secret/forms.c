#include "forms.h"

#include "source.h"

#include <string.h>

#define ENCODED_MIN 4 /* bytes of a value whose other forms are looked for */
#define PIECE_MIN   8 /* bytes of a line, of a value or of base64 */

/* Who is told, and the first failure. */
struct forms {
	const char *value;
	size_t len;
	demon_form_fn *fn;
	void *ctx;
	struct demon_err *err;
	enum demon_rc rc;
};

static void tell(struct forms *f, const char *bytes, size_t len)
{
	if (!f->rc && len)
		f->rc = f->fn(f->ctx, bytes, len, f->err);
}

static void tell_buf(struct forms *f, const struct demon_buf *form)
{
	if (!f->rc)
		f->rc = demon_buf_rc(form, f->err);
	tell(f, form->data, form->len);
}

static void tell_lines(struct forms *f)
{
	const char *end = f->value + f->len;
	const char *at = f->value;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);

		if (n && at[n - 1] == '\r')
			n--;
		if (n >= PIECE_MIN)
			tell(f, at, n);
		at = stop ? stop + 1 : end;
	}
}

/* Without white space around it, which a shell drops. */
static void tell_trimmed(struct forms *f)
{
	const char *end = f->value + f->len;
	const char *at = f->value;

	while (at < end && (unsigned char)*at <= ' ')
		at++;
	while (end > at && (unsigned char)end[-1] <= ' ')
		end--;
	if (end - at >= ENCODED_MIN)
		tell(f, at, (size_t)(end - at));
}

/* Base64 of the value behind @p before zero bytes, unpadded. */
static void encode(const struct forms *f, const char *alphabet, size_t before,
		   struct demon_buf *out)
{
	uint32_t bits = 0;
	unsigned held = 0;

	(void)demon_buf_room(out, (before + f->len) * 4 / 3 + 4);
	for (size_t i = 0; i < before + f->len; i++) {
		bits = bits << 8 | (i < before ? 0 : (unsigned char)f->value[i - before]);
		for (held += 8; held >= 6; held -= 6)
			demon_buf_char(out, alphabet[bits >> (held - 6) & 63]);
		bits &= 0xff;
	}
	if (held)
		demon_buf_char(out, alphabet[bits << (6 - held) & 63]);
}

/* As it is printed in lines of @p width. */
static void tell_wrapped(struct forms *f, const struct demon_buf *form, size_t width)
{
	for (size_t at = 0; form->len > width && at < form->len; at += width) {
		size_t n = form->len - at < width ? form->len - at : width;

		if (n >= PIECE_MIN)
			tell(f, form->data + at, n);
	}
}

/* Alone, padded and not, in lines of 64 and 76; and within something longer: then the characters
 * that neighbours have a part in are not known, and are left out. */
static void tell_base64(struct forms *f, const char *alphabet)
{
	for (size_t before = 0; before < 3; before++) {
		DEMON_SECRET_BUF(form);
		size_t first = (before * 8 + 5) / 6;

		encode(f, alphabet, before, &form);
		if (form.rc) {
			tell_buf(f, &form);
			return;
		}
		tell(f, form.data + first, (before + f->len) * 8 / 6 - first);
		if (before)
			continue;
		tell_buf(f, &form);
		tell_wrapped(f, &form, 64);
		tell_wrapped(f, &form, 76);
		while (form.len % 4)
			demon_buf_char(&form, '=');
		tell_buf(f, &form);
	}
}

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void tell_percent(struct forms *f, const char *digits, const char *as_is, bool plus)
{
	DEMON_SECRET_BUF(form);

	(void)demon_buf_room(&form, 3 * f->len);
	for (size_t i = 0; i < f->len; i++) {
		unsigned char c = (unsigned char)f->value[i];

		if (is_unreserved((char)c) || (c && strchr(as_is, c))) {
			demon_buf_char(&form, (char)c);
		} else if (plus && c == ' ') {
			demon_buf_char(&form, '+');
		} else {
			demon_buf_char(&form, '%');
			demon_buf_char(&form, digits[c >> 4]);
			demon_buf_char(&form, digits[c & 15]);
		}
	}
	tell_buf(f, &form);
}

static void add_unit(struct demon_buf *out, unsigned unit)
{
	static const char digits[] = "0123456789abcdef";

	demon_buf_str(out, "\\u");
	for (unsigned shift = 16; shift; shift -= 4)
		demon_buf_char(out, digits[unit >> (shift - 4) & 15]);
}

/* @p json with what is not ASCII as \uXXXX; it is valid UTF-8. */
static void tell_ascii(struct forms *f, const char *json, size_t len)
{
	DEMON_SECRET_BUF(form);
	const unsigned char *p = (const unsigned char *)json;
	const unsigned char *end = p + len;

	(void)demon_buf_room(&form, 6 * len);
	while (p < end) {
		size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
		uint32_t c = n == 1 ? *p : *p & (0x7fU >> n);

		for (size_t i = 1; i < n; i++)
			c = c << 6 | (p[i] & 0x3fU);
		p += n;
		if (c < 0x80) {
			demon_buf_char(&form, (char)c);
		} else if (c < 0x10000) {
			add_unit(&form, c);
		} else {
			add_unit(&form, 0xd800 + ((c - 0x10000) >> 10));
			add_unit(&form, 0xdc00 + ((c - 0x10000) & 0x3ff));
		}
	}
	tell_buf(f, &form);
}

/* Within a string of JSON text. */
static void tell_json(struct forms *f)
{
	DEMON_SECRET_BUF(form);

	(void)demon_buf_room(&form, 6 * f->len + 2);
	demon_json_string(&form, f->value, f->len);
	if (form.rc) {
		tell_buf(f, &form);
		return;
	}
	tell(f, form.data + 1, form.len - 2);
	tell_ascii(f, form.data + 1, form.len - 2);
}

enum demon_rc demon_secret_forms(const char *value, size_t len, demon_form_fn *fn, void *ctx,
				 struct demon_err *err)
{
	static const char upper[] = "0123456789ABCDEF";
	static const char lower[] = "0123456789abcdef";
	struct forms f = {.value = value, .len = len, .fn = fn, .ctx = ctx, .err = err};

	tell(&f, value, len);
	if (len < ENCODED_MIN)
		return f.rc;
	tell_trimmed(&f);
	tell_lines(&f);
	tell_base64(&f, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	tell_base64(&f, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
	tell_percent(&f, upper, "", false);
	tell_percent(&f, upper, "", true);
	tell_percent(&f, upper, "/", false);
	tell_percent(&f, upper, "!'()*", false);
	tell_percent(&f, lower, "", false);
	tell_json(&f);
	return f.rc;
}
