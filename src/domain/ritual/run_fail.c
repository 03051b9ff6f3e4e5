/*
 * Errors of a run: where they are raised, who catches them, and how they end it.
 */
#include "run_exec.h"

#include <stdio.h>
#include <string.h>

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for the error of a step");
}

/* The error with the place where it was raised, unless it names one. */
static json_t *placed(const json_t *error, const struct demon_task *task)
{
	json_auto_t *copy = json_copy(demon_json_iterable(error));

	if (!copy || (!json_object_get(copy, "instance") &&
		      !demon_run_event_set(copy, "instance", json_string(task->reference))))
		return NULL;
	return demon_take(copy);
}

static enum demon_rc add_failed(struct demon_exec *x, const struct demon_task *task,
				int64_t step_id, json_t *error_new, const json_t *output,
				struct demon_err *err)
{
	const struct demon_leaf *leaf = &x->machine->leaf;
	bool is_leaf = leaf->step_id == step_id;
	json_auto_t *error = error_new;
	json_auto_t *payload = demon_exec_step(x, "step.failed:v1", task, step_id);
	enum demon_rc rc;

	if (!payload || !error ||
	    !demon_run_event_set(payload, "attempt", json_integer(is_leaf ? leaf->attempt : 1)) ||
	    !demon_run_event_set(payload, "error", json_incref(error)) ||
	    (output &&
	     !demon_run_event_set(payload, "output", json_incref(demon_json_iterable(output)))))
		return no_memory(err);
	rc = demon_run_journal_add(&x->journal, "step.failed:v1", json_incref(payload), err);
	if ((rc != DEMON_TOOBIG && rc != DEMON_INVALID) || !output)
		return rc;
	(void)json_object_del(payload, "output");
	return demon_run_journal_add(&x->journal, "step.failed:v1", demon_take(payload), err);
}

enum demon_rc demon_exec_fail_new(struct demon_exec *x, const struct demon_task *task,
				  const struct demon_run_error *error, struct demon_err *err)
{
	const struct demon_entry e = {.task = task};
	enum demon_rc rc;

	if ((rc = demon_run_journal_add(&x->journal, "step.started:v1", demon_exec_start(x, &e),
					err)))
		return rc;
	return add_failed(x, task, x->machine->last_step, placed(error->value, task), NULL, err);
}

enum demon_rc demon_exec_fail(struct demon_exec *x, const struct demon_run_error *error,
			      const json_t *output, struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	bool leaf = m->control == DEMON_AT_LEAF;
	const struct demon_task *task = leaf ? m->leaf.task : demon_machine_top(m)->task;
	int64_t step_id = leaf ? m->leaf.step_id : demon_machine_top(m)->step_id;
	enum demon_rc rc;

	if ((rc = demon_exec_gate_close(x, err)))
		return rc;
	return add_failed(x, task, step_id, placed(error->value, task), output, err);
}

enum demon_rc demon_exec_end_failed(struct demon_exec *x, const struct demon_run_error *error,
				    struct demon_err *err)
{
	json_auto_t *payload = demon_run_event_new(&x->journal, "ritual.failed:v1");
	json_t *value = placed(error->value, &x->state->definition->root);

	if (!payload || !demon_run_event_set(payload, "error", value))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "ritual.failed:v1", demon_take(payload), err);
}

/* Whether a try catches the error, as far as that is computed. */
static enum demon_rc wants(struct demon_exec *x, const struct demon_frame *f,
			   const struct demon_term *when, const struct demon_term *except,
			   bool *ret, struct demon_err *err)
{
	struct demon_scope scope = {
	    .dot = f->data, .input = f->data, .error = x->machine->error, .task = f->task};
	bool excepted = false;
	DEMON_RUN_ERROR(error);
	enum demon_rc rc;

	*ret = true;
	rc = demon_exec_condition(x, when, &scope, ret, &error, err);
	if (!rc && *ret && except->json)
		rc = demon_exec_condition(x, except, &scope, &excepted, &error, err);
	/* who cannot say that it catches does not */
	if (rc == DEMON_FAILED || excepted)
		*ret = false;
	return rc == DEMON_FAILED ? DEMON_OK : rc;
}

static enum demon_rc catches(struct demon_exec *x, const struct demon_frame *f, bool *ret,
			     struct demon_err *err)
{
	const struct demon_task *task = f->task;

	*ret = task->kind == DEMON_TASK_TRY && !f->handling &&
	       (!demon_run_error_is_denial(x->machine->error) ||
		json_object_get(task->catch_with, "type")) &&
	       demon_run_error_matches(x->machine->error, task->catch_with);
	if (!*ret)
		return DEMON_OK;
	return wants(x, f, &task->catch_when, &task->catch_except_when, ret, err);
}

static int64_t backoff(const struct demon_retry *retry, int64_t nth)
{
	int64_t limit = (int64_t)365 * 24 * 3600 * 1000;
	int64_t delay = retry->delay_ms;

	if (retry->backoff == DEMON_BACKOFF_LINEAR && nth > 0 && delay > limit / nth)
		return limit;
	if (retry->backoff == DEMON_BACKOFF_LINEAR)
		return delay * nth;
	if (retry->backoff == DEMON_BACKOFF_EXPONENTIAL)
		for (int64_t i = 1; i < nth && delay < limit; i++)
			delay *= 2;
	return delay < limit ? delay : limit;
}

static int64_t jitter(const struct demon_exec *x, const struct demon_retry *retry)
{
	uint64_t range = (uint64_t)(retry->jitter_to_ms - retry->jitter_from_ms) + 1;
	uint64_t random;

	if (retry->jitter_to_ms <= 0)
		return 0;
	x->env->random(x->env->ctx, &random, sizeof(random));
	return retry->jitter_from_ms + (int64_t)(random % range);
}

/* When the list is to be run again; 0: not any more. What chance adds is in the event. */
static enum demon_rc next_try(struct demon_exec *x, const struct demon_frame *f,
			      demon_time *ret_wake, struct demon_err *err)
{
	const struct demon_retry *retry = f->task->retry;
	demon_time now = demon_run_journal_now(&x->journal);
	demon_time first = f->failed ? f->failed : now;
	bool wanted;
	enum demon_rc rc;

	*ret_wake = 0;
	if (!retry || (retry->attempts >= 0 && f->retries >= retry->attempts))
		return DEMON_OK;
	if ((rc = wants(x, f, &retry->when, &retry->except_when, &wanted, err)) || !wanted)
		return rc;
	now += backoff(retry, f->retries + 1) + jitter(x, retry);
	if (!retry->duration_ms || now - first <= retry->duration_ms)
		*ret_wake = now;
	return DEMON_OK;
}

bool demon_exec_set_wake(json_t *payload, demon_time due, demon_time until)
{
	if (!until || due <= until)
		return demon_run_event_time(payload, "wakeAt", due);
	return demon_run_event_time(payload, "wakeAt", until) &&
	       demon_run_event_time(payload, "dueAt", due);
}

static enum demon_rc add_caught(struct demon_exec *x, demon_time wake, struct demon_err *err)
{
	const struct demon_frame *f = demon_machine_top(x->machine);
	json_auto_t *payload = demon_exec_step(x, "step.caught:v1", f->task, f->step_id);
	char name[64];
	enum demon_rc rc;

	if (!payload || !demon_run_event_set(payload, "error", json_incref(x->machine->error)) ||
	    (wake && (!demon_exec_set_wake(payload, wake, demon_exec_deadline_of(x)) ||
		      !demon_run_event_set(payload, "retry", json_integer(f->retries + 1)))))
		return no_memory(err);
	if ((rc = demon_run_journal_add(&x->journal, "step.caught:v1", demon_take(payload), err)) ||
	    !wake)
		return rc;
	f = demon_machine_top(x->machine);
	(void)snprintf(name, sizeof(name), "%lld:%lld", (long long)f->step_id,
		       (long long)f->retries);
	return demon_exec_timer(x, "retry", name, wake, false, err);
}

/* A try on top of the stack catches: tries again, or hands over to its handler. *ret: it has. */
static enum demon_rc catch_it(struct demon_exec *x, bool *ret, struct demon_err *err)
{
	const struct demon_frame *f = demon_machine_top(x->machine);
	demon_time wake;
	enum demon_rc rc;

	if ((rc = catches(x, f, ret, err)) || !*ret)
		return rc;
	if ((rc = next_try(x, f, &wake, err)))
		return rc;
	/* tries that are used up, without a handler: the error goes on */
	*ret = wake || f->task->handler || !f->task->retry;
	return *ret ? add_caught(x, wake, err) : DEMON_OK;
}

enum demon_rc demon_exec_unwind(struct demon_exec *x, struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	bool caught = false;
	bool raised = false;
	DEMON_RUN_ERROR(error);
	enum demon_rc rc;

	while (m->depth && demon_machine_top(m)->step_id) {
		const struct demon_frame *f;

		/* whose time is up catches nothing any more, nor does what is in it */
		if ((rc = demon_exec_deadline(x, &raised, err)))
			return rc;
		if (raised)
			continue;
		f = demon_machine_top(m);
		if ((rc = catch_it(x, &caught, err)) || caught)
			return rc;
		if ((rc = add_failed(x, f->task, f->step_id, json_incref(m->error), NULL, err)))
			return rc;
	}
	error.value = json_incref(m->error);
	return demon_exec_end_failed(x, &error, err);
}

/* When the time of the try that frame @p i makes is up; 0: it has none, or makes none now. */
static demon_time attempt_end(const struct demon_machine *m, size_t i)
{
	const struct demon_frame *f = &m->frames[i];
	const struct demon_retry *retry = f->task->retry;
	bool over =
	    i + 1 == m->depth && (m->control == DEMON_AT_PAUSE || m->control == DEMON_FAILING);

	return retry && retry->attempt_limit_ms && !f->handling && !over
		   ? f->began + retry->attempt_limit_ms
		   : 0;
}

static demon_time earlier(demon_time a, demon_time b)
{
	return !a || (b && b < a) ? b : a;
}

demon_time demon_exec_deadline_of(const struct demon_exec *x)
{
	const struct demon_machine *m = x->machine;
	demon_time first = m->control == DEMON_AT_LEAF ? m->leaf.deadline : 0;

	for (size_t i = 0; i < m->depth; i++)
		first = earlier(first, earlier(m->frames[i].deadline, attempt_end(m, i)));
	return first;
}

/* The outermost frame whose time is up; *ret_inside: only what is above it fails, it catches. */
static size_t expired(const struct demon_exec *x, demon_time now, bool *ret_inside)
{
	const struct demon_machine *m = x->machine;

	for (size_t i = 0; i < m->depth; i++) {
		demon_time limit = attempt_end(m, i);

		*ret_inside = false;
		if (m->frames[i].deadline && now >= m->frames[i].deadline)
			return i;
		*ret_inside =
		    limit && now >= limit && (i + 1 < m->depth || m->control == DEMON_AT_LEAF);
		if (*ret_inside)
			return i;
	}
	return m->depth;
}

enum demon_rc demon_exec_deadline(struct demon_exec *x, bool *ret_raised, struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	bool inside = false;
	size_t until = expired(x, demon_run_journal_now(&x->journal), &inside);
	DEMON_RUN_ERROR(error);
	enum demon_rc rc = DEMON_OK;

	*ret_raised = until < m->depth;
	if (!*ret_raised)
		return DEMON_OK;
	(void)demon_run_error_set(&error, DEMON_ERROR_TIMEOUT, 408, "Task timed out", err,
				  "its time was up");
	if (!demon_run_event_set(error.value, "instance",
				 json_string(m->frames[until].task->reference)))
		return no_memory(err);
	if (m->control == DEMON_AT_LEAF)
		rc = demon_exec_fail(x, &error, NULL, err);
	while (!rc && m->depth > until + (inside ? 1 : 0)) {
		const struct demon_frame *f = demon_machine_top(m);

		rc = add_failed(x, f->task, f->step_id, json_incref(error.value), NULL, err);
	}
	return rc;
}
