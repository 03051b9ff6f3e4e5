/*
 * Three-way merges: what becomes of ours, item by item, and of edges that lose an end.
 */
#include "base.h"
#include "merging.h"
#include "view.h"

#include <string.h>

static void merging_done(struct demon_graph_merging *m)
{
	demon_graph_pairs_done(&m->ours_did);
	demon_graph_pairs_done(&m->theirs_did);
	demon_graph_pairs_done(&m->result);
	if (m->begun) {
		demon_graph_state_done(&m->other);
		demon_graph_state_done(&m->mine);
	}
	json_decref(m->resolutions);
	json_decref(m->texts);
	demon_txn_done(&m->txn);
	demon_store_return(&m->loan);
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a merge");
}

static bool is_change(const struct demon_graph_pair *pair)
{
	if (!pair->before.at || !pair->after.at)
		return pair->before.at != pair->after.at;
	return pair->before.len != pair->after.len ||
	       memcmp(pair->before.at, pair->after.at, pair->before.len) != 0;
}

static enum demon_rc merge_items(struct demon_graph_merging *m, struct demon_err *err)
{
	size_t room = m->theirs_did.count;
	enum demon_rc rc;

	/* the ends of edges may be put back beside them */
	m->result.at = demon_calloc(3 * room + 1, sizeof(*m->result.at));
	if (!m->result.at)
		return no_memory(err);
	m->result.room = 3 * room + 1;
	for (size_t i = 0; i < room; i++) {
		struct demon_graph_pair pair;

		if ((rc = demon_graph_merging_item(m, &m->theirs_did.at[i], &pair, err)))
			return rc;
		if (is_change(&pair))
			m->result.at[m->result.count++] = pair;
		m->sorted_nodes += is_change(&pair) && !pair.edge;
	}
	m->sorted = m->result.count;
	return DEMON_OK;
}

/* --- edges without ends -------------------------------------------------------------------- */

/* What becomes of a node or edge, or NULL: it stays as ours has it. */
static struct demon_graph_pair *find_result(struct demon_graph_merging *m, bool edge,
					    const char *id, size_t len)
{
	const struct demon_graph_pairs sorted = {
	    .at = m->result.at, .count = m->sorted, .nodes = m->sorted_nodes};
	const struct demon_graph_pair *found = demon_graph_pairs_get(&sorted, edge, id, len);

	if (found)
		return &m->result.at[found - m->result.at];
	for (size_t i = m->sorted; i < m->result.count; i++) {
		struct demon_graph_pair *pair = &m->result.at[i];

		if (pair->edge == edge && pair->len == len && memcmp(pair->id, id, len) == 0)
			return pair;
	}
	return NULL;
}

static enum demon_rc has_node(struct demon_graph_merging *m, struct demon_json_span id, bool *ret,
			      struct demon_err *err)
{
	const struct demon_graph_pair *pair = find_result(m, false, id.at, id.len);
	struct demon_json_span value = {0};
	enum demon_rc rc = DEMON_OK;

	if (!pair)
		rc = demon_graph_state_node(&m->mine, id.at, id.len, &value, err);
	*ret = pair ? pair->after.at != NULL : value.at != NULL;
	return rc;
}

/* Puts a node back, as one side has it. *ret_done is false when it has none. */
static enum demon_rc restore_node(struct demon_graph_merging *m, struct demon_graph_state *side,
				  struct demon_json_span id, bool *ret_done, struct demon_err *err)
{
	struct demon_graph_pair *pair = find_result(m, false, id.at, id.len);
	struct demon_json_span value;
	char *copy;
	enum demon_rc rc = demon_graph_state_node(side, id.at, id.len, &value, err);

	*ret_done = !rc && value.at;
	if (!*ret_done)
		return rc;
	if (pair) {
		pair->after = value;
		return DEMON_OK;
	}
	copy = demon_arena_new(&m->other.session.arena, id.len + 1, 1);
	if (!copy)
		return no_memory(err);
	memcpy(copy, id.at, id.len);
	m->result.at[m->result.count++] =
	    (struct demon_graph_pair){.id = copy, .len = id.len, .after = value};
	return DEMON_OK;
}

/* An edge whose end is removed: the side that is taken has that end, or the edge goes too. */
static enum demon_rc check_end(struct demon_graph_merging *m, size_t at, struct demon_json_span end,
			       struct demon_err *err)
{
	const struct demon_graph_pair pair = m->result.at[at];
	const struct demon_graph_conflict c = {
	    .edge = true, .id = pair.id, .why = "an end of it is removed on the other side"};
	const json_t *given;
	enum demon_graph_side side;
	bool there;
	enum demon_rc rc;

	if (!end.at || (rc = has_node(m, end, &there, err)))
		return end.at ? rc : DEMON_OK;
	if (there)
		return DEMON_OK;
	if ((rc = demon_graph_merging_tell(m, &c, &side, &given, err)))
		return rc;
	rc = restore_node(m, side == DEMON_GRAPH_SIDE_THEIRS ? &m->other : &m->mine, end, &there,
			  err);
	if (!rc && !there)
		m->result.at[at].after = (struct demon_json_span){0};
	return rc;
}

static enum demon_rc check_edges(struct demon_graph_merging *m, struct demon_err *err)
{
	static const char *const keys[] = {"from", "to"};
	size_t count = m->result.count;
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < count && !rc; i++) {
		struct demon_json_span v[2];

		for (size_t end = 0; end < 2 && !rc; end++) {
			if (!m->result.at[i].edge || !m->result.at[i].after.at)
				break;
			demon_json_members(m->result.at[i].after.at, m->result.at[i].after.len,
					   keys, v, 2);
			rc = check_end(m, i, demon_json_span_plain(v[end]), err);
		}
	}
	return rc;
}

/* Looks for an edge of ours that stays although a node of it goes. */
struct stay {
	struct demon_graph_merging *m;
	bool found;
};

static enum demon_rc look_at_link(void *ctx, const struct demon_graph_link *link,
				  struct demon_err *err)
{
	struct stay *stay = ctx;
	const struct demon_graph_pair *pair =
	    find_result(stay->m, true, link->edge, link->edge_len);

	(void)err;
	stay->found |= pair ? pair->after.at != NULL : true;
	return DEMON_OK;
}

static enum demon_rc check_node(struct demon_graph_merging *m, size_t at, struct demon_err *err)
{
	struct demon_graph_pair *pair = &m->result.at[at];
	const struct demon_graph_conflict c = {.id = pair->id,
					       .why = "an edge of the other side needs it"};
	struct stay stay = {.m = m};
	const json_t *given;
	enum demon_graph_side side;
	enum demon_rc rc;

	if (pair->after.at)
		return DEMON_OK;
	if ((rc = demon_graph_state_links(&m->mine, pair->id, pair->len, true, look_at_link, &stay,
					  err)) ||
	    (rc = demon_graph_state_links(&m->mine, pair->id, pair->len, false, look_at_link, &stay,
					  err)) ||
	    !stay.found)
		return rc;
	if ((rc = demon_graph_merging_tell(m, &c, &side, &given, err)))
		return rc;
	if (side != DEMON_GRAPH_SIDE_THEIRS) /* its edges go with it otherwise */
		pair->after = pair->before;
	return DEMON_OK;
}

static enum demon_rc check_nodes(struct demon_graph_merging *m, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < m->result.count && !rc; i++)
		if (!m->result.at[i].edge)
			rc = check_node(m, i, err);
	return rc;
}

/* Nodes before edges, each by id, and only what changes. */
static int in_order(const void *a, const void *b)
{
	const struct demon_graph_pair *x = a;
	const struct demon_graph_pair *y = b;

	return x->edge != y->edge ? (int)x->edge - (int)y->edge : strcmp(x->id, y->id);
}

static void arrange(struct demon_graph_merging *m)
{
	size_t kept = 0;

	m->result.nodes = 0;
	for (size_t i = 0; i < m->result.count; i++) {
		if (!is_change(&m->result.at[i]))
			continue;
		m->result.nodes += !m->result.at[i].edge;
		m->result.at[kept++] = m->result.at[i];
	}
	m->result.count = kept;
	qsort(m->result.at, kept, sizeof(*m->result.at), in_order);
}

/* --- the merge ----------------------------------------------------------------------------- */

static enum demon_rc bad_resolution(size_t i, const char *why, struct demon_err *err)
{
	return demon_err_set(err, DEMON_INVALID, "resolution %zu: %s", i, why);
}

static enum demon_rc read_resolutions(struct demon_graph_merging *m, struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = (size_t)8 << 20, .depth = 64};
	const char *text = m->merge->resolutions;

	if (!text)
		return DEMON_OK;
	if (demon_json_parse(text, strlen(text), &limits, &m->resolutions, err))
		return demon_err_wrap(err, "resolutions");
	if (!json_is_array(m->resolutions))
		return demon_err_set(err, DEMON_INVALID, "resolutions: expected a list");
	for (size_t i = 0; i < json_array_size(m->resolutions); i++) {
		const json_t *r = json_array_get(m->resolutions, i);
		const char *kind = json_string_value(json_object_get(r, "kind"));
		const char *take = json_string_value(json_object_get(r, "take"));

		if (!kind || (strcmp(kind, "node") != 0 && strcmp(kind, "edge") != 0))
			return bad_resolution(i, "'kind' is node or edge", err);
		if (!json_is_string(json_object_get(r, "id")))
			return bad_resolution(i, "'id' is missing", err);
		if (!json_object_get(r, "value") == !take ||
		    (take && strcmp(take, "ours") != 0 && strcmp(take, "theirs") != 0 &&
		     strcmp(take, "base") != 0))
			return bad_resolution(i, "expected 'take' (ours, theirs, base) or 'value'",
					      err);
	}
	return DEMON_OK;
}

/* The best common ancestor; of several the one that is furthest from the roots, then by id. */
static enum demon_rc find_base(struct demon_graph_merging *m, struct demon_err *err)
{
	demon_cleanup(demon_graph_commits_done) struct demon_graph_commits bases = {0};
	enum demon_rc rc = demon_graph_bases(m->loan.db, &m->ours, &m->theirs, &bases, err);

	for (size_t i = 0; i < bases.count && !rc; i++)
		if (!m->base.n || bases.at[i].generation > m->base.generation)
			m->base = bases.at[i];
	return rc;
}

static enum demon_rc begin(struct demon_graph_merging *m, struct demon_store *store,
			   struct demon_err *err)
{
	const struct demon_graph_merge *g = m->merge;
	enum demon_rc rc;

	m->texts = json_array();
	if (!m->texts)
		return no_memory(err);
	if ((rc = read_resolutions(m, err)) || (rc = demon_store_borrow(store, &m->loan, err)) ||
	    (rc = demon_txn_read(&m->txn, m->loan.db, err)) ||
	    (rc = demon_graph_commit_find(m->loan.db, &g->scope, g->ours, &m->ours, err)) ||
	    (rc = demon_graph_commit_find(m->loan.db, &g->scope, g->theirs, &m->theirs, err)))
		return rc;
	return find_base(m, err);
}

static enum demon_rc compare(struct demon_graph_merging *m, struct demon_err *err)
{
	struct demon_graph_tries nothing = {0};
	const struct demon_graph_tries *base = m->base.n ? &m->base.tries : &nothing;
	struct demon_trie_session *s = &m->mine.session;
	enum demon_rc rc;

	m->begun = true;
	if ((rc = demon_graph_state_begin(&m->mine, m->loan.db, &m->ours.tries, err)) ||
	    (rc = demon_graph_state_begin(&m->other, m->loan.db, &m->theirs.tries, err)))
		return rc;
	demon_trie_empty_hash(s, nothing.nodes.hash);
	demon_trie_empty_hash(s, nothing.edges.hash);
	demon_trie_empty_hash(s, nothing.adjacency.hash);
	if ((rc = demon_graph_pairs_find(s, base, &m->ours.tries, &m->ours_did, err)))
		return rc;
	return demon_graph_pairs_find(&m->other.session, base, &m->theirs.tries, &m->theirs_did,
				      err);
}

static enum demon_rc decide(struct demon_graph_merging *m, struct demon_graph_mutations **ret,
			    struct demon_err *err)
{
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	enum demon_rc rc;

	if ((rc = compare(m, err)) || (rc = merge_items(m, err)) || (rc = check_edges(m, err)) ||
	    (rc = check_nodes(m, err)))
		return rc;
	arrange(m);
	m->result.session = &m->other.session;
	list = demon_graph_mutations_new();
	if (!list)
		return no_memory(err);
	if (demon_graph_pairs_mutations(&m->result, &m->other, &list->text, err) ||
	    demon_graph_mutations_index(list, err))
		return err->rc;
	m->ret->mutations = list->count;
	if (m->ret->unresolved)
		return demon_err_set(err, DEMON_CONFLICT, "%zu of %zu conflicts are not resolved",
				     m->ret->unresolved, m->ret->conflicts);
	*ret = demon_take(list);
	return DEMON_OK;
}

static enum demon_rc commit(struct demon_store *store, const struct demon_graph_merging *m,
			    const struct demon_graph_mutations *list, struct demon_err *err)
{
	struct demon_graph_id parents[2];
	struct demon_graph_change change = {.scope = m->merge->scope,
					    .parents = parents,
					    .parent_count = 2,
					    .mutations = list->count ? list : NULL,
					    .author = m->merge->author,
					    .message = m->merge->message,
					    .force = true,
					    .ts = m->merge->ts};
	struct demon_graph_committed made;
	enum demon_rc rc;

	memcpy(parents[0].bytes, m->ours.id, sizeof(parents[0].bytes));
	memcpy(parents[1].bytes, m->theirs.id, sizeof(parents[1].bytes));
	if ((rc = demon_graph_commit(store, &change, &made, err)))
		return rc;
	m->ret->id = made.id;
	return DEMON_OK;
}

/* What needs no merge: one side has all that the other has. */
static bool is_settled(struct demon_graph_merging *m)
{
	const struct demon_graph_commit *to = NULL;

	if (m->base.n == m->theirs.n) {
		m->ret->kind = DEMON_GRAPH_MERGE_NOTHING;
		to = &m->ours;
	} else if (m->base.n == m->ours.n) {
		m->ret->kind = DEMON_GRAPH_MERGE_FORWARD;
		to = &m->theirs;
	}
	if (to)
		memcpy(m->ret->id.bytes, to->id, sizeof(m->ret->id.bytes));
	return to;
}

enum demon_rc demon_graph_merge(struct demon_store *store, const struct demon_graph_merge *merge,
				demon_graph_item_fn *fn, void *ctx, struct demon_graph_merged *ret,
				struct demon_err *err)
{
	struct demon_graph_merging m = {.merge = merge, .fn = fn, .ctx = ctx, .ret = ret};
	demon_cleanup(demon_graph_mutations_free_p) struct demon_graph_mutations *list = NULL;
	enum demon_rc rc;

	*ret = (struct demon_graph_merged){.kind = DEMON_GRAPH_MERGE_COMMIT};
	rc = begin(&m, store, err);
	if (!rc && !is_settled(&m))
		rc = decide(&m, &list, err);
	/* the snapshot is let go before anything is written */
	if (!rc && list && !merge->dry) {
		demon_txn_done(&m.txn);
		rc = commit(store, &m, list, err);
	}
	merging_done(&m);
	return rc;
}
