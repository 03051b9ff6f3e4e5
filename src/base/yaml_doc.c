#include "yaml_doc.h"

#include "json.h"

#include <string.h>

#define BLOCK_SIZE ((size_t)8192)
#define ALIGNMENT  ((size_t)16)

struct demon_yaml_block {
	struct demon_yaml_block *next;
	size_t used;
	size_t size;
	max_align_t bytes[];
};

struct demon_yaml_value {
	struct demon_yaml_value *next;
	json_t *json;
};

void *demon_yaml_alloc(struct demon_yaml_doc *doc, size_t n)
{
	struct demon_yaml_block *b = doc->blocks;
	void *p;

	n = (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (!b || b->size - b->used < n) {
		size_t size = n > BLOCK_SIZE ? n : BLOCK_SIZE;

		b = demon_calloc(1, sizeof(*b) + size);
		if (!b)
			return NULL;
		b->size = size;
		b->next = doc->blocks;
		doc->blocks = b;
	}
	p = (char *)b->bytes + b->used;
	b->used += n;
	return p;
}

char *demon_yaml_keep_text(struct demon_yaml_doc *doc, const char *text, size_t n)
{
	char *copy = demon_yaml_alloc(doc, n + 1);

	if (copy)
		memcpy(copy, text, n);
	return copy;
}

bool demon_yaml_keep_value(struct demon_yaml_doc *doc, json_t *json)
{
	struct demon_yaml_value *v = demon_yaml_alloc(doc, sizeof(*v));

	if (!v) {
		json_decref(json);
		return false;
	}
	*v = (struct demon_yaml_value){doc->values, json};
	doc->values = v;
	return true;
}

void demon_yaml_free(struct demon_yaml_doc *doc)
{
	if (!doc)
		return;
	for (struct demon_yaml_value *v = doc->values; v; v = v->next)
		json_decref(v->json);
	while (doc->blocks) {
		struct demon_yaml_block *next = doc->blocks->next;

		free(doc->blocks);
		doc->blocks = next;
	}
	free(doc);
}

void demon_yaml_free_p(struct demon_yaml_doc **doc)
{
	demon_yaml_free(*doc);
}

const struct demon_yaml_node *demon_yaml_root(const struct demon_yaml_doc *doc)
{
	return doc->root;
}

const struct demon_yaml_node *demon_yaml_get(const struct demon_yaml_node *mapping, const char *key)
{
	for (size_t i = 0; i < mapping->count; i++)
		if (mapping->items[i]->key && strcmp(mapping->items[i]->key, key) == 0)
			return mapping->items[i];
	return NULL;
}

/* The depth is bounded by the limit that the document was read with. */
json_t *demon_yaml_json(const struct demon_yaml_node *node) /* NOLINT(misc-no-recursion) */
{
	json_t *json;

	if (node->kind == DEMON_YAML_SCALAR)
		return json_deep_copy(node->scalar);
	json = node->kind == DEMON_YAML_MAPPING ? json_object() : json_array();
	for (size_t i = 0; json && i < node->count; i++) {
		json_t *item = demon_yaml_json(node->items[i]);
		int failed = node->kind == DEMON_YAML_MAPPING
				 ? json_object_set_new(json, node->items[i]->key, item)
				 : json_array_append_new(json, item);

		if (failed) {
			json_decref(json);
			json = NULL;
		}
	}
	return json;
}

const char *demon_yaml_describe(const struct demon_yaml_node *node)
{
	if (node->kind == DEMON_YAML_SEQUENCE)
		return "a list";
	if (node->kind == DEMON_YAML_MAPPING)
		return "a mapping";
	return json_is_null(node->scalar) ? "nothing" : demon_json_describe(node->scalar);
}
