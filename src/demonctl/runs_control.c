/*
 * demonctl runs cancel, runs retry.
 */
#include "command.h"
#include "domain/ritual/run_control.h"
#include "out.h"
#include "play.h"
#include "store/liveness.h"

#include <string.h>

/* The run that is meant, and who says what is to become of it. */
static enum demon_rc find(struct demon_ctl *ctl, struct demon_run_id *run,
			  struct demon_run_request *request, struct demon_err *err)
{
	struct demon_actor actor;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)) ||
	    (rc = demon_run_find(ctl->store, ctl->settings.tenant.value, ctl->words[0], run, err)))
		return rc;
	*request = (struct demon_run_request){.by = actor.subject,
					      .reason = demon_args_get(&ctl->args, "reason")};
	return DEMON_OK;
}

enum demon_rc demon_command_runs_cancel(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_run_request request;
	struct demon_run_id run;
	bool changed;
	enum demon_rc rc;

	if ((rc = find(ctl, &run, &request, err)) ||
	    (rc = demon_run_cancel(ctl->store, &run, &request, &changed, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:b,s:s,s:s}", "noop", !changed, "runId",
						run.run_id, "status", "Canceled"),
				      err);
	demon_out_note(&ctl->settings,
		       changed ? "run %s is canceled" : "run %s was canceled before", run.run_id);
	return DEMON_OK;
}

struct status {
	char text[32];
};

static enum demon_rc take_status(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct status *status = ctx;

	(void)err;
	(void)strncpy(status->text, row->status, sizeof(status->text) - 1);
	return DEMON_OK;
}

static enum demon_rc resume(struct demon_ctl *ctl, const struct demon_run_id *run,
			    const struct demon_run_request *request, struct demon_err *err)
{
	bool daemon = demon_store_claimed_elsewhere(ctl->store, 0);
	int64_t last;
	enum demon_rc rc;

	if (demon_args_get(&ctl->args, "from"))
		return demon_err_set(err, DEMON_CONFLICT,
				     "run '%s' is suspended: it goes on with the step that was in "
				     "flight; cancel it first to begin elsewhere",
				     run->run_id);
	if ((rc = demon_last_seq(ctl->store, &last, err)) ||
	    (rc = demon_run_resume(ctl->store, run, request, err)))
		return rc;
	demon_out_note(&ctl->settings, "run %s goes on", run->run_id);
	if (demon_args_has(&ctl->args, "detach"))
		return demon_play_detach(ctl, run, false, daemon, err);
	rc = daemon ? DEMON_BUSY : demon_play_on(ctl, run, false, err);
	/* whoever was faster executes it */
	return rc == DEMON_BUSY ? demon_play_follow(ctl, run, last, err) : rc;
}

static enum demon_rc again(struct demon_ctl *ctl, const struct demon_run_id *run,
			   const struct demon_run_request *request, struct demon_err *err)
{
	bool detach = demon_args_has(&ctl->args, "detach");
	bool daemon = demon_store_claimed_elsewhere(ctl->store, 0);
	struct demon_run_options options = {.run_id = demon_args_get(&ctl->args, "run-id"),
					    .requester = request->by,
					    .claim = !(detach && daemon)};
	struct demon_run_id new;
	enum demon_rc rc;

	if ((rc = demon_run_retry(ctl->store, run, demon_args_get(&ctl->args, "from"), &options,
				  &new, err)))
		return rc;
	demon_out_note(&ctl->settings, "run %s tries run %s again", new.run_id, run->run_id);
	return detach ? demon_play_detach(ctl, &new, true, daemon, err)
		      : demon_play_on(ctl, &new, true, err);
}

enum demon_rc demon_command_runs_retry(struct demon_ctl *ctl, struct demon_err *err)
{
	struct status status = {""};
	struct demon_run_request request;
	struct demon_run_id run;
	enum demon_rc rc;

	if ((rc = find(ctl, &run, &request, err)) ||
	    (rc = demon_run_get(ctl->store, &run, take_status, &status, err)))
		return rc;
	return strcmp(status.text, "Suspended") == 0 ? resume(ctl, &run, &request, err)
						     : again(ctl, &run, &request, err);
}
