/*
 * Leaves: calls of capsules, and waits.
 */
#include "base/fault.h"
#include "domain/approval/terms.h"
#include "run_arguments.h"
#include "run_exec.h"
#include "run_output.h"
#include "run_secret.h"
#include "run_status.h"
#include "run_step.h"
#include "store/readers.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

/* How often a call under way is asked whether its run still is open. */
#define ASK_US ((demon_ticks)500 * 1000)

DEMON_SQL(sql_open, "SELECT status FROM runs WHERE tenant_id = :tenant AND run_id = :run "
		    "AND run_origin = :origin");

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a step");
}

/* The arguments, with the marks of secrets taken out and their places known. */
static enum demon_rc arguments(struct demon_exec *x, const struct demon_entry *e, json_t **ret_with,
			       json_t **ret_places, struct demon_run_error *error,
			       struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	enum demon_rc rc;

	if ((rc = demon_exec_value(x, &e->task->with, &scope, ret_with, error, err)))
		return rc;
	*ret_places = e->task->secrets ? json_deep_copy(e->task->secrets) : json_array();
	if (!*ret_places)
		return no_memory(err);
	if ((rc = demon_run_arguments(e->task, e->data, ret_with, error, err)) ||
	    !e->task->with.expr)
		return rc;
	return demon_run_secret_places(*ret_with, x->nonce, *ret_places, err);
}

static enum demon_rc announce(struct demon_exec *x, const struct demon_entry *e, json_t *with,
			      json_t *places, struct demon_err *err)
{
	json_auto_t *payload = demon_exec_start(x, e);
	char key[DEMON_STEP_KEY_LEN + 1];
	bool idempotent = e->task->idempotent ? json_is_true(e->task->idempotent)
					      : e->task->capsule->idempotent(with);
	enum demon_rc rc;

	if ((rc = demon_run_step_key(&x->state->id, x->machine->last_step + 1, key, err)))
		return rc;
	if (!payload || !demon_run_event_set(payload, "idempotencyKey", json_string(key)) ||
	    !demon_run_event_set(payload, "idempotent", json_boolean(idempotent)) ||
	    (with && !demon_run_event_set(payload, "input", json_incref(with))) ||
	    (json_array_size(places) &&
	     !demon_run_event_set(payload, "secrets", json_incref(places))))
		return no_memory(err);
	rc = demon_run_journal_add(&x->journal, "step.started:v1", json_incref(payload), err);
	if (rc != DEMON_TOOBIG || with != e->task->with.json)
		return rc;
	/* what is written in the definition needs no second place */
	(void)json_object_del(payload, "input");
	return demon_run_journal_add(&x->journal, "step.started:v1", demon_take(payload), err);
}

/* The start of the leaf is to be durable before it runs, and what the wards say of it. */
static enum demon_rc launch(struct demon_exec *x, struct demon_err *err)
{
	enum demon_rc rc = demon_exec_ward(x, err);

	if (rc)
		return rc;
	x->ours = true;
	if (DEMON_FAULT(STEP_STARTED))
		return demon_err_set(err, DEMON_IO, "fault after the start of a step");
	return DEMON_OK;
}

/* Begins a call that people decide: the start of its step and the gate are one group. */
static enum demon_rc ask(struct demon_exec *x, const struct demon_entry *e, json_t *with,
			 json_t *places, struct demon_run_error *error, struct demon_err *err)
{
	demon_cleanup(demon_gate_plan_done) struct demon_gate_plan plan = {.reason = NULL};
	enum demon_rc rc;

	/* what is kept back may hold the end of an earlier round */
	if ((rc = demon_exec_flush(x, err)) ||
	    (rc = demon_exec_gate_plan(x, e, with, &plan, error, err)) ||
	    (rc = announce(x, e, with, places, err)) ||
	    (rc = demon_exec_gate_open(x, &plan, with, err)))
		return rc;
	return demon_exec_flush(x, err);
}

enum demon_rc demon_exec_call(struct demon_exec *x, const struct demon_entry *e,
			      struct demon_run_error *error, struct demon_err *err)
{
	json_auto_t *with = NULL;
	json_auto_t *places = NULL;
	enum demon_rc rc;

	if ((rc = arguments(x, e, &with, &places, error, err)))
		return rc;
	if (e->task->capsule == &demon_capsule_approval)
		return ask(x, e, with, places, error, err);
	if ((rc = announce(x, e, with, places, err)))
		return rc;
	return launch(x, err);
}

/* A leaf that another process has begun: the next attempt at it. Its own time begins again when an
 * operator has said so: until he did it was not to run. */
static enum demon_rc repeat(struct demon_exec *x, struct demon_err *err)
{
	const struct demon_leaf *leaf = &x->machine->leaf;
	demon_time deadline =
	    x->state->retry && leaf->deadline
		? demon_run_journal_now(&x->journal) + leaf->deadline - leaf->began
		: 0;
	json_auto_t *payload = demon_exec_step(x, "step.started:v1", leaf->task, leaf->step_id);
	enum demon_rc rc;

	if (!payload || !demon_run_event_set(payload, "attempt", json_integer(leaf->attempt + 1)) ||
	    !demon_run_event_set(payload, "call", json_string(leaf->task->call)) ||
	    !demon_run_event_set(payload, "idempotencyKey", json_string(leaf->key)) ||
	    !demon_run_event_set(payload, "idempotent", json_boolean(leaf->idempotent)) ||
	    (deadline && !demon_run_event_time(payload, "deadline", deadline)) ||
	    (leaf->with && !demon_run_event_set(payload, "input", json_incref(leaf->with))))
		return no_memory(err);
	if ((rc = demon_run_journal_add(&x->journal, "step.started:v1", demon_take(payload), err)))
		return rc;
	return launch(x, err);
}

static enum demon_rc suspend(struct demon_exec *x, struct demon_err *err)
{
	long long id = x->machine->leaf.step_id;
	json_auto_t *payload = demon_run_event_new(&x->journal, "ritual.suspended:v1");
	char detail[256];
	enum demon_rc rc;

	(void)snprintf(detail, sizeof(detail),
		       "step %lld was in flight when its process ended, and is not idempotent", id);
	if (!payload || !demon_run_event_set(payload, "reason", json_string("step_in_flight")) ||
	    !demon_run_event_set(payload, "stepId", json_integer(id)) ||
	    !demon_run_event_set(payload, "detail", json_string(detail)))
		return no_memory(err);
	if ((rc = demon_run_journal_add(&x->journal, "ritual.suspended:v1", demon_take(payload),
					err)) ||
	    (rc = demon_exec_flush(x, err)))
		return rc;
	x->state->status = DEMON_RUN_SUSPENDED;
	return DEMON_OK;
}

/* What a call under way asks back. */
struct attendance {
	struct demon_exec *x;
	struct demon_run_output *output;
	demon_ticks asked;
	bool closed;
};

bool demon_exec_is_open(const struct demon_exec *x, bool *ret_moved)
{
	const struct demon_run_id *run = &x->state->id;
	struct demon_err err;
	const char *status;
	bool row;
	DEMON_READ(loan);

	if (ret_moved)
		*ret_moved = false;
	if (demon_store_borrow(x->journal.store, &loan, &err))
		return true;
	DEMON_STMT(q, loan.db, &sql_open);

	demon_bind_str(&q, ":tenant", run->tenant_id);
	demon_bind_str(&q, ":run", run->run_id);
	demon_bind_blob(&q, ":origin", run->origin, sizeof(run->origin));
	if (demon_step(&q, &row, &err) || !row)
		return true;
	status = demon_col_str(&q, 0);
	if (ret_moved)
		*ret_moved = demon_machine_at_gate(x->machine) && !x->machine->leaf.decided &&
			     strcmp(status, DEMON_RUN_AWAITING) != 0;
	return demon_run_status_running(status);
}

static bool canceled(void *ctx)
{
	struct attendance *a = ctx;
	demon_ticks now = a->x->env->mono(a->x->env->ctx);

	demon_run_output_tick(a->output);
	if (!a->closed && now - a->asked >= ASK_US) {
		a->asked = now;
		a->closed = !demon_exec_is_open(a->x, NULL);
	}
	return a->closed;
}

static void hear(void *ctx, const char *stream, const char *bytes, size_t len)
{
	const struct attendance *a = ctx;

	demon_run_output_add(a->output, stream, bytes, len);
}

static struct demon_call call_of(const struct demon_exec *x, const json_t *with,
				 struct attendance *a)
{
	const struct demon_run_state *state = x->state;
	const struct demon_leaf *leaf = &x->machine->leaf;
	demon_time until = demon_exec_deadline_of(x);
	int64_t left = until - x->env->now(x->env->ctx);

	return (struct demon_call){
	    .env = x->env,
	    .store = x->journal.store,
	    .with = with,
	    .input = state->input,
	    .tenant_id = state->id.tenant_id,
	    .ritual_id = state->ritual_id,
	    .run_id = state->id.run_id,
	    .step_name = leaf->task->name,
	    .idempotency_key = leaf->key,
	    .attempt = (unsigned)leaf->attempt,
	    .limit_ms = until ? (left > 0 ? left : 1) : 0,
	    .output = hear,
	    .canceled = canceled,
	    .ctx = a,
	};
}

/* Makes the call. *ret_envelope is new, without secrets. DEMON_FAILED: one could not be had. */
static enum demon_rc make_call(struct demon_exec *x, json_t **ret_envelope,
			       struct demon_run_error *error, struct demon_err *err)
{
	const struct demon_leaf *leaf = &x->machine->leaf;
	const json_t *plain = leaf->with ? leaf->with : leaf->task->with.json;
	json_auto_t *with = plain ? json_deep_copy(plain) : NULL;
	DEMON_REDACTOR(redactor);
	demon_cleanup(demon_run_output_done) struct demon_run_output output = {
	    .exec = x, .redactor = &redactor};
	struct attendance a = {.x = x, .output = &output, .asked = x->env->mono(x->env->ctx)};
	struct demon_call call;
	enum demon_rc rc;

	if (plain && !with)
		return no_memory(err);
	if (leaf->task->capsule->run_in) {
		if (json_array_size(leaf->secrets))
			return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400,
						   "Not an argument", err,
						   "what is kept for good takes no secrets");
		call = call_of(x, with, &a);
		return demon_exec_within(x, &call, ret_envelope, err);
	}
	if ((rc = demon_run_secret_fill(x->watch->secrets, with, leaf->secrets, &redactor, error,
					err)))
		return rc;
	call = call_of(x, with, &a);
	if (leaf->task->capsule->run(&call, ret_envelope, err) ||
	    demon_redact_json(&redactor, *ret_envelope, err))
		return demon_err_wrap(err, "step '%s'", leaf->task->name);
	if ((rc = demon_run_output_end(&output, err)))
		return rc;
	if (DEMON_FAULT(STEP_RAN))
		return demon_err_set(err, DEMON_IO, "fault after a step has run");
	return DEMON_OK;
}

static enum demon_rc complete(struct demon_exec *x, const json_t *envelope, const json_t *raw,
			      const char *next, struct demon_run_error *error,
			      struct demon_err *err)
{
	const struct demon_leaf *leaf = &x->machine->leaf;
	const struct demon_scope out = {.dot = raw, .input = leaf->data, .task = leaf->task};
	/* what flows unless the event says otherwise */
	const json_t *flows = envelope
				  ? json_object_get(json_object_get(envelope, "result"), "data")
				  : x->machine->value;
	json_auto_t *payload = demon_exec_step(x, "step.completed:v1", leaf->task, leaf->step_id);
	enum demon_rc rc;

	if (!payload || !demon_run_event_set(payload, "attempt", json_integer(leaf->attempt)) ||
	    (next && !demon_run_event_set(payload, "next", json_string(next))) ||
	    (envelope &&
	     !demon_run_event_set(payload, "output", json_incref(demon_json_iterable(envelope)))))
		return no_memory(err);
	if ((rc = demon_exec_output(x, &out, payload, error, err)))
		return rc;
	if (raw != flows && !json_object_get(payload, "value") &&
	    !demon_run_event_set(payload, "value", json_incref(demon_json_iterable(raw))))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "step.completed:v1", demon_take(payload), err);
}

/* Whether what follows needs something computed, which may take its time. */
static bool is_computed(const struct demon_machine *m)
{
	const struct demon_task *task;

	if (m->control == DEMON_AT_END || m->control == DEMON_AT_LIST_END)
		return m->depth > 1 || demon_machine_root_steps(m->definition);
	if (m->control != DEMON_AT_TASK)
		return true;
	task = demon_machine_next(m);
	return !task || task->kind != DEMON_TASK_CALL || task->condition.expr ||
	       task->input_from.expr || task->with.expr || task->timeout.term.expr;
}

/* What came out of a call is durable before anything is made of it that could fail or take long. */
static enum demon_rc returned(struct demon_exec *x, const json_t *envelope, struct demon_err *err)
{
	const struct demon_leaf *leaf = &x->machine->leaf;
	const struct demon_task *task = leaf->task;
	json_auto_t *payload = NULL;
	enum demon_rc rc;

	if (leaf->answer || (!task->output_as.expr && !task->export_as.expr))
		return DEMON_OK;
	payload = demon_exec_step(x, "step.returned:v1", task, leaf->step_id);
	if (!payload || !demon_run_event_set(payload, "attempt", json_integer(leaf->attempt)) ||
	    !demon_run_event_set(payload, "output", json_incref(demon_json_iterable(envelope))))
		return no_memory(err);
	if ((rc = demon_run_journal_add(&x->journal, "step.returned:v1", demon_take(payload), err)))
		return rc;
	if ((rc = demon_exec_flush(x, err)))
		return rc;
	if (DEMON_FAULT(STEP_RETURNED))
		return demon_err_set(err, DEMON_IO, "fault after a step has returned");
	return DEMON_OK;
}

/* A call has ended well. */
static enum demon_rc call_completed(struct demon_exec *x, const json_t *envelope,
				    struct demon_run_error *error, struct demon_err *err)
{
	const struct demon_task *task = x->machine->leaf.task;
	const json_t *data = json_object_get(json_object_get(envelope, "result"), "data");
	json_auto_t *raw = NULL;
	enum demon_rc rc;

	if ((rc = returned(x, envelope, err)) ||
	    (rc = demon_run_returned(task, data, x->machine->leaf.data, &raw, err)) ||
	    (rc = complete(x, envelope, raw ? raw : data, NULL, error, err)))
		return rc;
	x->completed = true;
	x->ours = false;
	if ((rc = demon_exec_transition(x, task, err)))
		return rc;
	return is_computed(x->machine) ? demon_exec_flush(x, err) : DEMON_OK;
}

/* A policy denies the call. */
static enum demon_rc refuse(struct demon_exec *x, struct demon_err *err)
{
	DEMON_RUN_ERROR(error);
	enum demon_rc rc = demon_exec_ward_error(x, &error, err);

	if (rc != DEMON_FAILED)
		return rc;
	x->completed = true;
	x->ours = false;
	return demon_exec_fail(x, &error, NULL, err);
}

static enum demon_rc perform(struct demon_exec *x, struct demon_err *err)
{
	json_auto_t *envelope = json_incref(x->machine->leaf.answer);
	const json_t *result;
	DEMON_RUN_ERROR(error);
	enum demon_rc rc = DEMON_OK;

	if (x->machine->leaf.refused)
		return refuse(x, err);
	if (x->machine->leaf.decided)
		rc = demon_exec_gate_envelope(x, &envelope, err);
	else if (!envelope)
		rc = make_call(x, &envelope, &error, err);
	if (rc && rc != DEMON_FAILED)
		return rc;
	result = json_object_get(envelope, "result");
	if (!rc && json_is_true(json_object_get(result, "success")))
		rc = call_completed(x, envelope, &error, err);
	else if (!rc)
		rc = demon_run_error_of(&error, result, err);
	if (rc == DEMON_TOOBIG || rc == DEMON_INVALID) {
		json_decref(envelope);
		envelope = NULL;
		rc = demon_run_error_unfit(&error, rc, "OUTPUT", err);
	}
	if (rc != DEMON_FAILED)
		return rc;
	x->completed = true;
	x->ours = false;
	return demon_exec_fail(x, &error, envelope, err);
}

enum demon_rc demon_exec_timer(struct demon_exec *x, const char *what, const char *name,
			       demon_time due, bool fired, struct demon_err *err)
{
	const char *type = fired ? "timer.fired:v1" : "timer.scheduled:v1";
	json_auto_t *payload = json_object();
	DEMON_BUF(id, 0);

	demon_buf_fmt(&id, "%s:%s:", x->state->id.run_id, what);
	if (name)
		demon_buf_str(&id, name);
	else
		demon_buf_i64(&id, x->machine->last_step);
	if (id.rc || !demon_run_event_set(payload, "event", json_string(type)) ||
	    !demon_run_event_time(payload, "ts", demon_run_journal_now(&x->journal)) ||
	    !demon_run_event_time(payload, "scheduledFor", due) ||
	    !demon_run_event_set(payload, "timerId", json_string(id.data)) ||
	    (!fired && !demon_run_event_set(payload, "runId", json_string(x->state->id.run_id))))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, type, demon_take(payload), err);
}

/* The timer that ends a LISTEN: the first of those that are due. */
static const struct demon_case *due_case(const struct demon_exec *x, demon_time now,
					 demon_time *ret_due)
{
	const struct demon_machine *m = x->machine;
	const struct demon_task *task = m->leaf.task;
	const struct demon_case *found = NULL;

	for (size_t i = 0; i < task->case_count; i++) {
		const json_t *due = json_object_get(m->timers, task->cases[i].name);
		demon_time t = json_integer_value(due);

		if (!due || t > now || (found && t >= *ret_due))
			continue;
		found = &task->cases[i];
		*ret_due = t;
	}
	return found;
}

static enum demon_rc waited(struct demon_exec *x, bool *ret_wait, struct demon_run_error *error,
			    struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	const struct demon_leaf *leaf = &m->leaf;
	demon_time now = demon_run_journal_now(&x->journal);
	bool listens = leaf->task->kind == DEMON_TASK_LISTEN;
	demon_time due = leaf->wake;
	const struct demon_case *c = listens ? due_case(x, now, &due) : NULL;
	const char *next = c ? demon_machine_way(demon_machine_top(m), c->next) : NULL;
	enum demon_rc rc;

	*ret_wait = false;
	if (leaf->deadline && now >= leaf->deadline && (listens ? !c : leaf->deadline < due))
		return demon_run_error_set(error, DEMON_ERROR_TIMEOUT, 408, "Step timed out", err,
					   "its time was up");
	if (listens ? !c : now < due) {
		*ret_wait = true;
		return DEMON_OK;
	}
	if ((rc = demon_exec_timer(x, listens ? "timer" : "wait", c ? c->name : NULL, due, true,
				   err)))
		return rc;
	return complete(x, NULL, leaf->data, next, error, err);
}

static enum demon_rc look(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
{
	const struct demon_task *task = x->machine->leaf.task;
	DEMON_RUN_ERROR(error);
	enum demon_rc rc = waited(x, ret_wait, &error, err);

	rc = demon_run_error_unfit(&error, rc, "OUTPUT", err);
	if (rc == DEMON_FAILED)
		return demon_exec_fail(x, &error, NULL, err);
	if (rc || *ret_wait)
		return rc;
	return demon_exec_transition(x, task, err);
}

bool demon_exec_is_unknown(const struct demon_exec *x)
{
	const struct demon_leaf *leaf = &x->machine->leaf;

	/* a gate is no call in flight: what became of it is in the log */
	return x->machine->control == DEMON_AT_LEAF && leaf->task->kind == DEMON_TASK_CALL &&
	       !demon_machine_at_gate(x->machine) && !leaf->answer && !leaf->refused && !x->ours &&
	       !leaf->idempotent && !x->state->retry;
}

static enum demon_rc time_out(struct demon_exec *x, struct demon_err *err)
{
	DEMON_RUN_ERROR(error);
	enum demon_rc rc = demon_run_error_set(&error, DEMON_ERROR_TIMEOUT, 408, "Step timed out",
					       err, "its time was up");

	return rc == DEMON_FAILED ? demon_exec_fail(x, &error, NULL, err) : rc;
}

enum demon_rc demon_exec_leaf(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
{
	const struct demon_leaf *leaf = &x->machine->leaf;
	enum demon_rc rc;

	*ret_wait = false;
	if (leaf->task->kind != DEMON_TASK_CALL)
		return look(x, ret_wait, err);
	if (x->ours || leaf->answer || leaf->decided || leaf->refused)
		return perform(x, err);
	if (demon_machine_at_gate(x->machine) &&
	    (!leaf->deadline || demon_run_journal_now(&x->journal) < leaf->deadline))
		return demon_exec_gate(x, ret_wait, err);
	if (demon_exec_is_unknown(x))
		return suspend(x, err);
	if (!x->state->retry && leaf->deadline &&
	    demon_run_journal_now(&x->journal) >= leaf->deadline)
		return time_out(x, err);
	if ((rc = repeat(x, err)))
		return rc;
	x->state->retry = false;
	return perform(x, err);
}

enum demon_rc demon_exec_pause(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
{
	const struct demon_frame *f = demon_machine_top(x->machine);
	char name[64];

	*ret_wait = demon_run_journal_now(&x->journal) < f->wake;
	if (*ret_wait)
		return DEMON_OK;
	(void)snprintf(name, sizeof(name), "%lld:%lld", (long long)f->step_id,
		       (long long)f->retries);
	return demon_exec_timer(x, "retry", name, f->wake, true, err);
}

demon_time demon_exec_wake(struct demon_exec *x)
{
	struct demon_machine *m = x->machine;
	demon_time until = demon_exec_deadline_of(x);
	demon_time wake = m->control == DEMON_AT_PAUSE ? demon_machine_top(m)->wake : 0;

	if (m->control == DEMON_AT_LEAF)
		wake = m->leaf.wake;
	return until && (!wake || until < wake) ? until : wake;
}
