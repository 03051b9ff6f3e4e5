/*
 * What a connection to JetStream is made of; private to jetstream*.c.
 */
#ifndef DEMON_JETSTREAM_HANDLE_H
#define DEMON_JETSTREAM_HANDLE_H

#include "jetstream.h"
#include "libnats.h"

#include <pthread.h>

#define DEMON_JS_WAIT_MS 5000 /* for an answer of the server */
#define DEMON_JS_FLIGHTS 1024 /* messages on their way */
#define DEMON_JS_QUEUE   4096 /* messages that were read and not fetched yet */

struct demon_js_flight {
	natsMsg *msg; /* NULL: free */
	uint64_t ticket;
};

struct demon_js_read {
	natsMsg *msg; /* owned */
	enum demon_stream stream;
	uint64_t generation; /* of the subscription that it came by */
};

/* A subscription, as its callback sees it. */
struct demon_js_reader {
	struct demon_jetstream *jetstream;
	enum demon_stream stream;
	natsSubscription *sub; /* NULL: none */
	bool subscribing;      /* it is about to be set */
	uint64_t generation;
};

struct demon_jetstream {
	natsOptions *options;
	natsConnection *connection; /* NULL: never connected */
	jsCtx *js;
	int64_t replicas;
	void (*wake)(void *ctx);
	void *wake_ctx;
	char name[64];
	char domain[64];
	pthread_t connector;
	bool connecting; /* the thread runs */
	pthread_mutex_t lock;
	pthread_cond_t news; /* something was read, or fetched, or the link changed */
	bool closing;
	bool closed; /* the library calls back no more */
	struct demon_link link;
	struct demon_js_flight flights[DEMON_JS_FLIGHTS];
	struct demon_ack acks[DEMON_JS_FLIGHTS];
	size_t ack_count;
	size_t flying; /* with the answers that were not collected */
	struct demon_js_read queue[DEMON_JS_QUEUE];
	size_t first;
	size_t count;
	struct demon_js_reader readers[DEMON_STREAM_COUNT];
	natsMsg *current; /* what next() has lent out */
};

/** The name of a stream, and its subjects, in static storage. */
const char *demon_js_stream(enum demon_stream stream);
const char *demon_js_subjects(enum demon_stream stream);

/** Sets @p err from what libnats says. */
enum demon_rc demon_js_error(natsStatus status, jsErrCode code, struct demon_err *err,
			     const char *what);

/** A message of libnats as ours; it borrows from @p msg. */
void demon_js_message(natsMsg *msg, enum demon_stream stream, uint64_t sequence,
		      struct demon_message *ret);

/* ops (transport.h) */
enum demon_rc demon_js_ensure(void *ctx, bool repair, demon_drift_fn *fn, void *fn_ctx,
			      struct demon_err *err);
enum demon_rc demon_js_state(void *ctx, enum demon_stream stream,
			     struct demon_stream_state *ret_state, struct demon_err *err);
enum demon_rc demon_js_get(void *ctx, enum demon_stream stream, uint64_t sequence,
			   demon_message_fn *fn, void *fn_ctx, struct demon_err *err);
enum demon_rc demon_js_put_tag(void *ctx, const char *key, const char *value,
			       struct demon_err *err);

#endif
