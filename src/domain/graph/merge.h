/*
 * Merging two commits of a graph, by property.
 */
#ifndef DEMON_GRAPH_MERGE_H
#define DEMON_GRAPH_MERGE_H

#include "graph.h"

enum demon_graph_strategy {
	DEMON_GRAPH_STRATEGY_NONE, /* conflicts are listed, and nothing is written */
	DEMON_GRAPH_STRATEGY_OURS,
	DEMON_GRAPH_STRATEGY_THEIRS,
};

struct demon_graph_merge {
	struct demon_graph_scope scope;
	const char *ours;                   /* ref: the first parent */
	const char *theirs;                 /* ref */
	enum demon_graph_strategy strategy; /* for conflicts that no resolution names */
	/* A JSON array of {"kind", "id", "property"?, "take": "ours"|"theirs"|"base"} or with
	 * "value" instead of "take"; NULL: none. Members as in the conflicts. */
	const char *resolutions;
	const char *author;
	const char *message;
	bool dry; /* decide, and write nothing */
	demon_time ts;
};

enum demon_graph_merge_kind {
	DEMON_GRAPH_MERGE_NOTHING, /* ours has all of theirs */
	DEMON_GRAPH_MERGE_FORWARD, /* theirs has all of ours: `id` is theirs */
	DEMON_GRAPH_MERGE_COMMIT,  /* a commit with both as parents */
};

struct demon_graph_merged {
	enum demon_graph_merge_kind kind;
	struct demon_graph_id id; /* what to go on from; zeros when dry or in conflict */
	size_t conflicts;         /* before strategy and resolutions */
	size_t unresolved;
	size_t mutations; /* relative to ours */
};

/**
 * Merges three ways, by property. Each conflict goes to @p fn (may be NULL) as JSON:
 * {"kind":"node"|"edge","id","property","base","ours","theirs","why","resolved"}, values left out
 * that are not there, `property` left out when it is about the whole; `labels`, `label`, `from` and
 * `to` are named "@labels" and so on. DEMON_CONFLICT: some are unresolved; nothing was written.
 */
enum demon_rc demon_graph_merge(struct demon_store *store, const struct demon_graph_merge *merge,
				demon_graph_item_fn *fn, void *ctx, struct demon_graph_merged *ret,
				struct demon_err *err) demon_must_check;

#endif
