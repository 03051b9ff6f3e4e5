/*
 * Nodes of tries: in memory, as they are hashed (docs/format.md §17), and as they are stored.
 *
 * Stored, a reference to a chunk is its hash and its position (pack.h), so nothing has to be found
 * by hash. A node is written as a keyframe, or as a delta to one: all that differs from the
 * keyframe, so reading takes two rows at most. Integers are LEB128 varints, masks two bytes, most
 * significant first.
 *
 *	keyframe of an interior node  01, entries below, mask of slots, references
 *	delta of an interior node     02, keyframe, n, entries below, mask of slots that differ,
 *mask of those of them that are there, their references keyframe of a leaf            03, number of
 *entries, entries delta of a leaf               04, keyframe, n, mask (1 byte) of the keyframe's
 *entries that are gone or changed, number of entries, entries value                         05,
 *length, bytes reference                     hash (32 bytes), position entry length of key (1
 *byte), key, form (1 byte), then form 0: length, bytes; 1: length, reference to a value; 2:
 *reference to the root of a trie; position 0: it is empty
 *
 * with n the number of deltas since the keyframe.
 */
#ifndef DEMON_GRAPH_CHUNK_H
#define DEMON_GRAPH_CHUNK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"

#define DEMON_TRIE_FANOUT     16
#define DEMON_TRIE_LEAF_MAX   8
#define DEMON_TRIE_INLINE_MAX 512
#define DEMON_TRIE_KEY_MAX    255
#define DEMON_TRIE_DELTAS_MAX 4

struct demon_trie;

/** A stored node or value. Position 0: not stored, or the empty trie. */
struct demon_trie_ref {
	unsigned char hash[DEMON_HASH_LEN];
	uint64_t position;
};

enum demon_trie_form {
	DEMON_TRIE_INLINE, /* bytes, up to 512 */
	DEMON_TRIE_LONG,   /* more; `bytes` is NULL until they are read */
	DEMON_TRIE_SET,    /* another trie */
};

struct demon_trie_value {
	enum demon_trie_form form;
	const void *bytes; /* in the arena of the node */
	size_t len;
	struct demon_trie_ref ref; /* LONG: of the bytes; SET: of the root */
	struct demon_trie *set;    /* SET that is being changed, or NULL */
};

struct demon_trie_entry {
	const char *key; /* NUL-terminated, in the arena of the node */
	unsigned char key_len;
	signed char slot; /* which entry of the keyframe it is; -1: none */
	struct demon_trie_value value;
};

struct demon_trie_child {
	struct demon_trie_ref ref;    /* the hash is out of date while `node` is dirty */
	struct demon_trie_node *node; /* NULL: not read */
};

struct demon_trie_node {
	bool leaf;
	bool dirty;           /* differs from what is stored */
	bool hashed;          /* `hash` is right */
	unsigned char deltas; /* since the keyframe, with the stored one */
	unsigned char frame;  /* leaf: entries of the keyframe */
	uint64_t keyframe;    /* position, 0: none */
	uint64_t count;       /* entries below; of a leaf: its own */
	unsigned char hash[DEMON_HASH_LEN];
	uint16_t changed;               /* interior: slots that differ from the keyframe */
	struct demon_trie_child *child; /* interior: [DEMON_TRIE_FANOUT] */
	struct demon_trie_entry *entry; /* leaf: [DEMON_TRIE_LEAF_MAX + 1], by key */
};

/** True when there is something in this slot. */
static inline bool demon_trie_child_is(const struct demon_trie_child *child)
{
	return child->node || child->ref.position;
}

/** An empty leaf, or an interior node without children, in @p arena; NULL: memory ran out. */
struct demon_trie_node *demon_trie_node_new(struct demon_arena *arena, bool leaf);

/** Begins a hash over a form of docs/format.md §17. */
void demon_trie_hash_begin(struct demon_sha256 *sha, unsigned char form);

/** Hashes a node whose children and values have their hashes. @p scratch is cleared and used. */
void demon_trie_node_hash(struct demon_sha256 *sha, const struct demon_trie_node *node,
			  struct demon_buf *scratch, unsigned char out[DEMON_HASH_LEN]);

/** Appends the node as a delta, where that is shorter, or as a keyframe. Children and values have
 * their positions. *ret_delta says which. */
void demon_trie_node_encode(const struct demon_trie_node *node, struct demon_buf *out,
			    bool *ret_delta);

/** Appends a value chunk. */
void demon_trie_value_encode(const void *bytes, size_t len, struct demon_buf *out);

/** The position of the keyframe of the delta at @p chunk; 0: it is no delta. */
uint64_t demon_trie_chunk_keyframe(const struct demon_buf *chunk);

/** Reads a chunk, with its keyframe (@p frame, read if need be) when it is a delta, into a new node
 * in
 * @p arena. DEMON_CORRUPT. */
enum demon_rc demon_trie_node_decode(const struct demon_buf *chunk, const struct demon_buf *frame,
				     uint64_t position, struct demon_arena *arena,
				     struct demon_trie_node **ret_node, struct demon_err *err)
    demon_must_check;

/** The bytes of a value chunk, borrowed from it. DEMON_CORRUPT. */
enum demon_rc demon_trie_value_decode(const struct demon_buf *chunk, size_t len,
				      const void **ret_bytes, struct demon_err *err)
    demon_must_check;

#endif
