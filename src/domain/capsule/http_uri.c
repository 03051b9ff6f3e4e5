#include "http_uri.h"

#include "arguments.h"
#include "base/json.h"
#include "output.h"

#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 256

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void encode(struct demon_buf *out, const char *text, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_unreserved(text[i])) {
			demon_buf_char(out, text[i]);
			continue;
		}
		demon_buf_char(out, '%');
		demon_buf_char(out, digits[c >> 4]);
		demon_buf_char(out, digits[c & 15]);
	}
}

/* Reads "{name}" at *p, moves behind it, and copies the name. */
static enum demon_rc read_name(const char **p, char *name, struct demon_err *err)
{
	const char *start = *p + 1;
	const char *end = strchr(start, '}');
	int shown = demon_output_clip(start, 64);
	size_t len = end ? (size_t)(end - start) : 0;

	if (!end)
		return demon_err_set(err, DEMON_INVALID, "'{%.*s': '}' is missing", shown, start);
	if (len == 0 || len >= NAME_MAX_LEN)
		return demon_err_set(err, DEMON_INVALID,
				     "'{%.*s': expected a name of at most %d bytes", shown, start,
				     NAME_MAX_LEN - 1);
	if (strchr("+#./;?&=,!@|", *start))
		return demon_err_set(err, DEMON_INVALID,
				     "'{%.*s}': operator '%c' is not supported, only '{name}' is",
				     (int)len, start, *start);
	for (size_t i = 0; i < len; i++)
		if (!(is_unreserved(start[i]) || (unsigned char)start[i] >= 0x80))
			return demon_err_set(err, DEMON_INVALID,
					     "'{%.*s}': '%c' is not supported, only '{name}' is",
					     (int)len, start, start[i]);
	memcpy(name, start, len);
	name[len] = '\0';
	*p = end + 1;
	return DEMON_OK;
}

/* The value that a name stands for, or NULL. */
static const json_t *look_up(const json_t *data, const char *name)
{
	const json_t *value = json_object_get(data, name);
	char path[NAME_MAX_LEN];
	char *rest = path;

	if (value || !strchr(name, '.'))
		return value;
	memcpy(path, name, strlen(name) + 1);
	for (value = data; value && rest;) {
		const char *part = strsep(&rest, ".");

		value = json_object_get(value, part);
	}
	return value;
}

static enum demon_rc expand_name(const char *name, const json_t *data, struct demon_buf *out,
				 struct demon_err *err)
{
	const json_t *value = look_up(data, name);
	int shown = demon_output_clip(name, 64);
	DEMON_BUF(text, 0);

	if (!value)
		return demon_err_set(err, DEMON_INVALID, "'{%.*s}': the input has no '%.*s'", shown,
				     name, shown, name);
	if (!demon_json_scalar(value, &text))
		return demon_err_set(err, DEMON_INVALID,
				     "'{%.*s}': expected a string, a number or a boolean, found %s",
				     shown, name, demon_json_describe(value));
	encode(out, text.data, text.len);
	return demon_buf_rc(&text, err);
}

/* @p out is NULL: only the syntax counts. */
static enum demon_rc walk(const char *uri, const json_t *data, struct demon_buf *out,
			  struct demon_err *err)
{
	const char *p = uri;
	char name[NAME_MAX_LEN];
	enum demon_rc rc;

	while (*p) {
		size_t plain = strcspn(p, "{}");

		if (out)
			demon_buf_add(out, p, plain);
		p += plain;
		if (*p == '}')
			return demon_err_set(err, DEMON_INVALID, "'}' without '{'");
		if (!*p)
			break;
		if ((rc = read_name(&p, name, err)) ||
		    (out && (rc = expand_name(name, data, out, err))))
			return rc;
	}
	return out ? demon_buf_rc(out, err) : DEMON_OK;
}

enum demon_rc demon_http_expand(const char *uri, const json_t *data, struct demon_buf *out,
				struct demon_err *err)
{
	if (walk(uri, data, out, err))
		return demon_err_wrap(err, "URI template");
	return DEMON_OK;
}

enum demon_rc demon_http_expandable(const char *uri, struct demon_err *err)
{
	return walk(uri, NULL, NULL, err);
}

const char *demon_http_uri_problem(const char *uri)
{
	const char *host = strstr(uri, "://");
	size_t len;

	if (!host || (strncasecmp(uri, "http://", 7) != 0 && strncasecmp(uri, "https://", 8) != 0))
		return "expected http://… or https://…";
	for (const char *p = uri; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
		    strchr("\"<>\\^`|", *p))
			return "has a character that URIs do not have: percent-encode it";
	host += 3;
	len = strcspn(host, "/?#");
	if (len == 0 || *host == ':')
		return "has no host";
	if (memchr(host, '@', len))
		return "has a user or a password: use 'authentication'";
	return NULL;
}

void demon_http_uri_build(const char *uri, const json_t *query, struct demon_buf *out)
{
	size_t len = strcspn(uri, "#");
	bool any = memchr(uri, '?', len) != NULL;
	const char *name;
	json_t *value;

	demon_buf_add(out, uri, len);
	json_object_foreach(demon_json_iterable(query), name, value)
	{
		DEMON_BUF(text, 0);
		const char *last = out->data + (out->len ? out->len - 1 : 0);

		if (!any || (*last != '?' && *last != '&'))
			demon_buf_char(out, any ? '&' : '?');
		any = true;
		(void)demon_json_scalar(value, &text);
		encode(out, name, strlen(name));
		demon_buf_char(out, '=');
		encode(out, text.data, text.len);
		if (text.rc)
			out->rc = text.rc;
	}
}
