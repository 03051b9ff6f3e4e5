/*
 * What the environment says of gates.
 *
 *	APPROVER_ALLOWLIST         who may decide without a token; empty: nobody; '*': anybody
 *	APPROVAL_ESCALATION_RULES  chains of escalation (domain/approval/escalation.h)
 *	APPROVAL_TTL_SECONDS       deadline of gates that say none; default 86 400
 */
#ifndef DEMON_CLI_GATES_H
#define DEMON_CLI_GATES_H

#include "domain/approval/voter.h"

/** Zeroed, read, then done. Owns what the configuration borrows. */
struct demon_gate_settings {
	struct demon_allowlist *allowlist;
	json_t *escalation;
	struct demon_gate_config config;
};

/** Reads the environment. DEMON_USAGE: a variable that is malformed: nothing of it holds. */
enum demon_rc demon_gate_settings_read(struct demon_gate_settings *ret, struct demon_err *err)
    demon_must_check;
void demon_gate_settings_done(struct demon_gate_settings *settings);

#endif
