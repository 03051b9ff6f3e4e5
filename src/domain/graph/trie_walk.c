/*
 * Walking a trie, and two side by side. What is read on the way is let go again.
 */
#include "trie.h"

#include <string.h>

/* A node that is looked at: one that is held, or one read for now. */
struct view {
	struct demon_arena arena;
	struct demon_trie_node *node;
};

static void view_done(struct view *v)
{
	demon_arena_done(&v->arena);
}

static enum demon_rc view(struct demon_trie_session *s, const struct demon_trie_child *child,
			  struct view *v, struct demon_err *err)
{
	v->node = child->node;
	if (v->node)
		return DEMON_OK;
	return demon_trie_read(s, child->ref.position, &v->arena, &v->node, err);
}

static enum demon_rc too_deep(struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "graph_packs: a trie without end");
}

static enum demon_rc walk(struct demon_trie_session *s, const struct demon_trie_child *child,
			  unsigned depth, demon_trie_entry_fn *fn, void *ctx, struct demon_err *err)
{
	demon_cleanup(view_done) struct view v = {0};
	enum demon_rc rc;

	if (depth > 2 * DEMON_HASH_LEN)
		return too_deep(err);
	if ((rc = view(s, child, &v, err)))
		return rc;
	if (v.node->leaf) {
		for (size_t i = 0; i < v.node->count && !rc; i++)
			rc = fn(ctx, &v.node->entry[i], err);
		return rc;
	}
	for (size_t i = 0; i < DEMON_TRIE_FANOUT && !rc; i++)
		if (demon_trie_child_is(&v.node->child[i]))
			rc = walk(s, &v.node->child[i], depth + 1, fn, ctx, err);
	return rc;
}

enum demon_rc demon_trie_walk(struct demon_trie *t, demon_trie_entry_fn *fn, void *ctx,
			      struct demon_err *err)
{
	return walk(t->session, &t->root, 0, fn, ctx, err);
}

/* --- differences --------------------------------------------------------------------------- */

struct diff {
	struct demon_trie_session *s;
	demon_trie_diff_fn *fn;
	void *ctx;
};

/* Hands out all entries of one side. */
struct side {
	const struct diff *d;
	bool after;
};

static enum demon_rc one_side(void *ctx, const struct demon_trie_entry *entry,
			      struct demon_err *err)
{
	const struct side *side = ctx;

	return side->after ? side->d->fn(side->d->ctx, NULL, entry, err)
			   : side->d->fn(side->d->ctx, entry, NULL, err);
}

static bool same_form(const struct demon_trie_value *a, const struct demon_trie_value *b)
{
	if (a->form != b->form || a->len != b->len)
		return false;
	if (a->form == DEMON_TRIE_INLINE)
		return memcmp(a->bytes, b->bytes, a->len) == 0;
	return memcmp(a->ref.hash, b->ref.hash, DEMON_HASH_LEN) == 0;
}

static enum demon_rc diff_leaves(const struct diff *d, const struct demon_trie_node *a,
				 const struct demon_trie_node *b, struct demon_err *err)
{
	size_t i = 0;
	size_t k = 0;
	enum demon_rc rc = DEMON_OK;

	while ((i < a->count || k < b->count) && !rc) {
		int order = i == a->count   ? 1
			    : k == b->count ? -1
					    : strcmp(a->entry[i].key, b->entry[k].key);

		if (order != 0)
			rc = d->fn(d->ctx, order < 0 ? &a->entry[i] : NULL,
				   order > 0 ? &b->entry[k] : NULL, err);
		else if (!same_form(&a->entry[i].value, &b->entry[k].value))
			rc = d->fn(d->ctx, &a->entry[i], &b->entry[k], err);
		i += order <= 0;
		k += order >= 0;
	}
	return rc;
}

/* A leaf of one side against a subtree of the other: which of its entries have been met. */
struct mixed {
	const struct diff *d;
	const struct demon_trie_node *leaf;
	bool leaf_is_after;
	bool met[DEMON_TRIE_LEAF_MAX];
};

static enum demon_rc pair(const struct mixed *m, const struct demon_trie_entry *of_leaf,
			  const struct demon_trie_entry *other, struct demon_err *err)
{
	return m->leaf_is_after ? m->d->fn(m->d->ctx, other, of_leaf, err)
				: m->d->fn(m->d->ctx, of_leaf, other, err);
}

static enum demon_rc meet(void *ctx, const struct demon_trie_entry *entry, struct demon_err *err)
{
	struct mixed *m = ctx;

	for (size_t i = 0; i < m->leaf->count; i++) {
		const struct demon_trie_entry *mine = &m->leaf->entry[i];

		if (strcmp(mine->key, entry->key) != 0)
			continue;
		m->met[i] = true;
		if (same_form(&mine->value, &entry->value))
			return DEMON_OK;
		return pair(m, mine, entry, err);
	}
	return pair(m, NULL, entry, err);
}

static enum demon_rc diff_mixed(const struct diff *d, const struct demon_trie_node *leaf,
				const struct demon_trie_child *other, bool leaf_is_after,
				struct demon_err *err)
{
	struct mixed m = {.d = d, .leaf = leaf, .leaf_is_after = leaf_is_after};
	enum demon_rc rc = walk(d->s, other, 0, meet, &m, err);

	for (size_t i = 0; i < leaf->count && !rc; i++)
		if (!m.met[i])
			rc = pair(&m, &leaf->entry[i], NULL, err);
	return rc;
}

static enum demon_rc diff_children(const struct diff *d, const struct demon_trie_child *a,
				   const struct demon_trie_child *b, unsigned depth,
				   struct demon_err *err);

static enum demon_rc diff_slots(const struct diff *d, const struct demon_trie_node *a,
				const struct demon_trie_node *b, unsigned depth,
				struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; i < DEMON_TRIE_FANOUT && !rc; i++) {
		bool before = demon_trie_child_is(&a->child[i]);
		bool after = demon_trie_child_is(&b->child[i]);
		struct side side = {d, after};

		if (before && after)
			rc = diff_children(d, &a->child[i], &b->child[i], depth + 1, err);
		else if (before || after)
			rc = walk(d->s, before ? &a->child[i] : &b->child[i], depth + 1, one_side,
				  &side, err);
	}
	return rc;
}

static enum demon_rc diff_children(const struct diff *d, const struct demon_trie_child *a,
				   const struct demon_trie_child *b, unsigned depth,
				   struct demon_err *err)
{
	demon_cleanup(view_done) struct view before = {0};
	demon_cleanup(view_done) struct view after = {0};
	enum demon_rc rc;

	if (a->ref.position == b->ref.position ||
	    memcmp(a->ref.hash, b->ref.hash, DEMON_HASH_LEN) == 0)
		return DEMON_OK;
	if (depth > 2 * DEMON_HASH_LEN)
		return too_deep(err);
	if ((rc = view(d->s, a, &before, err)) || (rc = view(d->s, b, &after, err)))
		return rc;
	if (before.node->leaf && after.node->leaf)
		return diff_leaves(d, before.node, after.node, err);
	if (before.node->leaf)
		return diff_mixed(d, before.node, b, false, err);
	if (after.node->leaf)
		return diff_mixed(d, after.node, a, true, err);
	return diff_slots(d, before.node, after.node, depth, err);
}

enum demon_rc demon_trie_diff(struct demon_trie_session *s, const struct demon_trie_ref *before,
			      const struct demon_trie_ref *after, demon_trie_diff_fn *fn, void *ctx,
			      struct demon_err *err)
{
	const struct diff d = {s, fn, ctx};
	const struct demon_trie_child a = {.ref = *before};
	const struct demon_trie_child b = {.ref = *after};

	return diff_children(&d, &a, &b, 0, err);
}
