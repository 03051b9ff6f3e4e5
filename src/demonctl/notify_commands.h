/*
 * The part of the command table that is about notifications.
 */
#ifndef DEMON_NOTIFY_COMMANDS_H
#define DEMON_NOTIFY_COMMANDS_H

#include "command.h"

extern const struct demon_command demon_routes_commands[];
extern const struct demon_command demon_notifications_commands[];

demon_command_fn demon_command_routes_set;
demon_command_fn demon_command_routes_list;
demon_command_fn demon_command_routes_remove;
demon_command_fn demon_command_routes_test;
demon_command_fn demon_command_notifications_list;
demon_command_fn demon_command_notifications_show;
demon_command_fn demon_command_notifications_retry;
demon_command_fn demon_command_notifications_drop;

#endif
