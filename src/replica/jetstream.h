/*
 * The transport that is JetStream, by libnats.
 *
 * Reading is done by ordered consumers, which the server feeds; sending asynchronously with a
 * bounded window. The connection is tried for ever, with jitter, and a dead line is noticed by
 * pings. What the client library calls success of a publication is passed on as no more than that.
 */
#ifndef DEMON_JETSTREAM_H
#define DEMON_JETSTREAM_H

#include "base/nats_server.h"
#include "transport.h"

struct demon_jetstream;

struct demon_jetstream_options {
	struct demon_nats_server server;
	const char *name;        /* of the connection, as servers show it; NULL: "demon" */
	void (*wake)(void *ctx); /* see struct demon_transport; NULL: nobody is */
	void *wake_ctx;
};

/**
 * Begins to connect, and returns without waiting for it: as long as no server is there, the link is
 * down. *ret_jetstream is new. DEMON_USAGE: an address or a file that cannot be used.
 */
enum demon_rc demon_jetstream_open(const struct demon_jetstream_options *options,
				   struct demon_jetstream **ret_jetstream,
				   struct demon_transport *ret_transport, struct demon_err *err)
    demon_must_check;

/** Closes the connection and waits for its threads. NULL is allowed. */
void demon_jetstream_close(struct demon_jetstream *jetstream);

#endif
