/*
 * exec: runs a program and answers with its exit status and what it wrote.
 */
#include "arguments.h"
#include "envelope.h"
#include "launch.h"
#include "output.h"
#include "process.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS     ((int64_t)3600 * 1000) /* when the step names none */
#define TIMEOUT_MAX_MS ((int64_t)30 * 24 * 3600 * 1000)
#define OUTPUT_JSON    ((size_t)180 * 1024) /* each output in the envelope, escapes included */

static const char *const known[] = {"command", "workdir",    "env",      "stdin",
				    "timeout", "idempotent", "anyStatus"};

static void check_command(const struct demon_arguments *a)
{
	const json_t *command = json_object_get(a->with, "command");

	if (!command) {
		demon_arguments_report(a, "", "missing required argument 'command'");
		return;
	}
	if (!json_is_array(command) || json_array_size(command) == 0) {
		demon_arguments_report(
		    a, "/command", "argument 'command': expected a list of strings, found %s",
		    json_is_array(command) ? "an empty list" : demon_arguments_describe(command));
		return;
	}
	for (size_t i = 0; i < json_array_size(command); i++) {
		const json_t *word = json_array_get(command, i);
		char pointer[64];

		(void)snprintf(pointer, sizeof(pointer), "/command/%zu", i);
		if (!json_is_string(word))
			demon_arguments_report(a, pointer,
					       "argument 'command': expected a string, found %s",
					       demon_arguments_describe(word));
		else if (i == 0 && json_string_length(word) == 0)
			demon_arguments_report(a, pointer,
					       "argument 'command': the program's name is empty");
	}
}

static void check_variable(const struct demon_arguments *a, const char *name, const json_t *value)
{
	DEMON_BUF(pointer, 0);
	int shown = demon_output_clip(name, 64);

	demon_buf_str(&pointer, "/env");
	demon_arguments_pointer(&pointer, name);
	if (!demon_launch_is_name(name))
		demon_arguments_report_key(
		    a, pointer.data,
		    "argument 'env': '%.*s' is not a name: expected letters, "
		    "digits and '_', no digit first",
		    shown, name);
	else if (strncmp(name, "DEMON_", 6) == 0)
		demon_arguments_report_key(a, pointer.data,
					   "argument 'env': '%.*s': names that begin with DEMON_ "
					   "are reserved",
					   shown, name);
	if (!json_is_string(value))
		demon_arguments_report(
		    a, pointer.data, "argument 'env': value of '%.*s': expected a string, found %s",
		    shown, name, demon_arguments_describe(value));
}

static void check_env(const struct demon_arguments *a)
{
	json_t *env = json_object_get(a->with, "env");
	const char *name;
	json_t *value;

	if (env && !json_is_object(env))
		demon_arguments_report(a, "/env", "argument 'env': expected a mapping, found %s",
				       demon_arguments_describe(env));
	json_object_foreach(env, name, value) check_variable(a, name, value);
}

static void check(const json_t *with, demon_argument_problem_fn *report, void *ctx)
{
	const struct demon_arguments a = {with, report, ctx};
	const json_t *timeout = json_object_get(with, "timeout");
	const char *workdir;
	int64_t ms;

	if (!demon_arguments_known(&a, known, demon_count(known)))
		return;
	check_command(&a);
	workdir = demon_arguments_text(&a, "workdir");
	if (workdir && !*workdir)
		demon_arguments_report(&a, "/workdir", "argument 'workdir': is empty");
	check_env(&a);
	(void)demon_arguments_text(&a, "stdin");
	if (timeout && !demon_arguments_duration(timeout, TIMEOUT_MAX_MS, &ms))
		demon_arguments_report(
		    &a, "/timeout",
		    "argument 'timeout': expected seconds above 0 or a duration such as "
		    "PT30S, at most 30 days, found %s",
		    json_is_string(timeout) ? "another string" : demon_arguments_describe(timeout));
	demon_arguments_flag(&a, "idempotent");
	demon_arguments_flag(&a, "anyStatus");
}

static bool idempotent(const json_t *with)
{
	return json_is_true(json_object_get(with, "idempotent"));
}

/* Puts an output into @p object and says what is missing of it. */
static void put_output(struct demon_envelope *e, json_t *object, const char *name,
		       const struct demon_process_output *o)
{
	DEMON_BUF(text, 0);
	DEMON_BUF(counter, 0);
	size_t used = demon_output_text(&text, o->bytes, o->len, o->total > o->len, OUTPUT_JSON);

	if (json_object_set_new(object, name, json_stringn(text.data, text.len)) || text.rc)
		e->failed = true;
	if (used < o->total)
		demon_envelope_say(e, "warning", "%s was cut: %zu of %llu bytes are kept", name,
				   used, (unsigned long long)o->total);
	demon_buf_fmt(&counter, "%sBytes", name);
	demon_envelope_count(e, counter.data, o->total);
}

/* The last line that the program wrote to stderr says, as a rule, why it failed. */
static void add_reason(struct demon_buf *text, const json_t *output)
{
	size_t len;
	const char *line;

	if (!json_is_string(output))
		return;
	line = demon_output_last_line(json_string_value(output), json_string_length(output), &len);
	if (len) {
		demon_buf_str(text, ": ");
		demon_buf_add(text, line, len < 240 ? len : (size_t)demon_output_clip(line, 240));
	}
}

static void answer_not_started(struct demon_envelope *e, const struct demon_launch *l,
			       const struct demon_process_result *r, const char *workdir)
{
	bool in_folder = r->stage && strcmp(r->stage, DEMON_PROCESS_ENTER) == 0;
	const char *what = in_folder && workdir ? workdir : l->argv[0];
	char reason[128];
	char text[512];

	if (l->reason[0])
		(void)snprintf(text, sizeof(text), "cannot start the program: %s", l->reason);
	else
		(void)snprintf(text, sizeof(text), "cannot %s '%.*s': %s", r->stage,
			       demon_output_clip(what, 128), what,
			       strerror_r(r->code, reason, sizeof(reason)));
	demon_envelope_error(e, "EXEC_START", text, json_pack("{s:s}", "program", l->argv[0]));
}

static void answer_failed(struct demon_envelope *e, const char *program,
			  const struct demon_process_result *r, json_t *details_new)
{
	static const char *const codes[] = {"EXEC_EXIT", "EXEC_SIGNAL", "EXEC_TIMEOUT"};
	DEMON_BUF(text, 0);
	const char *signal_name = sigabbrev_np(r->code);

	demon_buf_fmt(&text, "'%.*s' ", demon_output_clip(program, 128), program);
	if (r->end == DEMON_PROCESS_TIMED_OUT) {
		demon_buf_str(&text, "was stopped: its time was up");
	} else if (r->end == DEMON_PROCESS_SIGNALED) {
		demon_buf_fmt(&text, "was killed by signal %d", r->code);
		if (signal_name)
			demon_buf_fmt(&text, " (SIG%s)", signal_name);
	} else {
		demon_buf_fmt(&text, "exited with status %d", r->code);
	}
	add_reason(&text, json_object_get(details_new, "stderr"));
	if (r->end != DEMON_PROCESS_TIMED_OUT &&
	    json_object_set_new(details_new, r->end == DEMON_PROCESS_EXITED ? "exitCode" : "signal",
				json_integer(r->code)))
		e->failed = true;
	demon_envelope_error(e, codes[r->end], text.data, details_new);
}

static void answer(struct demon_envelope *e, const char *program, const json_t *with,
		   const struct demon_process_result *r)
{
	bool any = json_is_true(json_object_get(with, "anyStatus"));
	json_t *data = json_object();

	put_output(e, data, "stdout", &r->out);
	put_output(e, data, "stderr", &r->err);
	if (json_object_set_new(data, "durationMs",
				demon_envelope_number(demon_envelope_elapsed(e))))
		e->failed = true;
	if (r->held)
		demon_envelope_say(e, "warning",
				   "a process that was left behind held the output open");
	if (r->end != DEMON_PROCESS_EXITED || (r->code != 0 && !any)) {
		answer_failed(e, program, r, data);
		return;
	}
	if (json_object_set_new(data, "exitCode", json_integer(r->code)))
		e->failed = true;
	demon_envelope_success(e, data);
}

static struct demon_process_plan plan_of(const struct demon_launch *l, const json_t *with)
{
	const json_t *timeout = json_object_get(with, "timeout");
	const json_t *input = json_object_get(with, "stdin");
	struct demon_process_plan plan = {
	    .program = l->program,
	    .argv = l->argv,
	    .envp = l->envp,
	    .workdir = json_string_value(json_object_get(with, "workdir")),
	    .input = json_string_value(input),
	    .input_len = json_string_length(input),
	    .timeout_ms = TIMEOUT_MS,
	};

	if (timeout && !demon_arguments_duration(timeout, TIMEOUT_MAX_MS, &plan.timeout_ms))
		plan.timeout_ms = TIMEOUT_MS;
	return plan;
}

static enum demon_rc run(const struct demon_call *call, json_t **ret_envelope,
			 struct demon_err *err)
{
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(call->env, "exec-capsule", "0.0.1");
	demon_cleanup(demon_launch_done) struct demon_launch l = {.envelope = &e};
	demon_cleanup(demon_process_done) struct demon_process_result r = {
	    .end = DEMON_PROCESS_NOT_STARTED};
	struct demon_process_plan plan;
	enum demon_rc rc;

	if ((rc = demon_launch_make(&l, call, err)))
		return rc;
	plan = plan_of(&l, call->with);
	if (!l.reason[0] && (rc = demon_process_run(call->env, &plan, &r, err)))
		return rc;
	if (r.end == DEMON_PROCESS_NOT_STARTED)
		answer_not_started(&e, &l, &r, plan.workdir);
	else
		answer(&e, l.argv[0], call->with, &r);
	return demon_envelope_end(&e, ret_envelope, err);
}

const struct demon_capsule demon_capsule_exec = {"exec", check, idempotent, run};
