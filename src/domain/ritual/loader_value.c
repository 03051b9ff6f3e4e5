/*
 * What is in a value: expressions, and names of secrets.
 */
#include "domain/capsule/arguments.h"
#include "domain/expr/syntax.h"
#include "domain/secret/secret.h"
#include "loader.h"

#include <ctype.h>
#include <string.h>

bool demon_loader_marked(const json_t *json, const char **ret_text, size_t *ret_len)
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

static enum demon_rc found(void *ctx, const char *scope, const char *key, size_t at, size_t len,
			   struct demon_err *err)
{
	bool *any = ctx;

	(void)scope;
	(void)key;
	(void)at;
	(void)len;
	(void)err;
	*any = true;
	return DEMON_OK;
}

bool demon_loader_names_secret(struct demon_loader *l, const char *text, size_t len)
{
	struct demon_err err;
	bool any = false;

	if (demon_secret_each(text, len, found, &any, &err))
		l->failed = true;
	return any;
}

/* Names that begin with two underscores are the generated program's. */
static const char *own_name(const char *text)
{
	return strstr(text, "__nonce");
}

void demon_loader_syntax(struct demon_loader *l, struct demon_value at, const char *text,
			 size_t len)
{
	DEMON_BUF(copy, 0);
	struct demon_err err;

	demon_buf_add(&copy, text, len);
	if (copy.rc)
		l->failed = true;
	else if (demon_expr_syntax(copy.data, &err))
		demon_loader_problem(l, at, "expression: %s", err.msg);
	else if (own_name(copy.data))
		demon_loader_problem(l, at,
				     "expression: '$__nonce' is not to be had in an expression");
	else if (demon_loader_names_secret(l, text, len))
		demon_loader_problem(l, at,
				     "expression: a secret cannot be named in it: list it in "
				     "use.secrets and write $secrets");
}

/* Where a tree names secrets. */
struct places {
	struct demon_loader *loader;
	json_t *list;
	struct demon_buf pointer;
};

static void find(struct places *p, const json_t *json)
{
	size_t len = p->pointer.len;
	const char *key;
	json_t *item;

	if (json_is_string(json) &&
	    demon_loader_names_secret(p->loader, json_string_value(json),
				      json_string_length(json)) &&
	    json_array_append_new(p->list, json_string(p->pointer.data)))
		p->loader->failed = true;
	for (size_t i = 0; json_is_array(json) && i < json_array_size(json); i++) {
		demon_buf_fmt(&p->pointer, "/%zu", i);
		find(p, json_array_get(json, i));
		demon_buf_cut(&p->pointer, len);
	}
	json_object_foreach(demon_json_iterable(json), key, item)
	{
		demon_arguments_pointer(&p->pointer, key);
		find(p, item);
		demon_buf_cut(&p->pointer, len);
	}
}

const json_t *demon_loader_secrets(struct demon_loader *l, const json_t *json)
{
	json_auto_t *list = json_array();
	struct places p = {l, list, {.data = demon_buf_empty}};

	if (!list) {
		l->failed = true;
		return NULL;
	}
	find(&p, json);
	if (p.pointer.rc)
		l->failed = true;
	demon_buf_done(&p.pointer);
	return json_array_size(list) ? demon_loader_keep(l, demon_take(list)) : NULL;
}
