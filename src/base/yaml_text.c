#include "yaml_text.h"

#include "json_text.h"

#include <string.h>

#define DIRECTIVES_MAX 16

/* A character of checked text after another, and its place. */
struct cursor {
	const char *at;
	const char *end;
	size_t line; /* from 1 */
	size_t column;
};

static struct cursor cursor_begin(const char *text, size_t len)
{
	return (struct cursor){text, text + len, 1, 1};
}

/* Passes over a character of @p n bytes. Lines end in LF, CR or CR LF. */
static void cursor_next(struct cursor *c, size_t n)
{
	char passed = *c->at;

	c->at += n;
	c->column++;
	if (passed == '\n' || (passed == '\r' && (c->at == c->end || *c->at != '\n'))) {
		c->line++;
		c->column = 1;
	}
}

static const char *refuse_ascii(unsigned char c)
{
	if (c == 0)
		return "a NUL byte";
	if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
		return "a control character";
	return NULL;
}

static const char *refuse_wide(const char *p, size_t n)
{
	static const struct {
		const char *bytes;
		const char *why;
	} rows[] = {
	    {"\xc2\x85", "U+0085 is a line end for some readers: write \"\\u0085\""},
	    {"\xe2\x80\xa8", "U+2028 is a line end for some readers: write \"\\u2028\""},
	    {"\xe2\x80\xa9", "U+2029 is a line end for some readers: write \"\\u2029\""},
	    {"\xef\xbf\xbe", "U+FFFE is not a character"},
	    {"\xef\xbf\xbf", "U+FFFF is not a character"},
	    {"\xef\xbb\xbf", "a byte order mark within the text: leave it out, or write "
			     "\"\\ufeff\""},
	};

	for (size_t i = 0; i < demon_count(rows); i++)
		if (strlen(rows[i].bytes) == n && memcmp(p, rows[i].bytes, n) == 0)
			return rows[i].why;
	if (n == 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0)
		return "a control character";
	return NULL;
}

enum demon_rc demon_yaml_check_text(const char *name, const char *text, size_t len,
				    struct demon_err *err)
{
	struct cursor c = cursor_begin(text, len);
	unsigned directives = 0;

	while (c.at < c.end) {
		unsigned char byte = (unsigned char)*c.at;
		size_t n = byte < 0x80 ? 1 : demon_json_utf8(c.at, c.end);
		const char *why = "not valid UTF-8";

		if (n)
			why = byte < 0x80 ? refuse_ascii(byte) : refuse_wide(c.at, n);
		if (why)
			return demon_err_set(err, DEMON_INVALID, "%s:%zu:%zu: %s", name, c.line,
					     c.column, why);
		if (byte == '%' && c.column == 1 && c.end - c.at >= 4 &&
		    memcmp(c.at, "%TAG", 4) == 0 && ++directives > DIRECTIVES_MAX)
			return demon_err_set(err, DEMON_TOOBIG,
					     "%s:%zu:%zu: more than %d %%TAG directives", name,
					     c.line, c.column, DIRECTIVES_MAX);
		cursor_next(&c, n);
	}
	return DEMON_OK;
}

char demon_yaml_byte_at(const char *text, size_t len, size_t line, size_t column)
{
	struct cursor c = cursor_begin(text, len);

	while (c.at < c.end && (c.line < line || (c.line == line && c.column < column))) {
		size_t n = demon_json_utf8(c.at, c.end);

		cursor_next(&c, n ? n : 1);
	}
	if (c.at == c.end || c.line != line || c.column != column)
		return '\0';
	return *c.at;
}
