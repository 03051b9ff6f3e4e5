#include "launch.h"

#include "arguments.h"
#include "output.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE_MAX ((size_t)128 * 1024) /* Linux: one string of an environment, with its NUL */
#define MARK         "DEMON_IDEMPOTENCY_KEY"
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

bool demon_launch_is_name(const char *text)
{
	if (!*text || (*text >= '0' && *text <= '9'))
		return false;
	for (; *text; text++)
		if (!(*text == '_' || (*text >= '0' && *text <= '9') ||
		      (*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z')))
			return false;
	return true;
}

/* The value of a variable that was set already, or NULL. */
static const char *get_variable(const struct demon_launch *l, const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at < l->env.len; at += strlen(l->env.data + at) + 1)
		if (strncmp(l->env.data + at, name, n) == 0 && l->env.data[at + n] == '=')
			return l->env.data + at + n + 1;
	return NULL;
}

static void set_variable(struct demon_launch *l, const char *name, const char *value)
{
	if (strlen(name) + strlen(value) + 2 > VARIABLE_MAX) {
		demon_envelope_say(l->envelope, "warning",
				   "variable %.64s was left out: it is larger than %zu bytes", name,
				   VARIABLE_MAX);
		return;
	}
	demon_buf_fmt(&l->env, "%s=%s", name, value);
	demon_buf_char(&l->env, '\0');
	l->variables++;
}

/* Passes a variable of this process's own environment on, unless it is set already. */
static void pass_on(struct demon_launch *l, const json_t *set, const char *name)
{
	size_t n = strlen(name);
	char **v = environ;

	while (v && *v && !(strncmp(*v, name, n) == 0 && (*v)[n] == '='))
		v++;
	if (v && *v && !json_object_get(set, name) && !get_variable(l, name))
		set_variable(l, name, *v + n + 1);
}

static void pass_all(struct demon_launch *l, const json_t *with)
{
	static const char *const names[] = {"PATH", "HOME", "LANG", "TZ"};
	const json_t *set = json_object_get(with, "env");
	const json_t *more = json_object_get(with, "passEnv");

	for (size_t i = 0; i < demon_count(names); i++)
		pass_on(l, set, names[i]);
	for (size_t i = 0; i < json_array_size(more); i++)
		pass_on(l, set, json_string_value(json_array_get(more, i)));
	if (!json_object_get(set, "PATH") && !get_variable(l, "PATH"))
		set_variable(l, "PATH", DEFAULT_PATH);
}

/* A member of the input as text; false: it is neither string nor number nor boolean. */
static void add_param(struct demon_launch *l, const char *name, const json_t *value)
{
	DEMON_BUF(variable, 0);
	DEMON_BUF(text, 0);

	if (!demon_launch_is_name(name) || !demon_json_scalar(value, &text))
		return;
	demon_buf_str(&variable, "DEMON_PARAM_");
	for (; *name; name++)
		demon_buf_char(&variable,
			       (char)(*name >= 'a' && *name <= 'z' ? *name - 32 : *name));
	if (get_variable(l, variable.data))
		(void)snprintf(l->reason, sizeof(l->reason),
			       "two members of the run's input become %.64s", variable.data);
	set_variable(l, variable.data, text.data);
	if (variable.rc || text.rc)
		l->env.rc = DEMON_NOMEM;
}

static void add_params(struct demon_launch *l, const json_t *input)
{
	const char *name;
	json_t *value;

	if (!json_is_object(input))
		return;
	json_object_foreach(demon_json_iterable(input), name, value) add_param(l, name, value);
}

static enum demon_rc make_env(struct demon_launch *l, const struct demon_call *call,
			      struct demon_err *err)
{
	DEMON_BUF(input, 0);
	json_t *set = json_object_get(call->with, "env");
	char attempt[16];
	const char *name;
	json_t *value;
	enum demon_rc rc;

	if (!call->input)
		demon_buf_str(&input, "{}");
	else if ((rc = demon_json_canonical(call->input, &input, err)))
		return rc;
	if ((rc = demon_buf_rc(&input, err)))
		return rc;
	(void)snprintf(attempt, sizeof(attempt), "%u", call->attempt);
	pass_all(l, call->with);
	json_object_foreach(set, name, value) set_variable(l, name, json_string_value(value));
	set_variable(l, "DEMON_TENANT", call->tenant_id);
	set_variable(l, "DEMON_RITUAL", call->ritual_id);
	set_variable(l, "DEMON_RUN_ID", call->run_id);
	set_variable(l, "DEMON_STEP", call->step_name);
	set_variable(l, "DEMON_ATTEMPT", attempt);
	set_variable(l, MARK, call->idempotency_key);
	set_variable(l, "DEMON_INPUT", input.data);
	add_params(l, call->input);
	if ((rc = demon_buf_rc(&l->env, err)))
		return rc;
	l->envp = demon_calloc(l->variables + 1, sizeof(*l->envp));
	if (!l->envp)
		return demon_err_set(err, DEMON_NOMEM, "environment: out of memory");
	for (size_t i = 0, at = 0; i < l->variables; i++, at += strlen(l->env.data + at) + 1) {
		l->envp[i] = l->env.data + at;
		if (strncmp(l->envp[i], MARK "=", sizeof(MARK)) == 0)
			l->mark = l->envp[i];
	}
	return DEMON_OK;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* Looks a name up in PATH. Relative folders in it are passed over. */
static enum demon_rc find_program(struct demon_launch *l, const char *name, struct demon_err *err)
{
	DEMON_BUF(path, 0);
	const char *dirs = get_variable(l, "PATH");
	bool found = strchr(name, '/') != NULL;

	if (found)
		demon_buf_str(&path, name);
	while (!found && dirs && *dirs) {
		size_t n = strcspn(dirs, ":");

		demon_buf_clear(&path);
		demon_buf_add(&path, dirs, n);
		demon_buf_char(&path, '/');
		demon_buf_str(&path, name);
		found = *dirs == '/' && is_program(path.data);
		dirs += n + (dirs[n] == ':');
	}
	if (!found)
		(void)snprintf(l->reason, sizeof(l->reason), "'%.*s' was not found in PATH",
			       demon_output_clip(name, 128), name);
	l->program = demon_buf_take(&path);
	return l->program ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "exec: out of memory");
}

/* execve takes strings that are not const, and does not change them. */
static char *word(const json_t *text)
{
	union {
		const char *given;
		char *wanted;
	} same = {json_string_value(text)};

	return same.wanted;
}

enum demon_rc demon_launch_make(struct demon_launch *l, const struct demon_call *call,
				struct demon_err *err)
{
	const json_t *command = json_object_get(call->with, "command");
	size_t argc = json_array_size(command);
	enum demon_rc rc;

	l->argv = demon_calloc(argc + 1, sizeof(*l->argv));
	if (!l->argv)
		return demon_err_set(err, DEMON_NOMEM, "command: out of memory");
	for (size_t i = 0; i < argc; i++)
		l->argv[i] = word(json_array_get(command, i));
	if ((rc = make_env(l, call, err)) || (rc = find_program(l, l->argv[0], err)))
		return rc;
	return DEMON_OK;
}

void demon_launch_done(struct demon_launch *l)
{
	free(l->argv);
	free(l->envp);
	free(l->program);
	demon_buf_done(&l->env);
}
