/*
 * A connection of one command to the NATS servers that the settings name.
 */
#ifndef DEMON_LINE_H
#define DEMON_LINE_H

#include "command.h"
#include "replica/jetstream.h"

#include <pthread.h>

struct demon_line {
	struct demon_transport transport;
	/* private */
	struct demon_jetstream *jetstream;
	pthread_mutex_t lock;
	pthread_cond_t news;
	bool woken;
	bool made;
};

/** Connects, and waits 10 s for that. End with demon_line_close() in any case. DEMON_USAGE: no
 * server was named; DEMON_UNAVAIL: none answers. */
enum demon_rc demon_line_open(struct demon_line *line, const struct demon_settings *settings,
			      struct demon_err *err) demon_must_check;

/** A line of zeros is allowed. */
void demon_line_close(struct demon_line *line);

#endif
