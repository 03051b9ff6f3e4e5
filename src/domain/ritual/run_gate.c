/*
 * Gates, as the interpreter sees them: it opens one, waits, and goes on with what was decided.
 */
#include "base/bytes.h"
#include "domain/approval/gate_events.h"
#include "domain/approval/gate_rules.h"
#include "domain/approval/terms.h"
#include "domain/approval/vote.h"
#include "domain/capsule/arguments.h"
#include "domain/capsule/envelope.h"
#include "run_exec.h"
#include "run_status.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>

DEMON_SQL(sql_rounds, "SELECT max(round) FROM gates WHERE tenant_id = :tenant AND run_id = :run "
		      "AND run_origin = :origin AND gate_id = :gate");

/* How much of the time to the deadline has passed when people are warned. */
static const double warnings[] = {0.5, 0.9};

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a gate");
}

static const struct demon_gate_config *config_of(const struct demon_exec *x)
{
	static const struct demon_gate_config none;

	return x->watch->gates ? x->watch->gates : &none;
}

static enum demon_rc unfit(struct demon_run_error *error, const char *why, struct demon_err *err)
{
	return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400, "Not an argument", err, "%s",
				   why);
}

/* Which round this is, and the chain that holds for it. */
static enum demon_rc look_up(struct demon_exec *x, struct demon_gate_plan *plan,
			     struct demon_run_error *error, struct demon_err *err)
{
	const struct demon_run_id *run = &x->state->id;
	struct demon_gate *gate = &plan->gate;
	enum demon_rc rc;
	bool row;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(x->journal.store, &loan, err)))
		return rc;
	{
		DEMON_STMT(q, loan.db, &sql_rounds);

		demon_bind_str(&q, ":tenant", run->tenant_id);
		demon_bind_str(&q, ":run", run->run_id);
		demon_bind_blob(&q, ":origin", run->origin, sizeof(run->origin));
		demon_bind_str(&q, ":gate", gate->gate_id);
		if ((rc = demon_step(&q, &row, err)))
			return rc;
		gate->round = row ? demon_col_i64(&q, 0) + 1 : 1;
	}
	rc = demon_escalation_find(loan.db, config_of(x)->escalation, run->tenant_id, gate->gate_id,
				   &plan->escalation, err);
	/* who is to decide is not known, so nobody is asked */
	return rc == DEMON_INVALID ? unfit(error, err->msg, err) : rc;
}

enum demon_rc demon_exec_gate_plan(struct demon_exec *x, const struct demon_entry *e,
				   const json_t *with, struct demon_gate_plan *plan,
				   struct demon_run_error *error, struct demon_err *err)
{
	struct demon_argument_problem problem = {0};
	const struct demon_gate_terms terms = demon_gate_terms_read(with);
	const char *id = terms.gate ? terms.gate : e->task->name;
	struct demon_gate *gate = &plan->gate;

	demon_capsule_approval.check(with, demon_argument_note, &problem);
	if (problem.found)
		return unfit(error, problem.text, err);
	if (!demon_id_valid(id))
		return unfit(error, "argument 'gate': the task's name is no id, so it is needed",
			     err);
	*gate = (struct demon_gate){.run = x->state->id, .level = 1};
	(void)snprintf(gate->ritual_id, sizeof(gate->ritual_id), "%s", x->state->ritual_id);
	(void)snprintf(gate->gate_id, sizeof(gate->gate_id), "%s", id);
	return look_up(x, plan, error, err);
}

void demon_gate_plan_done(struct demon_gate_plan *plan)
{
	demon_gate_done(&plan->gate);
	json_decref(plan->escalation.chain);
	plan->escalation.chain = NULL;
}

static json_t *names_of(const json_t *names)
{
	return names ? json_deep_copy(names) : json_array();
}

static json_t *warnings_of(void)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; list && i < demon_count(warnings); i++)
		if (json_array_append_new(list, json_real(warnings[i])))
			return NULL;
	return demon_take(list);
}

static bool set_terms(json_t *opened, const struct demon_gate_terms *terms)
{
	return demon_run_event_set(opened, "approvers", names_of(terms->approvers)) &&
	       demon_run_event_set(opened, "roles", names_of(terms->roles)) &&
	       demon_run_event_set(opened, "quorum", json_integer(terms->quorum)) &&
	       demon_run_event_set(opened, "denials", json_integer(terms->denials)) &&
	       demon_run_event_set(opened, "allowRequester",
				   json_boolean(terms->allow_requester)) &&
	       demon_run_event_set(opened, "authentication",
				   json_string(demon_auth_name(terms->auth))) &&
	       (!terms->confirm ||
		demon_run_event_set(opened, "confirm", json_string(terms->confirm))) &&
	       demon_run_event_set(opened, "warnings", warnings_of());
}

static bool set_chain(json_t *opened, const struct demon_gate_plan *plan)
{
	json_t *repeat = json_object_get(plan->escalation.chain, "repeat");

	return demon_run_event_set(opened, "escalation", json_string(plan->escalation.source)) &&
	       (!plan->escalation.chain ||
		(demon_run_event_set(
		     opened, "levels",
		     json_deep_copy(json_object_get(plan->escalation.chain, "levels"))) &&
		 demon_run_event_set(opened, "repeat",
				     repeat ? json_incref(repeat) : json_integer(0))));
}

static enum demon_rc digest_of(const json_t *value, char hex[2 * DEMON_HASH_LEN + 1],
			       struct demon_err *err)
{
	unsigned char digest[DEMON_HASH_LEN];
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = demon_json_canonical(value, &text, err)) || (rc = demon_buf_rc(&text, err)) ||
	    (rc = demon_sha256(text.data, text.len, digest, err)))
		return rc;
	demon_hex(digest, sizeof(digest), hex);
	return DEMON_OK;
}

/* What the gate is about: the definition, and what has come to the step. */
static enum demon_rc set_subject(struct demon_exec *x, json_t *opened, const json_t *data,
				 struct demon_err *err)
{
	char hex[2 * DEMON_HASH_LEN + 1];
	enum demon_rc rc;

	demon_hex(x->state->definition->digest, DEMON_HASH_LEN, hex);
	if (!demon_run_event_set(opened, "definitionDigest", json_string(hex)))
		return no_memory(err);
	if ((rc = digest_of(data, hex, err)))
		return rc;
	if (!demon_run_event_set(opened, "inputDigest", json_string(hex)))
		return no_memory(err);
	return DEMON_OK;
}

/* The event that opens the gate; with everything in it that a vote is bound to, and the digest of
 * that. */
static enum demon_rc make_opened(struct demon_exec *x, struct demon_gate_plan *plan,
				 const struct demon_gate_terms *terms, json_t **ret,
				 struct demon_err *err)
{
	struct demon_gate *gate = &plan->gate;
	const char *started_by = x->state->requester;
	demon_time until = demon_exec_deadline_of(x);
	json_auto_t *opened =
	    demon_gate_event(gate, "approval.opened:v1", gate->requested_at, true);
	char seen[2 * DEMON_HASH_LEN + 1];
	enum demon_rc rc;

	if (!opened || !demon_run_event_set(opened, "stepId", json_integer(gate->step_id)) ||
	    !demon_run_event_set(opened, "requester", json_string(plan->requester)) ||
	    !demon_run_event_set(opened, "reason", json_string(plan->reason)) ||
	    (started_by && !demon_run_event_set(opened, "startedBy", json_string(started_by))) ||
	    !demon_run_event_time(opened, "expiresAt", gate->expires_at) ||
	    (until && !demon_run_event_time(opened, "until", until)) || !set_terms(opened, terms) ||
	    !set_chain(opened, plan))
		return no_memory(err);
	if ((rc = set_subject(x, opened, x->machine->leaf.data, err)) ||
	    (rc = digest_of(opened, seen, err)))
		return rc;
	gate->opened = json_incref(opened);
	if (!demon_run_event_set(opened, "seen", json_string(seen)) ||
	    !demon_run_event_time(opened, "nextAt", demon_gate_next(gate)))
		return no_memory(err);
	*ret = demon_take(opened);
	return DEMON_OK;
}

static json_t *make_requested(const struct demon_gate_plan *plan)
{
	const struct demon_gate *gate = &plan->gate;
	json_auto_t *payload =
	    demon_gate_event(gate, "approval.requested:v1", gate->requested_at, false);

	if (!payload || !demon_run_event_set(payload, "requester", json_string(plan->requester)) ||
	    !demon_run_event_set(payload, "reason", json_string(plan->reason)))
		return NULL;
	return demon_take(payload);
}

enum demon_rc demon_exec_gate_open(struct demon_exec *x, struct demon_gate_plan *plan,
				   const json_t *with, struct demon_err *err)
{
	const struct demon_gate_terms terms = demon_gate_terms_read(with);
	const struct demon_leaf *leaf = &x->machine->leaf;
	int64_t fallback = config_of(x)->ttl_ms ? config_of(x)->ttl_ms : DEMON_GATE_TTL_DEFAULT;
	struct demon_gate *gate = &plan->gate;
	json_t *opened = NULL;
	demon_time level;
	enum demon_rc rc;

	gate->step_id = leaf->step_id;
	gate->requested_at = gate->level_since = demon_run_journal_now(&x->journal);
	gate->expires_at = gate->requested_at + (terms.ttl_ms ? terms.ttl_ms : fallback);
	plan->reason = terms.reason ? terms.reason : leaf->task->name;
	plan->requester = terms.requester       ? terms.requester
			  : x->state->requester ? x->state->requester
						: "unknown";
	if ((rc = make_opened(x, plan, &terms, &opened, err)))
		return rc;
	rc = demon_run_journal_add(&x->journal, "approval.requested:v1", make_requested(plan), err);
	if (rc) {
		json_decref(opened);
		return rc;
	}
	if ((rc = demon_run_journal_add(&x->journal, "approval.opened:v1", opened, err)) ||
	    (rc = demon_run_journal_add(
		 &x->journal, "timer.scheduled:v1",
		 demon_gate_timer(gate, 0, gate->expires_at, false, gate->requested_at), err)))
		return rc;
	level = demon_gate_level_end(gate);
	if (!level)
		return DEMON_OK;
	return demon_run_journal_add(&x->journal, "timer.scheduled:v1",
				     demon_gate_timer(gate, 1, level, false, gate->requested_at),
				     err);
}

static enum demon_rc find_pending(struct demon_exec *x, struct demon_gate *gate,
				  struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(x->journal.store, &loan, err)))
		return rc;
	return demon_gate_pending(loan.db, &x->state->id, gate, err);
}

enum demon_rc demon_exec_gate_close(struct demon_exec *x, struct demon_err *err)
{
	const struct demon_machine *m = x->machine;
	const struct demon_gate_outcome outcome = {.state = DEMON_GATE_DENIED,
						   .by = demon_actor_system.subject,
						   .auth = DEMON_AUTH_SYSTEM,
						   .note = "the step's time was up"};
	demon_time now = demon_run_journal_now(&x->journal);
	DEMON_GATE(gate);
	json_t *event;
	json_t *decided;
	enum demon_rc rc;

	if (!demon_machine_at_gate(m) || !m->leaf.round || m->leaf.decided)
		return DEMON_OK;
	if ((rc = find_pending(x, &gate, err)) == DEMON_NOTFOUND) {
		x->journal.overtaken = true;
		return demon_err_set(err, DEMON_CONFLICT, "the gate of run '%s' is decided",
				     x->state->id.run_id);
	}
	if (rc || (rc = demon_gate_outcome_events(&gate, &outcome, now, &event, &decided, err)))
		return rc;
	rc = demon_run_journal_add(&x->journal, demon_gate_outcome_type(DEMON_GATE_DENIED), event,
				   err);
	if (rc) {
		json_decref(decided);
		return rc;
	}
	x->journal.at_gate = true;
	return demon_run_journal_add(&x->journal, "approval.decided:v1", decided, err);
}

/* Who is told that it is time and finds no gate would be told so for ever. */
static enum demon_rc check_pending(struct demon_exec *x, struct demon_err *err)
{
	bool moved;
	DEMON_GATE(gate);
	enum demon_rc rc = find_pending(x, &gate, err);

	if (rc != DEMON_NOTFOUND || !demon_exec_is_open(x, &moved) || moved)
		return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
	return demon_err_set(err, DEMON_CORRUPT,
			     "run '%s' waits at a gate that is not among the gates: rebuild them",
			     x->state->id.run_id);
}

enum demon_rc demon_exec_gate(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
{
	enum demon_rc rc;

	*ret_wait = demon_run_journal_now(&x->journal) < x->machine->leaf.wake;
	if (*ret_wait)
		return DEMON_OK;
	if ((rc = demon_exec_flush(x, err)) || (rc = check_pending(x, err)))
		return rc;
	x->reload = true;
	return demon_gate_tick(x->journal.store, &x->state->id, err);
}

/* Who voted for it, as the gate's output names them. */
static json_t *voters_of(const json_t *decided)
{
	const json_t *counted = json_object_get(decided, "counted");
	json_auto_t *names = json_array();

	for (size_t i = 0; names && i < json_array_size(counted); i++)
		if (json_array_append(names,
				      json_object_get(json_array_get(counted, i), "approver")))
			return NULL;
	return demon_take(names);
}

static json_t *data_of(const json_t *decided)
{
	static const char *const keys[] = {"gateId", "round", "state", "by", "note"};
	json_auto_t *data = json_object();

	for (size_t i = 0; data && i < demon_count(keys); i++) {
		json_t *value = json_object_get(decided, keys[i]);

		if (value && json_object_set(data, keys[i], value))
			return NULL;
	}
	if (!data || !demon_run_event_set(data, "approvers", voters_of(decided)))
		return NULL;
	return demon_take(data);
}

enum demon_rc demon_exec_gate_envelope(struct demon_exec *x, json_t **ret_envelope,
				       struct demon_err *err)
{
	const json_t *decided = x->machine->leaf.decided;
	const char *state = json_string_value(json_object_get(decided, "state"));
	const char *by = json_string_value(json_object_get(decided, "by"));
	const char *note = json_string_value(json_object_get(decided, "note"));
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(x->env, "approval", "1.0.0");
	char message[512];

	if (demon_gate_state_find(state) != DEMON_GATE_DENIED) {
		demon_envelope_success(&e, data_of(decided));
		return demon_envelope_end(&e, ret_envelope, err);
	}
	(void)snprintf(message, sizeof(message), "gate '%s' was denied by %s: %s",
		       json_string_value(json_object_get(decided, "gateId")), by ? by : "nobody",
		       note ? note : "no reason was given");
	demon_envelope_error(&e, "DENIED", message, data_of(decided));
	return demon_envelope_end(&e, ret_envelope, err);
}
