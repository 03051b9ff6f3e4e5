/*
 * demonctl approvals: what its commands share, and their table.
 */
#ifndef DEMON_APPROVALS_H
#define DEMON_APPROVALS_H

#include "cli/gates.h"
#include "command.h"
#include "store/readers.h"

/** Opens the store, and finds the run that the first word names. */
enum demon_rc demon_approvals_find(struct demon_ctl *ctl, struct demon_run_id *run,
				   struct demon_err *err) demon_must_check;

/** The option --round; 0: it was not given. DEMON_USAGE. */
enum demon_rc demon_approvals_round(struct demon_ctl *ctl, int64_t *ret, struct demon_err *err)
    demon_must_check;

demon_command_fn demon_command_approvals_list;
demon_command_fn demon_command_approvals_show;
demon_command_fn demon_command_approvals_why;
demon_command_fn demon_command_approvals_grant;
demon_command_fn demon_command_approvals_deny;
demon_command_fn demon_command_approvals_override;
demon_command_fn demon_command_approvals_escalate;
demon_command_fn demon_command_approvals_link;

extern const struct demon_command demon_approvals_commands[];

#endif
