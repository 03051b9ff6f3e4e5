/*
 * The configuration file: YAML, one mapping of settings. What the environment says goes before it,
 * and it before defaults.
 *
 *	approvers: [ada@example.org]        # APPROVER_ALLOWLIST
 *	escalation:                         # APPROVAL_ESCALATION_RULES
 *	  tenants: {default: {gates: {prod: {levels: [...]}}}}
 *	listen: 127.0.0.1:3000
 *
 * docs/cli.md lists the keys. A value may be text, a number, true or false; a list for `approvers`
 * and `secrets-command`; a mapping where the variable is JSON.
 */
#ifndef DEMON_CONFIG_FILE_H
#define DEMON_CONFIG_FILE_H

#include <demon/err.h>

/** Reads the file, once, before anything else is read and before there are threads. What it says
 * stays until demon_config_file_close(). DEMON_USAGE: what is wrong, as "FILE:line:column: …";
 * DEMON_NOTFOUND. */
enum demon_rc demon_config_file_open(const char *path, struct demon_err *err) demon_must_check;
void demon_config_file_close(void);

/** The value of a key, or NULL. Borrowed. */
const char *demon_config_file_get(const char *key);

/** The value of the key that stands for an environment variable, or NULL. */
const char *demon_config_file_variable(const char *variable);

#endif
