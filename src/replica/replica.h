/*
 * Replication of one database over a transport: own events out, everybody's in.
 *
 * What is promised: an own event is sent until it was read back from the stream with its hash; an
 * event that is in the stream is taken in once, whole groups at a time, when what it builds on is
 * there; what a stream lost of this node's own is filled in again; what cannot be applied is set
 * aside and stops nothing. docs/replication.md tells it at length.
 *
 * Threads: one calls demon_replica_out(), one demon_replica_in(); both may be the same, and single
 * steps are all there is, so that a simulation decides what happens when.
 */
#ifndef DEMON_REPLICA_H
#define DEMON_REPLICA_H

#include "domain/foreign.h"
#include "transport.h"

struct demon_replica;

/** Asked about a foreign message, perhaps several times about the same one. It may write to the
 * store. An error: the message is read again later. */
typedef enum demon_rc demon_foreign_fn(void *ctx, const struct demon_message *message,
				       enum demon_foreign *ret, struct demon_err *err);

/** Told what an operator should know, in one line, on the thread that reads. */
typedef void demon_replica_note_fn(void *ctx, const char *text);

struct demon_replica_options {
	struct demon_store *store;               /* borrowed */
	const struct demon_transport *transport; /* borrowed */
	size_t window;                           /* messages on their way; 0: 512 */
	demon_foreign_fn *foreign;               /* NULL: all are set aside */
	void *foreign_ctx;
	demon_replica_note_fn *note; /* NULL: silence */
	void *note_ctx;
};

/** DEMON_BUSY: another process, or another replica of this one, mirrors this database. */
enum demon_rc demon_replica_open(const struct demon_replica_options *options,
				 struct demon_replica **ret_replica, struct demon_err *err)
    demon_must_check;

/** Writes down how far it got, and ends. NULL is allowed. */
void demon_replica_close(struct demon_replica *replica);

/**
 * Sends what there is to send, waiting for nothing. *ret_wait_ms: when to call again even if
 * nothing happens; a commit, an answer and the link's coming back are reasons to call before. An
 * error is worth a line in a log, and no reason to stop.
 */
enum demon_rc demon_replica_out(struct demon_replica *replica, int64_t *ret_wait_ms,
				struct demon_err *err) demon_must_check;

/** Takes in what comes within @p wait_ms, in one transaction. An error, likewise. *ret_events: that
 * are new. DEMON_UNAVAIL: there is no link now; it has waited for it. */
enum demon_rc demon_replica_in(struct demon_replica *replica, int64_t wait_ms, int64_t *ret_events,
			       struct demon_err *err) demon_must_check;

/** Whether all streams were read up to where they ended when the link came up. */
bool demon_replica_caught_up(struct demon_replica *replica);

#endif
