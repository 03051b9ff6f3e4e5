/*
 * demonctl runs watch.
 */
#include "command.h"
#include "domain/ritual/run.h"
#include "out.h"
#include "play.h"
#include "store/liveness.h"

#include <stdio.h>
#include <string.h>

#define FOLLOW_MS 1000

static void close_reader(struct demon_reader *const *reader)
{
	demon_reader_close(*reader);
}

static const struct {
	const char *type;
	const char *status;
} ends[] = {
    {"ritual.completed:v1", "Completed"},
    {"ritual.failed:v1", "Failed"},
    {"ritual.canceled:v1", "Canceled"},
    {"ritual.suspended:v1", "Suspended"},
};

/* The status that the event leaves the run in, when it has nothing more to tell; else NULL. */
static const char *end_of(const char *type)
{
	for (size_t i = 0; i < demon_count(ends); i++)
		if (strcmp(type, ends[i].type) == 0)
			return ends[i].status;
	return NULL;
}

static enum demon_rc show(struct demon_ctl *ctl, struct demon_progress *progress,
			  const struct demon_event *ev, struct demon_err *err)
{
	if (!ev->payload)
		return DEMON_OK;
	if (ctl->settings.json)
		return demon_out_canonical(&ctl->settings, ev->payload, ev->payload_len, err);
	demon_play_progress(progress, ev->type, ev->payload, ev->payload_len);
	return DEMON_OK;
}

static enum demon_rc is_suspended(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	bool *suspended = ctx;

	(void)err;
	*suspended = strcmp(row->status, "Suspended") == 0;
	return DEMON_OK;
}

/* A run that was suspended may have gone on since. */
static bool goes_on(struct demon_ctl *ctl, const struct demon_run_id *run, const char *status)
{
	bool suspended = true;
	struct demon_err ignored;

	if (strcmp(status, "Suspended") != 0)
		return false;
	if (demon_run_get(ctl->store, run, is_suspended, &suspended, &ignored))
		return false;
	return !suspended;
}

static enum demon_rc follow(struct demon_ctl *ctl, const struct demon_run_id *run,
			    struct demon_reader *reader, struct demon_err *err)
{
	struct demon_progress progress = {.settings = &ctl->settings};
	const struct demon_event *ev;
	enum demon_rc rc;

	for (;;) {
		const char *status;

		rc = demon_reader_next(reader, FOLLOW_MS, &ev, err);
		if (rc == DEMON_NOTFOUND)
			continue;
		if (rc)
			return rc;
		if (memcmp(ev->run_origin, run->origin, DEMON_ORIGIN_LEN) != 0)
			continue;
		if ((rc = show(ctl, &progress, ev, err)))
			return rc;
		if (fflush(stdout) || ferror(stdout))
			return DEMON_OK;
		status = end_of(ev->type);
		if (status && !goes_on(ctl, run, status))
			return demon_play_judge(ctl, run, status, ev->payload, err);
	}
}

enum demon_rc demon_command_runs_watch(struct demon_ctl *ctl, struct demon_err *err)
{
	demon_cleanup(close_reader) struct demon_reader *reader = NULL;
	struct demon_filter filter = {0};
	struct demon_run_id run;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_run_find(ctl->store, ctl->settings.tenant.value, ctl->words[0], &run, err)))
		return rc;
	if (!demon_store_claimed_elsewhere(ctl->store, 0))
		demon_out_note(&ctl->settings,
			       "no daemon holds this node: what waits goes on when one "
			       "is started");
	filter.tenant_id = run.tenant_id;
	filter.run_id = run.run_id;
	if ((rc = demon_reader_open(ctl->store, &filter, &reader, err)))
		return rc;
	return follow(ctl, &run, reader, err);
}
