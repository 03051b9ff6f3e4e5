/*
 * Who is to get a mail.
 */
#ifndef DEMON_RECIPIENTS_H
#define DEMON_RECIPIENTS_H

#include "db/stmt.h"
#include "notice.h"
#include "route.h"

#define DEMON_RECIPIENTS_MAX 256

/** What is told: an event, its topic, and its payload (NULL: not read). Borrowed. */
struct demon_occasion {
	const struct demon_topic *topic;
	const struct demon_event *event;
	const json_t *payload;
};

/**
 * The people who may decide about the gate of an event that asks for a decision: its approvers, and
 * whoever holds one of its roles or of the levels that it has reached; of an escalation those that
 * the new level adds. Not who asks, unless the gate allows that. An array of subjects (new), each
 * once; empty for all other events.
 */
enum demon_rc demon_recipients_approvers(struct demon_db *db, const struct demon_occasion *occasion,
					 json_t **ret_subjects, struct demon_err *err)
    demon_must_check;

/** Whether a list of subjects has a name, in any case of its ASCII letters. */
bool demon_recipients_has(const json_t *subjects, const char *name);

/** The mail addresses that a route sends an event to: those that it names, and if it says so those
 * of the approvers whose subject is one, and those that the level of the chain wants told besides.
 * An array (new) of at most DEMON_RECIPIENTS_MAX. */
enum demon_rc demon_recipients_find(struct demon_db *db, const struct demon_route *route,
				    const struct demon_occasion *occasion, json_t **ret_addresses,
				    struct demon_err *err) demon_must_check;

/** The terms of the gate that an event asks for a decision about: what approval.opened said, and
 * the `level` that its chain has reached, if that is known (new); NULL: it asks for none. */
enum demon_rc demon_recipients_terms(struct demon_db *db, const struct demon_occasion *occasion,
				     json_t **ret_opened, struct demon_err *err) demon_must_check;

#endif
