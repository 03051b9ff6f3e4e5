/*
 * Entering tasks, and ending lists of them.
 */
#include "run_exec.h"

#include <string.h>

/* The items of a `for` that its first event holds, in bytes of JSON; more go into events of their
 * own. */
#define ITEMS_BYTES ((size_t)256 * 1024)

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a step");
}

json_t *demon_exec_step(struct demon_exec *x, const char *type, const struct demon_task *task,
			int64_t step_id)
{
	json_auto_t *payload = demon_run_event_new(&x->journal, type);

	if (!payload || !demon_run_event_set(payload, "stepId", json_integer(step_id)) ||
	    !demon_run_event_set(payload, "name", json_string(task->name)) ||
	    !demon_run_event_set(payload, "reference", json_string(task->reference)))
		return NULL;
	return demon_take(payload);
}

json_t *demon_exec_new_step(struct demon_exec *x, const char *type, const struct demon_task *task)
{
	struct demon_machine *m = x->machine;
	const struct demon_frame *f = m->depth ? demon_machine_top(m) : NULL;
	json_auto_t *payload = demon_exec_step(x, type, task, m->last_step + 1);

	if (!payload || !demon_run_event_set(payload, "call", json_string(task->call)))
		return NULL;
	if (f && f->step_id && !demon_run_event_set(payload, "parentId", json_integer(f->step_id)))
		return NULL;
	if (f && f->items &&
	    !demon_run_event_set(payload, "iteration", json_integer((json_int_t)f->iteration)))
		return NULL;
	return demon_take(payload);
}

json_t *demon_exec_start(struct demon_exec *x, const struct demon_entry *e)
{
	json_auto_t *payload = demon_exec_new_step(x, "step.started:v1", e->task);

	if (!payload || !demon_run_event_set(payload, "attempt", json_integer(1)) ||
	    (e->made && !demon_run_event_set(payload, "data", json_incref(e->made))) ||
	    (e->deadline && !demon_run_event_time(payload, "deadline", e->deadline)))
		return NULL;
	return demon_take(payload);
}

static enum demon_rc skip(struct demon_exec *x, const struct demon_task *task,
			  struct demon_err *err)
{
	return demon_run_journal_add(&x->journal, "step.skipped:v1",
				     demon_exec_new_step(x, "step.skipped:v1", task), err);
}

/* A task that is only computed: what came of it is all that there is to tell. */
static enum demon_rc evaluated(struct demon_exec *x, const struct demon_entry *e, const json_t *raw,
			       const char *next, struct demon_run_error *error,
			       struct demon_err *err)
{
	const struct demon_scope out = {.dot = raw, .input = e->data, .task = e->task};
	json_auto_t *payload = demon_exec_new_step(x, "step.evaluated:v1", e->task);
	enum demon_rc rc;

	if (!payload || (next && !demon_run_event_set(payload, "next", json_string(next))))
		return no_memory(err);
	if ((rc = demon_exec_output(x, &out, payload, error, err)))
		return rc;
	if (raw != x->machine->value && !json_object_get(payload, "value") &&
	    !demon_run_event_set(payload, "value", json_incref(demon_json_iterable(raw))))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "step.evaluated:v1", demon_take(payload), err);
}

static enum demon_rc enter_set(struct demon_exec *x, const struct demon_entry *e,
			       struct demon_run_error *error, struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	json_auto_t *value = NULL;
	enum demon_rc rc;

	if ((rc = demon_exec_value(x, &e->task->with, &scope, &value, error, err)))
		return rc;
	return evaluated(x, e, value, NULL, error, err);
}

static enum demon_rc enter_switch(struct demon_exec *x, const struct demon_entry *e,
				  struct demon_run_error *error, struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	const struct demon_frame *f = demon_machine_top(x->machine);
	enum demon_rc rc;

	for (size_t i = 0; i < e->task->case_count; i++) {
		const struct demon_case *c = &e->task->cases[i];
		bool chosen;

		if ((rc = demon_exec_condition(x, &c->when, &scope, &chosen, error, err)))
			return rc;
		if (chosen)
			return evaluated(x, e, e->data, demon_machine_way(f, c->next), error, err);
	}
	return evaluated(x, e, e->data, NULL, error, err);
}

/* The error itself goes up: what is raised is no failure of the interpreter. */
static enum demon_rc enter_raise(struct demon_exec *x, const struct demon_entry *e,
				 struct demon_run_error *error, struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	json_auto_t *value = NULL;
	enum demon_rc rc;

	if ((rc = demon_exec_value(x, &e->task->with, &scope, &value, error, err)))
		return rc;
	return demon_run_error_raise(error, value, err);
}

/* Says until when the run waits: when @p due is, or what times it is up before. */
static bool set_wake(const struct demon_exec *x, json_t *payload, demon_time due,
		     demon_time deadline)
{
	demon_time until = demon_exec_deadline_of(x);

	if (deadline && (!until || deadline < until))
		until = deadline;
	return demon_exec_set_wake(payload, due, until);
}

static enum demon_rc enter_wait(struct demon_exec *x, const struct demon_entry *e,
				struct demon_run_error *error, struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	demon_time now = demon_run_journal_now(&x->journal);
	json_auto_t *payload = NULL;
	int64_t ms;
	enum demon_rc rc;

	if ((rc = demon_exec_duration(x, &e->task->duration, &scope, &ms, error, err)))
		return rc;
	payload = demon_exec_start(x, e);
	if (!payload || !set_wake(x, payload, now + ms, e->deadline))
		return no_memory(err);
	if ((rc = demon_run_journal_add(&x->journal, "step.started:v1", demon_take(payload), err)))
		return rc;
	return demon_exec_timer(x, "wait", NULL, now + ms, false, err);
}

static enum demon_rc enter_timer(struct demon_exec *x, const struct demon_entry *e,
				 struct demon_run_error *error, struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	demon_time due = demon_run_journal_now(&x->journal);
	json_auto_t *payload = NULL;
	int64_t ms;
	enum demon_rc rc;

	if ((rc = demon_exec_duration(x, &e->task->duration, &scope, &ms, error, err)))
		return rc;
	due += ms;
	payload = demon_exec_new_step(x, "step.evaluated:v1", e->task);
	if (!payload || !demon_run_event_time(payload, "wakeAt", due))
		return no_memory(err);
	if ((rc =
		 demon_run_journal_add(&x->journal, "step.evaluated:v1", demon_take(payload), err)))
		return rc;
	return demon_exec_timer(x, "timer", e->task->timer, due, false, err);
}

/* The earliest of the timers that a LISTEN names; 0: none of them was set. */
static demon_time earliest(const struct demon_machine *m, const struct demon_task *task)
{
	demon_time first = 0;

	for (size_t i = 0; i < task->case_count; i++) {
		const json_t *due = json_object_get(m->timers, task->cases[i].name);

		if (due && (!first || json_integer_value(due) < first))
			first = json_integer_value(due);
	}
	return first;
}

static enum demon_rc enter_listen(struct demon_exec *x, const struct demon_entry *e,
				  struct demon_run_error *error, struct demon_err *err)
{
	demon_time wake = earliest(x->machine, e->task);
	json_auto_t *payload = NULL;

	if (!wake && !e->deadline)
		return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400, "Waits for ever",
					   err, "none of the timers that it waits for was set");
	payload = demon_exec_start(x, e);
	if (!payload || !set_wake(x, payload, wake ? wake : e->deadline, e->deadline))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "step.started:v1", demon_take(payload), err);
}

static enum demon_rc enter_composite(struct demon_exec *x, const struct demon_entry *e,
				     json_t *items_new, struct demon_err *err)
{
	json_auto_t *items = items_new;
	json_auto_t *payload = demon_exec_start(x, e);

	if (!payload || (items && !demon_run_event_set(payload, "items", json_incref(items))))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "step.started:v1", demon_take(payload), err);
}

static enum demon_rc enter_compensate(struct demon_exec *x, const struct demon_entry *e,
				      struct demon_err *err)
{
	json_t *undo = x->machine->undo;
	json_t *items = undo ? json_copy(undo) : json_array();

	return items ? enter_composite(x, e, items, err) : no_memory(err);
}

static enum demon_rc add_length(const json_t *value, size_t *sum, struct demon_err *err)
{
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if ((rc = demon_json_canonical(value, &text, err)) || (rc = demon_buf_rc(&text, err)))
		return rc;
	*sum += text.len;
	return DEMON_OK;
}

/* Takes items from *at on, as many as fit into @p room; with @p any at least one. */
static enum demon_rc take_items(const json_t *items, size_t *at, size_t room, bool any,
				json_t **ret_part, struct demon_err *err)
{
	json_auto_t *part = json_array();
	size_t used = 0;
	enum demon_rc rc;

	for (; part && *at < json_array_size(items); ++*at) {
		json_t *item = json_array_get(items, *at);

		if ((rc = add_length(item, &used, err)))
			return rc;
		if (used > room && (json_array_size(part) || !any))
			break;
		if (json_array_append(part, item))
			return no_memory(err);
	}
	*ret_part = demon_take(part);
	return *ret_part ? DEMON_OK : no_memory(err);
}

static enum demon_rc add_items(struct demon_exec *x, int64_t step_id, json_t *part_new,
			       struct demon_err *err)
{
	json_auto_t *part = part_new;
	json_auto_t *payload = demon_run_event_new(&x->journal, "step.items:v1");

	if (!payload || !demon_run_event_set(payload, "stepId", json_integer(step_id)) ||
	    !demon_run_event_set(payload, "items", json_incref(part)))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "step.items:v1", demon_take(payload), err);
}

static enum demon_rc enter_for(struct demon_exec *x, const struct demon_entry *e,
			       struct demon_run_error *error, struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	json_auto_t *items = NULL;
	size_t at = 0;
	size_t used = 0;
	json_t *part = NULL;
	int64_t step_id;
	enum demon_rc rc;

	if ((rc = demon_exec_value(x, &e->task->in, &scope, &items, error, err)))
		return rc;
	if (!json_is_array(items))
		return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400, "Not a list", err,
					   "for.in: expected a list");
	if ((e->made && (rc = add_length(e->made, &used, err))) ||
	    (rc = take_items(items, &at, used < ITEMS_BYTES ? ITEMS_BYTES - used : 0, false, &part,
			     err)) ||
	    (rc = enter_composite(x, e, part, err)))
		return rc;
	step_id = x->machine->last_step;
	while (at < json_array_size(items))
		if ((rc = take_items(items, &at, ITEMS_BYTES, true, &part, err)) ||
		    (rc = add_items(x, step_id, part, err)))
			return rc;
	return DEMON_OK;
}

static enum demon_rc enter_kind(struct demon_exec *x, const struct demon_entry *e,
				struct demon_run_error *error, struct demon_err *err)
{
	switch (e->task->kind) {
	case DEMON_TASK_CALL:
		return demon_exec_call(x, e, error, err);
	case DEMON_TASK_SET:
		return enter_set(x, e, error, err);
	case DEMON_TASK_SWITCH:
		return enter_switch(x, e, error, err);
	case DEMON_TASK_RAISE:
		return enter_raise(x, e, error, err);
	case DEMON_TASK_WAIT:
		return enter_wait(x, e, error, err);
	case DEMON_TASK_TIMER:
		return enter_timer(x, e, error, err);
	case DEMON_TASK_LISTEN:
		return enter_listen(x, e, error, err);
	case DEMON_TASK_FOR:
		return enter_for(x, e, error, err);
	case DEMON_TASK_COMPENSATE:
		return enter_compensate(x, e, err);
	case DEMON_TASK_DO:
	case DEMON_TASK_TRY:
		break;
	}
	return enter_composite(x, e, NULL, err);
}

/* What holds for every task: its input, and how long it has. */
static enum demon_rc prepare(struct demon_exec *x, struct demon_entry *e,
			     struct demon_run_error *error, struct demon_err *err)
{
	struct demon_scope scope = {.dot = e->data, .input = e->data, .task = e->task};
	int64_t ms;
	enum demon_rc rc;

	if ((rc = demon_exec_check(e->task->input_schema, e->data, "input", error, err)) ||
	    (rc = demon_exec_value(x, &e->task->input_from, &scope, &e->made, error, err)))
		return rc;
	if (e->made)
		e->data = e->made;
	scope.dot = scope.input = e->data;
	if ((rc = demon_exec_duration(x, &e->task->timeout, &scope, &ms, error, err)))
		return rc;
	if (ms)
		e->deadline = demon_run_journal_now(&x->journal) + ms;
	return DEMON_OK;
}

/* The states of a ritual are the tasks of its outermost list. */
static enum demon_rc transition(struct demon_exec *x, const char *from, const char *to,
				struct demon_err *err)
{
	json_auto_t *payload = demon_run_event_new(&x->journal, "ritual.state.transitioned:v1");

	if (!payload || !demon_run_event_set(payload, "fromState", json_string(from)) ||
	    !demon_run_event_set(payload, "toState", json_string(to)))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "ritual.state.transitioned:v1",
				     demon_take(payload), err);
}

enum demon_rc demon_exec_transition(struct demon_exec *x, const struct demon_task *from,
				    struct demon_err *err)
{
	const struct demon_machine *m = x->machine;
	const struct demon_task *to;

	if (m->control != DEMON_AT_TASK || m->depth != 1)
		return DEMON_OK;
	to = demon_machine_next(m);
	return to ? transition(x, from->name, to->name, err) : DEMON_OK;
}

static enum demon_rc enter_task(struct demon_exec *x, struct demon_entry *e,
				struct demon_run_error *error, struct demon_err *err)
{
	enum demon_rc rc = prepare(x, e, error, err);

	if (!rc)
		rc = enter_kind(x, e, error, err);
	return demon_run_error_unfit(error, rc, "VALUE", err);
}

enum demon_rc demon_exec_enter(struct demon_exec *x, struct demon_err *err)
{
	const struct demon_machine *m = x->machine;
	const struct demon_task *task = demon_machine_next(m);
	struct demon_entry e = {.task = task, .data = m->value};
	struct demon_scope scope = {.dot = m->value, .input = m->value, .task = task};
	int64_t before = m->last_step;
	bool wanted = true;
	DEMON_RUN_ERROR(error);
	enum demon_rc rc;

	if (!task)
		return demon_err_set(err, DEMON_CORRUPT,
				     "run '%s': its definition has no next task",
				     x->state->id.run_id);
	rc = demon_exec_condition(x, &task->condition, &scope, &wanted, &error, err);
	if (!rc)
		rc = wanted ? enter_task(x, &e, &error, err) : skip(x, task, err);
	json_decref(e.made);
	if (rc == DEMON_FAILED) /* before it started, or in the middle of that */
		return m->last_step == before ? demon_exec_fail_new(x, task, &error, err)
					      : demon_exec_fail(x, &error, NULL, err);
	return rc ? rc : demon_exec_transition(x, task, err);
}

/* Whether a FOR goes on. */
static enum demon_rc goes_on(struct demon_exec *x, bool *ret, struct demon_run_error *error,
			     struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	struct demon_frame *f = demon_machine_top(m);
	struct demon_scope scope = {.dot = m->value, .input = f->data, .task = f->task};
	enum demon_rc rc;

	*ret = demon_machine_has_item(m);
	if (!*ret || !f->task->while_.json)
		return DEMON_OK;
	/* `while` is asked for the item that would be next */
	f->iteration++;
	rc = demon_exec_condition(x, &f->task->while_, &scope, ret, error, err);
	f->iteration--;
	return rc;
}

static enum demon_rc complete(struct demon_exec *x, struct demon_run_error *error,
			      struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	const struct demon_frame *f = demon_machine_top(m);
	const struct demon_scope out = {.dot = m->value, .input = f->data, .task = f->task};
	json_auto_t *payload = demon_exec_step(x, "step.completed:v1", f->task, f->step_id);
	enum demon_rc rc;

	if (!payload || !demon_run_event_set(payload, "attempt", json_integer(1)))
		return no_memory(err);
	if ((rc = demon_exec_output(x, &out, payload, error, err)))
		return rc;
	rc = demon_run_journal_add(&x->journal, "step.completed:v1", demon_take(payload), err);
	return demon_run_error_unfit(error, rc, "OUTPUT", err);
}

enum demon_rc demon_exec_list_end(struct demon_exec *x, struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	const struct demon_frame *f = demon_machine_top(m);
	const struct demon_task *task = f->task;
	DEMON_RUN_ERROR(error);
	bool on;
	enum demon_rc rc;

	if (f->step_id == 0)
		return demon_exec_end(x, err);
	rc = goes_on(x, &on, &error, err);
	if (!rc && on) {
		demon_machine_iterate(m);
		return DEMON_OK;
	}
	if (!rc)
		rc = complete(x, &error, err);
	if (rc == DEMON_FAILED)
		return demon_exec_fail(x, &error, NULL, err);
	return rc ? rc : demon_exec_transition(x, task, err);
}

/* `end` leaves every composite at once; only the workflow's own output is made. */
static enum demon_rc leave(struct demon_exec *x, struct demon_err *err)
{
	const struct demon_frame *f = demon_machine_top(x->machine);
	json_auto_t *payload = demon_exec_step(x, "step.completed:v1", f->task, f->step_id);

	if (!payload || !demon_run_event_set(payload, "attempt", json_integer(1)))
		return no_memory(err);
	return demon_run_journal_add(&x->journal, "step.completed:v1", demon_take(payload), err);
}

static json_t *outputs_of(const struct demon_exec *x)
{
	const struct demon_machine *m = x->machine;

	if (m->result && x->state->definition->notation == DEMON_NOTATION_SEED)
		return json_pack("{s:O}", "result", m->result);
	return json_pack("{s:{s:b, s:O}}", "result", "success", 1, "data", m->value);
}

enum demon_rc demon_exec_end(struct demon_exec *x, struct demon_err *err)
{
	struct demon_machine *m = x->machine;
	json_auto_t *payload = NULL;
	DEMON_RUN_ERROR(error);
	enum demon_rc rc;

	while (m->depth > 1 || (m->depth == 1 && m->frames[0].step_id)) {
		bool root = m->depth == 1;

		rc = root ? complete(x, &error, err) : leave(x, err);
		if (rc == DEMON_FAILED)
			return demon_exec_fail(x, &error, NULL, err);
		if (rc)
			return rc;
	}
	payload = demon_run_event_new(&x->journal, "ritual.completed:v1");
	if (!payload || !demon_run_event_set(payload, "outputs", outputs_of(x)))
		return no_memory(err);
	rc = demon_run_journal_add(&x->journal, "ritual.completed:v1", demon_take(payload), err);
	rc = demon_run_error_unfit(&error, rc, "OUTPUT", err);
	return rc == DEMON_FAILED ? demon_exec_end_failed(x, &error, err) : rc;
}
