#include "domain/capsule/output.h"
#include "domain/expr/syntax.h"
#include "domain/secret/secret.h"
#include "dsl.h"

#include <ctype.h>
#include <string.h>

#define SHOWN 64 /* bytes of a foreign string in a message */

bool demon_dsl_is_dynamic(const json_t *json)
{
	const char *text;
	size_t len;
	const char *key;
	json_t *item;

	if (json_is_string(json))
		return demon_loader_marked(json, &text, &len);
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

const char *demon_dsl_variable(struct demon_dsl *d, struct demon_value mapping, const char *key,
			       const char *fallback)
{
	struct demon_value v = demon_value_get(mapping, key);
	const char *name = v.json ? demon_loader_string(d->loader, v, key) : NULL;

	if (!name)
		return fallback;
	if (!demon_expr_variable_is_name(name) || !demon_loader_is_id(name))
		demon_loader_problem(d->loader, v,
				     "%s: expected the name of a variable, found '%.*s'", key,
				     demon_output_clip(name, SHOWN), name);
	return name;
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

	if (d->dry)
		return 1;
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

	if (demon_loader_marked(json, &text, &len)) {
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

/* Looks at an expression. What is not handed to a call at once would go into the log without the
 * mark that tells it from data, and be no secret any more when the run is taken up. */
static void look_into(struct demon_dsl *d, struct demon_value v, const char *text, size_t len,
		      bool secrets)
{
	demon_loader_syntax(d->loader, v, text, len);
	if (!secrets && names_secrets(d, text, len))
		demon_loader_problem(d->loader, v,
				     "$secrets: only arguments of a call can have secrets");
}

/* A member whose place is known where the mapping is as it was written; else its mapping's. */
static struct demon_value member(struct demon_value mapping, const char *key, const json_t *item,
				 size_t nth)
{
	struct demon_value v = demon_value_member(mapping, item, nth);

	if (!v.node || !v.node->key || strcmp(v.node->key, key) != 0)
		v.node = mapping.node;
	return v;
}

/* Looks at the strings of a value: its expressions, and secrets where there can be none. */
static void look(struct demon_dsl *d, struct demon_value v, bool secrets)
{
	size_t n = 0;
	const char *text;
	size_t len;
	const char *key;
	json_t *item;

	if (demon_loader_marked(v.json, &text, &len))
		look_into(d, v, text, len, secrets);
	else if (json_is_string(v.json) && !secrets &&
		 demon_loader_names_secret(d->loader, json_string_value(v.json),
					   json_string_length(v.json)))
		demon_loader_problem(d->loader, v, "only arguments of a call can name a secret");
	for (size_t i = 0; json_is_array(v.json) && i < json_array_size(v.json); i++)
		look(d, demon_value_at(v, i), secrets);
	json_object_foreach(demon_json_iterable(v.json), key, item)
	    look(d, member(v, key, item, n++), secrets);
}

static struct demon_term term(struct demon_dsl *d, struct demon_value v, bool secrets)
{
	struct demon_term t = {.json = v.json};
	const char *text;
	size_t len;
	DEMON_BUF(program, 0);

	if (v.json)
		look(d, v, secrets);
	if (!v.json || !demon_dsl_is_dynamic(v.json))
		return t;
	if (demon_loader_marked(v.json, &text, &len))
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

	if (!json_is_string(v.json) || demon_loader_marked(v.json, &text, &len))
		return term(d, v, false);
	text = json_string_value(v.json);
	look_into(d, v, text, json_string_length(v.json), false);
	demon_buf_str(&program, text);
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

struct demon_term demon_dsl_arguments(struct demon_dsl *d, struct demon_value v,
				      const json_t **ret_secrets)
{
	/* in what is computed the marks tell */
	if (v.json && !demon_dsl_is_dynamic(v.json))
		*ret_secrets = demon_loader_secrets(d->loader, v.json);
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

struct demon_duration demon_dsl_limit(struct demon_dsl *d, struct demon_value v, const char *what)
{
	struct demon_duration duration = demon_dsl_duration(d, v, what);
	int64_t ms;

	if (v.json && !duration.term.expr && !duration.ms && demon_duration_read(v.json, &ms))
		demon_loader_problem(d->loader, v, "%s: expected a duration above 0", what);
	return duration;
}

static int64_t constant(struct demon_dsl *d, struct demon_value v, struct demon_duration duration,
			const char *what)
{
	if (duration.term.expr)
		demon_loader_problem(d->loader, v, "not supported yet: an expression as %s", what);
	return duration.ms;
}

int64_t demon_dsl_ms(struct demon_dsl *d, struct demon_value v, const char *what)
{
	return constant(d, v, demon_dsl_duration(d, v, what), what);
}

int64_t demon_dsl_limit_ms(struct demon_dsl *d, struct demon_value v, const char *what)
{
	return constant(d, v, demon_dsl_limit(d, v, what), what);
}

struct demon_duration demon_dsl_after(struct demon_dsl *d, struct demon_value v)
{
	static const char *const known[] = {"after"};
	struct demon_value after;

	if (!demon_loader_mapping(d->loader, v, "timeout"))
		return (struct demon_duration){.ms = 0};
	demon_loader_keys(d->loader, v, DEMON_KEYS(known, demon_dsl_none));
	if (!demon_loader_require(d->loader, v, "after", &after))
		return (struct demon_duration){.ms = 0};
	return demon_dsl_limit(d, after, "after");
}

struct demon_duration demon_dsl_timeout(struct demon_dsl *d, struct demon_value mapping)
{
	struct demon_value v = demon_value_get(mapping, "timeout");

	if (json_is_string(v.json))
		v = demon_dsl_used(d, "timeouts", v);
	return v.json ? demon_dsl_after(d, v) : (struct demon_duration){.ms = 0};
}
