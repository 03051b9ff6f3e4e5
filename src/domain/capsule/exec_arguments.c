#include "exec_arguments.h"

#include "launch.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS     ((int64_t)3600 * 1000) /* when the step names none */
#define TIMEOUT_MAX_MS ((int64_t)30 * 24 * 3600 * 1000)
#define PASS_MAX       256 /* variables that are passed on */
#define SHOWN          64

static const char *const known[] = {"command", "workdir", "env",   "passEnv",   "stdin",
				    "timeout", "limits",  "await", "anyStatus", "idempotent"};

/* What `limits` can hold. The last one is none of the kernel's. */
static const struct {
	const char *name;
	__rlimit_resource_t resource;
	json_int_t least;
	json_int_t most;
} limits[] = {
    {"cpuSeconds", RLIMIT_CPU, 1, (json_int_t)30 * 24 * 3600},
    {"memoryBytes", RLIMIT_AS, 1, (json_int_t)1 << 46},
    {"fileBytes", RLIMIT_FSIZE, 1, (json_int_t)1 << 50},
    {"openFiles", RLIMIT_NOFILE, 1, 1 << 20},
    {"processes", RLIMIT_NPROC, 1, 1 << 22},
    {"coreBytes", RLIMIT_CORE, 0, (json_int_t)1 << 50},
    {"outputBytes", RLIMIT_NLIMITS, 1, (json_int_t)DEMON_PROGRAM_OUTPUT_MAX},
};
_Static_assert(demon_count(limits) == DEMON_PROGRAM_LIMITS + 1, "a place for each limit");

static bool has_nul(const json_t *text)
{
	return json_is_string(text) && strlen(json_string_value(text)) != json_string_length(text);
}

static void check_word(const struct demon_arguments *a, const char *pointer, const char *name,
		       const json_t *word)
{
	if (!json_is_string(word))
		demon_arguments_report(a, pointer, "argument '%s': expected a string, found %s",
				       name, demon_json_describe(word));
	else if (has_nul(word))
		demon_arguments_report(a, pointer, "argument '%s': has a NUL character", name);
}

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
		    json_is_array(command) ? "an empty list" : demon_json_describe(command));
		return;
	}
	for (size_t i = 0; i < json_array_size(command); i++) {
		const json_t *word = json_array_get(command, i);
		char pointer[64];

		(void)snprintf(pointer, sizeof(pointer), "/command/%zu", i);
		check_word(a, pointer, "command", word);
		if (i == 0 && json_is_string(word) && json_string_length(word) == 0)
			demon_arguments_report(a, pointer,
					       "argument 'command': the program's name is empty");
	}
}

/* Reports a name that is none, or that this program keeps for itself. */
static void check_name(const struct demon_arguments *a, const char *argument, const char *pointer,
		       bool at_key, const char *name)
{
	DEMON_BUF(text, 0);

	demon_buf_fmt(&text, "argument '%s': '%.*s'", argument, demon_output_clip(name, SHOWN),
		      name);
	if (!demon_launch_is_name(name))
		demon_buf_str(&text, " is not a name: expected letters, digits and '_', no digit "
				     "first");
	else if (strncmp(name, "DEMON_", 6) == 0)
		demon_buf_str(&text, ": names that begin with DEMON_ are reserved");
	else if (strncmp(name, "SECRET_", 7) == 0 && !at_key)
		demon_buf_str(&text, ": secrets are not passed on: name them as secret://SCOPE/KEY "
				     "in 'env'");
	else
		return;
	a->report(a->ctx, pointer, at_key, text.data);
}

static void check_variable(const struct demon_arguments *a, const char *name, const json_t *value)
{
	DEMON_BUF(pointer, 0);
	int shown = demon_output_clip(name, SHOWN);

	demon_buf_str(&pointer, "/env");
	demon_arguments_pointer(&pointer, name);
	check_name(a, "env", pointer.data, true, name);
	if (!json_is_string(value))
		demon_arguments_report(
		    a, pointer.data, "argument 'env': value of '%.*s': expected a string, found %s",
		    shown, name, demon_json_describe(value));
	else if (has_nul(value))
		demon_arguments_report(a, pointer.data,
				       "argument 'env': value of '%.*s': has a NUL character",
				       shown, name);
}

static void check_env(const struct demon_arguments *a)
{
	json_t *env = json_object_get(a->with, "env");
	const char *name;
	json_t *value;

	if (env && !json_is_object(env))
		demon_arguments_report(a, "/env", "argument 'env': expected a mapping, found %s",
				       demon_json_describe(env));
	json_object_foreach(env, name, value) check_variable(a, name, value);
}

static void check_passed(const struct demon_arguments *a)
{
	const json_t *names = json_object_get(a->with, "passEnv");

	if (names && !json_is_array(names))
		demon_arguments_report(a, "/passEnv",
				       "argument 'passEnv': expected a list of names, found %s",
				       demon_json_describe(names));
	if (json_array_size(names) > PASS_MAX)
		demon_arguments_report(a, "/passEnv", "argument 'passEnv': more than %d names",
				       PASS_MAX);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *name = json_array_get(names, i);
		char pointer[64];

		(void)snprintf(pointer, sizeof(pointer), "/passEnv/%zu", i);
		check_word(a, pointer, "passEnv", name);
		if (json_is_string(name))
			check_name(a, "passEnv", pointer, false, json_string_value(name));
	}
}

/* Problems of `limits` are reported relative to it. */
static void report_limit(void *ctx, const char *pointer, bool at_key, const char *text)
{
	const struct demon_arguments *a = ctx;
	DEMON_BUF(whole, 0);

	demon_buf_fmt(&whole, "/limits%s", pointer);
	a->report(a->ctx, whole.data, at_key, text);
}

static void check_limits(const struct demon_arguments *a)
{
	const json_t *all = json_object_get(a->with, "limits");
	struct demon_arguments outer = *a;
	const struct demon_arguments inner = {all, report_limit, &outer};
	const char *names[demon_count(limits)];

	for (size_t i = 0; i < demon_count(limits); i++)
		names[i] = limits[i].name;
	if (all && !json_is_object(all)) {
		demon_arguments_report(a, "/limits",
				       "argument 'limits': expected a mapping, found %s",
				       demon_json_describe(all));
		return;
	}
	(void)demon_arguments_known(&inner, names, demon_count(names));
	for (size_t i = 0; i < demon_count(limits); i++) {
		const json_t *value = json_object_get(all, limits[i].name);
		json_int_t n = json_integer_value(value);
		char pointer[64];

		(void)snprintf(pointer, sizeof(pointer), "/%s", limits[i].name);
		if (value && (!json_is_integer(value) || n < limits[i].least || n > limits[i].most))
			demon_arguments_report(
			    &inner, pointer,
			    "limit '%s': expected an integer from %lld to %lld%s%s", limits[i].name,
			    (long long)limits[i].least, (long long)limits[i].most,
			    json_is_integer(value) ? "" : ", found ",
			    json_is_integer(value) ? "" : demon_json_describe(value));
	}
}

static void check_timeout(const struct demon_arguments *a)
{
	const json_t *timeout = json_object_get(a->with, "timeout");
	int64_t ms;

	if (timeout && !demon_arguments_duration(timeout, TIMEOUT_MAX_MS, &ms))
		demon_arguments_report(
		    a, "/timeout",
		    "argument 'timeout': expected seconds above 0 or a duration such as "
		    "PT30S, at most 30 days, found %s",
		    json_is_string(timeout) ? "another string" : demon_json_describe(timeout));
}

/* What makes no sense for a program that nobody waits for. */
static void check_unawaited(const struct demon_arguments *a)
{
	static const char *const keys[] = {"timeout", "anyStatus"};

	for (size_t i = 0; i < demon_count(keys); i++) {
		char pointer[64];

		(void)snprintf(pointer, sizeof(pointer), "/%s", keys[i]);
		if (json_object_get(a->with, keys[i]))
			demon_arguments_report_key(
			    a, pointer, "argument '%s': is for a program that is awaited", keys[i]);
	}
}

void demon_program_check(const json_t *with, demon_argument_problem_fn *report, void *ctx)
{
	static const char *const flags[] = {"idempotent", "anyStatus", "await"};
	const struct demon_arguments a = {with, report, ctx};
	const char *workdir;

	if (!demon_arguments_known(&a, known, demon_count(known)))
		return;
	check_command(&a);
	workdir = demon_arguments_text(&a, "workdir");
	if (workdir && !*workdir)
		demon_arguments_report(&a, "/workdir", "argument 'workdir': is empty");
	else if (has_nul(json_object_get(with, "workdir")))
		demon_arguments_report(&a, "/workdir", "argument 'workdir': has a NUL character");
	check_env(&a);
	check_passed(&a);
	(void)demon_arguments_text(&a, "stdin");
	check_timeout(&a);
	check_limits(&a);
	for (size_t i = 0; i < demon_count(flags); i++)
		demon_arguments_flag(&a, flags[i]);
	if (json_is_false(json_object_get(with, "await")))
		check_unawaited(&a);
}

struct demon_program_options demon_program_options_of(const json_t *with)
{
	const json_t *timeout = json_object_get(with, "timeout");
	const json_t *wanted = json_object_get(with, "limits");
	struct demon_program_options o = {
	    .keep = DEMON_PROGRAM_OUTPUT,
	    .timeout_ms = TIMEOUT_MS,
	    .awaited = !json_is_false(json_object_get(with, "await")),
	    .any_status = json_is_true(json_object_get(with, "anyStatus")),
	};

	if (timeout && !demon_arguments_duration(timeout, TIMEOUT_MAX_MS, &o.timeout_ms))
		o.timeout_ms = TIMEOUT_MS;
	for (size_t i = 0; i < demon_count(limits); i++) {
		const json_t *value = json_object_get(wanted, limits[i].name);

		if (limits[i].resource == RLIMIT_NLIMITS) {
			if (value)
				o.keep = (size_t)json_integer_value(value);
		} else if (value || limits[i].resource == RLIMIT_CORE) {
			o.limits[o.limit_count++] = (struct demon_process_limit){
			    limits[i].resource, (rlim_t)json_integer_value(value)};
		}
	}
	return o;
}
