#include "trie.h"

#include <string.h>

enum demon_rc demon_trie_session_begin(struct demon_trie_session *s, struct demon_db *db,
				       struct demon_err *err)
{
	*s = (struct demon_trie_session){.db = db,
					 .pack = {.db = db, .data.data = demon_buf_empty},
					 .chunk.data = demon_buf_empty,
					 .frame.data = demon_buf_empty};
	s->sha = demon_sha256_new();
	return s->sha ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
}

void demon_trie_session_done(struct demon_trie_session *s)
{
	demon_arena_done(&s->arena);
	demon_sha256_free(s->sha);
	demon_pack_done(&s->pack);
	demon_buf_done(&s->chunk);
	demon_buf_done(&s->frame);
	s->sha = NULL;
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
}

struct demon_trie *demon_trie_open(struct demon_trie_session *s, const struct demon_trie_ref *ref)
{
	struct demon_trie *t = demon_arena_new(&s->arena, 1, sizeof(*t));

	if (!t)
		return NULL;
	t->session = s;
	if (ref)
		t->root.ref = *ref;
	return t;
}

enum demon_rc demon_trie_read(struct demon_trie_session *s, uint64_t position,
			      struct demon_arena *arena, struct demon_trie_node **ret_node,
			      struct demon_err *err)
{
	uint64_t keyframe;
	enum demon_rc rc;

	if (!position) {
		*ret_node = demon_trie_node_new(arena, true);
		return *ret_node ? DEMON_OK : no_memory(err);
	}
	if ((rc = demon_pack_read(s->db, position, &s->chunk, err)))
		return rc;
	keyframe = demon_trie_chunk_keyframe(&s->chunk);
	if (keyframe && (rc = demon_pack_read(s->db, keyframe, &s->frame, err)))
		return rc;
	return demon_trie_node_decode(&s->chunk, &s->frame, position, arena, ret_node, err);
}

/* The node of a child that is going to be kept. */
static enum demon_rc load(struct demon_trie *t, struct demon_trie_child *child,
			  struct demon_err *err)
{
	struct demon_trie_session *s = t->session;
	enum demon_rc rc;

	if (child->node)
		return DEMON_OK;
	if ((rc = demon_trie_read(s, child->ref.position, &s->arena, &child->node, err)))
		return rc;
	if (child->ref.position && child->node) {
		memcpy(child->node->hash, child->ref.hash, DEMON_HASH_LEN);
		child->node->hashed = true;
	}
	return DEMON_OK;
}

/* The hash of a key, four bits a level. */
struct path {
	unsigned char hash[DEMON_HASH_LEN];
};

static struct path path_of(struct demon_trie_session *s, const char *key, size_t len)
{
	struct path path;

	demon_sha256_begin(s->sha);
	demon_sha256_add(s->sha, key, len);
	demon_sha256_end(s->sha, path.hash);
	return path;
}

static unsigned slot_at(const struct path *path, unsigned depth)
{
	unsigned byte = path->hash[depth / 2];

	return depth % 2 ? byte & 15 : byte >> 4;
}

/* Where @p key stands in a leaf, or should. */
static size_t find_entry(const struct demon_trie_node *leaf, const char *key, size_t len,
			 bool *ret_found)
{
	size_t i = 0;
	int order = 1;

	for (; i < leaf->count; i++) {
		const struct demon_trie_entry *e = &leaf->entry[i];
		size_t n = e->key_len < len ? e->key_len : len;

		order = memcmp(e->key, key, n);
		if (order == 0)
			order = (e->key_len > len) - (e->key_len < len);
		if (order >= 0)
			break;
	}
	*ret_found = i < leaf->count && order == 0;
	return i;
}

enum demon_rc demon_trie_get(struct demon_trie *t, const char *key, size_t len,
			     const struct demon_trie_value **ret, struct demon_err *err)
{
	struct demon_trie_child *at = &t->root;
	struct path path = path_of(t->session, key, len);
	bool found;
	size_t i;
	enum demon_rc rc;

	*ret = NULL;
	for (unsigned depth = 0;; depth++) {
		if ((rc = load(t, at, err)))
			return rc;
		if (at->node->leaf || depth == 2 * DEMON_HASH_LEN)
			break;
		at = &at->node->child[slot_at(&path, depth)];
		if (!demon_trie_child_is(at))
			return DEMON_OK;
	}
	if (!at->node->leaf)
		return demon_err_set(err, DEMON_CORRUPT, "graph_packs: a trie without end");
	i = find_entry(at->node, key, len, &found);
	if (found)
		*ret = &at->node->entry[i].value;
	return DEMON_OK;
}

enum demon_rc demon_trie_bytes(struct demon_trie_session *s, const struct demon_trie_value *value,
			       const void **ret_bytes, struct demon_err *err)
{
	const void *bytes = NULL;
	char *copy;
	enum demon_rc rc;

	*ret_bytes = value->bytes;
	if (value->bytes || value->form != DEMON_TRIE_LONG)
		return DEMON_OK;
	if ((rc = demon_pack_read(s->db, value->ref.position, &s->chunk, err)) ||
	    (rc = demon_trie_value_decode(&s->chunk, value->len, &bytes, err)))
		return rc;
	copy = demon_arena_new(&s->arena, value->len + 1, 1);
	if (!copy)
		return no_memory(err);
	memcpy(copy, bytes, value->len);
	*ret_bytes = copy;
	return DEMON_OK;
}

/* --- changing ------------------------------------------------------------------------------ */

enum change { UNCHANGED, CHANGED, INSERTED };

struct put {
	struct demon_trie *trie;
	struct path path;
	struct demon_trie_entry entry;
	enum change change;
};

static void touch(struct demon_trie_node *node)
{
	node->dirty = true;
	node->hashed = false;
}

/* Whether a value is what stands there already; of sets nobody knows. */
static bool same_value(const struct demon_trie_value *a, const struct demon_trie_value *b)
{
	if (a->form != b->form || a->form == DEMON_TRIE_SET || a->len != b->len)
		return false;
	if (a->form == DEMON_TRIE_LONG)
		return memcmp(a->ref.hash, b->ref.hash, DEMON_HASH_LEN) == 0;
	return memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Divides a leaf that has grown too large: its entries go one level down. */
static enum demon_rc divide(struct demon_trie *t, struct demon_trie_child *at, unsigned depth,
			    struct demon_err *err);

static enum demon_rc insert(struct demon_trie *t, struct demon_trie_child *at, unsigned depth,
			    const struct demon_trie_entry *entry, size_t i, struct demon_err *err)
{
	struct demon_trie_node *leaf = at->node;

	memmove(&leaf->entry[i + 1], &leaf->entry[i], (leaf->count - i) * sizeof(leaf->entry[0]));
	leaf->entry[i] = *entry;
	leaf->entry[i].slot = -1;
	leaf->count++;
	touch(leaf);
	return leaf->count > DEMON_TRIE_LEAF_MAX ? divide(t, at, depth, err) : DEMON_OK;
}

static enum demon_rc divide(struct demon_trie *t, struct demon_trie_child *at, unsigned depth,
			    struct demon_err *err)
{
	struct demon_trie_node *leaf = at->node;
	struct demon_trie_node *node = demon_trie_node_new(&t->session->arena, false);
	enum demon_rc rc;

	if (!node)
		return no_memory(err);
	if (depth == 2 * DEMON_HASH_LEN)
		return demon_err_set(err, DEMON_INTERNAL, "two keys with one hash");
	node->count = leaf->count;
	touch(node);
	at->node = node;
	for (size_t i = 0; i < leaf->count; i++) {
		const struct demon_trie_entry *e = &leaf->entry[i];
		struct path path = path_of(t->session, e->key, e->key_len);
		struct demon_trie_child *child = &node->child[slot_at(&path, depth)];

		if (!child->node)
			child->node = demon_trie_node_new(&t->session->arena, true);
		if (!child->node)
			return no_memory(err);
		rc = insert(t, child, depth + 1, e, child->node->count, err);
		if (rc)
			return rc;
	}
	return DEMON_OK;
}

static enum demon_rc put_in_leaf(struct put *p, struct demon_trie_child *at, unsigned depth,
				 struct demon_err *err)
{
	struct demon_trie_node *leaf = at->node;
	bool found;
	size_t i = find_entry(leaf, p->entry.key, p->entry.key_len, &found);
	char *key;

	if (found && same_value(&leaf->entry[i].value, &p->entry.value))
		return DEMON_OK;
	if (found) {
		leaf->entry[i].value = p->entry.value;
		leaf->entry[i].slot = -1;
		touch(leaf);
		p->change = CHANGED;
		return DEMON_OK;
	}
	key = demon_arena_new(&p->trie->session->arena, (size_t)p->entry.key_len + 1, 1);
	if (!key)
		return no_memory(err);
	memcpy(key, p->entry.key, p->entry.key_len);
	p->entry.key = key;
	p->change = INSERTED;
	return insert(p->trie, at, depth, &p->entry, i, err);
}

static enum demon_rc put_at(struct put *p, struct demon_trie_child *at, unsigned depth,
			    struct demon_err *err)
{
	unsigned slot;
	enum demon_rc rc = load(p->trie, at, err);

	if (rc)
		return rc;
	if (at->node->leaf)
		return put_in_leaf(p, at, depth, err);
	if (depth == 2 * DEMON_HASH_LEN)
		return demon_err_set(err, DEMON_CORRUPT, "graph_packs: a trie without end");
	slot = slot_at(&p->path, depth);
	if ((rc = put_at(p, &at->node->child[slot], depth + 1, err)) || p->change == UNCHANGED)
		return rc;
	touch(at->node);
	at->node->changed |= (uint16_t)(1U << slot);
	at->node->count += p->change == INSERTED;
	return DEMON_OK;
}

static enum demon_rc put_entry(struct demon_trie *t, const char *key, size_t len,
			       const struct demon_trie_value *value, struct demon_err *err)
{
	struct put p = {.trie = t, .path = path_of(t->session, key, len)};

	if (len > DEMON_TRIE_KEY_MAX)
		return demon_err_set(err, DEMON_INTERNAL, "a key of %zu bytes", len);
	p.entry = (struct demon_trie_entry){
	    .key = key, .key_len = (unsigned char)len, .slot = -1, .value = *value};
	return put_at(&p, &t->root, 0, err);
}

enum demon_rc demon_trie_put(struct demon_trie *t, const char *key, size_t len, const void *bytes,
			     size_t bytes_len, struct demon_err *err)
{
	struct demon_trie_value value = {.bytes = bytes, .len = bytes_len};
	struct demon_sha256 *sha = t->session->sha;

	if (bytes_len > DEMON_TRIE_INLINE_MAX) {
		value.form = DEMON_TRIE_LONG;
		demon_sha256_begin(sha);
		demon_sha256_add(sha, bytes, bytes_len);
		demon_sha256_end(sha, value.ref.hash);
	}
	return put_entry(t, key, len, &value, err);
}

enum demon_rc demon_trie_put_set(struct demon_trie *t, const char *key, size_t len,
				 struct demon_trie *set, struct demon_err *err)
{
	const struct demon_trie_value value = {.form = DEMON_TRIE_SET, .set = set};

	return put_entry(t, key, len, &value, err);
}

/* Moves all entries below @p at into @p leaf. */
static enum demon_rc gather(struct demon_trie *t, struct demon_trie_child *at,
			    struct demon_trie_node *leaf, struct demon_err *err)
{
	struct demon_trie_node *node;
	enum demon_rc rc;

	if ((rc = load(t, at, err)))
		return rc;
	node = at->node;
	for (size_t i = 0; node->leaf && i < node->count; i++) {
		const struct demon_trie_entry *e = &node->entry[i];
		bool found;
		size_t place = find_entry(leaf, e->key, e->key_len, &found);

		if (found || leaf->count == DEMON_TRIE_LEAF_MAX)
			return demon_err_set(err, DEMON_CORRUPT,
					     "graph_packs: a trie has more entries than it says");
		(void)insert(t, &(struct demon_trie_child){.node = leaf}, 0, e, place, err);
	}
	for (size_t i = 0; !node->leaf && i < DEMON_TRIE_FANOUT && !rc; i++)
		if (demon_trie_child_is(&node->child[i]))
			rc = gather(t, &node->child[i], leaf, err);
	return rc;
}

static enum demon_rc collapse(struct demon_trie *t, struct demon_trie_child *at,
			      struct demon_err *err)
{
	struct demon_trie_node *leaf = demon_trie_node_new(&t->session->arena, true);
	enum demon_rc rc;

	if (!leaf)
		return no_memory(err);
	touch(leaf);
	if ((rc = gather(t, at, leaf, err)))
		return rc;
	at->node = leaf;
	return DEMON_OK;
}

/* Removes the path's key below @p at; *removed says whether it was there. */
static enum demon_rc remove_at(struct put *p, struct demon_trie_child *at, unsigned depth,
			       struct demon_err *err)
{
	struct demon_trie_node *node;
	struct demon_trie_child *child;
	unsigned slot;
	bool found;
	size_t i;
	enum demon_rc rc;

	if ((rc = load(p->trie, at, err)))
		return rc;
	node = at->node;
	if (node->leaf) {
		i = find_entry(node, p->entry.key, p->entry.key_len, &found);
		if (!found)
			return DEMON_OK;
		node->count--;
		memmove(&node->entry[i], &node->entry[i + 1],
			(node->count - i) * sizeof(node->entry[0]));
		touch(node);
		p->change = CHANGED;
		return DEMON_OK;
	}
	slot = slot_at(&p->path, depth);
	child = &node->child[slot];
	if (depth == 2 * DEMON_HASH_LEN || !demon_trie_child_is(child))
		return DEMON_OK;
	if ((rc = remove_at(p, child, depth + 1, err)) || p->change == UNCHANGED)
		return rc;
	touch(node);
	node->changed |= (uint16_t)(1U << slot);
	if (child->node->count == 0)
		*child = (struct demon_trie_child){0};
	if (--node->count > DEMON_TRIE_LEAF_MAX)
		return DEMON_OK;
	return collapse(p->trie, at, err);
}

enum demon_rc demon_trie_remove(struct demon_trie *t, const char *key, size_t len,
				bool *ret_removed, struct demon_err *err)
{
	struct put p = {.trie = t, .path = path_of(t->session, key, len)};
	enum demon_rc rc;

	p.entry = (struct demon_trie_entry){.key = key, .key_len = (unsigned char)len};
	rc = remove_at(&p, &t->root, 0, err);
	if (ret_removed)
		*ret_removed = p.change != UNCHANGED;
	return rc;
}

enum demon_rc demon_trie_count(struct demon_trie *t, uint64_t *ret, struct demon_err *err)
{
	enum demon_rc rc = load(t, &t->root, err);

	if (!rc)
		*ret = t->root.node->count;
	return rc;
}
