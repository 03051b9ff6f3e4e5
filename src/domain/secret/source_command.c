#include "source.h"

#include "domain/capsule/process.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_MS   10000
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static const char *get_path(const char *const *variables)
{
	for (; *variables; variables++)
		if (strncmp(*variables, "PATH=", 5) == 0)
			return *variables + 5;
	return DEFAULT_PATH;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* Relative folders in PATH are passed over. *ret_program is new. */
static enum demon_rc find_program(const char *name, const char *dirs, char **ret_program,
				  struct demon_err *err)
{
	DEMON_BUF(path, 0);
	bool found = strchr(name, '/') != NULL;

	if (found)
		demon_buf_str(&path, name);
	while (!found && *dirs) {
		size_t n = strcspn(dirs, ":");

		demon_buf_clear(&path);
		demon_buf_add(&path, dirs, n);
		demon_buf_fmt(&path, "/%s", name);
		found = *dirs == '/' && is_program(path.data);
		dirs += n + (dirs[n] == ':');
	}
	if (!found)
		return demon_err_set(err, DEMON_INVALID, "command '%s' was not found in PATH",
				     name);
	*ret_program = demon_buf_take(&path);
	return *ret_program ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "command: out of memory");
}

/* execve takes strings that are not const, and does not change them. */
static char *word(const char *text)
{
	union {
		const char *given;
		char *wanted;
	} same = {text};

	return same.wanted;
}

/* A copy of a list with room for @p more; without what SECRET_ begins. New. */
static char **copy_list(const char *const *list, size_t more, const char *without)
{
	size_t count = 0;
	size_t n = without ? strlen(without) : 0;
	char **copy;

	while (list[count])
		count++;
	copy = demon_calloc(count + more + 1, sizeof(*copy));
	if (!copy)
		return NULL;
	for (count = 0; *list; list++)
		if (!without || strncmp(*list, without, n) != 0)
			copy[count++] = word(*list);
	return copy;
}

static enum demon_rc judge(const char *name, const struct demon_process_result *r,
			   struct demon_err *err)
{
	switch (r->end) {
	case DEMON_PROCESS_NOT_STARTED:
		return demon_err_sys(err, DEMON_INVALID, r->code, "cannot start command '%s'",
				     name);
	case DEMON_PROCESS_TIMED_OUT:
		return demon_err_set(err, DEMON_INVALID, "command '%s' did not end within %d s",
				     name, COMMAND_MS / 1000);
	case DEMON_PROCESS_SIGNALED:
		return demon_err_set(err, DEMON_INVALID, "command '%s' was ended by signal %d",
				     name, r->code);
	case DEMON_PROCESS_EXITED:
		break;
	case DEMON_PROCESS_LIMITED:
	case DEMON_PROCESS_CANCELED:
		return demon_err_set(err, DEMON_INVALID, "command '%s' did not end by itself",
				     name);
	}
	if (r->code)
		return demon_err_set(err, DEMON_INVALID, "command '%s' ended with status %d", name,
				     r->code);
	if (r->held)
		return demon_err_set(err, DEMON_INVALID,
				     "command '%s' left a process that holds its output", name);
	if (r->out.total > DEMON_SECRET_MAX || r->out.total != r->out.len)
		return demon_err_set(err, DEMON_INVALID,
				     "command '%s' answered with more than %zu bytes", name,
				     DEMON_SECRET_MAX);
	return DEMON_OK;
}

static void result_done(struct demon_process_result *r)
{
	if (r->out.bytes)
		explicit_bzero(r->out.bytes, r->out.len);
	if (r->err.bytes)
		explicit_bzero(r->err.bytes, r->err.len);
	demon_process_done(r);
}

enum demon_rc demon_secret_from_command(const char *const *command, const char *const *variables,
					const char *scope, const char *key,
					struct demon_buf *ret_value, struct demon_err *err)
{
	demon_cleanup(result_done) struct demon_process_result r = {.code = 0};
	demon_auto_free char **argv = copy_list(command, 2, NULL);
	demon_auto_free char **envp = copy_list(variables, 0, "SECRET_");
	demon_auto_free char *program = NULL;
	struct demon_process_plan plan = {.keep = DEMON_SECRET_MAX, .timeout_ms = COMMAND_MS};
	size_t n = 0;
	enum demon_rc rc;

	if (!argv || !envp)
		return demon_err_set(err, DEMON_NOMEM, "command: out of memory");
	while (argv[n])
		n++;
	argv[n] = word(scope);
	argv[n + 1] = word(key);
	if ((rc = find_program(command[0], get_path(variables), &program, err)))
		return rc;
	plan.program = program;
	plan.argv = argv;
	plan.envp = envp;
	if ((rc = demon_process_run(demon_env_real(), &plan, &r, err)) ||
	    (rc = judge(command[0], &r, err)))
		return rc;
	n = r.out.len;
	if (n && r.out.bytes[n - 1] == '\n')
		n--;
	demon_buf_add(ret_value, r.out.bytes, n);
	return demon_buf_rc(ret_value, err);
}
