/*
 * The state of a commit: nodes, edges, and which edges enter and leave a node (docs/format.md §17).
 */
#ifndef DEMON_GRAPH_STATE_H
#define DEMON_GRAPH_STATE_H

#include "mutation.h"
#include "trie.h"

/** Where the three tries of a state are stored. */
struct demon_graph_tries {
	struct demon_trie_ref nodes;
	struct demon_trie_ref edges;
	struct demon_trie_ref adjacency;
};

/** Bytes of demon_graph_tries_encode at most. */
#define DEMON_GRAPH_TRIES_MAX ((size_t)3 * (DEMON_HASH_LEN + 8))

/** As one string of bytes, for a column; returns its length. */
size_t demon_graph_tries_encode(const struct demon_graph_tries *tries,
				unsigned char out[DEMON_GRAPH_TRIES_MAX]);
enum demon_rc demon_graph_tries_decode(const void *bytes, size_t len, struct demon_graph_tries *ret,
				       struct demon_err *err) demon_must_check;

/** A state that is read, and perhaps changed; begun and done. */
struct demon_graph_state {
	struct demon_trie_session session;
	struct demon_trie *nodes;
	struct demon_trie *edges;
	struct demon_trie *adjacency;
};

/** @p tries NULL: the empty state. */
enum demon_rc demon_graph_state_begin(struct demon_graph_state *state, struct demon_db *db,
				      const struct demon_graph_tries *tries, struct demon_err *err)
    demon_must_check;
void demon_graph_state_done(struct demon_graph_state *state);

/** The value of a node or edge: canonical JSON that lives as long as the state; absent: there is
 * none. */
enum demon_rc demon_graph_state_node(struct demon_graph_state *state, const char *id, size_t len,
				     struct demon_json_span *ret, struct demon_err *err)
    demon_must_check;
enum demon_rc demon_graph_state_edge(struct demon_graph_state *state, const char *id, size_t len,
				     struct demon_json_span *ret, struct demon_err *err)
    demon_must_check;

/** An edge as its ends see it. Borrowed. */
struct demon_graph_link {
	const char *edge;
	size_t edge_len;
	const char *other; /* id of the other end */
	size_t other_len;
	const char *label; /* text; length 0: none */
	size_t label_len;
};
typedef enum demon_rc demon_graph_link_fn(void *ctx, const struct demon_graph_link *link,
					  struct demon_err *err);

/** Hands out the edges that leave (@p out) or enter a node. */
enum demon_rc demon_graph_state_links(struct demon_graph_state *state, const char *id, size_t len,
				      bool out, demon_graph_link_fn *fn, void *ctx,
				      struct demon_err *err) demon_must_check;

/** Applies a mutation as it is given: puts what it puts, removes what is there. */
enum demon_rc demon_graph_state_apply(struct demon_graph_state *state,
				      const struct demon_graph_mutation *m, struct demon_err *err)
    demon_must_check;

/** Whether the mutation fits the state: what it adds is not there, what it changes or removes is,
 * and so are the ends of an edge. DEMON_CONFLICT, which names what is in the way. */
enum demon_rc demon_graph_state_check(struct demon_graph_state *state,
				      const struct demon_graph_mutation *m, struct demon_err *err)
    demon_must_check;

/** The state root. */
enum demon_rc demon_graph_state_root(struct demon_graph_state *state,
				     unsigned char out[DEMON_HASH_LEN], struct demon_err *err)
    demon_must_check;

/** The root of stored tries, by their hashes. */
void demon_graph_tries_root(struct demon_sha256 *sha, const struct demon_graph_tries *tries,
			    unsigned char out[DEMON_HASH_LEN]);

/** Stores what is new. */
enum demon_rc demon_graph_state_store(struct demon_graph_state *state,
				      struct demon_graph_tries *ret, struct demon_err *err)
    demon_must_check;

#endif
