/*
 * The outbox: own events on their way to the stream. The log is the queue; this is how far it got.
 *
 * An own event is pending until the stream said yes, then acknowledged until this node has read it
 * back with its hash, then confirmed. An answer is no proof (a server may lose its tail, or call a
 * duplicate what it has not), so what stays unconfirmed is sent again; duplicates have no effect.
 * Chains are sent in order; after a failure nothing later overtakes the failed one.
 *
 * Threads: one sends (round), one reads the streams back (all others).
 */
#ifndef DEMON_OUTBOX_H
#define DEMON_OUTBOX_H

#include "store/store.h"
#include "store/write.h"
#include "transport.h"

struct demon_outbox;

/** How many messages may be on their way when nothing else is said. */
#define DEMON_WINDOW 512

/** Borrows store and transport. *ret_outbox is new. */
enum demon_rc demon_outbox_open(struct demon_store *store, const struct demon_transport *transport,
				size_t window, struct demon_outbox **ret_outbox,
				struct demon_err *err) demon_must_check;
void demon_outbox_close(struct demon_outbox *outbox);

/**
 * Collects answers and sends what the window has room for; waits for nothing. *ret_wait_ms: after
 * which time there is something to do even if nothing happens. An error is to be told; the next
 * round goes on.
 */
enum demon_rc demon_outbox_round(struct demon_outbox *outbox, int64_t *ret_wait_ms,
				 struct demon_err *err) demon_must_check;

/** An own event was read in its stream, under @p at, with the hash that it has here. */
enum demon_rc demon_outbox_confirm(struct demon_outbox *outbox, const struct demon_event_ref *ref,
				   uint64_t at, struct demon_err *err) demon_must_check;

/** Reading of @p stream begins anew: what is acknowledged now has to be confirmed by the time that
 * demon_outbox_caught_up() is called, or is sent again. */
void demon_outbox_began(struct demon_outbox *outbox, enum demon_stream stream);
void demon_outbox_caught_up(struct demon_outbox *outbox, enum demon_stream stream);

/** The stream is not what it was: only what @p confirmed says (JSON of demon_outbox_confirmed();
 * NULL: nothing) is certain of it. */
enum demon_rc demon_outbox_reset(struct demon_outbox *outbox, enum demon_stream stream,
				 const char *confirmed, struct demon_err *err) demon_must_check;

/** Up to which sequence the own chain of @p ref is confirmed. */
int64_t demon_outbox_confirmed_of(struct demon_outbox *outbox, const struct demon_event_ref *ref);

/** Appends what is confirmed of the own chains of a stream, and where the last of it was read:
 * {"epoch":[sequence,stream sequence],…}. */
void demon_outbox_confirmed(struct demon_outbox *outbox, enum demon_stream stream,
			    struct demon_buf *out);

/** Writes what has changed since the last time into local_outbox. */
enum demon_rc demon_outbox_save(struct demon_outbox *outbox, struct demon_db *db,
				struct demon_err *err) demon_must_check;
/** Whether there is something to write. */
bool demon_outbox_unsaved(struct demon_outbox *outbox);

#endif
