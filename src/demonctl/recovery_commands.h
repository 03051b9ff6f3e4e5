/*
 * demonctl backup, bootstrap, recover and quarantine.
 */
#ifndef DEMON_RECOVERY_COMMANDS_H
#define DEMON_RECOVERY_COMMANDS_H

#include "command.h"

extern const struct demon_opt demon_bootstrap_options[];
extern const struct demon_opt demon_recover_options[];

extern const struct demon_command demon_backup_commands[];
extern const struct demon_command demon_quarantine_commands[];

demon_command_fn demon_command_backup_create;
demon_command_fn demon_command_backup_verify;
demon_command_fn demon_command_bootstrap;
demon_command_fn demon_command_recover;
demon_command_fn demon_command_quarantine_list;
demon_command_fn demon_command_quarantine_show;
demon_command_fn demon_command_quarantine_retry;
demon_command_fn demon_command_quarantine_drop;

#endif
