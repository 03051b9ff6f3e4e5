#include "json_member.h"

#include "json_text.h"

#include <string.h>

/* Behind the string that begins at @p at, or NULL. */
static const char *skip_string(const char *at, const char *end)
{
	if (at >= end || *at != '"')
		return NULL;
	at = demon_json_plain_end(at + 1, end);
	while (at < end && *at != '"') {
		if (*at == '\\' && ++at == end)
			return NULL;
		at = demon_json_plain_end(at + 1, end);
	}
	return at < end ? at + 1 : NULL;
}

/* Behind the array or object that begins at @p at, or NULL. */
static const char *skip_nested(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		if (*at == '"') {
			at = skip_string(at, end);
			if (!at)
				return NULL;
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']') && --depth == 0)
			return at + 1;
		at++;
	}
	return NULL;
}

static const char *skip_value(const char *at, const char *end)
{
	if (at >= end)
		return NULL;
	if (*at == '"')
		return skip_string(at, end);
	if (*at == '{' || *at == '[')
		return skip_nested(at, end);
	while (at < end && *at != ',' && *at != '}' && *at != ']')
		at++;
	return at < end ? at : NULL;
}

struct demon_json_walk demon_json_walk_begin(const char *text, size_t len)
{
	if (len < 2 || text[0] != '{')
		return (struct demon_json_walk){0};
	return (struct demon_json_walk){.at = text + 1, .end = text + len};
}

bool demon_json_walk_next(struct demon_json_walk *walk, struct demon_json_pair *ret_pair)
{
	const char *key = walk->at;
	const char *colon;
	const char *behind;

	if (!key)
		return false;
	walk->at = NULL;
	if (key < walk->end && *key == ',')
		key++;
	colon = skip_string(key, walk->end);
	if (!colon || colon >= walk->end || *colon != ':')
		return false;
	behind = skip_value(colon + 1, walk->end);
	if (!behind)
		return false;
	ret_pair->key = (struct demon_json_span){key, (size_t)(colon - key)};
	ret_pair->value = (struct demon_json_span){colon + 1, (size_t)(behind - colon - 1)};
	walk->at = behind;
	return true;
}

struct demon_json_walk demon_json_items_begin(const char *text, size_t len)
{
	if (len < 2 || text[0] != '[')
		return (struct demon_json_walk){0};
	return (struct demon_json_walk){.at = text + 1, .end = text + len};
}

bool demon_json_items_next(struct demon_json_walk *walk, struct demon_json_span *ret_item)
{
	const char *at = walk->at;
	const char *behind;

	if (!at)
		return false;
	walk->at = NULL;
	if (at < walk->end && *at == ',')
		at++;
	behind = at < walk->end && *at != ']' ? skip_value(at, walk->end) : NULL;
	if (!behind)
		return false;
	*ret_item = (struct demon_json_span){at, (size_t)(behind - at)};
	walk->at = behind;
	return true;
}

struct demon_json_span demon_json_member(const char *text, size_t len, const char *key)
{
	struct demon_json_walk walk = demon_json_walk_begin(text, len);
	struct demon_json_pair pair;
	size_t n = strlen(key);

	while (demon_json_walk_next(&walk, &pair))
		if (pair.key.len == n + 2 && memcmp(pair.key.at + 1, key, n) == 0)
			return pair.value;
	return (struct demon_json_span){0};
}

void demon_json_members(const char *text, size_t len, const char *const *keys,
			struct demon_json_span *spans, size_t count)
{
	struct demon_json_walk walk = demon_json_walk_begin(text, len);
	struct demon_json_pair pair;
	size_t i = 0;

	memset(spans, 0, count * sizeof(*spans));
	while (i < count && demon_json_walk_next(&walk, &pair)) {
		int order;

		/* most members are wanted, or stand before the next that is */
		if (strncmp(pair.key.at + 1, keys[i], pair.key.len - 2) == 0 &&
		    keys[i][pair.key.len - 2] == '\0') {
			spans[i++] = pair.value;
			continue;
		}
		order = demon_json_key_cmp(pair.key, keys[i]);

		while (order > 0 && ++i < count)
			order = demon_json_key_cmp(pair.key, keys[i]);
		if (i < count && order == 0)
			spans[i++] = pair.value;
	}
}

struct demon_json_span demon_json_span_plain(struct demon_json_span value)
{
	if (!value.at || value.len < 2 || value.at[0] != '"' || memchr(value.at, '\\', value.len))
		return (struct demon_json_span){0};
	return (struct demon_json_span){value.at + 1, value.len - 2};
}

static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The character at *at, which moves behind it; escapes of canonical form stand for ASCII only. */
static unsigned char decode(const char **at, const char *end)
{
	static const char letters[] = "bfnrt";
	static const char controls[] = "\b\f\n\r\t";
	const char *letter;
	char c = *(*at)++;

	if (c != '\\' || *at >= end)
		return (unsigned char)c;
	c = *(*at)++;
	if (c == 'u' && end - *at >= 4) {
		unsigned char code =
		    (unsigned char)(hex_digit((*at)[2]) << 4 | hex_digit((*at)[3]));

		*at += 4;
		return code;
	}
	letter = c ? strchr(letters, c) : NULL;
	return (unsigned char)(letter ? controls[letter - letters] : c);
}

int demon_json_key_cmp(struct demon_json_span written, const char *key)
{
	const char *at = written.at + 1;
	const char *end = written.at + written.len - 1;

	while (at < end) {
		unsigned char c = decode(&at, end);

		if (c != (unsigned char)*key)
			return (int)c - (int)(unsigned char)*key;
		key++;
	}
	return *key ? -1 : 0;
}

bool demon_json_span_i64(struct demon_json_span value, int64_t *ret)
{
	bool negative = value.len && value.at[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t v = 0;

	if (!value.at || value.len == i || value.len > 17)
		return false;
	for (; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		v = v * 10 + (value.at[i] - '0');
	}
	if (v > INT64_C(9007199254740992))
		return false;
	*ret = negative ? -v : v;
	return true;
}

bool demon_json_span_true(struct demon_json_span value)
{
	return value.len == 4 && memcmp(value.at, "true", 4) == 0;
}

bool demon_json_span_str(struct demon_json_span value, struct demon_buf *out)
{
	const char *at;
	const char *end;

	if (!value.at || value.len < 2 || value.at[0] != '"')
		return false;
	at = value.at + 1;
	end = value.at + value.len - 1;
	while (at < end) {
		const char *plain = at;

		while (at < end && *at != '\\')
			at++;
		demon_buf_add(out, plain, (size_t)(at - plain));
		if (at < end)
			demon_buf_char(out, (char)decode(&at, end));
	}
	return true;
}
