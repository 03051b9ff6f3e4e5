/*
 * Help from the command table.
 */
#ifndef DEMON_HELP_H
#define DEMON_HELP_H

#include "command.h"

#include <stdio.h>

/** Prints the overview: commands with their summaries, global options, exit statuses. */
void demon_help_overview(FILE *to);

/** Prints the help of one command; @p path is its words, "runs list". */
void demon_help_command(FILE *to, const char *path, const struct demon_command *command);

/** Prints the manual page of the program. */
void demon_help_manual(FILE *to);

#endif
