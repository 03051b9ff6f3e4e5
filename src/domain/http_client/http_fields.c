#include "http_fields.h"

#include <string.h>
#include <strings.h>

void demon_http_fields_clear(struct demon_http_fields *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->items[i].name);
		free(f->items[i].value);
	}
	f->count = 0;
}

void demon_http_fields_done(struct demon_http_fields *f)
{
	demon_http_fields_clear(f);
	free(f->items);
	*f = (struct demon_http_fields){0};
}

static bool make_room(struct demon_http_fields *f)
{
	size_t room = f->room ? f->room * 2 : 16;
	struct demon_http_field *grown;

	if (f->count < f->room)
		return true;
	grown = demon_realloc(f->items, room, sizeof(*grown));
	if (!grown)
		return false;
	f->items = grown;
	f->room = room;
	return true;
}

static void add(struct demon_http_fields *f, const char *name, size_t name_len, const char *value,
		size_t value_len)
{
	struct demon_http_field field = {0};

	if (f->failed)
		return;
	field.name = demon_strndup(name, name_len);
	field.value = demon_strndup(value, value_len);
	if (!field.name || !field.value || !make_room(f)) {
		free(field.name);
		free(field.value);
		f->failed = true;
		return;
	}
	f->items[f->count++] = field;
}

void demon_http_fields_add(struct demon_http_fields *f, const char *name, const char *value)
{
	add(f, name, strlen(name), value, strlen(value));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A line that belongs to the field before it. */
static void go_on(struct demon_http_fields *f, const char *text, size_t len)
{
	struct demon_http_field *last = &f->items[f->count - 1];
	DEMON_BUF(joined, 0);
	char *value;

	demon_buf_str(&joined, last->value);
	if (joined.len && len)
		demon_buf_char(&joined, ' ');
	demon_buf_add(&joined, text, len);
	value = demon_buf_take(&joined);
	if (!value) {
		f->failed = true;
		return;
	}
	free(last->value);
	last->value = value;
}

void demon_http_fields_line(struct demon_http_fields *f, const char *line, size_t len)
{
	bool more = len && (*line == ' ' || *line == '\t');
	const char *colon;
	const char *value;

	while (len && is_blank(line[len - 1]))
		len--;
	if (more) {
		for (; len && is_blank(*line); len--)
			line++;
		if (f->count && !f->failed)
			go_on(f, line, len);
		return;
	}
	colon = memchr(line, ':', len);
	if (!colon || colon == line)
		return;
	for (value = colon + 1; value < line + len && is_blank(*value);)
		value++;
	add(f, line, (size_t)(colon - line), value, (size_t)(line + len - value));
}

const char *demon_http_fields_get(const struct demon_http_fields *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcasecmp(f->items[i].name, name) == 0)
			return f->items[i].value;
	return NULL;
}

bool demon_http_is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
		      (*text >= '0' && *text <= '9') || strchr("!#$%&'*+-.^_`|~", *text)))
			return false;
	return true;
}

bool demon_http_is_value(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == '\x7f')
			return false;
	return true;
}
