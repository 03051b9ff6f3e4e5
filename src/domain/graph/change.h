/*
 * What differs between two states, and the mutations that make one into the other.
 */
#ifndef DEMON_GRAPH_CHANGE_H
#define DEMON_GRAPH_CHANGE_H

#include "state.h"

/** A node or edge whose values differ; absent: not there. */
struct demon_graph_pair {
	bool edge;
	const char *id; /* NUL-terminated */
	size_t len;
	struct demon_json_span before;
	struct demon_json_span after;
};

/** Nodes by id, then edges by id; zeroed, then done. What it points to is the session's. */
struct demon_graph_pairs {
	struct demon_trie_session *session;
	struct demon_graph_pair *at; /* owned */
	size_t count;
	size_t room;
	size_t nodes; /* how many of them are nodes */
	bool edges;   /* while it is being filled */
};
void demon_graph_pairs_done(struct demon_graph_pairs *pairs);

/** Finds what differs. */
enum demon_rc demon_graph_pairs_find(struct demon_trie_session *s,
				     const struct demon_graph_tries *before,
				     const struct demon_graph_tries *after,
				     struct demon_graph_pairs *ret, struct demon_err *err)
    demon_must_check;

/**
 * Appends the mutations that turn each `before` into its `after`, as items separated by commas:
 * edges go first, then nodes, then nodes come, then edges. @p after_state is asked for edges that
 * the removal of a node would take along.
 */
enum demon_rc demon_graph_pairs_mutations(const struct demon_graph_pairs *pairs,
					  struct demon_graph_state *after_state,
					  struct demon_buf *out, struct demon_err *err)
    demon_must_check;

/** The pair of that kind and id, or NULL. */
const struct demon_graph_pair *demon_graph_pairs_get(const struct demon_graph_pairs *pairs,
						     bool edge, const char *id, size_t len);

#endif
