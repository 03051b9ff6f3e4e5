/*
 * What commits descend from, as a position in each chain (commit.h): everything up to it.
 *
 * A walk over chains sees a chain once however long it is, and further parents where there are
 * some, so its cost is that of the branches and merges in the history, not of the commits.
 */
#ifndef DEMON_GRAPH_REACH_H
#define DEMON_GRAPH_REACH_H

#include "commit.h"

/** How far a set of commits reaches back; zeroed, then done. */
struct demon_graph_reached {
	struct demon_graph_mark {
		int64_t chain; /* 0: a free place */
		int64_t position;
	} * marks;   /* owned; open addressing by chain */
	size_t room; /* 0 or a power of two */
	size_t count;
	struct demon_graph_stretch {
		int64_t chain;
		int64_t after;
		int64_t until;
	} * todo; /* owned: what has been raised and not looked at */
	size_t todo_room;
	size_t todo_count;
};

void demon_graph_reached_done(struct demon_graph_reached *r);

/** The greatest position of @p chain that is reached; 0: none. */
int64_t demon_graph_reached_get(const struct demon_graph_reached *r, int64_t chain);

/** Adds a commit and all that it descends from. */
enum demon_rc demon_graph_reached_add(struct demon_db *db, struct demon_graph_reached *r,
				      int64_t chain, int64_t position, struct demon_err *err)
    demon_must_check;

static inline bool demon_graph_reached_has(const struct demon_graph_reached *r,
					   const struct demon_graph_commit *c)
{
	return demon_graph_reached_get(r, c->chain) >= c->position;
}

#endif
