/*
 * Wards, as the interpreter sees them: each attempt at a call is decided about in the transaction
 * that begins it. Gates are no effect, and no ward keeps people from being asked.
 */
#include "domain/ward/ward.h"
#include "run_exec.h"

#include <string.h>

/** A call that is to be decided about. */
struct question {
	struct demon_exec *x;
	char capability[DEMON_CAPABILITY_MAX + 1];
};

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a decision");
}

static enum demon_rc amend(struct demon_run_journal *j, const struct question *q,
			   const struct demon_ward_verdict *v, struct demon_err *err)
{
	const struct demon_leaf *leaf = &q->x->machine->leaf;
	json_auto_t *decision = demon_run_event_new(j, "policy.decision:v1");
	json_auto_t *evaluated = demon_run_event_new(j, "policy.evaluated:v1");
	enum demon_rc rc;

	if (!decision || !evaluated ||
	    !demon_run_event_set(evaluated, "stepId", json_integer(leaf->step_id)) ||
	    !demon_run_event_set(evaluated, "attempt", json_integer(leaf->attempt)))
		return no_memory(err);
	if ((rc = demon_ward_decision(v, q->capability, decision, err)) ||
	    (rc = demon_ward_evaluated(v, q->capability, evaluated, err)) ||
	    (rc = demon_run_journal_amend(j, "policy.decision:v1", demon_take(decision), err)))
		return rc;
	return demon_run_journal_amend(j, "policy.evaluated:v1", demon_take(evaluated), err);
}

static enum demon_rc decide(void *ctx, struct demon_run_journal *j, struct demon_write *w,
			    struct demon_err *err)
{
	const struct question *q = ctx;
	const struct demon_ward_question question = {q->x->watch->wards, j->run->tenant_id,
						     q->capability, j->ts};
	struct demon_ward_verdict v;
	enum demon_rc rc = demon_ward_decide(demon_write_db(w), &question, &v, err);

	return rc || !v.asked ? rc : amend(j, q, &v, err);
}

enum demon_rc demon_exec_ward(struct demon_exec *x, struct demon_err *err)
{
	struct question q = {.x = x};
	enum demon_rc rc =
	    demon_capability_name(x->machine->leaf.task->capsule->name, q.capability, err);

	if (rc)
		return rc;
	x->journal.decide = decide;
	x->journal.decide_ctx = &q;
	rc = demon_exec_flush(x, err);
	x->journal.decide = NULL;
	x->journal.decide_ctx = NULL;
	return rc;
}

enum demon_rc demon_exec_ward_error(const struct demon_exec *x, struct demon_run_error *error,
				    struct demon_err *err)
{
	const json_t *refused = x->machine->leaf.refused;
	const char *reason = json_string_value(json_object_get(refused, "reason"));
	const char *rule = json_string_value(json_object_get(refused, "rule"));
	const char *detail = json_string_value(json_object_get(refused, "detail"));
	bool quota = reason && strcmp(reason, demon_ward_reason_name(DEMON_WARD_EXCEEDED)) == 0;

	return demon_run_error_set(
	    error, DEMON_ERROR_POLICY, quota ? 429 : 403, "Denied by policy", err,
	    "%s: %s: %s%s%s%s", json_string_value(json_object_get(refused, "capability")),
	    reason ? reason : "denied", detail ? detail : "no reason is known", rule ? " (" : "",
	    rule ? rule : "", rule ? ")" : "");
}
