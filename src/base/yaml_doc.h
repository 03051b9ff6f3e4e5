/*
 * The memory of a YAML document: nodes, keys and values that live and die with it; for yaml.c
 * only. What readers of the tree call is in yaml.h.
 */
#ifndef DEMON_YAML_DOC_H
#define DEMON_YAML_DOC_H

#include "yaml.h"

struct demon_yaml_block;
struct demon_yaml_value;

struct demon_yaml_doc {
	struct demon_yaml_block *blocks;
	struct demon_yaml_value *values;
	struct demon_yaml_node *root;
};

/** Zeroed memory that the document owns, aligned for any node; NULL when out of memory. */
void *demon_yaml_alloc(struct demon_yaml_doc *doc, size_t n) demon_must_check;

/** A copy of @p n bytes and a NUL that the document owns; NULL when out of memory. */
char *demon_yaml_keep_text(struct demon_yaml_doc *doc, const char *text, size_t n) demon_must_check;

/** Hands @p json (stolen, also on failure) to the document; false when out of memory. */
bool demon_yaml_keep_value(struct demon_yaml_doc *doc, json_t *json) demon_must_check;

#endif
