/*
 * A real nats-server with JetStream, on loopback, in a folder of the test.
 */
#ifndef DEMON_TEST_NATS_H
#define DEMON_TEST_NATS_H

#include <stdbool.h>
#include <sys/types.h>

struct nats_server {
	pid_t pid; /* 0: it does not run */
	unsigned port;
	char dir[256];
	char url[64];
};

/** Starts it, on a free port at first and on the same again later; its data stays in
 * @p dir/jetstream. */
void nats_start(struct nats_server *server, const char *dir);

/** kill -9 and wait. */
void nats_kill(struct nats_server *server);

/** Deletes what it stored; it must not run. */
void nats_wipe(struct nats_server *server);

/** SIGSTOP, SIGCONT. */
void nats_pause(const struct nats_server *server, bool paused);

#endif
