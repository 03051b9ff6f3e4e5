/*
 * Events as JSON lines (docs/format.md §12).
 */
#ifndef DEMON_JSONL_H
#define DEMON_JSONL_H

#include "base/buf.h"

#include <demon/store.h>

/** Longest line that is read: a payload, its header in hexadecimal, and the names. */
#define DEMON_JSONL_LINE_MAX ((size_t)1 << 20)

/** Appends one event as a canonical JSON object, without a newline. @p local: with seq and
 * recordedAt. ev->payload_hash and previous_hash are set. */
enum demon_rc demon_jsonl_event(const struct demon_event *ev, bool local, struct demon_buf *out,
				struct demon_err *err) demon_must_check;

/** Takes @p len bytes of output; what it returns ends the export. */
typedef enum demon_rc demon_write_fn(void *ctx, const char *bytes, size_t len,
				     struct demon_err *err);

/** Hands every event of the log to @p write, a line each, in order of seq, without the local
 * members: two nodes that took in the same events in the same order export the same bytes. */
enum demon_rc demon_export(struct demon_store *store, demon_write_fn *write, void *ctx,
			   int64_t *ret_events, struct demon_err *err) demon_must_check;

/** Yields the next bytes of input: *ret_len 0 at the end. */
typedef enum demon_rc demon_read_fn(void *ctx, char *bytes, size_t cap, size_t *ret_len,
				    struct demon_err *err);

/** What an import did. */
struct demon_imported {
	int64_t lines;
	int64_t added; /* events that were not held before */
};

/**
 * Reads events and takes them in, a group at a time, several groups a transaction. Everything is
 * checked as if it came from a stranger. Messages begin with "line N: ". What came before a bad
 * line stays; the bad line's group is not taken in.
 *
 * Fails: DEMON_INVALID not such a line, or a group is not whole; the errors of
 * demon_write_ingest().
 */
enum demon_rc demon_import(struct demon_store *store, demon_read_fn *read, void *ctx,
			   struct demon_imported *ret, struct demon_err *err) demon_must_check;

#endif
