/*
 * A state as text, and back.
 */
#ifndef DEMON_GRAPH_TRANSFER_H
#define DEMON_GRAPH_TRANSFER_H

#include "graph.h"

/** Receives text in pieces. */
typedef enum demon_rc demon_graph_text_fn(void *ctx, const char *text, size_t len,
					  struct demon_err *err);

enum demon_graph_form {
	DEMON_GRAPH_JSON, /* {"commitId","edges":[…],"graphId",…,"nodes":[…]}, each by id */
	DEMON_GRAPH_DOT,  /* Graphviz */
};
enum demon_rc demon_graph_export(struct demon_store *store, const struct demon_graph_scope *scope,
				 const char *at, enum demon_graph_form form,
				 demon_graph_text_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** The mutations that make what an export in JSON has, from nothing. *ret is new. */
enum demon_rc demon_graph_import(const char *text, size_t len, struct demon_graph_mutations **ret,
				 struct demon_err *err) demon_must_check;

#endif
