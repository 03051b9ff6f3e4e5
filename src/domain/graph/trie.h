/*
 * Tries: maps from keys to bytes, or to other tries, whose root hash depends on their entries alone
 * (docs/format.md §17), and whose versions share what they have in common.
 *
 * A stored trie never changes. One that is opened is read as it is touched, changed in memory, and
 * stored as new nodes beside the old ones. All that belongs to one session ends together.
 */
#ifndef DEMON_GRAPH_TRIE_H
#define DEMON_GRAPH_TRIE_H

#include "chunk.h"
#include "pack.h"

/** A connection and the memory of what is read through it; zeroed, begun, done. One thread. */
struct demon_trie_session {
	struct demon_db *db; /* borrowed */
	struct demon_arena arena;
	struct demon_sha256 *sha; /* owned */
	struct demon_pack pack;
	struct demon_buf chunk;
	struct demon_buf frame;
};

enum demon_rc demon_trie_session_begin(struct demon_trie_session *s, struct demon_db *db,
				       struct demon_err *err) demon_must_check;
void demon_trie_session_done(struct demon_trie_session *s);

/** A version of a trie that may be changed. */
struct demon_trie {
	struct demon_trie_session *session;
	struct demon_trie_child root;
};

/** A trie in the session's arena: what @p ref names, or empty (NULL). NULL: memory ran out. */
struct demon_trie *demon_trie_open(struct demon_trie_session *s, const struct demon_trie_ref *ref);

/** What stands under @p key, in the session's arena; *ret is NULL: nothing. */
enum demon_rc demon_trie_get(struct demon_trie *t, const char *key, size_t len,
			     const struct demon_trie_value **ret, struct demon_err *err)
    demon_must_check;

/** The bytes of a value that is no set; they live as long as the session. */
enum demon_rc demon_trie_bytes(struct demon_trie_session *s, const struct demon_trie_value *value,
			       const void **ret_bytes, struct demon_err *err) demon_must_check;

/** Puts bytes under a key. They are borrowed until the session is done. */
enum demon_rc demon_trie_put(struct demon_trie *t, const char *key, size_t len, const void *bytes,
			     size_t bytes_len, struct demon_err *err) demon_must_check;

/** Puts another trie under a key, again whenever that has changed. */
enum demon_rc demon_trie_put_set(struct demon_trie *t, const char *key, size_t len,
				 struct demon_trie *set, struct demon_err *err) demon_must_check;

/** Removes a key. *ret_removed is false when it is not there; may be NULL. */
enum demon_rc demon_trie_remove(struct demon_trie *t, const char *key, size_t len,
				bool *ret_removed, struct demon_err *err) demon_must_check;

/** Number of entries. */
enum demon_rc demon_trie_count(struct demon_trie *t, uint64_t *ret, struct demon_err *err)
    demon_must_check;

/** The root hash, without storing anything. */
enum demon_rc demon_trie_hash(struct demon_trie *t, unsigned char out[DEMON_HASH_LEN],
			      struct demon_err *err) demon_must_check;

/** Stores what is new. The caller flushes the session's pack. */
enum demon_rc demon_trie_store(struct demon_trie *t, struct demon_trie_ref *ret,
			       struct demon_err *err) demon_must_check;

/** Receives entries, borrowed during the call; DEMON_CANCELED, or any other code, ends the walk. */
typedef enum demon_rc demon_trie_entry_fn(void *ctx, const struct demon_trie_entry *entry,
					  struct demon_err *err);

/** Hands out all entries, in the order of their leaves, without keeping what is read. @p fn does
 * not change the trie. */
enum demon_rc demon_trie_walk(struct demon_trie *t, demon_trie_entry_fn *fn, void *ctx,
			      struct demon_err *err) demon_must_check;

/** Receives a key whose value differs; NULL: not there. Borrowed during the call. */
typedef enum demon_rc demon_trie_diff_fn(void *ctx, const struct demon_trie_entry *before,
					 const struct demon_trie_entry *after,
					 struct demon_err *err);

/** Hands out what differs between two stored tries; what they share is not read. */
enum demon_rc demon_trie_diff(struct demon_trie_session *s, const struct demon_trie_ref *before,
			      const struct demon_trie_ref *after, demon_trie_diff_fn *fn, void *ctx,
			      struct demon_err *err) demon_must_check;

/** Reads the node at @p position into @p arena, without looking at its hash. Position 0 is an empty
 * leaf. */
enum demon_rc demon_trie_read(struct demon_trie_session *s, uint64_t position,
			      struct demon_arena *arena, struct demon_trie_node **ret_node,
			      struct demon_err *err) demon_must_check;

/** The hash of the empty trie. */
void demon_trie_empty_hash(struct demon_trie_session *s, unsigned char out[DEMON_HASH_LEN]);

#endif
