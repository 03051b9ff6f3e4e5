/*
 * exec: runs a program and answers with its exit status and what it wrote.
 */
#include "envelope.h"
#include "exec_arguments.h"
#include "kin.h"
#include "launch.h"
#include "output.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CUT_MAX 64 /* bytes of JSON that the mark of a cut takes */

static bool refuse_arguments(struct demon_envelope *e, const json_t *with)
{
	struct demon_argument_problem p = {.found = false};

	demon_program_check(with, demon_argument_note, &p);
	if (p.found)
		demon_envelope_error(e, "EXEC_ARGUMENTS", p.text,
				     json_pack("{s:s}", "pointer", p.pointer));
	return p.found;
}

static bool idempotent(const json_t *with)
{
	return json_is_true(json_object_get(with, "idempotent"));
}

/* Puts an output into @p object and says, also in its text, what is missing of it. */
static void put_output(struct demon_envelope *e, json_t *object, const char *name,
		       const struct demon_process_output *o)
{
	DEMON_BUF(text, 0);
	DEMON_BUF(counter, 0);
	size_t used = demon_output_text(&text, o->bytes, o->len, o->total > o->len,
					DEMON_PROGRAM_OUTPUT_MAX - CUT_MAX);

	if (used < o->total) {
		demon_buf_fmt(&text, "%s\u2026 [cut: %llu bytes]\n",
			      text.len && text.data[text.len - 1] != '\n' ? "\n" : "",
			      (unsigned long long)(o->total - used));
		demon_envelope_say(e, "warning", "%s was cut: %zu of %llu bytes are kept", name,
				   used, (unsigned long long)o->total);
	}
	if (json_object_set_new(object, name, json_stringn(text.data, text.len)) || text.rc)
		e->failed = true;
	demon_buf_fmt(&counter, "%sBytes", name);
	demon_envelope_count(e, counter.data, o->total);
}

/* The last line that the program wrote to stderr says, as a rule, why it failed. */
static void add_reason(struct demon_buf *text, const struct demon_process_output *o,
		       const json_t *output)
{
	size_t len;
	const char *line;

	if (!json_is_string(output) || o->len < o->total)
		return;
	line = demon_output_last_line(json_string_value(output), json_string_length(output), &len);
	if (len) {
		demon_buf_str(text, ": ");
		demon_buf_add(text, line, len < 240 ? len : (size_t)demon_output_clip(line, 240));
	}
}

static void answer_not_started(struct demon_envelope *e, const struct demon_launch *l,
			       const char *stage, int sys, const char *workdir)
{
	bool in_folder = stage && strcmp(stage, DEMON_PROCESS_ENTER) == 0;
	const char *what = in_folder && workdir ? workdir : l->argv[0];
	char reason[128];
	char text[512];

	if (l->reason[0])
		(void)snprintf(text, sizeof(text), "cannot start the program: %s", l->reason);
	else
		(void)snprintf(text, sizeof(text), "cannot %s '%.*s': %s", stage,
			       demon_output_clip(what, 128), what,
			       strerror_r(sys, reason, sizeof(reason)));
	demon_envelope_error(e, "EXEC_START", text, json_pack("{s:s}", "program", l->argv[0]));
}

/* What happened to the program, and the code of the error. */
static const char *tell(struct demon_buf *text, const struct demon_process_result *r)
{
	const char *signal_name;

	switch (r->end) {
	case DEMON_PROCESS_TIMED_OUT:
		demon_buf_str(text, "was stopped: its time was up");
		return "EXEC_TIMEOUT";
	case DEMON_PROCESS_LIMITED:
		demon_buf_str(text, "was stopped: the step's time was up");
		return "TIMEOUT";
	case DEMON_PROCESS_CANCELED:
		demon_buf_str(text, "was stopped: canceled");
		return "CANCELED";
	case DEMON_PROCESS_SIGNALED:
		signal_name = sigabbrev_np(r->code);
		demon_buf_fmt(text, "was killed by signal %d", r->code);
		if (signal_name)
			demon_buf_fmt(text, " (SIG%s)", signal_name);
		return "EXEC_SIGNAL";
	case DEMON_PROCESS_EXITED:
	case DEMON_PROCESS_NOT_STARTED:
		break;
	}
	demon_buf_fmt(text, "exited with status %d", r->code);
	return "EXEC_EXIT";
}

static void answer_failed(struct demon_envelope *e, const char *program,
			  const struct demon_process_result *r, json_t *details_new)
{
	DEMON_BUF(text, 0);
	const char *code;

	demon_buf_fmt(&text, "'%.*s' ", demon_output_clip(program, 128), program);
	code = tell(&text, r);
	add_reason(&text, &r->err, json_object_get(details_new, "stderr"));
	if ((r->end == DEMON_PROCESS_EXITED || r->end == DEMON_PROCESS_SIGNALED) &&
	    json_object_set_new(details_new, r->end == DEMON_PROCESS_EXITED ? "exitCode" : "signal",
				json_integer(r->code)))
		e->failed = true;
	demon_envelope_error(e, code, text.data, details_new);
}

static void answer(struct demon_envelope *e, const char *program, bool any_status,
		   const struct demon_process_result *r)
{
	json_t *data = json_object();

	put_output(e, data, "stdout", &r->out);
	put_output(e, data, "stderr", &r->err);
	if (json_object_set_new(data, "durationMs",
				demon_envelope_number(demon_envelope_elapsed(e))))
		e->failed = true;
	if (r->held)
		demon_envelope_say(e, "warning",
				   "a process that was left behind held the output open");
	if (r->left)
		demon_envelope_say(e, "warning", "%u descendant%s killed", r->left,
				   r->left == 1 ? " was" : "s were");
	if (r->end != DEMON_PROCESS_EXITED || (r->code != 0 && !any_status)) {
		answer_failed(e, program, r, data);
		return;
	}
	if (json_object_set_new(data, "exitCode", json_integer(r->code)))
		e->failed = true;
	demon_envelope_success(e, data);
}

static struct demon_process_plan plan_of(const struct demon_launch *l,
					 const struct demon_program_options *o,
					 const struct demon_call *call)
{
	const json_t *input = json_object_get(call->with, "stdin");

	return (struct demon_process_plan){
	    .program = l->program,
	    .argv = l->argv,
	    .envp = l->envp,
	    .workdir = json_string_value(json_object_get(call->with, "workdir")),
	    .input = json_string_value(input),
	    .input_len = json_string_length(input),
	    .limits = o->limits,
	    .limit_count = o->limit_count,
	    .keep = o->keep,
	    .mark = l->mark,
	    .timeout_ms = o->timeout_ms,
	    .limit_ms = call->limit_ms,
	    .output = call->output,
	    .canceled = call->canceled,
	    .ctx = call->ctx,
	};
}

/* Starts a program that nobody waits for. */
static void detach(struct demon_envelope *e, const struct demon_launch *l,
		   const struct demon_process_plan *plan)
{
	const char *stage;
	pid_t pid = 0;
	int sys = demon_process_detach(plan, &pid, &stage);

	if (sys)
		answer_not_started(e, l, stage, sys, plan->workdir);
	else
		demon_envelope_success(e, json_pack("{s:i}", "pid", (int)pid));
}

/* Runs a program and waits for its end. */
static enum demon_rc attend(struct demon_envelope *e, const struct demon_launch *l,
			    const struct demon_process_plan *plan, bool any_status,
			    struct demon_err *err)
{
	demon_cleanup(demon_process_done) struct demon_process_result r = {
	    .end = DEMON_PROCESS_NOT_STARTED};
	enum demon_rc rc = demon_process_run(e->env, plan, &r, err);

	if (rc)
		return rc;
	if (r.end == DEMON_PROCESS_NOT_STARTED)
		answer_not_started(e, l, r.stage, r.code, plan->workdir);
	else
		answer(e, l->argv[0], any_status, &r);
	return DEMON_OK;
}

/* What is left of an attempt that was cut off is not to run beside the next one. */
static void end_earlier(const char *mark)
{
	struct demon_kin kin = {.mark = mark};

	(void)demon_kin_kill(&kin);
	demon_kin_done(&kin);
}

static enum demon_rc run(const struct demon_call *call, json_t **ret_envelope,
			 struct demon_err *err)
{
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(call->env, "exec-capsule", "0.0.1");
	demon_cleanup(demon_launch_done) struct demon_launch l = {.envelope = &e};
	struct demon_program_options options;
	struct demon_process_plan plan;
	enum demon_rc rc;

	if (refuse_arguments(&e, call->with))
		return demon_envelope_end(&e, ret_envelope, err);
	if ((rc = demon_launch_make(&l, call, err)))
		return rc;
	options = demon_program_options_of(call->with);
	plan = plan_of(&l, &options, call);
	if (call->attempt > 1)
		end_earlier(plan.mark);
	if (l.reason[0])
		answer_not_started(&e, &l, NULL, 0, plan.workdir);
	else if (!options.awaited)
		detach(&e, &l, &plan);
	else if ((rc = attend(&e, &l, &plan, options.any_status, err)))
		return rc;
	return demon_envelope_end(&e, ret_envelope, err);
}

const struct demon_capsule demon_capsule_exec = {
    .name = "exec", .check = demon_program_check, .idempotent = idempotent, .run = run};
