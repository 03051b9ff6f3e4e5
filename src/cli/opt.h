/*
 * Options of a command line, by table.
 *
 * Long options (`--name`, `--name VALUE`, `--name=VALUE`), letters for flags (`-q`, `-qv`), `--`
 * ends options, a lone `-` is an argument. A value in a word of its own must not begin with `--`: a
 * forgotten value would swallow the next option; `--name=--value` says it is meant.
 */
#ifndef DEMON_OPT_H
#define DEMON_OPT_H

#include "base/base.h"

/** One option; a table of them ends with a NULL name. */
struct demon_opt {
	const char *name;  /* without dashes */
	const char *value; /* what the value is called in help, "FILE"; NULL: a flag */
	const char *help;  /* one line, lower case */
	char letter;       /* of a flag; 0: none */
	bool many;         /* may be given several times; otherwise the last one counts */
	char source;       /* where completion finds values: 'f' files, 'd' folders, 0 nowhere */
};

/** What was given. Everything is borrowed from argv and the tables. */
struct demon_args {
	const struct demon_opt *const *tables; /* accepted here; NULL-terminated */
	struct demon_given {
		const struct demon_opt *opt;
		const char *value; /* NULL: a flag */
	} * given;                 /* owned */
	size_t given_count;
	const char **words; /* owned: what is not an option */
	size_t word_count;
	bool ended; /* `--` was seen */
};

void demon_args_done(struct demon_args *args);

/**
 * Reads words from argv[*at] on, and moves *at behind what was read. With @p first it stops behind
 * the first word that is not an option; otherwise it goes to the end. Tables must outlive @p args;
 * they may change between calls.
 *
 * DEMON_USAGE: an unknown option (with the nearest known one), a value too few or too many.
 */
enum demon_rc demon_args_read(struct demon_args *args, int argc, char *const *argv, int *at,
			      bool first, struct demon_err *err) demon_must_check;

/** The last value of option @p name, or NULL when it was not given. */
const char *demon_args_get(const struct demon_args *args, const char *name);

/** True when option @p name was given. */
bool demon_args_has(const struct demon_args *args, const char *name);

/** The values of option @p name one after the other: start with *at = 0; NULL at the end. */
const char *demon_args_next(const struct demon_args *args, const char *name, size_t *at);

/** Reads the value of @p name, a number within [min, max]; *number stays when it is not given.
 * DEMON_USAGE: something else. */
enum demon_rc demon_args_number(const struct demon_args *args, const char *name, int64_t min,
				int64_t max, int64_t *number, struct demon_err *err)
    demon_must_check;

#endif
