/*
 * The rows of a new commit.
 */
#include "commit.h"

#include <string.h>

DEMON_SQL(sql_graph, "INSERT INTO graph_graphs (tenant_id, project_id, namespace, graph_id) VALUES "
		     "(:tenant, :project, :namespace, :graph)");
DEMON_SQL(sql_last, "SELECT max(n) FROM graph_commits");
DEMON_SQL(sql_taken, "SELECT 1 FROM graph_commits WHERE chain = :chain AND position = :position");
DEMON_SQL(sql_commit,
	  "INSERT INTO graph_commits (n, graph, id, parent, merges, chain, position, generation, "
	  "ts, seq, tries) VALUES (:n, :graph, :id, :parent, :merges, :chain, :position, "
	  ":generation, :ts, :seq, :tries)");
DEMON_SQL(sql_merge, "INSERT INTO graph_merges (chain, position, ordinal, parent, "
		     "parent_chain, parent_position) VALUES (:chain, :position, :ordinal, :parent, "
		     ":parent_chain, :parent_position)");
DEMON_SQL(sql_touch, "INSERT OR IGNORE INTO graph_touches (graph, node, chain, position) VALUES "
		     "(:graph, :node, :chain, :position)");

static enum demon_rc number_graph(struct demon_db *db, const struct demon_event *ev, int64_t *ret,
				  struct demon_err *err)
{
	const struct demon_graph_scope scope = {ev->tenant_id, ev->project_id, ev->namespace_id,
						ev->graph_id};
	enum demon_rc rc;

	if ((rc = demon_graph_number(db, &scope, ret, err)) || *ret)
		return rc;
	{
		DEMON_STMT(q, db, &sql_graph);

		demon_bind_str(&q, ":tenant", scope.tenant_id);
		demon_bind_str(&q, ":project", scope.project_id);
		demon_bind_str(&q, ":namespace", scope.namespace_id);
		demon_bind_str(&q, ":graph", scope.graph_id);
		if ((rc = demon_exec(&q, err)))
			return rc;
	}
	return demon_graph_number(db, &scope, ret, err);
}

static enum demon_rc next_number(struct demon_db *db, int64_t *ret, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_last);

	if ((rc = demon_step(&q, &row, err)))
		return rc;
	*ret = demon_col_i64(&q, 0) + 1;
	return DEMON_OK;
}

/* Behind the first parent, where nobody stands, or at the beginning of a chain. */
static enum demon_rc find_place(struct demon_db *db, const struct demon_graph_plan *plan,
				struct demon_graph_commit *c, struct demon_err *err)
{
	bool taken;
	enum demon_rc rc;

	c->chain = c->n;
	c->position = 1;
	c->generation = 1;
	for (size_t i = 0; i < plan->parent_count; i++)
		if (plan->parents[i].generation >= c->generation)
			c->generation = plan->parents[i].generation + 1;
	if (!plan->parent_count)
		return DEMON_OK;
	c->parent = plan->parents[0].n;
	DEMON_STMT(q, db, &sql_taken);
	demon_bind_i64(&q, ":chain", plan->parents[0].chain);
	demon_bind_i64(&q, ":position", plan->parents[0].position + 1);
	if ((rc = demon_step(&q, &taken, err)) || taken)
		return rc;
	c->chain = plan->parents[0].chain;
	c->position = plan->parents[0].position + 1;
	return DEMON_OK;
}

static enum demon_rc insert_row(struct demon_db *db, const struct demon_graph_commit *c,
				struct demon_err *err)
{
	unsigned char tries[DEMON_GRAPH_TRIES_MAX];
	size_t len = demon_graph_tries_encode(&c->tries, tries);
	DEMON_STMT(q, db, &sql_commit);

	demon_bind_i64(&q, ":n", c->n);
	demon_bind_i64(&q, ":graph", c->graph);
	demon_bind_blob(&q, ":id", c->id, sizeof(c->id));
	if (c->parent)
		demon_bind_i64(&q, ":parent", c->parent);
	else
		demon_bind_null(&q, ":parent");
	demon_bind_i64(&q, ":merges", c->merges);
	demon_bind_i64(&q, ":chain", c->chain);
	demon_bind_i64(&q, ":position", c->position);
	demon_bind_i64(&q, ":generation", c->generation);
	demon_bind_i64(&q, ":ts", c->ts);
	demon_bind_i64(&q, ":seq", c->seq);
	demon_bind_blob(&q, ":tries", tries, len);
	return demon_exec(&q, err);
}

static enum demon_rc insert_merges(struct demon_db *db, const struct demon_graph_plan *plan,
				   const struct demon_graph_commit *c, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 1; i < plan->parent_count && !rc; i++) {
		DEMON_STMT(q, db, &sql_merge);

		demon_bind_i64(&q, ":chain", c->chain);
		demon_bind_i64(&q, ":position", c->position);
		demon_bind_i64(&q, ":ordinal", (int64_t)i);
		demon_bind_i64(&q, ":parent", plan->parents[i].n);
		demon_bind_i64(&q, ":parent_chain", plan->parents[i].chain);
		demon_bind_i64(&q, ":parent_position", plan->parents[i].position);
		rc = demon_exec(&q, err);
	}
	return rc;
}

static enum demon_rc insert_touches(struct demon_db *db, const struct demon_graph_plan *plan,
				    const struct demon_graph_commit *c, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; plan->mutations && i < plan->mutations->count && !rc; i++) {
		const struct demon_graph_mutation *m = &plan->mutations->items[i];
		DEMON_STMT(q, db, &sql_touch);

		if (!demon_graph_op_is_node(m->op))
			continue;
		demon_bind_i64(&q, ":graph", c->graph);
		demon_bind_text(&q, ":node", m->id.at, m->id.len);
		demon_bind_i64(&q, ":chain", c->chain);
		demon_bind_i64(&q, ":position", c->position);
		rc = demon_exec(&q, err);
	}
	return rc;
}

enum demon_rc demon_graph_commit_insert(struct demon_db *db, struct demon_graph_plan *plan,
					const struct demon_event *ev, struct demon_err *err)
{
	struct demon_graph_commit c = {.ts = ev->ts, .seq = ev->seq};
	enum demon_rc rc;

	memcpy(c.id, plan->id, sizeof(c.id));
	c.merges = plan->parent_count > 1 ? (int64_t)plan->parent_count - 1 : 0;
	if ((rc = demon_graph_state_store(plan->state, &c.tries, err)))
		return rc;
	if (plan->parent_count)
		c.graph = plan->parents[0].graph;
	else if ((rc = number_graph(db, ev, &c.graph, err)))
		return rc;
	if ((rc = next_number(db, &c.n, err)) || (rc = find_place(db, plan, &c, err)) ||
	    (rc = insert_row(db, &c, err)) || (rc = insert_merges(db, plan, &c, err)))
		return rc;
	return insert_touches(db, plan, &c, err);
}
