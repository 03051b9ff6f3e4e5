/*
 * The event store: one SQLite file that holds the log, what is derived from it, and this node's
 * identity.
 *
 * A store may be used by any number of threads, and the file by any number of processes on one
 * host. A call that writes returns only after its events are on disk (synchronous=FULL); callers
 * that write at the same time share one fsync. Nothing here needs a network.
 */
#ifndef DEMON_STORE_H
#define DEMON_STORE_H

#include <demon/event.h>

struct demon_store;

struct demon_options {
	bool create;                 /* make the database when the file is missing */
	const struct demon_env *env; /* borrowed for the store's life; NULL: demon_env_real() */
	const char *node_id;         /* label of a new node; NULL: the host's name */
	int64_t busy_ms;             /* longest wait for another process's write; 0: 10 000 */
};

/**
 * Opens a database, bringing its schema up to date, and finds out who writes here: a file that is
 * a copy of the one last written gets a new epoch. Appends nothing. *ret_store is new.
 *
 * Fails: DEMON_NOTFOUND no such file and not @p create; DEMON_CORRUPT damaged, altered, or not a
 * database of this program; DEMON_NEWER written by a newer version; DEMON_READONLY, DEMON_BUSY,
 * DEMON_FULL, DEMON_IO, DEMON_NOMEM. The file is not changed by a failed open.
 */
DEMON_API enum demon_rc demon_open(const char *path, const struct demon_options *options,
				   struct demon_store **ret_store, struct demon_err *err)
    demon_must_check;

/** Closes. No other call may be running. NULL is allowed. */
DEMON_API void demon_close(struct demon_store *store);

/** An event to be appended to a run: the library adds `event`, `ts` and the ids to @c data. */
struct demon_draft {
	const char *type;      /* "app.invoice.paid:v1"; types outside app. belong to the library */
	const char *tenant_id; /* NULL: "default" */
	const char *ritual_id;
	const char *run_id;
	const char *data; /* a JSON object; NULL: no further members */
};

/**
 * Appends @p count events of one run as one group: all or none, visible together. Returns after
 * they are on disk. @p ret_last is where the last one stands (may be NULL).
 *
 * Fails: DEMON_INVALID an id, a type or the JSON, with its place; DEMON_TOOBIG a limit of
 * docs/format.md; DEMON_BUSY, DEMON_FULL, DEMON_IO. Nothing is written on failure. Any thread.
 */
DEMON_API enum demon_rc demon_append(struct demon_store *store, const struct demon_draft *drafts,
				     size_t count, struct demon_receipt *ret_last,
				     struct demon_err *err) demon_must_check;

/** Which events a reader wants; zero or NULL members do not restrict. Borrowed during the call. */
struct demon_filter {
	int64_t after_seq;     /* events with a greater seq */
	const char *tenant_id; /* with run_id only */
	const char *run_id;
	/* one type, up to four of them separated by commas, or a prefix that ends in '*' */
	const char *type;
};

struct demon_reader;

/** Starts reading in order of seq. *ret_reader is new, and for one thread at a time. */
DEMON_API enum demon_rc demon_reader_open(struct demon_store *store,
					  const struct demon_filter *filter,
					  struct demon_reader **ret_reader, struct demon_err *err)
    demon_must_check;
DEMON_API void demon_reader_close(struct demon_reader *reader);

/**
 * The next event, borrowed until the next call on this reader. When there is none yet, waits up to
 * @p wait_ms for one to be committed by any thread or process (0: does not wait); then
 * DEMON_NOTFOUND. This is also how to subscribe.
 */
DEMON_API enum demon_rc demon_reader_next(struct demon_reader *reader, int64_t wait_ms,
					  const struct demon_event **ret_event,
					  struct demon_err *err) demon_must_check;

/** Makes a demon_reader_next of another thread return DEMON_CANCELED, now and for ever. */
DEMON_API void demon_reader_cancel(struct demon_reader *reader);

/** Seq of the newest event, 0 for an empty log. */
DEMON_API enum demon_rc demon_last_seq(struct demon_store *store, int64_t *ret_seq,
				       struct demon_err *err) demon_must_check;

/** Who writes here. */
struct demon_node {
	char label[256];
	unsigned char origin[DEMON_ORIGIN_LEN];
	unsigned char epoch[DEMON_EPOCH_LEN]; /* the one that the next own event will carry */
};
DEMON_API void demon_node_get(struct demon_store *store, struct demon_node *ret_node);

/** Drops every projection and replays the log, in one transaction. *ret_events: replayed. */
DEMON_API enum demon_rc demon_rebuild(struct demon_store *store, int64_t *ret_events,
				      struct demon_err *err) demon_must_check;

/** What demon_verify looked at. */
struct demon_verified {
	int64_t events;
	int64_t chains;
	int64_t stranded;
	int64_t projection_rows;
};

/**
 * Checks SQLite's integrity, the schema, every hash and chain, and that the projections are what
 * the log says. Reads one snapshot; writers are not held up. DEMON_CORRUPT: the message names the
 * first damage found (table, chain, sequence).
 */
DEMON_API enum demon_rc demon_verify(struct demon_store *store, struct demon_verified *ret,
				     struct demon_err *err) demon_must_check;

/**
 * The state digest (docs/format.md §9) as a canonical JSON object: digest, events, epoch, nodeId,
 * origin, heads, tables. *ret_json is new; free() it.
 */
DEMON_API enum demon_rc demon_digest(struct demon_store *store, char **ret_json,
				     struct demon_err *err) demon_must_check;

/**
 * The heads of all chains as JSON lines (docs/format.md §8), to be kept outside the file. With
 * @p sign the node's own carry its signature; the first signature makes its key, FILE.key.
 * *ret_lines is new; free() it.
 */
DEMON_API enum demon_rc demon_heads(struct demon_store *store, bool sign, char **ret_lines,
				    struct demon_err *err) demon_must_check;

/**
 * Checks that the log still holds every head that was kept, and the signatures. This finds a tail
 * that was cut off, which demon_verify() alone cannot. DEMON_CORRUPT: it does not; DEMON_INVALID:
 * @p lines are not heads. *ret_heads: how many were checked.
 */
DEMON_API enum demon_rc demon_heads_check(struct demon_store *store, const char *lines, size_t len,
					  int64_t *ret_heads, struct demon_err *err)
    demon_must_check;

#endif
