/*
 * demonctl policy: its part of the command table.
 */
#ifndef DEMON_POLICY_COMMANDS_H
#define DEMON_POLICY_COMMANDS_H

#include "command.h"

extern const struct demon_command demon_policy_commands[];

demon_command_fn demon_command_policy_show;
demon_command_fn demon_command_policy_set;
demon_command_fn demon_command_policy_remove;
demon_command_fn demon_command_policy_check;

#endif
