#include "subject.h"

#include <string.h>

static const char *const stream_names[DEMON_STREAM_COUNT] = {"ritual", "graph", "node"};

const char *demon_stream_name(enum demon_stream stream)
{
	return stream_names[stream];
}

bool demon_stream_find(const char *name, enum demon_stream *ret)
{
	for (unsigned i = 0; i < DEMON_STREAM_COUNT; i++) {
		if (strcmp(stream_names[i], name) == 0) {
			*ret = (enum demon_stream)i;
			return true;
		}
	}
	return false;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool id_of(const char *id, const char *others)
{
	size_t n = 0;

	if (!id)
		return false;
	for (; id[n]; n++)
		if (n == DEMON_ID_MAX || (!is_alnum(id[n]) && !strchr(others, id[n])))
			return false;
	return n > 0;
}

bool demon_id_valid(const char *id)
{
	return id_of(id, "_-");
}

bool demon_graph_id_valid(const char *id)
{
	return id_of(id, "._-");
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

bool demon_type_valid(const char *type)
{
	size_t i = 0;

	if (!type || strlen(type) > DEMON_TYPE_MAX)
		return false;
	for (;;) {
		if (!is_word(type[i]))
			return false;
		while (is_word(type[i]))
			i++;
		if (type[i] == ':')
			break;
		if (type[i] == '\0' || !strchr("._-", type[i]))
			return false;
		i++;
	}
	if (type[++i] != 'v' || type[++i] < '1' || type[i] > '9')
		return false;
	for (; type[i]; i++)
		if (type[i] < '0' || type[i] > '9')
			return false;
	return true;
}

bool demon_type_is_foreign(const char *type)
{
	return strncmp(type, "app.", 4) == 0 || strncmp(type, "test.", 5) == 0;
}

enum demon_rc demon_id_check(const char *what, const char *id, struct demon_err *err)
{
	if (demon_id_valid(id))
		return DEMON_OK;
	if (!id || !*id)
		return demon_err_set(err, DEMON_INVALID, "%s is empty", what);
	return demon_err_set(err, DEMON_INVALID,
			     "%s '%.80s' is not valid: 1 to %d letters, digits, '_' and '-'", what,
			     id, DEMON_ID_MAX);
}

/* '.' and '%' cannot stand in a token of a subject */
static void add_token(struct demon_buf *out, const char *token)
{
	for (; *token; token++) {
		if (*token == '.')
			demon_buf_str(out, "%2E");
		else if (*token == '%')
			demon_buf_str(out, "%25");
		else
			demon_buf_char(out, *token);
	}
}

void demon_subject_build(const struct demon_event *ev, struct demon_buf *out)
{
	const char *tokens[3] = {ev->tenant_id, ev->ritual_id, ev->run_id};

	if (ev->stream == DEMON_STREAM_NODE) {
		demon_buf_str(out, "demon.node.v1.");
		demon_buf_hex(out, ev->origin, sizeof(ev->origin));
		demon_buf_str(out, ".events");
		return;
	}
	if (ev->stream == DEMON_STREAM_GRAPH) {
		tokens[1] = ev->project_id;
		tokens[2] = ev->namespace_id;
	}
	demon_buf_fmt(out, "demon.%s.v1", demon_stream_name(ev->stream));
	for (size_t i = 0; i < 3 && tokens[i]; i++) {
		demon_buf_char(out, '.');
		add_token(out, tokens[i]);
	}
	demon_buf_str(out, ev->stream == DEMON_STREAM_GRAPH ? ".commit" : ".events");
}
