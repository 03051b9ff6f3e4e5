/*
 * What a graph is at a commit: nodes, edges, and what is within reach.
 *
 * Each call reads one snapshot. `at` is a ref (graph.h), whose errors any of them may have.
 */
#ifndef DEMON_GRAPH_QUERY_H
#define DEMON_GRAPH_QUERY_H

#include "graph.h"

/** Appends a node. DEMON_NOTFOUND: there is none of that id. */
enum demon_rc demon_graph_get_node(struct demon_store *store, const struct demon_graph_scope *scope,
				   const char *at, const char *node_id, struct demon_buf *out,
				   struct demon_err *err) demon_must_check;
enum demon_rc demon_graph_get_edge(struct demon_store *store, const struct demon_graph_scope *scope,
				   const char *at, const char *edge_id, struct demon_buf *out,
				   struct demon_err *err) demon_must_check;

/** How many there are. */
struct demon_graph_counts {
	uint64_t nodes;
	uint64_t edges;
};
enum demon_rc demon_graph_count(struct demon_store *store, const struct demon_graph_scope *scope,
				const char *at, struct demon_graph_counts *ret,
				struct demon_err *err) demon_must_check;

enum demon_graph_direction {
	DEMON_GRAPH_BOTH,
	DEMON_GRAPH_OUT, /* along the edges */
	DEMON_GRAPH_IN,
};

/** Which edges a search follows. Ends of edges that are not there as nodes are passed over. */
struct demon_graph_reach {
	enum demon_graph_direction direction;
	const char *label; /* of edges; NULL: any */
	unsigned depth;    /* edges at most; 0: none */
};

/** The nodes within reach, without @p node_id, nearest first, then by id; each JSON has `distance`
 * besides. DEMON_NOTFOUND: @p node_id is not there. */
enum demon_rc demon_graph_neighbors(struct demon_store *store,
				    const struct demon_graph_scope *scope, const char *at,
				    const char *node_id, const struct demon_graph_reach *reach,
				    demon_graph_item_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** A shortest path, as JSON: {"exists":true,"path":[{"nodeId":"a"},{"edgeId":"e","nodeId":"b"}]},
 * or
 * {"exists":false}. Ends that are not there have none. */
enum demon_rc demon_graph_path(struct demon_store *store, const struct demon_graph_scope *scope,
			       const char *at, const char *from, const char *to,
			       const struct demon_graph_reach *reach, struct demon_buf *out,
			       struct demon_err *err) demon_must_check;

/** Which nodes a query wants. NULL members do not restrict. */
struct demon_graph_query {
	const char *label;
	const char *property; /* has this property */
	const char *value;    /* whose value is this canonical JSON text */
	const char *after;    /* ids behind this one */
	size_t limit;         /* 0: all */
};

/** Nodes in order of id. Looks at every node of the state. */
enum demon_rc demon_graph_find_nodes(struct demon_store *store,
				     const struct demon_graph_scope *scope, const char *at,
				     const struct demon_graph_query *query, demon_graph_item_fn *fn,
				     void *ctx, struct demon_err *err) demon_must_check;

#endif
