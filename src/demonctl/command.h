/*
 * Commands of demonctl: one table, from which help, parsing and completion follow.
 */
#ifndef DEMON_COMMAND_H
#define DEMON_COMMAND_H

#include "base/base.h"
#include "cli/opt.h"
#include "cli/settings.h"
#include "domain/admin/token.h"

#include <demon/store.h>

/** One invocation. */
struct demon_ctl {
	const struct demon_command *command; /* the innermost one */
	char path[64];                       /* its words, "runs list" */
	struct demon_args args;
	const char *const *words; /* arguments behind the command's words */
	size_t word_count;
	struct demon_settings settings;
	struct demon_store *store;  /* opened by demon_ctl_open, closed by main */
	struct demon_expr *expr;    /* made by demon_ctl_expr, closed by main */
	struct demon_bearer bearer; /* of the token that was given */
	bool has_bearer;
	char user[DEMON_ACTOR_MAX + 1]; /* for demon_ctl_actor() */
	char hint[320];                 /* printed under an error; empty: none */
};

typedef enum demon_rc demon_command_fn(struct demon_ctl *ctl, struct demon_err *err);

#define DEMON_ANY_WORDS (-1)

/** One command or subcommand; a table of them ends with a NULL name. */
struct demon_command {
	const char *name;
	const char *summary;                     /* one line, lower case */
	const char *arguments;                   /* for the usage line, "FILE"; "" */
	const char *text;                        /* paragraphs of help; NULL: none */
	const char *examples;                    /* lines without indentation; NULL for a group */
	const struct demon_opt *options;         /* its own; NULL: none */
	const struct demon_command *subcommands; /* NULL: it runs itself */
	demon_command_fn *run;                   /* NULL: a group */
	int min_words;
	int max_words; /* or DEMON_ANY_WORDS */
	/* What a token needs for it, where one is given: a role, NONE standing for ADMIN; and,
	 * unless it looks at and changes only what belongs to the tenant, that it is for all
	 * tenants. */
	enum demon_role role;
	bool of_tenant;
};

extern const struct demon_command demon_commands[];

/** A command by name in @p table, or NULL. */
const struct demon_command *demon_command_find(const struct demon_command *table, const char *name);

/**
 * Opens the database that the settings name as ctl->store, unless it is open, and finds out whether
 * the token that was given, if any, allows this command (DEMON_DENIED). @p create: make it, and the
 * default folder, when missing; commands that only read do not, and nobody does with a token.
 */
enum demon_rc demon_ctl_open(struct demon_ctl *ctl, bool create, struct demon_err *err)
    demon_must_check;

/** Whether the token that was given, if any, allows the command; demon_ctl_open() asks. */
enum demon_rc demon_ctl_admit(struct demon_ctl *ctl, struct demon_err *err) demon_must_check;

/**
 * Who gives the command, after demon_ctl_open(): the bearer of the token, whatever else is said;
 * else, as declared, the value of option @p option (NULL: it has none), else the user of the
 * operating system. Borrowed from @p ctl. DEMON_USAGE: the option's value cannot be a subject.
 */
enum demon_rc demon_ctl_actor(struct demon_ctl *ctl, const char *option,
			      struct demon_actor *ret_actor, struct demon_err *err)
    demon_must_check;

/** DEMON_DENIED when the token that was given is for one tenant alone. */
enum demon_rc demon_ctl_whole(struct demon_ctl *ctl, struct demon_err *err) demon_must_check;

/** Makes ctl->expr, once; no worker starts before it is needed. */
enum demon_rc demon_ctl_expr(struct demon_ctl *ctl, struct demon_err *err) demon_must_check;

/** Sets the line that follows the error message. */
void demon_ctl_hint(struct demon_ctl *ctl, const char *fmt, ...) demon_printf_like(2, 3);

demon_command_fn demon_command_run;
demon_command_fn demon_command_batch;
demon_command_fn demon_command_validate;
demon_command_fn demon_command_rituals_register;
demon_command_fn demon_command_rituals_unregister;
demon_command_fn demon_command_rituals_list;
demon_command_fn demon_command_rituals_show;
demon_command_fn demon_command_runs_list;
demon_command_fn demon_command_runs_show;
demon_command_fn demon_command_runs_events;
demon_command_fn demon_command_runs_watch;
demon_command_fn demon_command_runs_cancel;
demon_command_fn demon_command_runs_retry;
demon_command_fn demon_command_runs_tree;
demon_command_fn demon_command_runs_diff;
demon_command_fn demon_command_events_tail;
demon_command_fn demon_command_export;
demon_command_fn demon_command_import;
demon_command_fn demon_command_heads;
demon_command_fn demon_command_rebuild;
demon_command_fn demon_command_digest;
demon_command_fn demon_command_verify;
demon_command_fn demon_command_contracts_bundle;
demon_command_fn demon_command_contracts_validate;
demon_command_fn demon_command_contracts_envelope;
demon_command_fn demon_command_status;
demon_command_fn demon_command_doctor;
demon_command_fn demon_command_completion;
demon_command_fn demon_command_help;

#endif
