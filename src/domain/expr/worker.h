/*
 * A worker: one process of the program demon-expr and the socket to it.
 *
 * It is a session of its own, has no descriptor but the socket (/dev/null where output would go),
 * an environment of nothing but TZ=UTC0, and ends when this process does. It outlives the thread
 * that started it. One thread at a time.
 */
#ifndef DEMON_EXPR_WORKER_H
#define DEMON_EXPR_WORKER_H

#include "frame.h"

#include "base/buf.h"

#include <sys/types.h>

struct demon_expr_worker {
	pid_t pid; /* 0: there is none */
	int pidfd; /* -1: none, or the kernel has none */
	int fd;
};

/** Starts it, unless it lives. @p worker is zeroed at first. DEMON_UNAVAIL: it cannot be. */
enum demon_rc demon_expr_worker_start(struct demon_expr_worker *worker, const char *program,
				      size_t memory, struct demon_err *err) demon_must_check;

/** Kills it and waits for its end. */
void demon_expr_worker_stop(struct demon_expr_worker *worker);

/** A request and its answer. */
struct demon_expr_exchange {
	struct demon_expr_request request; /* but for magic and len */
	const struct demon_buf *body;
	int64_t patience_ms;
	enum demon_expr_say say;
	struct demon_buf *reply; /* its bytes are replaced, by at most reply->max */
};

/**
 * Sends the request and waits for the answer. A worker that gives none in time is ended:
 * DEMON_TIMEOUT. DEMON_FAILED: it died with the request, or said something else; DEMON_BUSY: it
 * died before it had it. One that announces its end is ended too.
 */
enum demon_rc demon_expr_worker_ask(struct demon_expr_worker *worker, struct demon_expr_exchange *x,
				    struct demon_err *err) demon_must_check;

#endif
