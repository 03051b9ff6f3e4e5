/*
 * What both programs are told from outside: global options, and the environment behind them.
 *
 * This is the only place that reads the environment. A flag wins over the environment, the
 * environment over the default; each value remembers where it came from.
 */
#ifndef DEMON_SETTINGS_H
#define DEMON_SETTINGS_H

#include "base/nats_server.h"
#include "domain/secret/secret.h"
#include "opt.h"

/** A value and its origin: "--db", "DEMON_DB", "default". Borrowed from the settings. */
struct demon_setting {
	const char *value; /* NULL: not set */
	const char *from;
};

struct demon_settings {
	struct demon_setting db;   /* path of the database; NULL when no home is known */
	struct demon_setting home; /* folder of side data */
	struct demon_setting tenant;
	struct demon_setting token; /* who acts; never printed */
	struct demon_setting nats_url;
	struct demon_setting nats_creds;
	struct demon_setting nats_ca;
	struct demon_setting nats_cert;
	struct demon_setting nats_key;
	struct demon_setting nats_domain;
	struct demon_setting stream_replicas; /* a number from 1 to 5 */
	struct demon_setting public_url;      /* of the pages of the node; NULL: not known */
	struct demon_setting
	    secrets_file; /* DEMON_SECRETS_FILE, or the older CONFIG_SECRETS_FILE */
	struct demon_setting secrets_command; /* as it was given */
	struct demon_setting color;           /* "always-off" reasons; value "yes" or "no" */
	bool json;
	bool quiet;
	bool verbose;
	bool db_in_home;    /* the path is the default one: its folder is ours to make */
	char *own_home;     /* owned */
	char *own_db;       /* owned */
	char **own_command; /* owned: the words of secrets_command, ended by NULL; or NULL */
};

/** --db, --json, … --version, --help. */
extern const struct demon_opt demon_global_options[];

/**
 * Fills *ret_settings from what was given and the environment; end with demon_settings_done.
 * DEMON_USAGE: a tenant that is no id; a certificate for NATS without its key; an address of pages
 * that is none; a file or command of secrets that is none; an option or variable that this version
 * cannot serve though it would change the result (--api-url).
 *
 * The command of secrets is a JSON array of strings, or words separated by blanks; there is no
 * shell, and no quoting but that of JSON.
 */
enum demon_rc demon_settings_read(const struct demon_args *args,
				  struct demon_settings *ret_settings, struct demon_err *err)
    demon_must_check;
void demon_settings_done(struct demon_settings *settings);

/** Where secrets come from: the environment, and the file and the command, where they are set.
 * Borrowed from the settings and the environment. */
struct demon_secrets_options demon_settings_secrets(const struct demon_settings *settings);

/** How NATS servers are reached. Borrowed from the settings. */
struct demon_nats_server demon_settings_nats(const struct demon_settings *settings);

/** Makes the default folder of the database (0700) when it is missing and the path is the
 * default one. */
enum demon_rc demon_settings_make_home(const struct demon_settings *settings, struct demon_err *err)
    demon_must_check;

/** An environment variable that is set and not empty, else what the configuration file says
 * (config_file.h), or NULL. */
const char *demon_settings_env(const char *name);

#endif
