/*
 * Differences between commits, as they are handed out.
 */
#include "change.h"
#include "commit.h"
#include "history.h"
#include "item.h"
#include "store/readers.h"

#include <string.h>

/* Two commits of one snapshot and what differs between their states. */
struct both {
	struct demon_loan loan;
	struct demon_txn txn;
	struct demon_graph_commit before;
	struct demon_graph_commit after;
	struct demon_graph_state state; /* after */
	struct demon_graph_pairs pairs;
	bool begun;
};

static void both_done(struct both *b)
{
	demon_graph_pairs_done(&b->pairs);
	if (b->begun)
		demon_graph_state_done(&b->state);
	demon_txn_done(&b->txn);
	demon_store_return(&b->loan);
}

static enum demon_rc compare(struct demon_store *store, const struct demon_graph_scope *scope,
			     const char *before, const char *after, struct both *b,
			     struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &b->loan, err)) ||
	    (rc = demon_txn_read(&b->txn, b->loan.db, err)) ||
	    (rc = demon_graph_commit_find(b->loan.db, scope, before, &b->before, err)) ||
	    (rc = demon_graph_commit_find(b->loan.db, scope, after, &b->after, err)))
		return rc;
	b->begun = true;
	if ((rc = demon_graph_state_begin(&b->state, b->loan.db, &b->after.tries, err)))
		return rc;
	return demon_graph_pairs_find(&b->state.session, &b->before.tries, &b->after.tries,
				      &b->pairs, err);
}

static const char *write_item(const struct demon_graph_pair *pair, struct demon_json_span value,
			      struct demon_buf *out)
{
	demon_buf_clear(out);
	if (!value.at)
		return NULL;
	if (pair->edge)
		demon_graph_item_edge(out, pair->id, pair->len, value);
	else
		demon_graph_item_node(out, pair->id, pair->len, value, -1);
	return out->data;
}

/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
enum demon_rc demon_graph_diff(struct demon_store *store, const struct demon_graph_scope *scope,
			       const char *before, const char *after, demon_graph_diff_fn *fn,
			       void *ctx, struct demon_err *err)
{
	demon_cleanup(both_done) struct both b = {0};
	DEMON_BUF(old, 0);
	DEMON_BUF(new, 0);
	enum demon_rc rc = compare(store, scope, before, after, &b, err);

	for (size_t i = 0; i < b.pairs.count && !rc; i++) {
		const struct demon_graph_pair *pair = &b.pairs.at[i];
		const struct demon_graph_difference d = {
		    .edge = pair->edge,
		    .id = pair->id,
		    .before = write_item(pair, pair->before, &old),
		    .after = write_item(pair, pair->after, &new),
		};

		if (!(rc = demon_buf_rc(&old, err)) && !(rc = demon_buf_rc(&new, err)))
			rc = fn(ctx, &d, err);
	}
	return rc;
}

enum demon_rc demon_graph_diff_mutations(struct demon_store *store,
					 const struct demon_graph_scope *scope, const char *before,
					 const char *after, struct demon_graph_mutations **ret,
					 struct demon_err *err)
{
	demon_cleanup(both_done) struct both b = {0};
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	enum demon_rc rc = compare(store, scope, before, after, &b, err);

	if (rc)
		return rc;
	list = demon_graph_mutations_new();
	if (!list)
		return demon_err_set(err, DEMON_NOMEM, "no memory for mutations");
	if ((rc = demon_graph_pairs_mutations(&b.pairs, &b.state, &list->text, err)) ||
	    (rc = demon_graph_mutations_index(list, err)))
		return rc;
	*ret = demon_take(list);
	return DEMON_OK;
}
