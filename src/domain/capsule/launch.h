/*
 * What a program is started with: its arguments, the environment that is made for it, its file.
 *
 * The environment is PATH, HOME, LANG, TZ and what `passEnv` names of this process (no other file
 * of the libraries reads environ), the step's `env`, and DEMON_* variables. docs/rituals.md
 * describes them.
 */
#ifndef DEMON_LAUNCH_H
#define DEMON_LAUNCH_H

#include "capsule.h"
#include "envelope.h"

struct demon_launch {
	char **argv;          /* owned; the strings are borrowed from the call */
	struct demon_buf env; /* "NAME=VALUE" and a NUL, one after the other */
	char **envp;          /* owned; into env */
	size_t variables;
	const char *mark;                /* the one of envp that no other step has */
	char *program;                   /* owned; a path */
	char reason[256];                /* why it cannot be started; empty: it can */
	struct demon_envelope *envelope; /* borrowed; told about variables that were left out */
};

/** Fills a zeroed @p l (with its envelope) for a call whose arguments were checked. */
enum demon_rc demon_launch_make(struct demon_launch *l, const struct demon_call *call,
				struct demon_err *err) demon_must_check;
void demon_launch_done(struct demon_launch *l);

/** True for what may be the name of a variable: [A-Za-z_][A-Za-z0-9_]*. */
bool demon_launch_is_name(const char *text);

#endif
