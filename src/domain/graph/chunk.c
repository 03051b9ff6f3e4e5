#include "chunk.h"

#include <string.h>

#define HASH_PREFIX "demon.graph\0\1"

enum kind { INTERIOR_FRAME = 1, INTERIOR_DELTA, LEAF_FRAME, LEAF_DELTA, VALUE };

struct demon_trie_node *demon_trie_node_new(struct demon_arena *arena, bool leaf)
{
	struct demon_trie_node *node = demon_arena_new(arena, 1, sizeof(*node));

	if (!node)
		return NULL;
	node->leaf = leaf;
	if (leaf)
		node->entry = demon_arena_new(arena, DEMON_TRIE_LEAF_MAX + 1, sizeof(*node->entry));
	else
		node->child = demon_arena_new(arena, DEMON_TRIE_FANOUT, sizeof(*node->child));
	return node->entry || node->child ? node : NULL;
}

/* --- hashing ------------------------------------------------------------------------------- */

void demon_trie_hash_begin(struct demon_sha256 *sha, unsigned char form)
{
	demon_sha256_begin(sha);
	demon_sha256_add(sha, HASH_PREFIX, sizeof(HASH_PREFIX) - 1);
	demon_sha256_add(sha, &form, 1);
}

static void add_be16(struct demon_buf *out, unsigned v)
{
	demon_buf_char(out, (char)(v >> 8));
	demon_buf_char(out, (char)v);
}

static void form_of_value(const struct demon_trie_value *value, struct demon_buf *out)
{
	demon_buf_char(out, (char)value->form);
	if (value->form == DEMON_TRIE_INLINE) {
		add_be16(out, (unsigned)value->len);
		demon_buf_add(out, value->bytes, value->len);
		return;
	}
	if (value->form == DEMON_TRIE_LONG)
		demon_buf_be32(out, (uint32_t)value->len);
	demon_buf_add(out, value->ref.hash, DEMON_HASH_LEN);
}

static void form_of_leaf(const struct demon_trie_node *node, struct demon_buf *out)
{
	demon_buf_char(out, (char)node->count);
	for (size_t i = 0; i < node->count; i++) {
		const struct demon_trie_entry *e = &node->entry[i];

		demon_buf_char(out, (char)e->key_len);
		demon_buf_add(out, e->key, e->key_len);
		form_of_value(&e->value, out);
	}
}

static unsigned slots_of(const struct demon_trie_node *node)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < DEMON_TRIE_FANOUT; i++)
		if (demon_trie_child_is(&node->child[i]))
			mask |= 1U << i;
	return mask;
}

static void form_of_interior(const struct demon_trie_node *node, struct demon_buf *out)
{
	demon_buf_be64(out, node->count);
	add_be16(out, slots_of(node));
	for (size_t i = 0; i < DEMON_TRIE_FANOUT; i++)
		if (demon_trie_child_is(&node->child[i]))
			demon_buf_add(out, node->child[i].ref.hash, DEMON_HASH_LEN);
}

void demon_trie_node_hash(struct demon_sha256 *sha, const struct demon_trie_node *node,
			  struct demon_buf *scratch, unsigned char out[DEMON_HASH_LEN])
{
	demon_buf_clear(scratch);
	if (node->leaf)
		form_of_leaf(node, scratch);
	else
		form_of_interior(node, scratch);
	demon_trie_hash_begin(sha, node->leaf ? 1 : 2);
	demon_sha256_add(sha, scratch->data, scratch->len);
	demon_sha256_end(sha, out);
}

/* --- writing ------------------------------------------------------------------------------- */

static void add_varint(struct demon_buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		demon_buf_char(out, (char)(v | 0x80));
	demon_buf_char(out, (char)v);
}

static void add_ref(struct demon_buf *out, const struct demon_trie_ref *ref)
{
	demon_buf_add(out, ref->hash, DEMON_HASH_LEN);
	add_varint(out, ref->position);
}

static void add_children(const struct demon_trie_node *node, unsigned mask, struct demon_buf *out)
{
	add_be16(out, mask);
	for (unsigned i = 0; i < DEMON_TRIE_FANOUT; i++)
		if (mask & 1U << i)
			add_ref(out, &node->child[i].ref);
}

static void add_entry(const struct demon_trie_entry *e, struct demon_buf *out)
{
	demon_buf_char(out, (char)e->key_len);
	demon_buf_add(out, e->key, e->key_len);
	demon_buf_char(out, (char)e->value.form);
	if (e->value.form != DEMON_TRIE_SET)
		add_varint(out, e->value.len);
	if (e->value.form == DEMON_TRIE_INLINE)
		demon_buf_add(out, e->value.bytes, e->value.len);
	else
		add_ref(out, &e->value.ref);
}

static void add_delta_head(const struct demon_trie_node *node, enum kind kind,
			   struct demon_buf *out)
{
	demon_buf_char(out, (char)kind);
	add_varint(out, node->keyframe);
	demon_buf_char(out, (char)(node->deltas + 1));
}

static void encode_interior(const struct demon_trie_node *node, bool delta, struct demon_buf *out)
{
	unsigned slots = slots_of(node);

	if (delta)
		add_delta_head(node, INTERIOR_DELTA, out);
	else
		demon_buf_char(out, INTERIOR_FRAME);
	add_varint(out, node->count);
	if (delta)
		add_be16(out, node->changed);
	add_children(node, delta ? slots & node->changed : slots, out);
}

static void encode_leaf(const struct demon_trie_node *node, bool delta, struct demon_buf *out)
{
	unsigned gone = (1U << node->frame) - 1;
	size_t written = 0;

	for (size_t i = 0; i < node->count; i++) {
		if (node->entry[i].slot >= 0)
			gone &= ~(1U << node->entry[i].slot);
		if (!delta || node->entry[i].slot < 0)
			written++;
	}
	if (delta) {
		add_delta_head(node, LEAF_DELTA, out);
		demon_buf_char(out, (char)gone);
	} else {
		demon_buf_char(out, LEAF_FRAME);
	}
	demon_buf_char(out, (char)written);
	for (size_t i = 0; i < node->count; i++)
		if (!delta || node->entry[i].slot < 0)
			add_entry(&node->entry[i], out);
}

/* A delta pays while it has at most three quarters of what a keyframe has. */
static bool delta_pays(const struct demon_trie_node *node)
{
	size_t differ = 0;

	if (!node->keyframe || node->deltas >= DEMON_TRIE_DELTAS_MAX)
		return false;
	if (!node->leaf)
		return (size_t)__builtin_popcount(node->changed) * 4 <=
		       (size_t)__builtin_popcount(slots_of(node)) * 3;
	for (size_t i = 0; i < node->count; i++)
		differ += node->entry[i].slot < 0;
	return differ * 4 <= node->count * 3;
}

void demon_trie_node_encode(const struct demon_trie_node *node, struct demon_buf *out,
			    bool *ret_delta)
{
	*ret_delta = delta_pays(node);
	if (node->leaf)
		encode_leaf(node, *ret_delta, out);
	else
		encode_interior(node, *ret_delta, out);
}

void demon_trie_value_encode(const void *bytes, size_t len, struct demon_buf *out)
{
	demon_buf_char(out, VALUE);
	add_varint(out, len);
	demon_buf_add(out, bytes, len);
}

/* --- reading ------------------------------------------------------------------------------- */

/* A place in a chunk; `bad` sticks. */
struct scan {
	const unsigned char *at;
	const unsigned char *end;
	bool bad;
};

static struct scan scan_of(const struct demon_buf *chunk)
{
	const unsigned char *at = (const unsigned char *)chunk->data;

	return (struct scan){at, at + chunk->len, false};
}

static const unsigned char *take(struct scan *s, size_t n)
{
	const unsigned char *at = s->at;

	if (s->bad || (size_t)(s->end - at) < n) {
		s->bad = true;
		return NULL;
	}
	s->at += n;
	return at;
}

static unsigned take_byte(struct scan *s)
{
	const unsigned char *at = take(s, 1);

	return at ? *at : 0;
}

static unsigned take_be16(struct scan *s)
{
	unsigned high = take_byte(s);

	return high << 8 | take_byte(s);
}

static uint64_t take_varint(struct scan *s)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned byte = take_byte(s);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	s->bad = true;
	return 0;
}

static void take_ref(struct scan *s, struct demon_trie_ref *ref)
{
	const unsigned char *hash = take(s, DEMON_HASH_LEN);

	if (hash)
		memcpy(ref->hash, hash, DEMON_HASH_LEN);
	ref->position = take_varint(s);
}

static void *copy(struct scan *s, size_t n, struct demon_arena *arena)
{
	const unsigned char *from = take(s, n);
	char *to = from ? demon_arena_new(arena, n + 1, 1) : NULL;

	if (!to) {
		s->bad = true;
		return NULL;
	}
	memcpy(to, from, n);
	return to;
}

static void take_entry(struct scan *s, struct demon_arena *arena, struct demon_trie_entry *e)
{
	unsigned form;

	e->key_len = (unsigned char)take_byte(s);
	e->key = copy(s, e->key_len, arena);
	e->slot = -1;
	form = take_byte(s);
	if (form > DEMON_TRIE_SET) {
		s->bad = true;
		return;
	}
	e->value = (struct demon_trie_value){.form = (enum demon_trie_form)form};
	if (form != DEMON_TRIE_SET)
		e->value.len = take_varint(s);
	if (form == DEMON_TRIE_INLINE)
		e->value.bytes = copy(s, e->value.len, arena);
	else
		take_ref(s, &e->value.ref);
}

static void take_entries(struct scan *s, struct demon_arena *arena, struct demon_trie_node *node,
			 bool frame)
{
	unsigned n = take_byte(s);

	if (node->count + n > DEMON_TRIE_LEAF_MAX)
		s->bad = true;
	for (unsigned i = 0; i < n && !s->bad; i++) {
		struct demon_trie_entry *e = &node->entry[node->count];

		take_entry(s, arena, e);
		if (frame)
			e->slot = (signed char)i;
		node->count++;
	}
	if (frame)
		node->frame = (unsigned char)n;
}

static void take_children(struct scan *s, struct demon_trie_node *node)
{
	unsigned mask = take_be16(s);

	for (unsigned i = 0; i < DEMON_TRIE_FANOUT && !s->bad; i++)
		if (mask & 1U << i)
			take_ref(s, &node->child[i].ref);
}

static void take_frame(struct scan *s, struct demon_arena *arena, struct demon_trie_node *node)
{
	if (take_byte(s) != (unsigned)(node->leaf ? LEAF_FRAME : INTERIOR_FRAME)) {
		s->bad = true;
		return;
	}
	if (node->leaf) {
		take_entries(s, arena, node, true);
		return;
	}
	node->count = take_varint(s);
	take_children(s, node);
}

/* Entries of a delta stand behind those of the keyframe that stay; puts them in their order. */
static void sort_entries(struct demon_trie_node *node)
{
	for (size_t i = 1; i < node->count; i++) {
		struct demon_trie_entry e = node->entry[i];
		size_t at = i;

		for (; at > 0 && strcmp(node->entry[at - 1].key, e.key) > 0; at--)
			node->entry[at] = node->entry[at - 1];
		node->entry[at] = e;
	}
}

static void drop_entries(struct demon_trie_node *node, unsigned gone)
{
	size_t kept = 0;

	for (size_t i = 0; i < node->count; i++)
		if (!(gone & 1U << node->entry[i].slot))
			node->entry[kept++] = node->entry[i];
	node->count = kept;
}

static void take_delta(struct scan *s, struct demon_arena *arena, struct demon_trie_node *node)
{
	if (node->leaf) {
		drop_entries(node, take_byte(s));
		take_entries(s, arena, node, false);
		if (!s->bad)
			sort_entries(node);
		return;
	}
	node->count = take_varint(s);
	node->changed = (uint16_t)take_be16(s);
	for (unsigned i = 0; i < DEMON_TRIE_FANOUT; i++)
		if (node->changed & 1U << i)
			node->child[i] = (struct demon_trie_child){0};
	take_children(s, node);
}

uint64_t demon_trie_chunk_keyframe(const struct demon_buf *chunk)
{
	struct scan s = scan_of(chunk);
	unsigned kind = take_byte(&s);

	return kind == INTERIOR_DELTA || kind == LEAF_DELTA ? take_varint(&s) : 0;
}

enum demon_rc demon_trie_node_decode(const struct demon_buf *chunk, const struct demon_buf *frame,
				     uint64_t position, struct demon_arena *arena,
				     struct demon_trie_node **ret_node, struct demon_err *err)
{
	struct scan s = scan_of(chunk);
	unsigned kind = chunk->len ? (unsigned char)chunk->data[0] : 0;
	bool delta = kind == LEAF_DELTA || kind == INTERIOR_DELTA;
	struct demon_trie_node *node =
	    demon_trie_node_new(arena, kind == LEAF_FRAME || kind == LEAF_DELTA);

	if (!node)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a graph");
	if (delta) {
		struct scan f = scan_of(frame);

		take_frame(&f, arena, node);
		(void)take_byte(&s);
		node->keyframe = take_varint(&s);
		node->deltas = (unsigned char)take_byte(&s);
		s.bad = s.bad || f.bad;
		if (!s.bad)
			take_delta(&s, arena, node);
	} else {
		take_frame(&s, arena, node);
		node->keyframe = position;
	}
	if (s.bad)
		return demon_err_set(err, DEMON_CORRUPT, "graph_packs: no node at %llu/%llu",
				     (unsigned long long)(position >> 12),
				     (unsigned long long)(position & 0xfff));
	*ret_node = node;
	return DEMON_OK;
}

enum demon_rc demon_trie_value_decode(const struct demon_buf *chunk, size_t len,
				      const void **ret_bytes, struct demon_err *err)
{
	struct scan s = scan_of(chunk);

	if (take_byte(&s) == VALUE && take_varint(&s) == len)
		*ret_bytes = take(&s, len);
	else
		s.bad = true;
	return s.bad ? demon_err_set(err, DEMON_CORRUPT, "graph_packs: a value is damaged")
		     : DEMON_OK;
}
