#include "template.h"

#include "base/suggest.h"

#include <string.h>

#define OPEN         "{{"
#define CLOSE        "}}"
#define CUT_MARK     "\xe2\x80\xa6" /* an ellipsis */
#define LONGEST_NAME 32

/* A name within braces. */
struct place {
	const char *at;  /* of the first brace */
	const char *end; /* behind the last one */
	char name[LONGEST_NAME + 1];
};

/* The next name; false: there is none. An empty name is one that cannot be. */
static bool find(const char *text, struct place *ret)
{
	const char *at = strstr(text, OPEN);
	const char *end = at ? strstr(at, CLOSE) : NULL;
	const char *name;
	size_t len;

	if (!at)
		return false;
	*ret = (struct place){.at = at, .end = end ? end + strlen(CLOSE) : NULL};
	if (!end)
		return true;
	name = at + strlen(OPEN);
	while (name < end && *name == ' ')
		name++;
	while (end > name && end[-1] == ' ')
		end--;
	len = (size_t)(end - name);
	if (len <= LONGEST_NAME)
		memcpy(ret->name, name, len);
	return true;
}

static enum demon_rc unknown(const char *name, const char *const *names, size_t count,
			     struct demon_err *err)
{
	const char *near = demon_suggest(name, names, count);

	return demon_err_set(err, DEMON_INVALID, "there is no value '{{%s}}'%s%s%s", name,
			     near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

enum demon_rc demon_template_check(const char *text, const char *const *names, size_t count,
				   struct demon_err *err)
{
	struct place p;

	if (strlen(text) > DEMON_TEMPLATE_MAX)
		return demon_err_set(err, DEMON_INVALID, "the text is longer than %zu bytes",
				     DEMON_TEMPLATE_MAX);
	for (; find(text, &p); text = p.end) {
		size_t i = 0;

		if (!p.end)
			return demon_err_set(err, DEMON_INVALID, "'{{' is not followed by '}}'");
		while (i < count && strcmp(names[i], p.name) != 0)
			i++;
		if (i == count)
			return unknown(p.name, names, count, err);
	}
	return DEMON_OK;
}

/* A character of UTF-8 that was found to be well-formed, and how many bytes it has. */
static unsigned decode(const unsigned char *p, size_t *ret_len)
{
	if (p[0] < 0x80) {
		*ret_len = 1;
		return p[0];
	}
	if (p[0] < 0xe0) {
		*ret_len = 2;
		return (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
	}
	if (p[0] < 0xf0) {
		*ret_len = 3;
		return (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
	}
	*ret_len = 4;
	return 0x10000;
}

static bool is_line_end(unsigned c)
{
	return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* Controls, and what turns the direction of writing or does not show. */
static bool is_dangerous(unsigned c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || c == 0x61c ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* What stands for a character, or NULL: it may stand itself. */
static const char *replacement(unsigned c, enum demon_escape escape)
{
	if (escape == DEMON_ESCAPE_CHAT && (c == '&' || c == '<' || c == '>'))
		return c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;";
	if (c == '\r' && escape != DEMON_ESCAPE_LINE)
		return "";
	if (is_line_end(c) || c == '\t')
		return escape == DEMON_ESCAPE_LINE ? " " : c == '\n' || c == '\t' ? NULL : "\n";
	return is_dangerous(c) ? "" : NULL;
}

void demon_template_escape(const char *text, size_t max, enum demon_escape escape,
			   struct demon_buf *out)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (*p) {
		size_t len;
		const char *other = replacement(decode(p, &len), escape);

		used += other ? strlen(other) : len;
		if (used > max) {
			demon_buf_str(out, CUT_MARK);
			return;
		}
		if (other)
			demon_buf_str(out, other);
		else
			demon_buf_add(out, p, len);
		p += len;
	}
}

static void add_value(const json_t *value, size_t max, enum demon_escape escape,
		      struct demon_buf *out)
{
	DEMON_BUF(text, 0);

	if (!value || !demon_json_scalar(value, &text) || text.rc) {
		out->rc = out->rc ? out->rc : text.rc;
		return;
	}
	demon_template_escape(text.data, max, escape, out);
}

void demon_template_render(const char *text, const json_t *values, enum demon_escape escape,
			   struct demon_buf *out)
{
	size_t begin = out->len;
	struct place p;

	for (; find(text, &p) && p.end; text = p.end) {
		size_t used;

		demon_buf_add(out, text, (size_t)(p.at - text));
		used = out->len - begin;
		add_value(json_object_get(values, p.name),
			  used < DEMON_TEMPLATE_OUT ? DEMON_TEMPLATE_OUT - used : 0, escape, out);
	}
	demon_buf_str(out, text);
}
