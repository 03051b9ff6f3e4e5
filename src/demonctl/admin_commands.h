/*
 * The part of the command table that is about who may do what.
 */
#ifndef DEMON_ADMIN_COMMANDS_H
#define DEMON_ADMIN_COMMANDS_H

#include "command.h"

extern const struct demon_command demon_token_commands[];
extern const struct demon_command demon_roles_commands[];
extern const struct demon_command demon_peers_commands[];
extern const struct demon_opt demon_audit_options[];
extern const struct demon_opt demon_freeze_options[];

demon_command_fn demon_command_token_create;
demon_command_fn demon_command_token_list;
demon_command_fn demon_command_token_rotate;
demon_command_fn demon_command_token_revoke;
demon_command_fn demon_command_roles_set;
demon_command_fn demon_command_roles_list;
demon_command_fn demon_command_peers_list;
demon_command_fn demon_command_peers_trust;
demon_command_fn demon_command_peers_revoke;
demon_command_fn demon_command_audit;
demon_command_fn demon_command_freeze;
demon_command_fn demon_command_thaw;

#endif
