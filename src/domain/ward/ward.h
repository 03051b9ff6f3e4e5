/*
 * Wards: whether a run may use a capability now.
 *
 * The schedules are asked first: what they deny is denied and takes nothing of the quota. Then the
 * quota: a use is allowed when fewer than its limit were allowed in the present window. It is
 * decided within the transaction that appends the decision, so two processes never both get the
 * last one. Uses are counted by the time of their decision (its `ts`), from the decisions of all
 * nodes whose events are here.
 *
 * An error in the policy denies. Where nothing is configured nothing is asked and nothing written.
 */
#ifndef DEMON_WARD_H
#define DEMON_WARD_H

#include "policy.h"
#include "store/projection.h"

enum demon_ward_reason {
	DEMON_WARD_ALLOWED,
	DEMON_WARD_EXCEEDED, /* "quota_exceeded" */
	DEMON_WARD_TIME,     /* "time_policy_denied" */
	DEMON_WARD_FAULT,    /* "policy_invalid": the policy cannot be read or applied */
};

/** In static storage. */
const char *demon_ward_reason_name(enum demon_ward_reason reason);

/** What was decided, and by which rule. */
struct demon_ward_verdict {
	bool asked; /* false: nothing is configured about this; it is allowed, and not recorded */
	enum demon_ward_reason reason;
	const char *source; /* of the rule that decided: "database", "environment", "none" */
	char rule[384];     /* that rule; "": there is none */
	char detail[256];   /* FAULT: what is wrong; TIME: what the clock shows */
	char digest[2 * DEMON_HASH_LEN + 1]; /* of the policy; "": it has a fault */
	/* the quota; without one that holds the limit is 0, or the greatest where there are none */
	bool has_quotas; /* false: only schedules are configured */
	int64_t limit;
	int64_t window_s;
	int64_t used;      /* in this window, before this */
	demon_time window; /* when it began */
	/* the schedule; NONE: no rule is about the capability */
	enum demon_schedule_result schedule;
	struct demon_local local; /* ALLOW, DENY: by the rule's clock */
};

/** Whether it may be used. */
bool demon_ward_allows(const struct demon_ward_verdict *verdict);

/** What is left of the window afterwards. */
int64_t demon_ward_remaining(const struct demon_ward_verdict *verdict);

/** What is asked. Borrowed. */
struct demon_ward_question {
	const struct demon_wards *wards; /* what the process was given; NULL: nothing */
	const char *tenant;
	const char *capability; /* its full name */
	demon_time t;
};

/** Decides. @p db is that of the job that appends the decision, or of a loan for who only wants to
 * know. */
enum demon_rc demon_ward_decide(struct demon_db *db, const struct demon_ward_question *question,
				struct demon_ward_verdict *ret_verdict, struct demon_err *err)
    demon_must_check;

/** Adds to @p payload (event, ts, tenantId, ritualId and runId) what policy.decision:v1 has.
 * DEMON_NOMEM. */
enum demon_rc demon_ward_decision(const struct demon_ward_verdict *verdict, const char *capability,
				  json_t *payload, struct demon_err *err) demon_must_check;
/** The same for policy.evaluated:v1, which has besides stepId and attempt. */
enum demon_rc demon_ward_evaluated(const struct demon_ward_verdict *verdict, const char *capability,
				   json_t *payload, struct demon_err *err) demon_must_check;

/** A span of time, in seconds since the Epoch. Borrowed. */
struct demon_ward_span {
	const char *tenant; /* DEMON_TENANT_ALL: all of them together */
	const char *capability;
	int64_t from;
	int64_t to; /* not included */
};

/** How many uses were allowed in it. */
enum demon_rc demon_ward_uses(struct demon_db *db, const struct demon_ward_span *span,
			      int64_t *ret_uses, struct demon_err *err) demon_must_check;

/** The projection of policy.decision events: table ward_uses. */
extern const struct demon_projection demon_ward_projection;

#endif
