/*
 * The quarantine: messages that could not be applied, each with its reason. It stops nothing and is
 * bounded; what is too large to keep, or was put out to make room, is still in the stream.
 */
#ifndef DEMON_QUARANTINE_H
#define DEMON_QUARANTINE_H

#include "post.h"
#include "store/write.h"

/** Rows at most; the oldest goes for a new one, and is counted. */
#define DEMON_QUARANTINE_MAX         10000

/** Longest payload that is kept, in bytes. */
#define DEMON_QUARANTINE_PAYLOAD_MAX ((size_t)64 << 10)

/** A row. Borrowed during the callback; NULL: absent. */
struct demon_quarantined {
	int64_t id;
	enum demon_stream stream;
	int64_t stream_sequence;
	const char *kind; /* demon_fault_kind_name() */
	const char *reason;
	const char *subject;
	const char *headers; /* JSON object */
	const char *payload; /* as it came, perhaps no text; NULL: not kept */
	size_t payload_len;
	int64_t bytes; /* of the payload as it came */
	demon_time arrived_at;
	int64_t attempts;
};

typedef enum demon_rc demon_quarantine_fn(void *ctx, const struct demon_quarantined *row,
					  struct demon_err *err);

/** Within the transaction that takes messages in: puts @p message there, once. */
enum demon_rc demon_quarantine_add(struct demon_db *db, const struct demon_message *message,
				   enum demon_fault_kind kind, const char *reason, demon_time now,
				   struct demon_err *err) demon_must_check;

/** Rows with an id above @p after, oldest first, at most @p limit. */
enum demon_rc demon_quarantine_list(struct demon_store *store, int64_t after, int64_t limit,
				    demon_quarantine_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** One row. DEMON_NOTFOUND. */
enum demon_rc demon_quarantine_get(struct demon_store *store, int64_t id, demon_quarantine_fn *fn,
				   void *ctx, struct demon_err *err) demon_must_check;

/** Takes a row out for good, or to be tried again: then its message is read once more the next time
 * that the node reads (@p retry). DEMON_NOTFOUND. */
enum demon_rc demon_quarantine_remove(struct demon_store *store, int64_t id, bool retry,
				      struct demon_err *err) demon_must_check;

/** Adds to a counter of local_counters. */
enum demon_rc demon_counter_add(struct demon_db *db, const char *name, int64_t by,
				struct demon_err *err) demon_must_check;

#endif
