/*
 * Best common ancestors.
 */
#ifndef DEMON_GRAPH_BASE_H
#define DEMON_GRAPH_BASE_H

#include "reach.h"

/** Commits in a row of memory; zeroed, then done. */
struct demon_graph_commits {
	struct demon_graph_commit *at; /* owned */
	size_t count;
	size_t room;
};
void demon_graph_commits_done(struct demon_graph_commits *list);
enum demon_rc demon_graph_commits_add(struct demon_graph_commits *list,
				      const struct demon_graph_commit *c, struct demon_err *err)
    demon_must_check;

/** All best common ancestors of two commits, ascending by id, behind what @p ret holds. */
enum demon_rc demon_graph_bases(struct demon_db *db, const struct demon_graph_commit *a,
				const struct demon_graph_commit *b, struct demon_graph_commits *ret,
				struct demon_err *err) demon_must_check;

#endif
