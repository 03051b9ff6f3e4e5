/*
 * The HTTP server of a node. For now it answers one question: is the node able to work.
 *
 *	GET /healthz   200 {"status":"ok"} after a read of the database, else 503 {"error":…}
 *
 * Everything else is 404 or 405 with {"error":…}. No request may carry a body. Limits: 64
 * connections, 16 from one address, 16 KiB of headers, 5 s without progress.
 */
#ifndef DEMON_SERVER_H
#define DEMON_SERVER_H

#include <demon/store.h>
#include <sys/socket.h>

struct demon_server;

/**
 * Told what goes wrong, in one line, on any thread. @p fault: in this node; otherwise it is what a
 * client did, which any client can bring about as often as it likes.
 */
typedef void demon_server_log_fn(void *ctx, bool fault, const char *text);

struct demon_server_options {
	const struct sockaddr *address; /* with its port; 0: one that is free. Borrowed */
	socklen_t address_len;
	demon_server_log_fn *log; /* NULL: silence */
	void *log_ctx;
};

/**
 * Binds and begins to answer on threads of its own. The store is borrowed until the server is
 * stopped. *ret_server is new. DEMON_UNAVAIL: the address is in use or cannot be had.
 */
enum demon_rc demon_server_start(struct demon_store *store,
				 const struct demon_server_options *options,
				 struct demon_server **ret_server, struct demon_err *err)
    demon_must_check;

/** The port that it listens on. */
unsigned demon_server_port(const struct demon_server *server);

/** Closes all connections and waits for the threads. NULL is allowed. */
void demon_server_stop(struct demon_server *server);

#endif
