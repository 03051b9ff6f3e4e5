#include "state.h"

#include "adjacency.h"

#include <string.h>

/* --- where it is stored -------------------------------------------------------------------- */

static size_t put_ref(const struct demon_trie_ref *ref, unsigned char *out)
{
	memcpy(out, ref->hash, DEMON_HASH_LEN);
	for (unsigned i = 0; i < 8; i++)
		out[DEMON_HASH_LEN + i] = (unsigned char)(ref->position >> (56 - 8 * i));
	return DEMON_HASH_LEN + 8;
}

size_t demon_graph_tries_encode(const struct demon_graph_tries *tries,
				unsigned char out[DEMON_GRAPH_TRIES_MAX])
{
	const struct demon_trie_ref *refs[3] = {&tries->nodes, &tries->edges, &tries->adjacency};
	size_t n = 0;

	for (size_t i = 0; i < 3; i++)
		n += put_ref(refs[i], out + n);
	return n;
}

enum demon_rc demon_graph_tries_decode(const void *bytes, size_t len, struct demon_graph_tries *ret,
				       struct demon_err *err)
{
	struct demon_trie_ref *refs[3] = {&ret->nodes, &ret->edges, &ret->adjacency};
	const unsigned char *at = bytes;

	if (!bytes || len != DEMON_GRAPH_TRIES_MAX)
		return demon_err_set(err, DEMON_CORRUPT, "graph_commits: a state is damaged");
	for (size_t i = 0; i < 3; i++, at += (size_t)DEMON_HASH_LEN + 8) {
		memcpy(refs[i]->hash, at, DEMON_HASH_LEN);
		refs[i]->position = demon_get_be64(at + DEMON_HASH_LEN);
	}
	return DEMON_OK;
}

enum demon_rc demon_graph_state_begin(struct demon_graph_state *state, struct demon_db *db,
				      const struct demon_graph_tries *tries, struct demon_err *err)
{
	struct demon_trie_session *s = &state->session;
	enum demon_rc rc = demon_trie_session_begin(s, db, err);

	if (rc)
		return rc;
	state->nodes = demon_trie_open(s, tries ? &tries->nodes : NULL);
	state->edges = demon_trie_open(s, tries ? &tries->edges : NULL);
	state->adjacency = demon_trie_open(s, tries ? &tries->adjacency : NULL);
	if (state->nodes && state->edges && state->adjacency)
		return DEMON_OK;
	return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
}

void demon_graph_state_done(struct demon_graph_state *state)
{
	demon_trie_session_done(&state->session);
}

static void root_of(struct demon_sha256 *sha, const unsigned char *nodes,
		    const unsigned char *edges, const unsigned char *adjacency,
		    unsigned char out[DEMON_HASH_LEN])
{
	demon_trie_hash_begin(sha, 3);
	demon_sha256_add(sha, nodes, DEMON_HASH_LEN);
	demon_sha256_add(sha, edges, DEMON_HASH_LEN);
	demon_sha256_add(sha, adjacency, DEMON_HASH_LEN);
	demon_sha256_end(sha, out);
}

void demon_graph_tries_root(struct demon_sha256 *sha, const struct demon_graph_tries *tries,
			    unsigned char out[DEMON_HASH_LEN])
{
	root_of(sha, tries->nodes.hash, tries->edges.hash, tries->adjacency.hash, out);
}

enum demon_rc demon_graph_state_root(struct demon_graph_state *state,
				     unsigned char out[DEMON_HASH_LEN], struct demon_err *err)
{
	unsigned char nodes[DEMON_HASH_LEN];
	unsigned char edges[DEMON_HASH_LEN];
	unsigned char adjacency[DEMON_HASH_LEN];
	enum demon_rc rc;

	if ((rc = demon_trie_hash(state->nodes, nodes, err)) ||
	    (rc = demon_trie_hash(state->edges, edges, err)) ||
	    (rc = demon_trie_hash(state->adjacency, adjacency, err)))
		return rc;
	root_of(state->session.sha, nodes, edges, adjacency, out);
	return DEMON_OK;
}

enum demon_rc demon_graph_state_store(struct demon_graph_state *state,
				      struct demon_graph_tries *ret, struct demon_err *err)
{
	enum demon_rc rc;

	if ((rc = demon_trie_store(state->nodes, &ret->nodes, err)) ||
	    (rc = demon_trie_store(state->edges, &ret->edges, err)) ||
	    (rc = demon_trie_store(state->adjacency, &ret->adjacency, err)))
		return rc;
	return demon_pack_flush(&state->session.pack, err);
}

/* --- reading ------------------------------------------------------------------------------- */

static enum demon_rc find(struct demon_graph_state *state, struct demon_trie *t, const char *id,
			  size_t len, struct demon_json_span *ret, struct demon_err *err)
{
	const struct demon_trie_value *value;
	const void *bytes;
	enum demon_rc rc;

	*ret = (struct demon_json_span){0};
	if ((rc = demon_trie_get(t, id, len, &value, err)) || !value ||
	    (rc = demon_trie_bytes(&state->session, value, &bytes, err)))
		return rc;
	*ret = (struct demon_json_span){bytes, value->len};
	return DEMON_OK;
}

enum demon_rc demon_graph_state_node(struct demon_graph_state *state, const char *id, size_t len,
				     struct demon_json_span *ret, struct demon_err *err)
{
	return find(state, state->nodes, id, len, ret, err);
}

enum demon_rc demon_graph_state_edge(struct demon_graph_state *state, const char *id, size_t len,
				     struct demon_json_span *ret, struct demon_err *err)
{
	return find(state, state->edges, id, len, ret, err);
}

/* NOLINTNEXTLINE(readability-function-size): what is asked, of which graph, and whom to tell */
enum demon_rc demon_graph_state_links(struct demon_graph_state *state, const char *id, size_t len,
				      bool out, demon_graph_link_fn *fn, void *ctx,
				      struct demon_err *err)
{
	return demon_graph_adjacency_walk(state->adjacency, (struct demon_json_span){id, len}, out,
					  fn, ctx, err);
}

/* --- changing ------------------------------------------------------------------------------ */

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
}

/* The bytes of @p value for as long as the state lives. */
static const void *keep(struct demon_graph_state *state, const struct demon_buf *value)
{
	char *at = value->rc ? NULL : demon_arena_new(&state->session.arena, value->len + 1, 1);

	if (at)
		memcpy(at, value->data, value->len);
	return at;
}

static void add_member(struct demon_buf *out, const char *key, struct demon_json_span value,
		       const char *quote)
{
	if (!value.at)
		return;
	demon_buf_str(out, out->len > 1 ? ",\"" : "\"");
	demon_buf_str(out, key);
	demon_buf_str(out, "\":");
	demon_buf_str(out, quote);
	demon_buf_add(out, value.at, value.len);
	demon_buf_str(out, quote);
}

static enum demon_rc put(struct demon_graph_state *state, struct demon_trie *t,
			 const struct demon_graph_mutation *m, struct demon_buf *value,
			 struct demon_err *err)
{
	const void *bytes;

	demon_buf_char(value, '}');
	bytes = keep(state, value);
	return bytes ? demon_trie_put(t, m->id.at, m->id.len, bytes, value->len, err)
		     : no_memory(err);
}

static enum demon_rc put_node(struct demon_graph_state *state, const struct demon_graph_mutation *m,
			      struct demon_err *err)
{
	DEMON_BUF(value, 0);

	demon_buf_char(&value, '{');
	add_member(&value, "labels", m->labels, "");
	add_member(&value, "properties", m->properties, "");
	return put(state, state->nodes, m, &value, err);
}

/* What an edge's value says of its ends. */
struct ends {
	struct demon_json_span from;
	struct demon_json_span to;
	struct demon_json_span label; /* a JSON string */
};

static bool same_span(struct demon_json_span a, struct demon_json_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static struct ends ends_of(struct demon_json_span edge)
{
	static const char *const keys[] = {"from", "label", "to"};
	struct demon_json_span v[3];

	demon_json_members(edge.at, edge.len, keys, v, 3);
	return (struct ends){demon_json_span_plain(v[0]), demon_json_span_plain(v[2]), v[1]};
}

static enum demon_rc unlink_edge(struct demon_graph_state *state, struct demon_json_span id,
				 const struct ends *ends, struct demon_err *err)
{
	enum demon_rc rc =
	    demon_graph_adjacency_remove(state->adjacency, ends->from, true, id, err);

	return rc ? rc : demon_graph_adjacency_remove(state->adjacency, ends->to, false, id, err);
}

static enum demon_rc link_edge(struct demon_graph_state *state, struct demon_json_span id,
			       const struct ends *ends, struct demon_err *err)
{
	DEMON_BUF(label, 0);
	struct demon_graph_link link = {.edge = id.at, .edge_len = id.len};
	enum demon_rc rc;

	if (ends->label.at && !demon_json_span_str(ends->label, &label))
		return demon_err_set(err, DEMON_CORRUPT, "a label that is no text");
	if ((rc = demon_buf_rc(&label, err)))
		return rc;
	link.label = label.data;
	link.label_len = label.len;
	link.other = ends->to.at;
	link.other_len = ends->to.len;
	if ((rc = demon_graph_adjacency_put(state->adjacency, ends->from, true, &link, err)))
		return rc;
	link.other = ends->from.at;
	link.other_len = ends->from.len;
	return demon_graph_adjacency_put(state->adjacency, ends->to, false, &link, err);
}

static enum demon_rc put_edge(struct demon_graph_state *state, const struct demon_graph_mutation *m,
			      struct demon_err *err)
{
	const struct ends ends = {m->from, m->to, m->label};
	struct demon_json_span old;
	DEMON_BUF(value, 0);
	enum demon_rc rc;

	if ((rc = demon_graph_state_edge(state, m->id.at, m->id.len, &old, err)))
		return rc;
	demon_buf_char(&value, '{');
	add_member(&value, "from", m->from, "\"");
	add_member(&value, "label", m->label, "");
	add_member(&value, "properties", m->properties, "");
	add_member(&value, "to", m->to, "\"");
	if (old.at) {
		const struct ends was = ends_of(old);

		if (same_span(was.from, ends.from) && same_span(was.to, ends.to) &&
		    same_span(was.label, ends.label))
			return put(state, state->edges, m, &value, err);
		if ((rc = unlink_edge(state, m->id, &was, err)))
			return rc;
	}
	rc = put(state, state->edges, m, &value, err);
	return rc ? rc : link_edge(state, m->id, &ends, err);
}

static enum demon_rc remove_edge(struct demon_graph_state *state, struct demon_json_span id,
				 struct demon_err *err)
{
	struct demon_json_span old;
	struct ends ends;
	enum demon_rc rc;

	if ((rc = demon_graph_state_edge(state, id.at, id.len, &old, err)) || !old.at)
		return rc;
	ends = ends_of(old);
	if ((rc = unlink_edge(state, id, &ends, err)))
		return rc;
	return demon_trie_remove(state->edges, id.at, id.len, NULL, err);
}

/* Ids of edges that are going to be removed, one after the other, each with a NUL. */
static enum demon_rc note_link(void *ctx, const struct demon_graph_link *link,
			       struct demon_err *err)
{
	struct demon_buf *ids = ctx;

	demon_buf_add(ids, link->edge, link->edge_len);
	demon_buf_char(ids, '\0');
	return demon_buf_rc(ids, err);
}

static enum demon_rc remove_node(struct demon_graph_state *state, struct demon_json_span id,
				 struct demon_err *err)
{
	DEMON_BUF(ids, 0);
	bool removed;
	enum demon_rc rc;

	if ((rc = demon_trie_remove(state->nodes, id.at, id.len, &removed, err)) || !removed)
		return rc;
	if ((rc = demon_graph_adjacency_walk(state->adjacency, id, true, note_link, &ids, err)) ||
	    (rc = demon_graph_adjacency_walk(state->adjacency, id, false, note_link, &ids, err)))
		return rc;
	for (size_t at = 0; at < ids.len && !rc; at += strlen(ids.data + at) + 1)
		rc = remove_edge(
		    state, (struct demon_json_span){ids.data + at, strlen(ids.data + at)}, err);
	return rc;
}

enum demon_rc demon_graph_state_apply(struct demon_graph_state *state,
				      const struct demon_graph_mutation *m, struct demon_err *err)
{
	switch (m->op) {
	case DEMON_GRAPH_ADD_NODE:
	case DEMON_GRAPH_UPDATE_NODE:
		return put_node(state, m, err);
	case DEMON_GRAPH_REMOVE_NODE:
		return remove_node(state, m->id, err);
	case DEMON_GRAPH_ADD_EDGE:
	case DEMON_GRAPH_UPDATE_EDGE:
		return put_edge(state, m, err);
	case DEMON_GRAPH_REMOVE_EDGE:
		return remove_edge(state, m->id, err);
	}
	return demon_err_set(err, DEMON_INTERNAL, "no such mutation");
}

static enum demon_rc check_end(struct demon_graph_state *state, struct demon_json_span id,
			       const char *what, struct demon_err *err)
{
	struct demon_json_span node;
	enum demon_rc rc = demon_graph_state_node(state, id.at, id.len, &node, err);

	if (rc || node.at)
		return rc;
	return demon_err_set(err, DEMON_CONFLICT, "'%s' is node '%.*s', which is not there", what,
			     (int)id.len, id.at);
}

enum demon_rc demon_graph_state_check(struct demon_graph_state *state,
				      const struct demon_graph_mutation *m, struct demon_err *err)
{
	bool node = demon_graph_op_is_node(m->op);
	bool adds = m->op == DEMON_GRAPH_ADD_NODE || m->op == DEMON_GRAPH_ADD_EDGE;
	struct demon_json_span old;
	enum demon_rc rc;

	if ((rc = find(state, node ? state->nodes : state->edges, m->id.at, m->id.len, &old, err)))
		return rc;
	if (adds != !old.at)
		return demon_err_set(err, DEMON_CONFLICT, "%s: %s '%.*s' is %s there",
				     demon_graph_op_name(m->op), node ? "node" : "edge",
				     (int)m->id.len, m->id.at, adds ? "already" : "not");
	if (!m->from.at)
		return DEMON_OK;
	rc = check_end(state, m->from, "from", err);
	return rc ? rc : check_end(state, m->to, "to", err);
}
