/*
 * Escalation chains: who may decide about a gate as time goes by.
 *
 * A chain is a list of levels; each has roles, a time after which the next one begins (0: never),
 * and may allow an emergency override. When the last one is over, the chain is gone through again
 * as often as `repeat` says, and then the gate is denied.
 *
 *	{"levels":[{"level":1,"roles":["lead"],"timeoutSeconds":600},
 *	           {"level":2,"roles":["head"],"timeoutSeconds":0,"emergencyOverride":true}],
 *	 "repeat":0}
 *
 * Rules as a process is given them (APPROVAL_ESCALATION_RULES, the configuration file) name chains
 * by tenant and gate: {"tenants":{T:{"gates":{G:chain}}}}. A chain in the database (the register
 * ESCALATION, by tenant and gate) comes before those.
 */
#ifndef DEMON_ESCALATION_H
#define DEMON_ESCALATION_H

#include "base/json.h"
#include "db/stmt.h"

#define DEMON_ESCALATION_LEVELS  64
#define DEMON_ESCALATION_REPEATS 1000

/** DEMON_INVALID: @p chain is none; the message has the JSON pointer, behind @p where. */
enum demon_rc demon_escalation_check(const json_t *chain, const char *where, struct demon_err *err)
    demon_must_check;

/** Reads rules as a process is given them. *ret_rules is new; NULL: @p text is NULL or blank.
 * DEMON_INVALID: what is wrong, and where. */
enum demon_rc demon_escalation_parse(const char *text, json_t **ret_rules, struct demon_err *err)
    demon_must_check;

/** The chain that holds for a gate. */
struct demon_escalation {
	json_t *chain;      /* owned, or NULL: there is none */
	const char *source; /* "database", "environment" or "none": static storage */
};

/** The chain of a gate. DEMON_INVALID: the one in the database is none (another node wrote it). */
enum demon_rc demon_escalation_find(struct demon_db *db, const json_t *rules, const char *tenant,
				    const char *gate, struct demon_escalation *ret,
				    struct demon_err *err) demon_must_check;

#endif
