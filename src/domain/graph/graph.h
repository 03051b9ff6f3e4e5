/*
 * Graphs: nodes and edges under a history of commits, answered at any commit.
 *
 * A graph is named by its scope and exists once it has a commit. A commit is content-addressed and
 * never changes; its parents are real, and its state is that of its first parent with its mutations
 * applied. Tags are names for commits that move. docs/format.md §16 and §17 define the bytes.
 *
 * This header makes commits and tags and checks them; query.h reads the state at a commit,
 *history.h lists and compares commits, merge.h merges them, transfer.h takes states out and in.
 *
 * Any function may be called from any thread, unless it takes a struct demon_write. Where a commit
 *is asked for as text, `ref` is a commit id, the first 8 digits of one or more, or a tag; an id
 *goes before a tag. DEMON_NOTFOUND: there is no such graph, commit or tag; DEMON_CONFLICT: the
 *digits fit several commits; DEMON_INVALID: an id that is none.
 *
 * Nodes and edges are handed out as canonical JSON:
 *
 *	{"labels":["Key"],"nodeId":"k-1","properties":{"bits":256}}
 *	{"edgeId":"e-1","from":"k-1","label":"signs","properties":{},"to":"k-2"}
 *
 * with `labels` and `properties` always, and `label` only where there is one.
 */
#ifndef DEMON_GRAPH_H
#define DEMON_GRAPH_H

#include "base/buf.h"
#include "base/bytes.h"
#include "store/projection.h"
#include "store/write.h"

#include <demon/store.h>

#define DEMON_GRAPH_PARENTS_MAX 16
#define DEMON_GRAPH_AUTHOR_MAX  256   /* bytes */
#define DEMON_GRAPH_MESSAGE_MAX 16384 /* bytes */
#define DEMON_GRAPH_HEX_LEN     ((size_t)2 * DEMON_HASH_LEN)

/** A commit's id. */
struct demon_graph_id {
	unsigned char bytes[DEMON_HASH_LEN];
};

/** Which graph. Borrowed. */
struct demon_graph_scope {
	const char *tenant_id;
	const char *project_id;
	const char *namespace_id;
	const char *graph_id;
};

/* --- mutations ----------------------------------------------------------------------------- */

/** A list of changes that was read and found in order. */
struct demon_graph_mutations;

/**
 * Reads a JSON array of mutations: {"op": "add-node", "nodeId", "labels", "properties"} and the
 * like. Properties may also be a list of {"key", "value"}. *ret is new. DEMON_INVALID and
 * DEMON_TOOBIG with the place: line:column and JSON pointer, or "mutation 2: …", counted from 0.
 */
enum demon_rc demon_graph_mutations_parse(const char *text, size_t len,
					  struct demon_graph_mutations **ret, struct demon_err *err)
    demon_must_check;
void demon_graph_mutations_free(struct demon_graph_mutations *list);
void demon_graph_mutations_free_p(struct demon_graph_mutations **list);
size_t demon_graph_mutations_count(const struct demon_graph_mutations *list);
/** Appends the list as a canonical JSON array. */
void demon_graph_mutations_text(const struct demon_graph_mutations *list, struct demon_buf *out);

/* --- commits ------------------------------------------------------------------------------- */

/** A commit to be made. Zero members mean the default; borrowed during the call. */
struct demon_graph_change {
	struct demon_graph_scope scope;
	const struct demon_graph_id *parents;          /* in order, each once */
	size_t parent_count;                           /* 0: a root */
	const struct demon_graph_mutations *mutations; /* NULL: none, with two parents or more */
	const char *author;                            /* NULL: not said */
	const char *message;                           /* NULL: none */
	bool create;                                   /* the graph must not exist yet */
	bool force; /* take mutations as they are: add puts, removing what is not there is no error
		     */
	demon_time ts; /* when it is made; 0: now, where there is a store */
};

struct demon_graph_committed {
	struct demon_graph_id id;
	unsigned char root[DEMON_HASH_LEN];
	demon_time ts;
	bool existed; /* the very same commit was there; nothing was written */
};

/**
 * Makes a commit, all or nothing.
 *
 * Fails: DEMON_INVALID no mutations, an id, a text; DEMON_CONFLICT a mutation that does not fit the
 * parent's state ("mutation 2: …", from 0); DEMON_EXISTS with `create`; DEMON_NOTFOUND a parent;
 * DEMON_TOOBIG more than a group holds.
 */
enum demon_rc demon_graph_commit(struct demon_store *store, const struct demon_graph_change *change,
				 struct demon_graph_committed *ret, struct demon_err *err)
    demon_must_check;

/** The same within a job (store/write.h), as one of several things; `ts` is given. */
enum demon_rc demon_graph_commit_in(struct demon_write *w, const struct demon_graph_change *change,
				    struct demon_graph_committed *ret, struct demon_err *err)
    demon_must_check;

/** Whether any commit of the graph is there. */
enum demon_rc demon_graph_exists(struct demon_store *store, const struct demon_graph_scope *scope,
				 bool *ret, struct demon_err *err) demon_must_check;

/** The id that @p ref means. */
enum demon_rc demon_graph_resolve(struct demon_store *store, const struct demon_graph_scope *scope,
				  const char *ref, struct demon_graph_id *ret,
				  struct demon_err *err) demon_must_check;

/** Appends the commit as a JSON object: the members of its event, all mutations, `mutationsCount`,
 * and `parents`. DEMON_NOTFOUND also when its event was archived. */
enum demon_rc demon_graph_get_commit(struct demon_store *store,
				     const struct demon_graph_scope *scope, const char *ref,
				     struct demon_buf *out, struct demon_err *err) demon_must_check;

/* --- tags ---------------------------------------------------------------------------------- */

/** A tag as it holds. Borrowed during the callback. */
struct demon_graph_tag {
	const char *tag;
	struct demon_graph_id commit_id;
	demon_time ts;                          /* when it was set */
	unsigned char origin[DEMON_ORIGIN_LEN]; /* by whom */
};
typedef enum demon_rc demon_graph_tag_fn(void *ctx, const struct demon_graph_tag *tag,
					 struct demon_err *err);

/** A tag to be moved. */
struct demon_graph_tagging {
	struct demon_graph_scope scope;
	const char *tag;
	const char *commit; /* ref that it shall name; NULL: it is deleted */
	const char
	    *expect;       /* ref that it must name now; "": it must not be there; NULL: whatever */
	const char *actor; /* who does it: an id; NULL: not said */
	demon_time ts;     /* 0: now, where there is a store */
};

/**
 * Moves, makes or deletes a tag. @p ret_previous (may be NULL) gets what it named, zeros for
 * nothing. What holds already is not written again. DEMON_CONFLICT: it does not name what was
 * expected; DEMON_NOTFOUND: the commit, or the tag that is to be deleted.
 */
enum demon_rc demon_graph_tag(struct demon_store *store, const struct demon_graph_tagging *tagging,
			      struct demon_graph_id *ret_previous, struct demon_err *err)
    demon_must_check;
enum demon_rc demon_graph_tag_in(struct demon_write *w, const struct demon_graph_tagging *tagging,
				 struct demon_graph_id *ret_previous, struct demon_err *err)
    demon_must_check;

/** The tag called @p tag, once. DEMON_NOTFOUND. */
enum demon_rc demon_graph_get_tag(struct demon_store *store, const struct demon_graph_scope *scope,
				  const char *tag, demon_graph_tag_fn *fn, void *ctx,
				  struct demon_err *err) demon_must_check;

/** All tags, by name. */
enum demon_rc demon_graph_list_tags(struct demon_store *store,
				    const struct demon_graph_scope *scope, demon_graph_tag_fn *fn,
				    void *ctx, struct demon_err *err) demon_must_check;

/** All writes to a tag that are not deletions, the one that holds first: the others were overtaken.
 */
enum demon_rc demon_graph_tag_writes(struct demon_store *store,
				     const struct demon_graph_scope *scope, const char *tag,
				     demon_graph_tag_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** Receives one canonical JSON object, borrowed; any code but DEMON_OK ends the call with it. */
typedef enum demon_rc demon_graph_item_fn(void *ctx, const char *json, size_t len,
					  struct demon_err *err);

struct demon_graph_verified {
	int64_t commits;
	int64_t tags;
	int64_t chunks; /* pieces of states, each once */
};

/**
 * Derives every id from its event, every root from its state, and every hash in between; of one
 * graph, or of all (NULL). DEMON_CORRUPT: the message names the first commit that does not hold.
 */
enum demon_rc demon_graph_verify(struct demon_store *store, const struct demon_graph_scope *scope,
				 struct demon_graph_verified *ret, struct demon_err *err)
    demon_must_check;

/** The projection of graph.commit.* and graph.tag.*. */
extern const struct demon_projection demon_graph_projection;

#endif
