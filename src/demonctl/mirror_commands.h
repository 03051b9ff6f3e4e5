/*
 * Commands that speak to NATS.
 */
#ifndef DEMON_MIRROR_COMMANDS_H
#define DEMON_MIRROR_COMMANDS_H

#include "command.h"

extern const struct demon_opt demon_recover_options[];

demon_command_fn demon_command_recover;

#endif
