/*
 * Commits as rows: found by id, by number, by place in a chain.
 *
 * Chains divide the commits of a graph: a commit stands behind its first parent, unless another one
 * stands there already; then it begins a chain of its own. Numbers and chains are local.
 */
#ifndef DEMON_GRAPH_COMMIT_H
#define DEMON_GRAPH_COMMIT_H

#include "graph.h"
#include "state.h"
#include "store/header.h"

struct demon_graph_commit {
	int64_t n;
	int64_t graph;
	unsigned char id[DEMON_HASH_LEN];
	int64_t parent;   /* n of the first parent; 0: a root */
	int64_t merges;   /* further parents */
	int64_t chain;    /* n of the chain's first commit */
	int64_t position; /* from 1 */
	int64_t generation;
	demon_time ts;
	int64_t seq; /* of its event */
	struct demon_graph_tries tries;
};

/** DEMON_INVALID: the ids of @p scope. */
enum demon_rc demon_graph_scope_check(const struct demon_graph_scope *scope, struct demon_err *err)
    demon_must_check;

/** The number of a graph, 0: there is none. */
enum demon_rc demon_graph_number(struct demon_db *db, const struct demon_graph_scope *scope,
				 int64_t *ret, struct demon_err *err) demon_must_check;

/** Commits by what identifies them; *ret_found says whether there is one. */
enum demon_rc demon_graph_commit_by_id(struct demon_db *db, const unsigned char id[DEMON_HASH_LEN],
				       struct demon_graph_commit *ret, bool *ret_found,
				       struct demon_err *err) demon_must_check;
enum demon_rc demon_graph_commit_at(struct demon_db *db, int64_t chain, int64_t position,
				    struct demon_graph_commit *ret, bool *ret_found,
				    struct demon_err *err) demon_must_check;

/** The commit with number @p n, which is known to be there; DEMON_CORRUPT: it is not. */
enum demon_rc demon_graph_commit_by_number(struct demon_db *db, int64_t n,
					   struct demon_graph_commit *ret, struct demon_err *err)
    demon_must_check;

/** Numbers of all parents, in order. @p ret has room for DEMON_GRAPH_PARENTS_MAX. */
enum demon_rc demon_graph_commit_parents(struct demon_db *db, const struct demon_graph_commit *c,
					 int64_t *ret, size_t *ret_count, struct demon_err *err)
    demon_must_check;

/** The commit that @p ref means (graph.h). */
enum demon_rc demon_graph_commit_find(struct demon_db *db, const struct demon_graph_scope *scope,
				      const char *ref, struct demon_graph_commit *ret,
				      struct demon_err *err) demon_must_check;

/** The event of a commit, as a cause; *ret_own: it is this node's own, and stands before what this
 * node appends, so it need not be named. */
enum demon_rc demon_graph_commit_cause(struct demon_write *w, const struct demon_graph_commit *c,
				       struct demon_event_ref *ret, bool *ret_own,
				       struct demon_err *err) demon_must_check;

/** The mutations of the parts that stand before the commit's event in its group, behind those of
 * @p list. DEMON_NOTFOUND: one was archived. */
enum demon_rc demon_graph_commit_parts(struct demon_db *db, int64_t seq,
				       struct demon_graph_mutations *list, struct demon_err *err)
    demon_must_check;

/** What a commit is made of, ready to be stored: see demon_graph_commit_insert(). */
struct demon_graph_plan {
	unsigned char id[DEMON_HASH_LEN];
	struct demon_graph_state *state; /* borrowed; the parent's with the mutations applied */
	const struct demon_graph_mutations *mutations;
	const struct demon_graph_commit *parents; /* borrowed */
	size_t parent_count;
};

/** Stores the state and the rows of the commit whose event @p ev is. */
enum demon_rc demon_graph_commit_insert(struct demon_db *db, struct demon_graph_plan *plan,
					const struct demon_event *ev, struct demon_err *err)
    demon_must_check;

#endif
