#include "base/suggest.h"
#include "domain/capsule/capsule.h"
#include "domain/capsule/output.h"
#include "domain/capsule/shell.h"
#include "loader.h"

#include <string.h>

#define ID_MAX        64
#define TEXT_MAX      256 /* characters of a version or of a task's name */
#define SHOWN         64  /* bytes of a foreign string in a message */
#define SUGGEST_COUNT 256 /* names among which the nearest one is looked for */

bool demon_loader_among(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* " (did you mean 'x'?)", or what was expected instead. */
static void add_hint(struct demon_buf *text, const char *word, const char *const *known,
		     size_t count)
{
	const char *nearest = strnlen(word, SHOWN + 1) <= SHOWN && count <= SUGGEST_COUNT
				  ? demon_suggest(word, known, count)
				  : NULL;

	if (nearest) {
		demon_buf_fmt(text, " (did you mean '%s'?)", nearest);
		return;
	}
	if (count > 8)
		return;
	demon_buf_str(text, count > 1 ? ": expected one of " : ": expected ");
	for (size_t i = 0; i < count; i++)
		demon_buf_fmt(text, "%s%s", i ? ", " : "", known[i]);
}

static bool is_full(const struct demon_loader *l)
{
	return l->problems->count >= DEMON_PROBLEMS_MAX;
}

/* "what 'word' (did you mean …)" */
void demon_loader_unknown(struct demon_loader *l, struct demon_value at, bool at_key,
			  const char *what, const char *word, const struct demon_keys *keys)
{
	DEMON_BUF(text, 0);

	demon_buf_fmt(&text, "%s '%.*s'", what, demon_output_clip(word, SHOWN), word);
	if (!is_full(l))
		add_hint(&text, word, keys->known, keys->count);
	if (at_key)
		demon_loader_problem_key(l, at, "%s", text.data);
	else
		demon_loader_problem(l, at, "%s", text.data);
}

bool demon_loader_mapping(struct demon_loader *l, struct demon_value v, const char *what)
{
	if (json_is_object(v.json))
		return true;
	demon_loader_problem(l, v, "%s: expected a mapping, found %s", what,
			     demon_value_describe(v));
	return false;
}

void demon_loader_keys(struct demon_loader *l, struct demon_value mapping, struct demon_keys keys)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(demon_json_iterable(mapping.json), key, value)
	{
		struct demon_value at = demon_value_member(mapping, value, n++);
		bool known = false;

		for (size_t i = 0; i < keys.count; i++)
			known = known || strcmp(key, keys.known[i]) == 0;
		if (known)
			continue;
		if (demon_loader_among(key, keys.later))
			demon_loader_problem_key(l, at, "not supported yet: key '%s'", key);
		else
			demon_loader_unknown(l, at, true, "unknown key", key, &keys);
	}
}

/* A member that has to be there. */
bool demon_loader_require(struct demon_loader *l, struct demon_value mapping, const char *key,
			  struct demon_value *ret)
{
	*ret = demon_value_get(mapping, key);
	if (!ret->json)
		demon_loader_problem(l, mapping, "missing required key '%s'", key);
	return ret->json != NULL;
}

const char *demon_loader_string(struct demon_loader *l, struct demon_value v, const char *key)
{
	if (!json_is_string(v.json))
		demon_loader_problem(l, v, "%s: expected a string, found %s", key,
				     demon_value_describe(v));
	return json_string_value(v.json);
}

bool demon_loader_is_id(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return n >= 1 && n <= ID_MAX && !text[n];
}

/* A text on one line, 1 to 256 characters. */
const char *demon_loader_line(struct demon_loader *l, struct demon_value v, const char *key)
{
	const char *text = demon_loader_string(l, v, key);
	size_t count = 0;

	for (const char *p = text; p && *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			demon_loader_problem(l, v, "%s: has a control character", key);
			return NULL;
		}
		count += ((unsigned char)*p & 0xc0) != 0x80;
	}
	if (text && (count == 0 || count > TEXT_MAX)) {
		demon_loader_problem(l, v, "%s: expected 1 to %d characters, found %zu", key,
				     TEXT_MAX, count);
		return NULL;
	}
	return text;
}

/* Where a capsule's check reports to. */
struct report {
	struct demon_loader *loader;
	struct demon_value arguments;
};

static void report_argument(void *ctx, const char *pointer, bool at_key, const char *text)
{
	struct report *r = ctx;
	struct demon_value at;
	const char *expression;
	size_t len;

	/* finding a place takes as long as its mapping is large */
	if (is_full(r->loader)) {
		r->loader->problems->dropped++;
		return;
	}
	at = demon_value_find(r->arguments, pointer);

	/* a key is known whatever its value will be */
	if (!at_key && r->loader->definition->notation == DEMON_NOTATION_DSL &&
	    demon_loader_marked(at.json, &expression, &len))
		return;
	if (at_key)
		demon_loader_problem_key(r->loader, at, "%s", text);
	else
		demon_loader_problem(r->loader, at, "%s", text);
}

void demon_loader_arguments(struct demon_loader *l, const struct demon_capsule *capsule,
			    struct demon_value at, const json_t *with)
{
	struct report r = {l, at};

	capsule->check(with, report_argument, &r);
}

void demon_loader_process(struct demon_loader *l, const char *process, struct demon_value run)
{
	struct report whole = {l, run};
	struct report object = {l, demon_value_get(run, process)};

	demon_shell_check(process, object.arguments.json, report_argument, &object);
	demon_shell_check_run(run.json, report_argument, &whole);
}
