#include "play.h"

#include "base/json_member.h"
#include "cli/file.h"
#include "cli/gates.h"
#include "cli/wards.h"
#include "domain/expr/expr.h"
#include "out.h"
#include "store/liveness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void add_member(struct demon_buf *out, const char *payload, size_t len, const char *key)
{
	DEMON_BUF(text, 0);

	if (demon_json_span_str(demon_json_member(payload, len, key), &text))
		demon_buf_add(out, text.data, text.len);
}

static void note_failure(struct demon_progress *p, struct demon_json_span error, const char *name)
{
	DEMON_BUF(detail, 0);

	if (error.at)
		add_member(&detail, error.at, error.len, "detail");
	demon_out_note(p->settings, "%s: failed: %s", name, detail.data);
}

/* What a step writes, a line at a time. */
static void note_output(struct demon_progress *p, const char *payload, size_t len)
{
	DEMON_BUF(text, 0);
	char *rest;

	add_member(&text, payload, len, "text");
	for (char *line = strtok_r(text.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		DEMON_BUF(shown, 0);

		demon_out_printable(&shown, line);
		demon_out_note(p->settings, "  | %s", shown.data);
	}
}

static void note_caught(struct demon_progress *p, const char *payload, size_t len, const char *name)
{
	int64_t retry;

	if (demon_json_span_i64(demon_json_member(payload, len, "retry"), &retry))
		demon_out_note(p->settings, "%s: will be tried again (%lld)", name,
			       (long long)retry);
	else
		demon_out_note(p->settings, "%s: the error is caught", name);
}

/* A run waits at a gate: how to decide. */
static void note_gate(struct demon_progress *p, const char *payload, size_t len)
{
	DEMON_BUF(run, 0);
	DEMON_BUF(gate, 0);
	DEMON_BUF(until, 0);
	DEMON_BUF(reason, 0);

	add_member(&run, payload, len, "runId");
	add_member(&gate, payload, len, "gateId");
	add_member(&until, payload, len, "expiresAt");
	add_member(&reason, payload, len, "reason");
	demon_out_note(p->settings, "gate %s: %s: waits for approval until %s", gate.data,
		       reason.data, until.data);
	demon_out_note(p->settings, "  demonctl approvals grant %s %s --approver WHO", run.data,
		       gate.data);
	demon_out_note(p->settings, "  demonctl approvals deny %s %s --approver WHO --reason TEXT",
		       run.data, gate.data);
}

static void note_decision(struct demon_progress *p, const char *payload, size_t len)
{
	DEMON_BUF(gate, 0);
	DEMON_BUF(state, 0);
	DEMON_BUF(by, 0);

	add_member(&gate, payload, len, "gateId");
	add_member(&state, payload, len, "state");
	add_member(&by, payload, len, "by");
	demon_out_note(p->settings, "gate %s: %s by %s", gate.data, state.data, by.data);
}

/* One line for each event that tells a waiting person something. */
void demon_play_progress(void *ctx, const char *type, const char *payload, size_t len)
{
	struct demon_progress *p = ctx;
	const struct demon_env *env = demon_env_real();
	DEMON_BUF(name, 0);
	DEMON_BUF(call, 0);

	if (p->settings->quiet)
		return;
	add_member(&name, payload, len, "name");
	if (strcmp(type, "step.started:v1") == 0) {
		int64_t attempt = 1;

		p->step_began = env->mono(env->ctx);
		add_member(&call, payload, len, "call");
		if (demon_json_span_i64(demon_json_member(payload, len, "attempt"), &attempt) &&
		    attempt > 1)
			demon_out_note(p->settings, "%s: %s, attempt %lld", name.data, call.data,
				       (long long)attempt);
		else
			demon_out_note(p->settings, "%s: %s", name.data, call.data);
	} else if (strcmp(type, "approval.opened:v1") == 0) {
		note_gate(p, payload, len);
	} else if (strcmp(type, "approval.decided:v1") == 0) {
		note_decision(p, payload, len);
	} else if (strcmp(type, "step.output:v1") == 0) {
		note_output(p, payload, len);
	} else if (strcmp(type, "step.caught:v1") == 0) {
		note_caught(p, payload, len, name.data);
	} else if (strcmp(type, "step.completed:v1") == 0) {
		demon_out_note(p->settings, "%s: completed (%lld ms)", name.data,
			       (long long)(env->mono(env->ctx) - p->step_began) / 1000);
	} else if (strcmp(type, "step.failed:v1") == 0) {
		note_failure(p, demon_json_member(payload, len, "error"), name.data);
	}
}

static void close_wards(struct demon_wards **wards)
{
	demon_wards_close(*wards);
}

/* With @p wait to the run's end, else up to its first wait. */
static enum demon_rc execute(struct demon_ctl *ctl, const struct demon_run_id *run, bool claimed,
			     bool wait, struct demon_run_outcome *outcome, struct demon_err *err)
{
	const struct demon_secrets_options secrets = demon_settings_secrets(&ctl->settings);
	struct demon_progress progress = {.settings = &ctl->settings};
	demon_cleanup(demon_gate_settings_done) struct demon_gate_settings gates;
	demon_cleanup(close_wards) struct demon_wards *wards = NULL;
	struct demon_run_watch watch = {.listener = demon_play_progress,
					.ctx = &progress,
					.claimed = claimed,
					.wait = wait,
					.gates = &gates.config};
	enum demon_rc rc = demon_gate_settings_read(&gates, err);

	if (rc || (rc = demon_ward_settings_read(&wards, err)) || (rc = demon_ctl_expr(ctl, err)) ||
	    (rc = demon_secrets_open(&secrets, &watch.secrets, err)))
		return rc;
	watch.expr = ctl->expr;
	watch.wards = wards;
	rc = demon_run_execute_watched(ctl->store, run, &watch, outcome, err);
	demon_secrets_close(watch.secrets);
	return rc;
}

/* The result envelope of a run that failed, from the error in its terminal event. */
static json_t *failed_envelope(const json_t *event)
{
	json_t *error = json_object_get(event, "error");
	json_t *title = json_object_get(error, "title");
	json_t *type = json_object_get(error, "type");

	return json_pack("{s:{s:b,s:{s:o,s:o,s:O*}}}", "result", "success", 0, "error", "code",
			 type ? json_incref(type) : json_string("failed"), "message",
			 title ? json_incref(title) : json_string("the run failed"), "details",
			 error);
}

static enum demon_rc save(const struct demon_play *play, const char *terminal,
			  struct demon_err *err)
{
	static const struct demon_json_limits limits = {.max_bytes = (size_t)1 << 20, .depth = 96};
	DEMON_BUF(text, 0);
	DEMON_NEW_FILE(file);
	json_auto_t *event = NULL;
	json_auto_t *envelope = NULL;
	enum demon_rc rc;

	if ((rc = demon_json_parse(terminal, strlen(terminal), &limits, &event, err)))
		return rc;
	if (play->save_event)
		envelope = json_incref(event);
	else if (json_object_get(event, "outputs"))
		envelope = json_incref(json_object_get(event, "outputs"));
	else
		envelope = failed_envelope(event);
	if (!envelope)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a result");
	if ((rc = demon_json_pretty(envelope, &text, err)))
		return rc;
	if (!text.len || text.data[text.len - 1] != '\n')
		demon_buf_char(&text, '\n');
	if ((rc = demon_buf_rc(&text, err)) ||
	    (rc = demon_new_file_begin(&file, play->save_path, err)) ||
	    (rc = demon_new_file_add(&file, text.data, text.len, err)))
		return rc;
	return demon_new_file_commit(&file, err);
}

enum demon_rc demon_play_judge(struct demon_ctl *ctl, const struct demon_run_id *run,
			       const char *status, const char *terminal, struct demon_err *err)
{
	if (strcmp(status, "Completed") == 0)
		return DEMON_OK;
	if ((strcmp(status, "Failed") == 0 || strcmp(status, "Denied") == 0) && terminal) {
		struct demon_json_span error =
		    demon_json_member(terminal, strlen(terminal), "error");
		DEMON_BUF(detail, 0);

		if (error.at)
			add_member(&detail, error.at, error.len, "detail");
		if (error.at && !detail.len)
			add_member(&detail, error.at, error.len, "title");
		if (*status == 'D')
			return demon_err_set(err, DEMON_DENIED, "run '%s' is denied: %s",
					     run->run_id, detail.data);
		return demon_err_set(err, DEMON_FAILED, "run '%s' failed: %s", run->run_id,
				     detail.data);
	}
	if (strcmp(status, "Canceled") == 0)
		return demon_err_set(err, DEMON_CANCELED, "run '%s' was canceled", run->run_id);
	demon_ctl_hint(ctl, "'demonctl runs show %s' has its steps", run->run_id);
	return demon_err_set(err, DEMON_FAILED, "run '%s' has not ended: it is %s", run->run_id,
			     status);
}

static enum demon_rc finish(struct demon_ctl *ctl, const struct demon_play *play,
			    const struct demon_run_id *run, const struct demon_run_outcome *outcome,
			    struct demon_err *err)
{
	enum demon_rc rc;

	if (outcome->terminal) {
		if ((rc = demon_out_canonical(&ctl->settings, outcome->terminal,
					      strlen(outcome->terminal), err)))
			return rc;
		(void)fflush(stdout);
		if (play->save_path && (rc = save(play, outcome->terminal, err)))
			return rc;
	}
	return demon_play_judge(ctl, run, outcome->status, outcome->terminal, err);
}

static enum demon_rc print_id(struct demon_ctl *ctl, const struct demon_run_id *run,
			      struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	if (ctl->settings.json)
		rc = demon_out_json(&ctl->settings, json_pack("{s:s}", "runId", run->run_id), err);
	else
		demon_out_line(run->run_id);
	(void)fflush(stdout);
	return rc;
}

enum demon_rc demon_play_detach(struct demon_ctl *ctl, const struct demon_run_id *run, bool claimed,
				bool daemon, struct demon_err *err)
{
	struct demon_run_outcome outcome = {0};
	enum demon_rc rc = print_id(ctl, run, err);

	if (rc || daemon)
		return rc;
	(void)signal(SIGPIPE, SIG_IGN);
	if (execute(ctl, run, claimed, false, &outcome, err) ||
	    demon_play_judge(ctl, run, outcome.status, outcome.terminal, err))
		demon_out_note(&ctl->settings, "%s", err->msg);
	*ctl->hint = '\0';
	free(outcome.terminal);
	return DEMON_OK;
}

enum demon_rc demon_play_on(struct demon_ctl *ctl, const struct demon_run_id *run, bool claimed,
			    struct demon_err *err)
{
	const struct demon_play play = {.detach = false};
	struct demon_run_outcome outcome = {0};
	enum demon_rc rc;

	(void)signal(SIGPIPE, SIG_IGN);
	rc = execute(ctl, run, claimed, true, &outcome, err);
	if (rc == DEMON_OK)
		rc = finish(ctl, &play, run, &outcome, err);
	free(outcome.terminal);
	return rc;
}

enum demon_rc demon_play(struct demon_ctl *ctl, const struct demon_play *play,
			 struct demon_err *err)
{
	bool daemon = play->detach && demon_store_claimed_elsewhere(ctl->store, 0);
	struct demon_run_options options = play->options;
	struct demon_run_outcome outcome = {0};
	/* what is malformed is told before anything is started */
	demon_cleanup(demon_gate_settings_done) struct demon_gate_settings gates = {.allowlist =
											NULL};
	demon_cleanup(close_wards) struct demon_wards *wards = NULL;
	struct demon_run_id run;
	enum demon_rc rc;

	/* a reader of our output that goes away must not end a run in the middle of a step */
	(void)signal(SIGPIPE, SIG_IGN);
	options.claim = !daemon;
	if (!daemon && ((rc = demon_gate_settings_read(&gates, err)) ||
			(rc = demon_ward_settings_read(&wards, err))))
		return rc;
	if ((rc = demon_run_start(ctl->store, play->definition, &options, &run, err)))
		return rc;
	demon_out_note(&ctl->settings, "run %s of ritual %s", run.run_id,
		       play->definition->ritual_id);
	if (play->detach)
		return demon_play_detach(ctl, &run, true, daemon, err);
	rc = execute(ctl, &run, true, true, &outcome, err);
	if (rc == DEMON_OK)
		rc = finish(ctl, play, &run, &outcome, err);
	free(outcome.terminal);
	return rc;
}

enum demon_rc demon_play_load(struct demon_ctl *ctl, const char *word,
			      struct demon_definition **ret_definition, struct demon_err *err)
{
	return demon_play_is_file(word) ? demon_play_load_file(ctl, word, ret_definition, err)
					: demon_play_load_named(ctl, word, ret_definition, err);
}

enum demon_rc demon_play_load_file(struct demon_ctl *ctl, const char *path,
				   struct demon_definition **ret_definition, struct demon_err *err)
{
	struct demon_problems problems = {0};
	demon_cleanup(demon_definition_free_p) struct demon_definition *definition = NULL;
	enum demon_rc rc = demon_definition_load_file(path, &definition, &problems, err);

	if (!rc && !(rc = demon_ctl_expr(ctl, err)))
		rc = demon_definition_check(definition, path, ctl->expr, &problems, err);
	if (!rc)
		*ret_definition = demon_take(definition);
	if (rc && problems.count > 1)
		demon_ctl_hint(ctl, "%zu more problems: 'demonctl validate %s' lists all",
			       problems.count - 1 + problems.dropped, path);
	demon_problems_done(&problems);
	return rc;
}
