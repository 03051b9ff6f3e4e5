/*
 * A merge under way, for src/domain/graph/merge*.c only.
 */
#ifndef DEMON_GRAPH_MERGING_H
#define DEMON_GRAPH_MERGING_H

#include "base/json.h"
#include "change.h"
#include "commit.h"
#include "merge.h"
#include "store/readers.h"

/* One merge under way: three states of one snapshot, and what becomes of ours. */
struct demon_graph_merging {
	const struct demon_graph_merge *merge;
	struct demon_loan loan;
	struct demon_txn txn;
	struct demon_graph_commit base; /* n 0: they share no history */
	struct demon_graph_commit ours;
	struct demon_graph_commit theirs;
	struct demon_graph_state mine; /* ours */
	struct demon_graph_state other;
	bool begun;
	struct demon_graph_pairs ours_did;
	struct demon_graph_pairs theirs_did;
	struct demon_graph_pairs result; /* from ours to what is made */
	size_t sorted;                   /* how many of these are in order; the rest was put back */
	size_t sorted_nodes;
	json_t *resolutions; /* an array, or NULL */
	json_t *texts;       /* keeps values that were made here */
	demon_graph_item_fn *fn;
	void *ctx;
	struct demon_graph_merged *ret;
};

/* What two sides do not agree on. Values NULL: not there. */
struct demon_graph_conflict {
	bool edge;
	const char *id;
	const char *field; /* NULL: the whole */
	const char *why;
	const json_t *base;
	const json_t *ours;
	const json_t *theirs;
};

/** How a conflict is resolved. */
enum demon_graph_side {
	DEMON_GRAPH_UNRESOLVED,
	DEMON_GRAPH_SIDE_OURS,
	DEMON_GRAPH_SIDE_THEIRS,
	DEMON_GRAPH_SIDE_BASE,
	DEMON_GRAPH_SIDE_VALUE
};

/** Counts and tells a conflict; *ret_side is how it is resolved, *ret_value by which value. */
enum demon_rc demon_graph_merging_tell(struct demon_graph_merging *m,
				       const struct demon_graph_conflict *c,
				       enum demon_graph_side *ret_side, const json_t **ret_value,
				       struct demon_err *err) demon_must_check;

/** What becomes of a node or edge that theirs has changed: from ours to what is made. */
enum demon_rc demon_graph_merging_item(struct demon_graph_merging *m,
				       const struct demon_graph_pair *theirs,
				       struct demon_graph_pair *ret, struct demon_err *err)
    demon_must_check;

#endif
