/*
 * demonctl completion: scripts for shells, from the command table.
 *
 * Each script walks the words before the cursor, passes over options and their values, and so
 * knows the command; then it offers its options, its subcommands, or files.
 */
#include "command.h"

#include <stdio.h>
#include <string.h>

typedef void visit_fn(const char *path, const struct demon_command *command);

/* Calls @p visit for every command and subcommand with its path, "runs/list". */
static void each_command(visit_fn *visit)
{
	for (const struct demon_command *c = demon_commands; c->name; c++) {
		visit(c->name, c);
		for (const struct demon_command *s = c->subcommands; s && s->name; s++) {
			char path[64];

			(void)snprintf(path, sizeof(path), "%s/%s", c->name, s->name);
			visit(path, s);
		}
	}
}

/* Prints "--a|--b": the options with values whose source is @p source; '*' any. */
static void print_valued(char source)
{
	const struct demon_opt *tables[128];
	size_t count = 0;
	const char *separator = "";

	tables[count++] = demon_global_options;
	for (const struct demon_command *c = demon_commands; c->name; c++) {
		if (c->options)
			tables[count++] = c->options;
		for (const struct demon_command *s = c->subcommands; s && s->name; s++)
			if (s->options && count < demon_count(tables))
				tables[count++] = s->options;
	}
	for (size_t t = 0; t < count; t++)
		for (const struct demon_opt *o = tables[t]; o->name; o++)
			if (o->value && (source == '*' || o->source == source)) {
				(void)printf("%s--%s", separator, o->name);
				separator = "|";
			}
}

static void print_names(const struct demon_command *table)
{
	for (const struct demon_command *c = table; c->name; c++)
		(void)printf("%s ", c->name);
}

static void print_option_names(const struct demon_opt *options)
{
	for (const struct demon_opt *o = options; o && o->name; o++)
		(void)printf("--%s ", o->name);
}

static void print_path_pattern(const char *path, const struct demon_command *command)
{
	(void)command;
	(void)printf("/%s|", path);
}

static void bash_case(const char *path, const struct demon_command *command)
{
	(void)printf("\t/%s) words=\"", path);
	if (command->subcommands)
		print_names(command->subcommands);
	(void)fputs("\" options=\"", stdout);
	print_option_names(command->options);
	(void)fputs("\" ;;\n", stdout);
}

static void print_bash(void)
{
	(void)fputs(
	    "# bash completion for demonctl: source <(demonctl completion bash)\n"
	    "_demonctl() {\n"
	    "\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
	    "\tlocal i word at= skip= words= options=\n"
	    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	    "\t\tword=\"${COMP_WORDS[i]}\"\n"
	    "\t\tif [ -n \"$skip\" ]; then skip=; continue; fi\n"
	    "\t\tcase \"$word\" in\n\t\t",
	    stdout);
	print_valued('*');
	(void)fputs(") skip=1 ;;\n\t\t-*) ;;\n\t\t*) case \"$at/$word\" in\n\t\t   ", stdout);
	each_command(print_path_pattern);
	(void)fputs("/-) at=\"$at/$word\" ;;\n\t\t   esac ;;\n\t\tesac\n\tdone\n"
		    "\tcase \"$prev\" in\n\t",
		    stdout);
	print_valued('d');
	(void)fputs(") mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n\t", stdout);
	print_valued('f');
	(void)fputs(") mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n\t", stdout);
	print_valued('*');
	(void)fputs(") COMPREPLY=(); return ;;\n\tesac\n\tcase \"$at\" in\n\t'') words=\"", stdout);
	print_names(demon_commands);
	(void)fputs("\" ;;\n", stdout);
	each_command(bash_case);
	(void)fputs("\tesac\n\tif [[ $cur == -* ]]; then\n\t\twords=\"$options ", stdout);
	print_option_names(demon_global_options);
	(void)fputs("\"\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		    "\t[ -n \"$words\" ] || mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		    "}\ncomplete -o bashdefault -F _demonctl demonctl\n",
		    stdout);
}

/* Within single quotes of a shell, and without the colon that separates name and text. */
static void print_quoted(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			(void)fputs("'\\''", stdout);
		else if (*text == ':')
			(void)fputc(' ', stdout);
		else
			(void)fputc(*text, stdout);
	}
}

static void zsh_names(const struct demon_command *table)
{
	for (const struct demon_command *c = table; c && c->name; c++) {
		(void)printf("'%s:", c->name);
		print_quoted(c->summary);
		(void)fputs("' ", stdout);
	}
}

static void zsh_options(const struct demon_opt *options)
{
	for (const struct demon_opt *o = options; o && o->name; o++) {
		(void)printf("'--%s:", o->name);
		print_quoted(o->help);
		(void)fputs("' ", stdout);
	}
}

static void zsh_case(const char *path, const struct demon_command *command)
{
	(void)printf("\t/%s) names=(", path);
	zsh_names(command->subcommands);
	(void)fputs(") options+=(", stdout);
	zsh_options(command->options);
	(void)fputs(") ;;\n", stdout);
}

static void print_zsh(void)
{
	(void)fputs("#compdef demonctl\n"
		    "# zsh completion for demonctl: a file _demonctl in $fpath\n"
		    "_demonctl() {\n"
		    "\tlocal i word at= skip=\n"
		    "\tlocal -a names options\n"
		    "\tfor ((i = 2; i < CURRENT; i++)); do\n"
		    "\t\tword=\"${words[i]}\"\n"
		    "\t\tif [[ -n $skip ]]; then skip=; continue; fi\n"
		    "\t\tcase \"$word\" in\n\t\t",
		    stdout);
	print_valued('*');
	(void)fputs(") skip=1 ;;\n\t\t-*) ;;\n\t\t*) case \"$at/$word\" in\n\t\t   ", stdout);
	each_command(print_path_pattern);
	(void)fputs("/-) at=\"$at/$word\" ;;\n\t\t   esac ;;\n\t\tesac\n\tdone\n"
		    "\tif [[ -n $skip ]]; then _files; return; fi\n"
		    "\toptions=(",
		    stdout);
	zsh_options(demon_global_options);
	(void)fputs(")\n\tcase \"$at\" in\n\t'') names=(", stdout);
	zsh_names(demon_commands);
	(void)fputs(") ;;\n", stdout);
	each_command(zsh_case);
	(void)fputs("\tesac\n"
		    "\tif [[ ${words[CURRENT]} == -* ]]; then _describe -o option options\n"
		    "\telif ((${#names})); then _describe command names\n"
		    "\telse _files; fi\n"
		    "}\nif [[ ${funcstack[1]} == _demonctl ]]; then _demonctl \"$@\"\n"
		    "else compdef _demonctl demonctl; fi\n",
		    stdout);
}

static void fish_options(const char *path, const struct demon_opt *options)
{
	for (const struct demon_opt *o = options; o && o->name; o++) {
		(void)printf("complete -c demonctl");
		if (path)
			(void)printf(" -n '__demonctl_at /%s'", path);
		(void)printf(" -l %s", o->name);
		if (o->letter)
			(void)printf(" -s %c", o->letter);
		if (o->value)
			(void)printf(o->source ? " -rF" : " -x");
		(void)fputs(" -d '", stdout);
		print_quoted(o->help);
		(void)fputs("'\n", stdout);
	}
}

static void fish_names(const char *path, const struct demon_command *table)
{
	for (const struct demon_command *c = table; c && c->name; c++) {
		(void)printf("complete -c demonctl -f -n '__demonctl_at \"%s\"' -a %s -d '", path,
			     c->name);
		print_quoted(c->summary);
		(void)fputs("'\n", stdout);
	}
}

static void fish_command(const char *path, const struct demon_command *command)
{
	char at[80];

	(void)snprintf(at, sizeof(at), "/%s", path);
	fish_names(at, command->subcommands);
	fish_options(path, command->options);
}

static void print_fish(void)
{
	(void)fputs("# fish completion for demonctl: demonctl completion fish | source\n"
		    "function __demonctl_at\n"
		    "\tset -l at ''\n\tset -l skip ''\n"
		    "\tfor word in (commandline -opc)[2..]\n"
		    "\t\tif test -n \"$skip\"; set skip ''; continue; end\n"
		    "\t\tif string match -qr -- '^(",
		    stdout);
	print_valued('*');
	(void)fputs(")$' $word; set skip 1; continue; end\n"
		    "\t\tif string match -q -- '-*' $word; continue; end\n"
		    "\t\tif contains -- $at/$word",
		    stdout);
	for (const struct demon_command *c = demon_commands; c->name; c++) {
		(void)printf(" /%s", c->name);
		for (const struct demon_command *s = c->subcommands; s && s->name; s++)
			(void)printf(" /%s/%s", c->name, s->name);
	}
	(void)fputs("; set at $at/$word; end\n\tend\n\ttest \"$at\" = \"$argv[1]\"\nend\n", stdout);
	fish_names("", demon_commands);
	each_command(fish_command);
	fish_options(NULL, demon_global_options);
}

enum demon_rc demon_command_completion(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *shell = ctl->words[0];

	if (strcmp(shell, "bash") == 0)
		print_bash();
	else if (strcmp(shell, "zsh") == 0)
		print_zsh();
	else if (strcmp(shell, "fish") == 0)
		print_fish();
	else
		return demon_err_set(err, DEMON_USAGE,
				     "completion: unknown shell '%.64s': bash, zsh or fish", shell);
	return DEMON_OK;
}
