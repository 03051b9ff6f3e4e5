/*
 * Deriving everything anew: ids from events, roots from states, and every stored piece of a state.
 */
#include "commit.h"
#include "record.h"
#include "store/log.h"
#include "store/readers.h"

#include <string.h>

DEMON_SQL_SCAN(sql_all, "every commit is looked at",
	       "SELECT n FROM graph_commits WHERE :graph = 0 OR graph = :graph ORDER BY n");
DEMON_SQL_SCAN(sql_tags, "every tag is looked at",
	       "SELECT tag, commit_id FROM graph_tags WHERE commit_id IS NOT NULL AND (:all OR "
	       "(tenant_id = :tenant AND project_id = :project AND namespace = :namespace "
	       "AND graph_id = :graph))");
DEMON_SQL(sql_event, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES "WHERE e.seq = :seq");

/* A verification under way: of one commit at a time. */
struct verifying {
	struct demon_db *db;
	struct demon_trie_session *session; /* of the commit */
	struct demon_graph_verified *ret;
	char hex[DEMON_GRAPH_HEX_LEN + 1];
};

static enum demon_rc bad(const struct verifying *v, const char *what, struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "commit %s: %s", v->hex, what);
}

static bool is_same(const struct demon_trie_ref *a, const struct demon_trie_ref *b)
{
	return b && a->position == b->position && memcmp(a->hash, b->hash, DEMON_HASH_LEN) == 0;
}

static enum demon_rc check_node(struct verifying *v, const struct demon_trie_ref *ref,
				const struct demon_trie_ref *known, unsigned depth,
				struct demon_err *err);

/* A value that is stored elsewhere. @p known: the one that was looked at with the parent, or NULL.
 */
static enum demon_rc check_value(struct verifying *v, const struct demon_trie_value *value,
				 const struct demon_trie_value *known, struct demon_err *err)
{
	unsigned char hash[DEMON_HASH_LEN];
	struct demon_trie_value copy = *value;
	const void *bytes;
	enum demon_rc rc;

	if (value->form == DEMON_TRIE_INLINE || (known && is_same(&value->ref, &known->ref)))
		return DEMON_OK;
	if (value->form == DEMON_TRIE_SET)
		return check_node(v, &value->ref,
				  known && known->form == DEMON_TRIE_SET ? &known->ref : NULL, 0,
				  err);
	copy.bytes = NULL;
	if ((rc = demon_trie_bytes(v->session, &copy, &bytes, err)) ||
	    (rc = demon_sha256(bytes, value->len, hash, err)))
		return rc;
	v->ret->chunks++;
	return memcmp(hash, value->ref.hash, sizeof(hash)) == 0
		   ? DEMON_OK
		   : bad(v, "a value of its state is not what its hash says", err);
}

static const struct demon_trie_value *find_value(const struct demon_trie_node *node,
						 const struct demon_trie_entry *entry)
{
	for (size_t i = 0; node && node->leaf && i < node->count; i++)
		if (node->entry[i].key_len == entry->key_len &&
		    memcmp(node->entry[i].key, entry->key, entry->key_len) == 0)
			return &node->entry[i].value;
	return NULL;
}

/* What a node refers to, but for what @p known refers to as well. */
static enum demon_rc check_below(struct verifying *v, const struct demon_trie_node *node,
				 const struct demon_trie_node *known, unsigned depth,
				 struct demon_err *err)
{
	bool both = known && !known->leaf;
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; node->leaf && i < node->count && !rc; i++)
		rc = check_value(v, &node->entry[i].value, find_value(known, &node->entry[i]), err);
	for (size_t i = 0; !node->leaf && i < DEMON_TRIE_FANOUT && !rc; i++)
		if (demon_trie_child_is(&node->child[i]))
			rc = check_node(v, &node->child[i].ref, both ? &known->child[i].ref : NULL,
					depth + 1, err);
	return rc;
}

static enum demon_rc check_node(struct verifying *v, const struct demon_trie_ref *ref,
				const struct demon_trie_ref *known, unsigned depth,
				struct demon_err *err)
{
	struct demon_trie_session *s = v->session;
	struct demon_trie_node *node;
	struct demon_trie_node *old = NULL;
	unsigned char hash[DEMON_HASH_LEN];
	enum demon_rc rc;

	if (is_same(ref, known))
		return DEMON_OK;
	if (depth > 2 * DEMON_HASH_LEN)
		return bad(v, "its state is deeper than a hash is long", err);
	if ((rc = demon_trie_read(s, ref->position, &s->arena, &node, err)) ||
	    (known && (rc = demon_trie_read(s, known->position, &s->arena, &old, err))))
		return rc;
	demon_trie_node_hash(s->sha, node, &s->chunk, hash);
	if ((rc = demon_buf_rc(&s->chunk, err)))
		return rc;
	if (memcmp(hash, ref->hash, sizeof(hash)) != 0)
		return bad(v, "a piece of its state is not what its hash says", err);
	v->ret->chunks++;
	return check_below(v, node, old, depth, err);
}

static enum demon_rc check_state(struct verifying *v, const struct demon_graph_commit *c,
				 const unsigned char root[DEMON_HASH_LEN], struct demon_err *err)
{
	struct demon_graph_commit parent = {.n = 0};
	unsigned char stored[DEMON_HASH_LEN];
	struct demon_graph_tries *known = NULL;
	struct demon_trie_session session = {.db = NULL};
	enum demon_rc rc;

	if (c->parent) {
		if ((rc = demon_graph_commit_by_number(v->db, c->parent, &parent, err)))
			return rc;
		known = &parent.tries;
	}
	if ((rc = demon_trie_session_begin(&session, v->db, err)))
		return rc;
	v->session = &session;
	demon_graph_tries_root(session.sha, &c->tries, stored);
	if (root && memcmp(root, stored, sizeof(stored)) != 0)
		rc = bad(v, "its stored state is another than its root", err);
	if (!rc)
		rc = check_node(v, &c->tries.nodes, known ? &known->nodes : NULL, 0, err);
	if (!rc)
		rc = check_node(v, &c->tries.edges, known ? &known->edges : NULL, 0, err);
	if (!rc)
		rc = check_node(v, &c->tries.adjacency, known ? &known->adjacency : NULL, 0, err);
	demon_trie_session_done(&session);
	v->session = NULL;
	return rc;
}

/* *ret_known is false when the event was archived: then only what is stored can be looked at. */
static enum demon_rc derive(struct verifying *v, const struct demon_graph_commit *c,
			    unsigned char root[DEMON_HASH_LEN], bool *ret_known,
			    struct demon_err *err)
{
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *parts =
	    demon_graph_mutations_new();
	struct demon_event ev;
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, v->db, &sql_event);

	*ret_known = false;
	if (!parts)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a commit");
	demon_bind_i64(&q, ":seq", c->seq);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return bad(v, "its event is missing", err);
	if ((rc = demon_log_row(&q, NULL, &ev, err)) || !ev.payload)
		return rc;
	rc = demon_graph_commit_parts(v->db, c->seq, parts, err);
	if (rc == DEMON_NOTFOUND)
		return DEMON_OK;
	if (rc)
		return rc;
	*ret_known = true;
	return demon_graph_event_derive(v->db, &ev, parts, root, err);
}

static enum demon_rc check_commit(struct verifying *v, int64_t n, struct demon_err *err)
{
	struct demon_graph_commit c;
	unsigned char root[DEMON_HASH_LEN];
	bool known;
	enum demon_rc rc;

	if ((rc = demon_graph_commit_by_number(v->db, n, &c, err)))
		return rc;
	demon_hex(c.id, sizeof(c.id), v->hex);
	if (derive(v, &c, root, &known, err))
		return demon_err_wrap(err, "commit %s", v->hex);
	v->ret->commits++;
	return check_state(v, &c, known ? root : NULL, err);
}

static enum demon_rc check_tags(struct verifying *v, const struct demon_graph_scope *scope,
				struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, v->db, &sql_tags);

	demon_bind_i64(&q, ":all", !scope);
	demon_bind_str(&q, ":tenant", scope ? scope->tenant_id : "");
	demon_bind_str(&q, ":project", scope ? scope->project_id : "");
	demon_bind_str(&q, ":namespace", scope ? scope->namespace_id : "");
	demon_bind_str(&q, ":graph", scope ? scope->graph_id : "");
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_graph_commit c;
		bool found;

		if ((rc = demon_graph_commit_by_id(v->db, demon_col_blob(&q, 1), &c, &found, err)))
			return rc;
		if (!found)
			return demon_err_set(err, DEMON_CORRUPT,
					     "tag '%s' names a commit that is not there",
					     demon_col_str(&q, 0));
		v->ret->tags++;
	}
	return rc;
}

enum demon_rc demon_graph_verify(struct demon_store *store, const struct demon_graph_scope *scope,
				 struct demon_graph_verified *ret, struct demon_err *err)
{
	struct verifying v = {.ret = ret};
	int64_t graph = 0;
	bool row;
	enum demon_rc rc;
	DEMON_READ(loan);
	DEMON_TXN(tx);

	*ret = (struct demon_graph_verified){.commits = 0};
	if ((scope && (rc = demon_graph_scope_check(scope, err))) ||
	    (rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_txn_read(&tx, loan.db, err)) ||
	    (scope && (rc = demon_graph_number(loan.db, scope, &graph, err))))
		return rc;
	if (scope && !graph)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no graph '%s/%s/%s/%s'",
				     scope->tenant_id, scope->project_id, scope->namespace_id,
				     scope->graph_id);
	v.db = loan.db;
	{
		DEMON_STMT(q, loan.db, &sql_all);

		demon_bind_i64(&q, ":graph", graph);
		while (!(rc = demon_step(&q, &row, err)) && row)
			if ((rc = check_commit(&v, demon_col_i64(&q, 0), err)))
				return rc;
		if (rc)
			return rc;
	}
	return check_tags(&v, scope, err);
}
