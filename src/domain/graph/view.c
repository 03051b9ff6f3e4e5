#include "view.h"

#include "item.h"

#include <string.h>

enum demon_rc demon_graph_view_open(struct demon_graph_view *view, struct demon_store *store,
				    const struct demon_graph_scope *scope, const char *at,
				    struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &view->loan, err)) ||
	    (rc = demon_txn_read(&view->txn, view->loan.db, err)) ||
	    (rc = demon_graph_commit_find(view->loan.db, scope, at, &view->commit, err)))
		return rc;
	view->begun = true;
	return demon_graph_state_begin(&view->state, view->loan.db, &view->commit.tries, err);
}

void demon_graph_view_done(struct demon_graph_view *view)
{
	if (view->begun)
		demon_graph_state_done(&view->state);
	demon_txn_done(&view->txn);
	demon_store_return(&view->loan);
}

static enum demon_rc missing(const char *what, const char *id, struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOTFOUND, "%s '%.80s' not found", what, id);
}

enum demon_rc demon_graph_get_node(struct demon_store *store, const struct demon_graph_scope *scope,
				   const char *at, const char *node_id, struct demon_buf *out,
				   struct demon_err *err)
{
	struct demon_json_span value;
	DEMON_GRAPH_VIEW(view);
	enum demon_rc rc;

	if ((rc = demon_graph_view_open(&view, store, scope, at, err)) ||
	    (rc = demon_graph_state_node(&view.state, node_id, strlen(node_id), &value, err)))
		return rc;
	if (!value.at)
		return missing("node", node_id, err);
	demon_graph_item_node(out, node_id, strlen(node_id), value, -1);
	return demon_buf_rc(out, err);
}

enum demon_rc demon_graph_get_edge(struct demon_store *store, const struct demon_graph_scope *scope,
				   const char *at, const char *edge_id, struct demon_buf *out,
				   struct demon_err *err)
{
	struct demon_json_span value;
	DEMON_GRAPH_VIEW(view);
	enum demon_rc rc;

	if ((rc = demon_graph_view_open(&view, store, scope, at, err)) ||
	    (rc = demon_graph_state_edge(&view.state, edge_id, strlen(edge_id), &value, err)))
		return rc;
	if (!value.at)
		return missing("edge", edge_id, err);
	demon_graph_item_edge(out, edge_id, strlen(edge_id), value);
	return demon_buf_rc(out, err);
}

enum demon_rc demon_graph_count(struct demon_store *store, const struct demon_graph_scope *scope,
				const char *at, struct demon_graph_counts *ret,
				struct demon_err *err)
{
	DEMON_GRAPH_VIEW(view);
	enum demon_rc rc;

	if ((rc = demon_graph_view_open(&view, store, scope, at, err)) ||
	    (rc = demon_trie_count(view.state.nodes, &ret->nodes, err)))
		return rc;
	return demon_trie_count(view.state.edges, &ret->edges, err);
}
