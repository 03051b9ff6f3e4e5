/*
 * The inbox: messages are gathered into a batch, and a batch is one transaction: its events, what
 * follows from them, what is set aside, and how far the streams were read.
 */
#ifndef DEMON_INBOX_H
#define DEMON_INBOX_H

#include "outbox.h"
#include "position.h"
#include "replica.h"

struct demon_inbox;

enum demon_rc demon_inbox_open(const struct demon_replica_options *options,
			       struct demon_outbox *outbox, struct demon_inbox **ret_inbox,
			       struct demon_err *err) demon_must_check;
void demon_inbox_close(struct demon_inbox *inbox);

/** Where reading stands, with what is in the batch. */
const struct demon_position *demon_inbox_position(const struct demon_inbox *inbox,
						  enum demon_stream stream);

/** Reading goes on elsewhere: after @p position; it is written with the next batch. */
void demon_inbox_move(struct demon_inbox *inbox, enum demon_stream stream,
		      const struct demon_position *position);

/** Adds a message; @p again: it was asked for, so the position stays where it is. An error: the
 * batch is as it was. */
enum demon_rc demon_inbox_add(struct demon_inbox *inbox, const struct demon_message *message,
			      bool again, struct demon_err *err) demon_must_check;

/** Whether the batch should be written before more is added. */
bool demon_inbox_full(const struct demon_inbox *inbox);

/**
 * Writes the batch: now, or with @p lazy only if it holds more than what this node has written
 * itself, or that for a while. *ret_events: that are new. After an error the batch is empty, and
 * positions are where they were last written.
 */
enum demon_rc demon_inbox_flush(struct demon_inbox *inbox, bool lazy, int64_t *ret_events,
				struct demon_err *err) demon_must_check;

/** Messages to be tried again: the next one, if any; it is forgotten with the next batch. */
enum demon_rc demon_inbox_retry(struct demon_inbox *inbox, enum demon_stream *ret_stream,
				uint64_t *ret_sequence, bool *ret_found, struct demon_err *err)
    demon_must_check;

#endif
