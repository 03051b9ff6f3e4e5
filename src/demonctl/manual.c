#include "cli/man.h"
#include "help.h"

static void print_command(FILE *to, const char *path, const struct demon_command *c)
{
	char title[160];

	(void)snprintf(title, sizeof(title), "%s%s%s", path, *c->arguments ? " " : "",
		       c->arguments);
	demon_man_part(to, title);
	demon_man_text(to, c->summary);
	if (c->text)
		demon_man_text(to, c->text);
	if (c->options)
		demon_man_options(to, c->options);
	if (c->examples)
		demon_man_lines(to, c->examples);
}

static void print_commands(FILE *to)
{
	for (const struct demon_command *c = demon_commands; c->name; c++) {
		if (!c->subcommands)
			print_command(to, c->name, c);
		for (const struct demon_command *s = c->subcommands; s && s->name; s++) {
			char path[64];

			(void)snprintf(path, sizeof(path), "%s %s", c->name, s->name);
			print_command(to, path, s);
		}
	}
}

void demon_help_manual(FILE *to)
{
	static const char *const statuses[][2] = {
	    {"0", "done"},
	    {"1", "the operation failed: a run failed, a check did not hold, input is malformed"},
	    {"2", "usage"},
	    {"3", "not found"},
	    {"4", "conflict: exists already, the state has moved on"},
	    {"5", "refused: policy, authorization, a denied gate"},
	    {"6", "unavailable: locked, held by another, or written by a newer version"},
	    {"7", "damaged, tampered or altered data"},
	};

	demon_man_begin(to, &(struct demon_man_page){
				"demonctl", "1", "run rituals, look at runs, keep the event log",
				DEMON_VERSION});
	demon_man_section(to, "SYNOPSIS");
	demon_man_text(to, "demonctl [global options] <command> [<subcommand>] [options] "
			   "[arguments]");
	demon_man_section(to, "DESCRIPTION");
	demon_man_text(to, "Works straight on the database of a node, also while demond(8) runs.\n"
			   "Results go to stdout, progress and errors to stderr; with --json\n"
			   "stdout is compact JSON, one document a line.");
	demon_man_section(to, "GLOBAL OPTIONS");
	demon_man_options(to, demon_global_options);
	demon_man_section(to, "COMMANDS");
	print_commands(to);
	demon_man_section(to, "EXIT STATUS");
	for (size_t i = 0; i < demon_count(statuses); i++)
		demon_man_item(to, statuses[i][0], statuses[i][1]);
	demon_man_section(to, "SEE ALSO");
	demon_man_text(to, "demond(8), sqlite3(1)");
}
