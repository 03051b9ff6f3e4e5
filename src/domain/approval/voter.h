/*
 * Who may vote on a gate.
 *
 * One function decides, wherever the vote comes from:
 *
 *	known      with a token: its role is approver or admin, and it is for the gate's tenant.
 *	           Declared: the allow-list has the name. By a link: the same, or a role is held
 *	strong     authenticated at least as the gate asks for
 *	not self   neither the gate's requester nor who started the run, unless the gate allows it
 *	listed     where the gate names approvers, roles or levels: one of them. Levels that were
 *	           gone through keep their say
 *	override   the chain is at a level that allows one, and a role of that is held
 *	thawed     a frozen tenant or node lets nothing be granted; denials always can be
 */
#ifndef DEMON_VOTER_H
#define DEMON_VOTER_H

#include "domain/admin/allowlist.h"
#include "gate.h"

/** What the process that decides was configured with. Borrowed; zeroed: nobody may decide. */
struct demon_gate_config {
	const struct demon_allowlist *allowlist; /* NULL: nobody */
	const json_t *escalation;                /* rules (escalation.h), or NULL */
	int64_t ttl_ms;                          /* of gates that say none; 0: 24 h */
};

/** DEMON_DENIED: @p actor may not, and why. DEMON_INVALID: it is no name. @p want: the state that
 * the vote is for. */
enum demon_rc demon_voter_check(struct demon_db *db, const struct demon_gate_config *config,
				const struct demon_gate *gate, const struct demon_actor *actor,
				enum demon_gate_state want, struct demon_err *err) demon_must_check;

#endif
