#include "domain/capsule/arguments.h"
#include "domain/secret/secret.h"
#include "dsl.h"

#include <ctype.h>
#include <string.h>

#define MS_MAX ((int64_t)100 * 366 * 24 * 3600 * 1000)

/* The text of "${ … }", without the marks; false: it is a literal. */
static bool is_marked(const json_t *json, const char **ret_text, size_t *ret_len)
{
	const char *text = json_string_value(json);
	size_t len = text ? json_string_length(json) : 0;

	while (len && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (len < 3 || strncmp(text, "${", 2) != 0 || text[len - 1] != '}')
		return false;
	*ret_text = text + 2;
	*ret_len = len - 3;
	return true;
}

bool demon_dsl_is_dynamic(const json_t *json)
{
	const char *text;
	size_t len;
	const char *key;
	json_t *item;

	if (json_is_string(json))
		return is_marked(json, &text, &len);
	for (size_t i = 0; json_is_array(json) && i < json_array_size(json); i++)
		if (demon_dsl_is_dynamic(json_array_get(json, i)))
			return true;
	json_object_foreach(demon_json_iterable(json), key, item)
	{
		if (demon_dsl_is_dynamic(item))
			return true;
	}
	return false;
}

/* The variables around the place as a list that lasts. */
static const char *const *bound(struct demon_dsl *d)
{
	const char **copy;

	if (d->bound || !d->var_count)
		return d->bound;
	copy = demon_loader_new(d->loader, d->var_count + 1, sizeof(*copy));
	if (copy)
		memcpy(copy, d->vars, d->var_count * sizeof(*copy));
	d->bound = copy;
	return copy;
}

bool demon_dsl_bind(struct demon_dsl *d, struct demon_value at, const char *name)
{
	if (d->var_count == DEMON_DSL_VARS) {
		demon_loader_problem(d->loader, at, "more than %d variables around a task",
				     DEMON_DSL_VARS);
		return false;
	}
	d->vars[d->var_count++] = name;
	d->bound = NULL;
	return true;
}

void demon_dsl_unbind(struct demon_dsl *d, size_t count)
{
	d->var_count = count;
	d->bound = NULL;
}

static size_t enter(struct demon_dsl *d, struct demon_value at, const struct demon_buf *text)
{
	const char *kept;

	if (text->rc) {
		d->loader->failed = true;
		return 0;
	}
	kept = demon_loader_text(d->loader, "%s", text->data);
	return demon_loader_expr(d->loader, at, kept, bound(d));
}

/* A literal string of a program; marks the secrets that it names. */
struct literal {
	struct demon_buf *out;
	const char *text;
	size_t done;
};

/* A JSON string is a jq string: what would begin an interpolation is escaped in both. */
static void add_text(struct demon_buf *out, const char *text, size_t len)
{
	DEMON_BUF(quoted, 0);

	demon_json_string(&quoted, text, len);
	if (quoted.rc)
		out->rc = quoted.rc;
	else
		demon_buf_add(out, quoted.data + 1, quoted.len - 2);
}

static enum demon_rc add_marker(void *ctx, const char *scope, const char *key, size_t at,
				size_t len, struct demon_err *err)
{
	struct literal *l = ctx;

	(void)scope;
	(void)key;
	(void)err;
	add_text(l->out, l->text + l->done, at + len - l->done);
	demon_buf_str(l->out, "\\($__nonce)");
	l->done = at + len;
	return DEMON_OK;
}

static void add_literal(struct demon_buf *out, const json_t *json, bool secrets)
{
	struct literal l = {.out = out, .text = json_string_value(json)};
	size_t len = json_string_length(json);
	struct demon_err err;

	demon_buf_char(out, '"');
	if (secrets && demon_secret_each(l.text, len, add_marker, &l, &err))
		out->rc = DEMON_NOMEM;
	add_text(out, l.text + l.done, len - l.done);
	demon_buf_char(out, '"');
}

static void add_program(struct demon_buf *out, const json_t *json, bool secrets);

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the names: the program is to be the same, however the mapping was written. */
static void add_mapping(struct demon_buf *out, const json_t *json, bool secrets)
{
	size_t count = 0;
	demon_auto_free const char **keys = demon_calloc(json_object_size(json) + 1, sizeof(*keys));
	const char *key;
	json_t *item;

	if (!keys) {
		out->rc = DEMON_NOMEM;
		return;
	}
	json_object_foreach(demon_json_iterable(json), key, item) keys[count++] = key;
	qsort(keys, count, sizeof(*keys), by_name);
	demon_buf_char(out, '{');
	for (size_t i = 0; i < count; i++) {
		demon_buf_str(out, i ? "," : "");
		demon_json_string(out, keys[i], strlen(keys[i]));
		demon_buf_char(out, ':');
		add_program(out, json_object_get(json, keys[i]), secrets);
	}
	demon_buf_char(out, '}');
}

/* A program that makes the tree. */
static void add_program(struct demon_buf *out, const json_t *json, bool secrets)
{
	struct demon_err err;
	const char *text;
	size_t len;

	if (is_marked(json, &text, &len)) {
		demon_buf_char(out, '(');
		demon_buf_add(out, text, len);
		demon_buf_str(out, "\n)");
	} else if (json_is_string(json)) {
		add_literal(out, json, secrets);
	} else if (json_is_array(json)) {
		demon_buf_char(out, '[');
		for (size_t i = 0; i < json_array_size(json); i++) {
			demon_buf_str(out, i ? "," : "");
			add_program(out, json_array_get(json, i), secrets);
		}
		demon_buf_char(out, ']');
	} else if (json_is_object(json)) {
		add_mapping(out, json, secrets);
	} else if (demon_json_canonical(json, out, &err)) {
		out->rc = DEMON_NOMEM;
	}
}

/* Whether a program has the variable $secrets, unless a loop or a catch has given that name to its
 * own. */
static bool names_secrets(const struct demon_dsl *d, const char *text, size_t len)
{
	static const char name[] = "$secrets";
	const size_t n = sizeof(name) - 1;
	const char *end = text + len;

	for (size_t i = 0; i < d->var_count; i++)
		if (strcmp(d->vars[i], name + 1) == 0)
			return false;
	while ((text = memmem(text, (size_t)(end - text), name, n))) {
		text += n;
		if (text == end || !(isalnum((unsigned char)*text) || *text == '_'))
			return true;
	}
	return false;
}

static bool tree_names_secrets(const struct demon_dsl *d, const json_t *json)
{
	const char *text;
	size_t len;
	const char *key;
	json_t *item;

	if (is_marked(json, &text, &len))
		return names_secrets(d, text, len);
	for (size_t i = 0; json_is_array(json) && i < json_array_size(json); i++)
		if (tree_names_secrets(d, json_array_get(json, i)))
			return true;
	json_object_foreach(demon_json_iterable(json), key, item)
	{
		if (tree_names_secrets(d, item))
			return true;
	}
	return false;
}

/* What is not handed to a call at once would go into the log without the mark that tells it from
 * data, and be no secret any more when the run is taken up. */
static void refuse_secrets(struct demon_dsl *d, struct demon_value v)
{
	demon_loader_problem(d->loader, v, "$secrets: only arguments of a call can have secrets");
}

static struct demon_term term(struct demon_dsl *d, struct demon_value v, bool secrets)
{
	struct demon_term t = {.json = v.json};
	const char *text;
	size_t len;
	DEMON_BUF(program, 0);

	if (!v.json || !demon_dsl_is_dynamic(v.json))
		return t;
	if (!secrets && tree_names_secrets(d, v.json))
		refuse_secrets(d, v);
	if (is_marked(v.json, &text, &len))
		demon_buf_add(&program, text, len);
	else
		add_program(&program, v.json, secrets);
	t.expr = enter(d, v, &program);
	return t;
}

struct demon_term demon_dsl_value(struct demon_dsl *d, struct demon_value v)
{
	return term(d, v, false);
}

struct demon_term demon_dsl_expression(struct demon_dsl *d, struct demon_value v)
{
	struct demon_term t = {.json = v.json};
	const char *text;
	size_t len;
	DEMON_BUF(program, 0);

	if (!json_is_string(v.json) || is_marked(v.json, &text, &len))
		return term(d, v, false);
	if (names_secrets(d, json_string_value(v.json), json_string_length(v.json)))
		refuse_secrets(d, v);
	demon_buf_str(&program, json_string_value(v.json));
	t.expr = enter(d, v, &program);
	return t;
}

struct demon_term demon_dsl_condition(struct demon_dsl *d, struct demon_value mapping,
				      const char *key)
{
	struct demon_value v = demon_value_get(mapping, key);

	if (!v.json)
		return (struct demon_term){0};
	if (json_is_boolean(v.json))
		return (struct demon_term){.json = v.json};
	if (!demon_loader_string(d->loader, v, key))
		return (struct demon_term){0};
	return demon_dsl_expression(d, v);
}

/* Where a tree of literals names secrets. */
struct places {
	json_t *list;
	struct demon_buf pointer;
	bool found;
};

static enum demon_rc note(void *ctx, const char *scope, const char *key, size_t at, size_t len,
			  struct demon_err *err)
{
	struct places *p = ctx;

	(void)scope;
	(void)key;
	(void)at;
	(void)len;
	(void)err;
	p->found = true;
	return DEMON_OK;
}

static void find_secrets(struct places *p, const json_t *json)
{
	size_t len = p->pointer.len;
	struct demon_err err;
	const char *key;
	json_t *item;

	if (json_is_string(json)) {
		p->found = false;
		if (demon_secret_each(json_string_value(json), json_string_length(json), note, p,
				      &err) ||
		    (p->found && json_array_append_new(p->list, json_string(p->pointer.data))))
			p->pointer.rc = DEMON_NOMEM;
	}
	for (size_t i = 0; json_is_array(json) && i < json_array_size(json); i++) {
		demon_buf_fmt(&p->pointer, "/%zu", i);
		find_secrets(p, json_array_get(json, i));
		demon_buf_cut(&p->pointer, len);
	}
	json_object_foreach(demon_json_iterable(json), key, item)
	{
		demon_arguments_pointer(&p->pointer, key);
		find_secrets(p, item);
		demon_buf_cut(&p->pointer, len);
	}
}

struct demon_term demon_dsl_arguments(struct demon_dsl *d, struct demon_value v,
				      const json_t **ret_secrets)
{
	struct places p = {.list = json_array(), .pointer = {.data = demon_buf_empty}};

	/* in what is computed the marks tell */
	if (v.json && !demon_dsl_is_dynamic(v.json))
		find_secrets(&p, v.json);
	if (p.pointer.rc)
		d->loader->failed = true;
	demon_buf_done(&p.pointer);
	if (json_array_size(p.list))
		*ret_secrets = demon_loader_keep(d->loader, p.list);
	else
		json_decref(p.list);
	return term(d, v, true);
}

struct demon_term demon_dsl_marked(struct demon_dsl *d, struct demon_value v)
{
	const json_t *secrets = NULL;
	struct demon_term t = demon_dsl_arguments(d, v, &secrets);
	DEMON_BUF(program, 0);

	if (!secrets)
		return t;
	add_program(&program, v.json, true);
	t.expr = enter(d, v, &program);
	return t;
}

struct demon_duration demon_dsl_duration(struct demon_dsl *d, struct demon_value v,
					 const char *what)
{
	struct demon_duration duration = {.ms = 0};

	if (!v.json)
		return duration;
	duration.term = demon_dsl_value(d, v);
	if (!duration.term.expr && !demon_duration_read(v.json, &duration.ms))
		demon_loader_problem(
		    d->loader, v,
		    "%s: expected a duration, like PT30S or {seconds: 30}, "
		    "found %s",
		    what, json_is_string(v.json) ? "another string" : demon_value_describe(v));
	return duration;
}

int64_t demon_dsl_ms(struct demon_dsl *d, struct demon_value v, const char *what)
{
	struct demon_duration duration = demon_dsl_duration(d, v, what);

	if (duration.term.expr)
		demon_loader_problem(d->loader, v, "not supported yet: an expression as %s", what);
	return duration.ms < MS_MAX ? duration.ms : MS_MAX;
}

struct demon_duration demon_dsl_timeout(struct demon_dsl *d, struct demon_value mapping)
{
	static const char *const known[] = {"after"};
	struct demon_value v = demon_value_get(mapping, "timeout");
	struct demon_value after;

	if (json_is_string(v.json))
		v = demon_dsl_used(d, "timeouts", v);
	if (!v.json || !demon_loader_mapping(d->loader, v, "timeout"))
		return (struct demon_duration){.ms = 0};
	demon_loader_keys(d->loader, v, DEMON_KEYS(known, demon_dsl_none));
	if (!demon_loader_require(d->loader, v, "after", &after))
		return (struct demon_duration){.ms = 0};
	return demon_dsl_duration(d, after, "after");
}
