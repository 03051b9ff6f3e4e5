/*
 * The state at a commit, as a reader has it: a connection, one snapshot, and what is read.
 */
#ifndef DEMON_GRAPH_VIEW_H
#define DEMON_GRAPH_VIEW_H

#include "commit.h"
#include "query.h"
#include "store/readers.h"

/** Zeroed, opened, done. */
struct demon_graph_view {
	struct demon_loan loan;
	struct demon_txn txn;
	struct demon_graph_commit commit;
	struct demon_graph_state state;
	bool begun;
};

#define DEMON_GRAPH_VIEW(name) \
	demon_cleanup(demon_graph_view_done) struct demon_graph_view name = {0}

/** Opens the state at the commit that @p at means. */
enum demon_rc demon_graph_view_open(struct demon_graph_view *view, struct demon_store *store,
				    const struct demon_graph_scope *scope, const char *at,
				    struct demon_err *err) demon_must_check;
void demon_graph_view_done(struct demon_graph_view *view);

#endif
