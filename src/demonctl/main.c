/*
 * demonctl: reads the command line, finds the command in the table, reports what went wrong.
 */
#include "base/suggest.h"
#include "command.h"
#include "db/db.h"
#include "domain/expr/expr.h"
#include "help.h"
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 64

void demon_ctl_hint(struct demon_ctl *ctl, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(ctl->hint, sizeof(ctl->hint), fmt, args);
	va_end(args);
}

enum demon_rc demon_ctl_expr(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_expr_options options = {.workers = 1, .output_max = DEMON_EXPR_LIST_MAX};

	return ctl->expr ? DEMON_OK : demon_expr_open(&options, &ctl->expr, err);
}

enum demon_rc demon_ctl_open(struct demon_ctl *ctl, bool create, struct demon_err *err)
{
	const struct demon_settings *s = &ctl->settings;
	struct demon_options options = {.create = create};
	enum demon_rc rc;

	if (ctl->store)
		return DEMON_OK;
	if (!s->db.value) {
		demon_ctl_hint(ctl, "name one with --db FILE, or set DEMON_DB or DEMON_HOME");
		return demon_err_set(err, DEMON_USAGE, "no database: HOME is not set");
	}
	if (s->token.value)
		options.create = create = false;
	if (create && (rc = demon_settings_make_home(s, err)))
		return rc;
	rc = demon_open(s->db.value, &options, &ctl->store, err);
	if (rc == DEMON_NOTFOUND && !create)
		demon_ctl_hint(ctl, "'demonctl run FILE' makes one; --db names another");
	else if (rc == DEMON_NEWER)
		demon_ctl_hint(ctl, "use the version of demonctl that wrote it, or a newer one");
	return rc ? rc : demon_ctl_admit(ctl, err);
}

const struct demon_command *demon_command_find(const struct demon_command *table, const char *name)
{
	for (const struct demon_command *c = table; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static enum demon_rc no_such(struct demon_ctl *ctl, const struct demon_command *table,
			     const char *word, struct demon_err *err)
{
	const char *names[NAMES_MAX];
	const char *near;
	size_t count = 0;

	for (const struct demon_command *c = table; c->name && count < NAMES_MAX; c++)
		names[count++] = c->name;
	near = demon_suggest(word, names, count);
	if (near)
		demon_ctl_hint(ctl, "did you mean 'demonctl %s%s%s'?", ctl->path,
			       *ctl->path ? " " : "", near);
	return demon_err_set(err, DEMON_USAGE, "%s%sunknown %s '%.64s'", ctl->path,
			     *ctl->path ? ": " : "", *ctl->path ? "subcommand" : "command", word);
}

/* Reads the next word as a command of @p table. *ret_found stays false when there is none. */
static enum demon_rc read_command(struct demon_ctl *ctl, int argc, char *const *argv, int *at,
				  const struct demon_command *table, struct demon_err *err)
{
	size_t had = ctl->args.word_count;
	const char *word;
	size_t n;
	enum demon_rc rc;

	if ((rc = demon_args_read(&ctl->args, argc, argv, at, true, err)) ||
	    ctl->args.word_count == had)
		return rc;
	word = ctl->args.words[had];
	ctl->command = demon_command_find(table, word);
	if (!ctl->command)
		return no_such(ctl, table, word, err);
	n = strlen(ctl->path);
	(void)snprintf(ctl->path + n, sizeof(ctl->path) - n, "%s%s", n ? " " : "", word);
	return DEMON_OK;
}

static enum demon_rc check_words(const struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_command *c = ctl->command;
	size_t n = ctl->word_count;

	if (n < (size_t)c->min_words)
		return demon_err_set(err, DEMON_USAGE, "%s: too few arguments: it takes %s",
				     ctl->path, c->arguments);
	if (c->max_words != DEMON_ANY_WORDS && n > (size_t)c->max_words)
		return demon_err_set(err, DEMON_USAGE, "%s: unexpected argument '%.64s'", ctl->path,
				     ctl->words[c->max_words]);
	return DEMON_OK;
}

/* Fills the invocation from the command line; a missing command leaves ctl->command NULL. */
static enum demon_rc parse(struct demon_ctl *ctl, int argc, char *const *argv,
			   const struct demon_opt *tables[3], struct demon_err *err)
{
	int at = 1;
	size_t depth = 1;
	enum demon_rc rc;

	ctl->args.tables = tables;
	tables[0] = demon_global_options;
	if ((rc = read_command(ctl, argc, argv, &at, demon_commands, err)) || !ctl->command)
		return rc;
	if (ctl->command->subcommands) {
		if ((rc = read_command(ctl, argc, argv, &at, ctl->command->subcommands, err)))
			return rc;
		depth = ctl->args.word_count;
	}
	if (ctl->command->options) {
		tables[0] = ctl->command->options;
		tables[1] = demon_global_options;
	}
	if (demon_args_read(&ctl->args, argc, argv, &at, false, err))
		return demon_err_wrap(err, "%s", ctl->path);
	ctl->words = ctl->args.words + depth;
	ctl->word_count = ctl->args.word_count - depth;
	return DEMON_OK;
}

static void print_version(const struct demon_ctl *ctl)
{
	if (demon_args_has(&ctl->args, "json"))
		(void)printf("{\"sqlite\":\"%s\",\"version\":\"%s\"}\n", demon_db_library_version(),
			     DEMON_VERSION);
	else
		(void)printf("demonctl %s (SQLite %s)\n", DEMON_VERSION,
			     demon_db_library_version());
}

/* Answers --help and --version; false when neither was given. */
static bool answered(const struct demon_ctl *ctl)
{
	if (demon_args_has(&ctl->args, "help")) {
		if (ctl->command)
			demon_help_command(stdout, ctl->path, ctl->command);
		else
			demon_help_overview(stdout);
		return true;
	}
	if (demon_args_has(&ctl->args, "version")) {
		print_version(ctl);
		return true;
	}
	return false;
}

static enum demon_rc dispatch(struct demon_ctl *ctl, struct demon_err *err)
{
	enum demon_rc rc;

	if (!ctl->command) {
		demon_ctl_hint(ctl, "'demonctl --help' lists the commands");
		return demon_err_set(err, DEMON_USAGE, "no command given");
	}
	if (!ctl->command->run) {
		demon_ctl_hint(ctl, "'demonctl %s --help' lists them", ctl->path);
		return demon_err_set(err, DEMON_USAGE, "%s: a subcommand is needed", ctl->path);
	}
	if ((rc = check_words(ctl, err)) ||
	    (rc = demon_settings_read(&ctl->args, &ctl->settings, err)))
		return rc;
	return ctl->command->run(ctl, err);
}

static void report(struct demon_ctl *ctl, const struct demon_err *err)
{
	DEMON_BUF(message, 0);

	if (err->rc == DEMON_USAGE && !*ctl->hint)
		demon_ctl_hint(ctl, "try 'demonctl %s%s--help'", ctl->path, *ctl->path ? " " : "");
	(void)fflush(stdout);
	/* a message quotes what others have written */
	demon_out_printable(&message, err->msg);
	(void)fprintf(stderr, "demonctl: %s\n", message.data);
	if (*ctl->hint)
		(void)fprintf(stderr, "hint: %s\n", ctl->hint);
}

/* A closed standard descriptor would be given to the next file opened; here it fails instead. */
static void occupy_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/dev/null", fd ? O_RDONLY : O_WRONLY);
}

int main(int argc, char **argv)
{
	const struct demon_opt *tables[3] = {NULL, NULL, NULL};
	struct demon_ctl ctl = {0};
	struct demon_err err = {0};
	enum demon_rc rc;

	occupy_standard_descriptors();
	rc = parse(&ctl, argc, argv, tables, &err);
	if (rc == DEMON_OK && !answered(&ctl))
		rc = dispatch(&ctl, &err);
	demon_expr_close(ctl.expr);
	demon_close(ctl.store);
	if (rc)
		report(&ctl, &err);
	if ((fflush(stdout) || ferror(stdout)) && rc == DEMON_OK) {
		rc = demon_err_sys(&err, DEMON_IO, errno, "cannot write to stdout");
		(void)fprintf(stderr, "demonctl: %s\n", err.msg);
	}
	demon_settings_done(&ctl.settings);
	demon_args_done(&ctl.args);
	return demon_rc_exit(rc);
}
