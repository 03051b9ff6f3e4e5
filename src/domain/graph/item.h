/*
 * Nodes and edges as they are handed out (graph.h), from what the state has of them.
 */
#ifndef DEMON_GRAPH_ITEM_H
#define DEMON_GRAPH_ITEM_H

#include "base/buf.h"
#include "base/json_member.h"

/** Appends a node. @p distance below 0: it is left out. */
void demon_graph_item_node(struct demon_buf *out, const char *id, size_t len,
			   struct demon_json_span value, int distance);

/** Appends an edge. */
void demon_graph_item_edge(struct demon_buf *out, const char *id, size_t len,
			   struct demon_json_span value);

#endif
