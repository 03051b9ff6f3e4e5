/*
 * The mirror: threads that keep this database and the streams of a NATS server equal.
 *
 * One sends, one takes in, one watches for commits, so that what is written here leaves at once.
 * No writer waits for any of them, whether the server is there, gone or hangs. What goes wrong is
 * said once, and again when it is something else.
 */
#ifndef DEMON_MIRROR_H
#define DEMON_MIRROR_H

#include "base/nats_server.h"
#include "log.h"

#include <demon/store.h>

struct demon_mirror;

/** All borrowed until the end. */
struct demon_mirror_options {
	struct demon_store *store;
	struct demon_log *log;
	struct demon_nats_server server;
};

/** Starts, and does not wait for a server. DEMON_USAGE: addresses or files that cannot be used;
 * DEMON_BUSY: another process mirrors this database. */
enum demon_rc demon_mirror_start(const struct demon_mirror_options *options,
				 struct demon_mirror **ret_mirror, struct demon_err *err)
    demon_must_check;

/** Ends, and writes down how far it got. NULL is allowed. */
void demon_mirror_stop(struct demon_mirror *mirror);

#endif
