#include "help.h"

#include <string.h>

#define LEFT 30 /* width of the column of names */

static void print_pair(FILE *to, const char *left, const char *right)
{
	if (strlen(left) + 2 > LEFT)
		(void)fprintf(to, "  %s\n  %-*s%s\n", left, LEFT, "", right);
	else
		(void)fprintf(to, "  %-*s%s\n", LEFT, left, right);
}

static void print_options(FILE *to, const struct demon_opt *options)
{
	for (const struct demon_opt *o = options; o->name; o++) {
		char left[96];

		(void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s%s", o->letter ? '-' : ' ',
			       o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			       o->value ? " " : "", o->value ? o->value : "",
			       o->many ? " ..." : "");
		print_pair(to, left, o->help);
	}
}

static void print_block(FILE *to, const char *text, const char *indent)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		(void)fprintf(to, "%s%.*s\n", n ? indent : "", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void print_subcommands(FILE *to, const struct demon_command *table, const char *prefix)
{
	for (const struct demon_command *c = table; c->name; c++) {
		char left[96];

		(void)snprintf(left, sizeof(left), "%s%s%s%s", prefix, c->name,
			       *c->arguments ? " " : "", c->arguments);
		print_pair(to, left, c->summary);
	}
}

void demon_help_overview(FILE *to)
{
	(void)fputs("demonctl - run rituals, look at runs, keep the event log\n\n"
		    "usage: demonctl [global options] <command> [<subcommand>] [options] "
		    "[arguments]\n\ncommands:\n",
		    to);
	for (const struct demon_command *c = demon_commands; c->name; c++) {
		char prefix[48];

		(void)snprintf(prefix, sizeof(prefix), "%s ", c->name);
		if (c->subcommands)
			print_subcommands(to, c->subcommands, prefix);
		else
			print_subcommands(to, (const struct demon_command[]){*c, {0}}, "");
	}
	(void)fputs("\nglobal options, also accepted after the command:\n", to);
	print_options(to, demon_global_options);
	(void)fputs(
	    "\nexit status: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 refused,\n"
	    "  6 unavailable (locked, or made by a newer version), 7 damaged data\n\n"
	    "Each command has its own help: demonctl <command> --help\n",
	    to);
}

void demon_help_command(FILE *to, const char *path, const struct demon_command *command)
{
	(void)fprintf(to, "demonctl %s - %s\n\n", path, command->summary);
	if (command->subcommands) {
		(void)fprintf(to,
			      "usage: demonctl %s <subcommand> [options] [arguments]\n\n"
			      "subcommands:\n",
			      path);
		print_subcommands(to, command->subcommands, "");
	} else {
		(void)fprintf(to, "usage: demonctl %s [options]%s%s\n", path,
			      *command->arguments ? " " : "", command->arguments);
	}
	if (command->text) {
		(void)fputc('\n', to);
		print_block(to, command->text, "");
	}
	if (command->options && command->options->name) {
		(void)fputs("\noptions:\n", to);
		print_options(to, command->options);
	}
	(void)fputs("\nglobal options:\n", to);
	print_options(to, demon_global_options);
	if (command->examples) {
		(void)fputs("\nexamples:\n", to);
		print_block(to, command->examples, "  ");
	}
}

enum demon_rc demon_command_help(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_command *c;
	char path[64];

	if (demon_args_has(&ctl->args, "man")) {
		if (ctl->word_count)
			return demon_err_set(err, DEMON_USAGE,
					     "the manual page is of all commands");
		demon_help_manual(stdout);
		return DEMON_OK;
	}
	if (!ctl->word_count) {
		demon_help_overview(stdout);
		return DEMON_OK;
	}
	c = demon_command_find(demon_commands, ctl->words[0]);
	if (c && ctl->word_count > 1)
		c = c->subcommands ? demon_command_find(c->subcommands, ctl->words[1]) : NULL;
	if (!c)
		return demon_err_set(err, DEMON_USAGE, "no help for '%s%s%s'", ctl->words[0],
				     ctl->word_count > 1 ? " " : "",
				     ctl->word_count > 1 ? ctl->words[1] : "");
	(void)snprintf(path, sizeof(path), "%s%s%s", ctl->words[0], ctl->word_count > 1 ? " " : "",
		       ctl->word_count > 1 ? ctl->words[1] : "");
	demon_help_command(stdout, path, c);
	return DEMON_OK;
}
