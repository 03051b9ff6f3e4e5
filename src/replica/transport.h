/*
 * The transport: what replication needs of streams, and nothing that only NATS has.
 *
 * Three streams hold messages under rising sequences from 1 (docs/format.md §11). One
 * implementation speaks to JetStream (jetstream.h), one is memory with faults by seed (memory.h).
 * Nothing here blocks for longer than it says: what takes time is started here and answered later.
 *
 * Threads: one may publish and collect answers (out), another may subscribe and read (in), any may
 * call the rest. Errors that all have: DEMON_UNAVAIL there is no connection, or the server does not
 * answer in time; DEMON_DENIED it refuses us.
 */
#ifndef DEMON_TRANSPORT_H
#define DEMON_TRANSPORT_H

#include "replica/message.h"

/** The answer to a publication. */
struct demon_ack {
	uint64_t ticket;   /* of publish() */
	uint64_t sequence; /* with DEMON_OK */
	enum demon_rc rc;  /* DEMON_OK: it is in the stream, though not for certain on a disk */
	bool duplicate;    /* with DEMON_OK: said to have been there before; no proof that it is */
	struct demon_err err; /* with another rc */
};

/** What a stream holds. */
struct demon_stream_state {
	uint64_t first; /* sequence of the oldest message; last + 1 when it is empty */
	uint64_t last;  /* the highest that was ever given; 0: none */
	uint64_t messages;
	uint64_t bytes;
};

/** The connection. */
struct demon_link {
	bool up;
	uint64_t
	    generation; /* grows whenever it was lost or made: what was in flight is in doubt */
	uint64_t reconnects;
	char url[256];   /* of the server, without credentials; "": none */
	char error[512]; /* the last one; "": none */
};

/** Called for each way in which a stream is not configured as it should be. */
typedef void demon_drift_fn(void *ctx, enum demon_stream stream, bool repaired, const char *text);

/** Called with a message that was asked for. */
typedef enum demon_rc demon_message_fn(void *ctx, const struct demon_message *message,
				       struct demon_err *err);

struct demon_transport_ops {
	void (*link)(void *ctx, struct demon_link *ret_link);

	/* Makes the streams that are missing and compares those that are there with what they have
	 * to be; with @p repair what can be changed is changed. DEMON_CONFLICT: a stream that loses
	 * history, or one that is not ours takes our subjects; the message says which. */
	enum demon_rc (*ensure)(void *ctx, bool repair, demon_drift_fn *fn, void *fn_ctx,
				struct demon_err *err);
	enum demon_rc (*state)(void *ctx, enum demon_stream stream,
			       struct demon_stream_state *ret_state, struct demon_err *err);

	/* Reads one message; it is valid during @p fn, which must not call the transport.
	 * DEMON_NOTFOUND: there is none under that sequence. */
	enum demon_rc (*get)(void *ctx, enum demon_stream stream, uint64_t sequence,
			     demon_message_fn *fn, void *fn_ctx, struct demon_err *err);

	/* Sends, without waiting. The answer comes through acks(), once for each DEMON_OK here, at
	 * the latest after the transport's time-out (then DEMON_UNAVAIL: it may still arrive).
	 * DEMON_BUSY: the window is full, collect answers first. DEMON_TOOBIG. */
	enum demon_rc (*publish)(void *ctx, const struct demon_message *message, uint64_t ticket,
				 struct demon_err *err);
	/* Takes answers that have come, in order of arrival; never waits. */
	size_t (*acks)(void *ctx, struct demon_ack *ret_acks, size_t max);

	/* Publishes and waits for the answer: only if the last message of its subject has the
	 * sequence @p expected (0: there is none). DEMON_CONFLICT: it has another. */
	enum demon_rc (*claim)(void *ctx, const struct demon_message *message, uint64_t expected,
			       uint64_t *ret_sequence, struct demon_err *err);

	/* Reads a stream from @p start on, which is at most its last sequence + 1; what was on its
	 * way of that stream is forgotten. */
	enum demon_rc (*subscribe)(void *ctx, enum demon_stream stream, uint64_t start,
				   struct demon_err *err);
	/* The next message of any stream that is subscribed to, each in its order; valid until the
	 * next call. Waits @p wait_ms. DEMON_NOTFOUND: none came. DEMON_UNAVAIL: the subscription
	 * to ret->stream has ended, or nothing was heard of the server for too long: subscribe
	 * again. */
	enum demon_rc (*next)(void *ctx, int64_t wait_ms, struct demon_message *ret_message,
			      struct demon_err *err);

	/* Sets a key of the bucket of tags, or deletes it (@p value NULL). For readers alone. */
	enum demon_rc (*put_tag)(void *ctx, const char *key, const char *value,
				 struct demon_err *err);
};

struct demon_transport {
	const struct demon_transport_ops *ops;
	void *ctx;
	/* Called on any thread when an answer or a message has come or the link has changed. It
	 * must not call the transport. Set before the first call; may be NULL. */
	void (*wake)(void *wake_ctx);
	void *wake_ctx;
};

#endif
