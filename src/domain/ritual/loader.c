#include "loader.h"

#include "domain/capsule/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *demon_loader_new(struct demon_loader *l, size_t count, size_t size)
{
	void *at = demon_arena_new(l->arena, count, size);

	if (!at)
		l->failed = true;
	return at;
}

const char *demon_loader_text(struct demon_loader *l, const char *fmt, ...)
{
	DEMON_BUF(text, 0);
	char *copy;
	va_list args;

	va_start(args, fmt);
	demon_buf_vfmt(&text, fmt, args);
	va_end(args);
	copy = text.rc ? NULL : demon_loader_new(l, text.len + 1, 1);
	if (!copy) {
		l->failed = true;
		return "";
	}
	if (text.len)
		memcpy(copy, text.data, text.len);
	return copy;
}

const json_t *demon_loader_keep(struct demon_loader *l, json_t *tree_new)
{
	if (!l->kept)
		l->kept = json_array();
	if (!tree_new || json_array_append_new(l->kept, tree_new)) {
		l->failed = true;
		return NULL;
	}
	return tree_new;
}

/* Room for one expression more. */
static bool grow_exprs(struct demon_loader *l)
{
	size_t size = l->expr_size ? 2 * l->expr_size : 16;
	struct demon_expr_source *exprs = demon_realloc(l->exprs, size, sizeof(*exprs));
	struct demon_place *places;

	if (!exprs)
		return false;
	l->exprs = exprs;
	places = demon_realloc(l->expr_places, size, sizeof(*places));
	if (!places)
		return false;
	l->expr_places = places;
	l->expr_size = size;
	return true;
}

size_t demon_loader_expr(struct demon_loader *l, struct demon_value at, const char *text,
			 const char *const *variables)
{
	if (l->expr_count == l->expr_size && !grow_exprs(l)) {
		l->failed = true;
		return 0;
	}
	l->exprs[l->expr_count] = (struct demon_expr_source){text, variables};
	l->expr_places[l->expr_count] =
	    (struct demon_place){at.node ? at.node->line : 0, at.node ? at.node->column : 0};
	return ++l->expr_count;
}

/* What is quoted in a message cannot break its line or steer a terminal. */
static void flatten(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;

		if (*p < 0x20 || *p == 0x7f || c1)
			*p = ' ';
		if (c1)
			*++p = ' ';
	}
}

static demon_printf_like(4, 0) void add(struct demon_loader *l, unsigned line, unsigned column,
					const char *fmt, va_list args)
{
	struct demon_problems *list = l->problems;
	struct demon_problem *items;

	if (list->count >= DEMON_PROBLEMS_MAX) {
		list->dropped++;
		return;
	}
	items = demon_realloc(list->items, list->count + 1, sizeof(*items));
	if (!items) {
		l->failed = true;
		return;
	}
	list->items = items;
	items += list->count++;
	*items = (struct demon_problem){.line = line, .column = column};
	(void)vsnprintf(items->text, sizeof(items->text), fmt, args);
	flatten(items->text);
}

size_t demon_loader_problem_count(const struct demon_loader *l)
{
	return l->problems->count + l->problems->dropped;
}

void demon_loader_problem_at(struct demon_loader *l, unsigned line, unsigned column,
			     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(l, line, column, fmt, args);
	va_end(args);
}

void demon_loader_problem(struct demon_loader *l, struct demon_value at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(l, at.node ? at.node->line : 1, at.node ? at.node->column : 1, fmt, args);
	va_end(args);
}

void demon_loader_problem_key(struct demon_loader *l, struct demon_value at, const char *fmt, ...)
{
	bool key = at.node && at.node->key;
	va_list args;

	va_start(args, fmt);
	if (key)
		add(l, at.node->key_line, at.node->key_column, fmt, args);
	else
		add(l, at.node ? at.node->line : 1, at.node ? at.node->column : 1, fmt, args);
	va_end(args);
}

struct demon_value demon_value_get(struct demon_value mapping, const char *key)
{
	struct demon_value v = {json_object_get(mapping.json, key), NULL};

	if (v.json && mapping.node)
		v.node = demon_yaml_get(mapping.node, key);
	return v;
}

struct demon_value demon_value_member(struct demon_value mapping, const json_t *json, size_t nth)
{
	bool there = mapping.node && nth < mapping.node->count;

	return (struct demon_value){json, there ? mapping.node->items[nth] : NULL};
}

struct demon_value demon_value_at(struct demon_value list, size_t index)
{
	struct demon_value v = {json_array_get(list.json, index), NULL};

	if (v.json && list.node && index < list.node->count)
		v.node = list.node->items[index];
	return v;
}

static struct demon_value step(struct demon_value from, const char *token)
{
	char *end;
	unsigned long index;

	if (json_is_object(from.json))
		return demon_value_get(from, token);
	index = strtoul(token, &end, 10);
	if (end == token || *end)
		return (struct demon_value){NULL, NULL};
	return demon_value_at(from, index);
}

struct demon_value demon_value_find(struct demon_value from, const char *pointer)
{
	DEMON_BUF(token, 0);

	while (*pointer == '/') {
		struct demon_value next;

		demon_buf_clear(&token);
		for (pointer++; *pointer && *pointer != '/'; pointer++) {
			char c = *pointer;

			if (c == '~' && pointer[1])
				c = *++pointer == '1' ? '/' : '~';
			demon_buf_char(&token, c);
		}
		next = step(from, token.data);
		if (!next.json)
			break;
		from = next;
	}
	return from;
}

const char *demon_value_describe(struct demon_value value)
{
	return value.node ? demon_yaml_describe(value.node) : demon_json_describe(value.json);
}

/* The value at which the tree gets deeper than @p left levels; absent: it does not. */
static struct demon_value too_deep(struct demon_value v, unsigned left)
{
	struct demon_value found = {NULL, NULL};
	size_t i = 0;
	const char *key;
	json_t *item;

	if (!json_is_array(v.json) && !json_is_object(v.json))
		return found;
	if (left == 0)
		return v;
	if (json_is_array(v.json)) {
		for (; !found.json && i < json_array_size(v.json); i++)
			found = too_deep(demon_value_at(v, i), left - 1);
		return found;
	}
	json_object_foreach(demon_json_iterable(v.json), key, item)
	{
		found = too_deep(demon_value_member(v, item, i++), left - 1);
		if (found.json)
			break;
	}
	return found;
}

bool demon_loader_accepts(struct demon_loader *l, struct demon_value top, unsigned depth)
{
	struct demon_value deep = too_deep(top, depth);

	if (!json_is_object(top.json)) {
		demon_loader_problem(l, top, "ritual: expected a mapping, found %s",
				     demon_value_describe(top));
		return false;
	}
	if (demon_value_get(top, "document").json || demon_value_get(top, "do").json)
		l->definition->notation = DEMON_NOTATION_DSL;
	if (deep.json)
		demon_loader_problem(l, deep, "nested deeper than %u levels", depth);
	return !deep.json;
}
