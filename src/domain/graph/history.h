/*
 * The history of a graph: lists of commits, what they descend from, and what differs between them.
 *
 * Each call reads one snapshot. Commits are named by refs (graph.h), whose errors any of them may
 * have.
 */
#ifndef DEMON_GRAPH_HISTORY_H
#define DEMON_GRAPH_HISTORY_H

#include "graph.h"

/** A commit of a list. Borrowed during the callback. */
struct demon_graph_log_row {
	struct demon_graph_id id;
	const struct demon_graph_id *parents;
	size_t parent_count;
	int64_t generation; /* 1 for a root */
	demon_time ts;
	const char *author;  /* NULL: not said */
	const char *message; /* NULL: none */
};
typedef enum demon_rc demon_graph_log_fn(void *ctx, const struct demon_graph_log_row *row,
					 struct demon_err *err);

enum demon_graph_order {
	DEMON_GRAPH_BY_TIME,     /* newest first, as git log */
	DEMON_GRAPH_TOPOLOGICAL, /* no parent before all its children, as git log --topo-order */
};

/** Which commits to list. */
struct demon_graph_log_filter {
	const char *from; /* ref: what this descends from, and itself; NULL: all commits, by time */
	enum demon_graph_order order;
	const char *node; /* only those whose mutations name this node; newest first; NULL: all */
	size_t skip;
	size_t limit; /* 0: all */
};
enum demon_rc demon_graph_log(struct demon_store *store, const struct demon_graph_scope *scope,
			      const struct demon_graph_log_filter *filter, demon_graph_log_fn *fn,
			      void *ctx, struct demon_err *err) demon_must_check;

/** Receives commit ids. */
typedef enum demon_rc demon_graph_id_fn(void *ctx, const struct demon_graph_id *id,
					struct demon_err *err);

/** All best common ancestors of two commits, ascending by id; none when they share none. */
enum demon_rc demon_graph_merge_bases(struct demon_store *store,
				      const struct demon_graph_scope *scope, const char *a,
				      const char *b, demon_graph_id_fn *fn, void *ctx,
				      struct demon_err *err) demon_must_check;

/** Whether commit @p a is @p b or one that it descends from. */
enum demon_rc demon_graph_is_ancestor(struct demon_store *store,
				      const struct demon_graph_scope *scope, const char *a,
				      const char *b, bool *ret, struct demon_err *err)
    demon_must_check;

/** A node or edge that two states do not have alike; JSON as above, NULL: not there. */
struct demon_graph_difference {
	bool edge;
	const char *id;
	const char *before;
	const char *after;
};
typedef enum demon_rc demon_graph_diff_fn(void *ctx, const struct demon_graph_difference *d,
					  struct demon_err *err);

/** What differs between the states of two commits: nodes by id, then edges by id. Costs what
 * differs. */
enum demon_rc demon_graph_diff(struct demon_store *store, const struct demon_graph_scope *scope,
			       const char *before, const char *after, demon_graph_diff_fn *fn,
			       void *ctx, struct demon_err *err) demon_must_check;

/** The mutations that turn the one state into the other. *ret is new. */
enum demon_rc demon_graph_diff_mutations(struct demon_store *store,
					 const struct demon_graph_scope *scope, const char *before,
					 const char *after, struct demon_graph_mutations **ret,
					 struct demon_err *err) demon_must_check;

#endif
