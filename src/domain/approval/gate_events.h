/*
 * The events of a gate, as docs/approvals.md has them, and how a command writes several of them.
 *
 * The contracts of version 1 are closed; what they have no room for (rounds, terms, who was
 * counted) is in a companion of our own beside each of them, in the same group.
 */
#ifndef DEMON_GATE_EVENTS_H
#define DEMON_GATE_EVENTS_H

#include "domain/ritual/run_journal.h"
#include "gate.h"
#include "store/write.h"

#define DEMON_GATE_EVENTS_MAX 48 /* of one command */

/** Makes an event about a gate: new, NULL: out of memory. Without a round: those of version 1. */
json_t *demon_gate_event(const struct demon_gate *gate, const char *type, demon_time ts, bool round)
    demon_must_check;

/** What a gate came to. Borrowed. */
struct demon_gate_outcome {
	enum demon_gate_state state;
	const char *by; /* who decided: of several voters the last one */
	enum demon_auth auth;
	const char *note;      /* of a denial: its reason; NULL: none */
	const json_t *counted; /* the votes that it took; NULL: none */
};

/** The two events that decide a gate: *ret_outcome as clients know it, *ret_decided beside it. Both
 * are new. DEMON_NOMEM. */
enum demon_rc demon_gate_outcome_events(const struct demon_gate *gate,
					const struct demon_gate_outcome *outcome, demon_time ts,
					json_t **ret_outcome, json_t **ret_decided,
					struct demon_err *err) demon_must_check;

/** The type of that outcome event: static storage. */
const char *demon_gate_outcome_type(enum demon_gate_state state);

/** timer.scheduled:v1 or timer.fired:v1 of the gate's deadline, or of the end of @p level (0: the
 * deadline). New; NULL: out of memory. */
json_t *demon_gate_timer(const struct demon_gate *gate, int64_t level, demon_time due, bool fired,
			 demon_time ts) demon_must_check;

/** Events of one command, collected and then appended as one group. Zeroed, begun, then done. */
struct demon_gate_group {
	const struct demon_gate *gate;
	demon_time ts;
	size_t count;
	struct {
		const char *type; /* static storage */
		struct demon_buf payload;
	} events[DEMON_GATE_EVENTS_MAX];
};
void demon_gate_group_done(struct demon_gate_group *group);

/** Adds an event; @p payload is stolen, NULL: out of memory. @p type is static. */
enum demon_rc demon_gate_group_add(struct demon_gate_group *group, const char *type,
				   json_t *payload_new, struct demon_err *err) demon_must_check;

/** Appends what was collected, if anything was. */
enum demon_rc demon_gate_group_append(struct demon_gate_group *group, struct demon_write *w,
				      struct demon_err *err) demon_must_check;

#endif
