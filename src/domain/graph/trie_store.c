/*
 * Hashing and storing what has changed in a trie.
 */
#include "trie.h"

#include <string.h>

void demon_trie_empty_hash(struct demon_trie_session *s, unsigned char out[DEMON_HASH_LEN])
{
	const struct demon_trie_node empty = {.leaf = true};

	demon_trie_node_hash(s->sha, &empty, &s->chunk, out);
}

static enum demon_rc hash_child(struct demon_trie_session *s, struct demon_trie_child *child,
				struct demon_err *err)
{
	struct demon_trie_node *node = child->node;
	enum demon_rc rc;

	if (!node || node->hashed)
		return DEMON_OK;
	for (size_t i = 0; !node->leaf && i < DEMON_TRIE_FANOUT; i++)
		if ((rc = hash_child(s, &node->child[i], err)))
			return rc;
	for (size_t i = 0; node->leaf && i < node->count; i++) {
		struct demon_trie_value *value = &node->entry[i].value;

		if (value->set && (rc = demon_trie_hash(value->set, value->ref.hash, err)))
			return rc;
	}
	demon_trie_node_hash(s->sha, node, &s->chunk, node->hash);
	if ((rc = demon_buf_rc(&s->chunk, err)))
		return rc;
	node->hashed = true;
	memcpy(child->ref.hash, node->hash, DEMON_HASH_LEN);
	return DEMON_OK;
}

enum demon_rc demon_trie_hash(struct demon_trie *t, unsigned char out[DEMON_HASH_LEN],
			      struct demon_err *err)
{
	enum demon_rc rc = hash_child(t->session, &t->root, err);

	if (!t->root.node && !t->root.ref.position)
		demon_trie_empty_hash(t->session, t->root.ref.hash);
	memcpy(out, t->root.ref.hash, DEMON_HASH_LEN);
	return rc;
}

static enum demon_rc store_value(struct demon_trie_session *s, struct demon_trie_value *value,
				 struct demon_err *err)
{
	if (value->form == DEMON_TRIE_SET && value->set)
		return demon_trie_store(value->set, &value->ref, err);
	if (value->form != DEMON_TRIE_LONG || value->ref.position)
		return DEMON_OK;
	demon_buf_clear(&s->chunk);
	demon_trie_value_encode(value->bytes, value->len, &s->chunk);
	if (demon_buf_rc(&s->chunk, err))
		return err->rc;
	return demon_pack_add(&s->pack, s->chunk.data, s->chunk.len, &value->ref.position, err);
}

/* What a node is from now on: stored, as a delta or as a keyframe. */
static void settle(struct demon_trie_node *node, uint64_t position, bool delta)
{
	node->dirty = false;
	if (delta) {
		node->deltas++;
		return;
	}
	node->keyframe = position;
	node->deltas = 0;
	node->changed = 0;
	node->frame = node->leaf ? (unsigned char)node->count : 0;
	for (size_t i = 0; node->leaf && i < node->count; i++)
		node->entry[i].slot = (signed char)i;
}

static enum demon_rc store_child(struct demon_trie_session *s, struct demon_trie_child *child,
				 struct demon_err *err)
{
	struct demon_trie_node *node = child->node;
	bool delta;
	enum demon_rc rc = DEMON_OK;

	if (!node || !node->dirty)
		return DEMON_OK;
	for (size_t i = 0; !node->leaf && i < DEMON_TRIE_FANOUT && !rc; i++)
		rc = store_child(s, &node->child[i], err);
	for (size_t i = 0; node->leaf && i < node->count && !rc; i++)
		rc = store_value(s, &node->entry[i].value, err);
	if (rc)
		return rc;
	demon_buf_clear(&s->chunk);
	demon_trie_node_encode(node, &s->chunk, &delta);
	if ((rc = demon_buf_rc(&s->chunk, err)) ||
	    (rc = demon_pack_add(&s->pack, s->chunk.data, s->chunk.len, &child->ref.position, err)))
		return rc;
	settle(node, child->ref.position, delta);
	return DEMON_OK;
}

enum demon_rc demon_trie_store(struct demon_trie *t, struct demon_trie_ref *ret,
			       struct demon_err *err)
{
	unsigned char hash[DEMON_HASH_LEN];
	enum demon_rc rc;

	if ((rc = demon_trie_hash(t, hash, err)))
		return rc;
	if (t->root.node && t->root.node->dirty && t->root.node->count == 0) {
		t->root.node->dirty = false;
		t->root.ref.position = 0;
	}
	if ((rc = store_child(t->session, &t->root, err)))
		return rc;
	*ret = t->root.ref;
	return DEMON_OK;
}
