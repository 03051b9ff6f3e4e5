/*
 * The events with which a run starts: their payloads, put together into one group of one time.
 * What does not fit into an event comes out of demon_run_group_rc().
 */
#ifndef DEMON_RUN_EVENTS_H
#define DEMON_RUN_EVENTS_H

#include "base/json_member.h"
#include "run.h"
#include "store/write.h"

#define DEMON_RUN_GROUP_MAX 3

/** Events to append. Zeroed, then begun; strings are borrowed until it is done. */
struct demon_run_group {
	const struct demon_run_id *run;
	const char *ritual_id;
	demon_time ts;
	size_t count;
	struct demon_record records[DEMON_RUN_GROUP_MAX]; /* payloads are set by _rc */
	struct demon_buf payloads[DEMON_RUN_GROUP_MAX];
};

#define DEMON_RUN_GROUP(name) demon_cleanup(demon_run_group_done) struct demon_run_group name = {0}

/** Empties @p g for events of @p run at @p ts. */
void demon_run_group_begin(struct demon_run_group *g, const struct demon_run_id *run,
			   const char *ritual_id, demon_time ts);
void demon_run_group_done(struct demon_run_group *g);

/** Completes the records; DEMON_TOOBIG when a payload exceeds the limit of an event. */
enum demon_rc demon_run_group_rc(struct demon_run_group *g, struct demon_err *err) demon_must_check;

/* Each appends one event to the group. */

void demon_run_event_started(struct demon_run_group *g, const struct demon_definition *definition);

/** @p input is canonical; a NULL span leaves it out. */
void demon_run_event_opened(struct demon_run_group *g, const struct demon_definition *definition,
			    const struct demon_run_options *options, struct demon_json_span input);

/** Where the run that is tried again stood, and who tries it. */
void demon_run_event_restored(struct demon_run_group *g, const struct demon_run_options *options);

#endif
