/*
 * The notifier: threads that tell people and programs outside what happens to runs.
 *
 * One thread plans deliveries from the log, whenever somebody has committed, and hands out those
 * that are due. Attempts are made by a few threads, made when they are needed, at most two for one
 * route, so that one endpoint that hangs holds up no other; an endpoint that fails is left alone
 * for a while. Runs never wait for any of this: they only commit.
 */
#ifndef DEMON_NOTIFIER_H
#define DEMON_NOTIFIER_H

#include "log.h"

#include <demon/store.h>

struct demon_notifier;
struct demon_secrets;

/** All borrowed until the end. */
struct demon_notifier_options {
	struct demon_store *store;
	struct demon_log *log;
	struct demon_secrets *secrets;
	const char *base_url; /* of the node's pages; NULL: none */
};

/** Starts looking. */
enum demon_rc demon_notifier_start(const struct demon_notifier_options *options,
				   struct demon_notifier **ret_notifier, struct demon_err *err)
    demon_must_check;

/** Ends: attempts under way have two seconds left. Releases everything. NULL is allowed. */
void demon_notifier_free(struct demon_notifier *notifier);

#endif
