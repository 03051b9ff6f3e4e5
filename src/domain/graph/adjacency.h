/*
 * Which edges enter and leave a node: up to 16 in a list, more in a trie of their own.
 */
#ifndef DEMON_GRAPH_ADJACENCY_H
#define DEMON_GRAPH_ADJACENCY_H

#include "state.h"

#define DEMON_GRAPH_INLINE_EDGES 16

/** Puts a link to, or removes it from, the edges that leave (@p out) or enter node @p id. */
enum demon_rc demon_graph_adjacency_put(struct demon_trie *t, struct demon_json_span id, bool out,
					const struct demon_graph_link *link, struct demon_err *err)
    demon_must_check;
enum demon_rc demon_graph_adjacency_remove(struct demon_trie *t, struct demon_json_span id,
					   bool out, struct demon_json_span edge,
					   struct demon_err *err) demon_must_check;

/** Hands out the links of node @p id. */
enum demon_rc demon_graph_adjacency_walk(struct demon_trie *t, struct demon_json_span id, bool out,
					 demon_graph_link_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

#endif
