/*
 * Calls that are made within a transaction: what they do and their result are on disk together.
 */
#include "base/fault.h"
#include "domain/capsule/envelope.h"
#include "domain/graph/graph_capsule.h"
#include "run_exec.h"

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a step");
}

/* A call under way. */
struct within {
	struct demon_exec *x;
	const struct demon_call *call;
	struct demon_capsule_result result; /* owns its envelope */
	bool refused;                       /* the capsule said no: nothing was done */
};

static enum demon_rc perform(void *ctx, struct demon_run_journal *j, struct demon_write *w,
			     struct demon_err *err)
{
	struct within *c = ctx;
	const struct demon_leaf *leaf = &c->x->machine->leaf;
	json_auto_t *payload = NULL;
	enum demon_rc rc;

	json_decref(c->result.envelope);
	c->result = (struct demon_capsule_result){.envelope = NULL};
	rc = leaf->task->capsule->run_in(c->call, w, &c->result, err);
	c->refused = demon_capsule_is_answer(rc);
	if (rc)
		return rc;
	payload = demon_exec_step(c->x, "step.returned:v1", leaf->task, leaf->step_id);
	if (!payload || !demon_run_event_set(payload, "attempt", json_integer(leaf->attempt)) ||
	    !demon_run_event_set(payload, "output", json_incref(c->result.envelope)))
		return no_memory(err);
	j->cause = c->result.has_cause ? &c->result.cause : NULL;
	return demon_run_journal_amend(j, "step.returned:v1", demon_take(payload), err);
}

/* Nothing was done: that is the answer. */
static enum demon_rc refuse(const struct demon_exec *x, const struct demon_err *why,
			    json_t **ret_envelope, struct demon_err *err)
{
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(x->env, x->machine->leaf.task->call, "1.0.0");

	demon_envelope_error(&e, demon_capsule_graph_code(why->rc), why->msg, json_object());
	return demon_envelope_end(&e, ret_envelope, err);
}

enum demon_rc demon_exec_within(struct demon_exec *x, const struct demon_call *call,
				json_t **ret_envelope, struct demon_err *err)
{
	struct within c = {.x = x, .call = call};
	struct demon_err why;
	enum demon_rc rc;

	(void)demon_run_journal_now(&x->journal);
	x->journal.decide = perform;
	x->journal.decide_ctx = &c;
	rc = demon_exec_flush(x, &why);
	x->journal.decide = NULL;
	x->journal.decide_ctx = NULL;
	x->journal.cause = NULL;
	if (rc && c.refused) {
		json_decref(c.result.envelope);
		return refuse(x, &why, ret_envelope, err);
	}
	*ret_envelope = c.result.envelope;
	if (rc) {
		json_decref(*ret_envelope);
		*ret_envelope = NULL;
		*err = why;
		return rc;
	}
	if (DEMON_FAULT(STEP_RETURNED))
		return demon_err_set(err, DEMON_IO, "fault after a step has returned");
	return DEMON_OK;
}
