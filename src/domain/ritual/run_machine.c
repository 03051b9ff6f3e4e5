#include "run_machine.h"

#include "run_checkpoint.h"

#include <string.h>

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for the state of a run");
}

/* Replaces a tree that the machine owns by one that the event owns. */
static void put(json_t **place, const json_t *value)
{
	json_t *kept = json_incref(demon_json_iterable(value));

	json_decref(*place);
	*place = kept;
}

static void drop(json_t **place)
{
	json_decref(*place);
	*place = NULL;
}

static void frame_done(struct demon_frame *f)
{
	drop(&f->data);
	drop(&f->items);
	drop(&f->error);
}

static void leaf_done(struct demon_leaf *leaf)
{
	drop(&leaf->with);
	drop(&leaf->secrets);
	drop(&leaf->data);
	drop(&leaf->answer);
	drop(&leaf->decided);
	drop(&leaf->refused);
}

void demon_machine_done(struct demon_machine *m)
{
	while (m->depth)
		frame_done(&m->frames[--m->depth]);
	leaf_done(&m->leaf);
	drop(&m->value);
	drop(&m->context);
	drop(&m->timers);
	drop(&m->undo);
	drop(&m->result);
	drop(&m->error);
}

static enum demon_rc push(struct demon_machine *m, const struct demon_task *task, int64_t step_id,
			  struct demon_err *err)
{
	struct demon_frame *f = &m->frames[m->depth];

	if (m->depth == DEMON_FRAMES_MAX)
		return demon_err_set(err, DEMON_CORRUPT, "tasks are nested too deeply");
	*f = (struct demon_frame){
	    .task = task, .list = task->tasks, .count = task->count, .step_id = step_id};
	put(&f->data, m->value);
	m->depth++;
	m->control = task->count ? DEMON_AT_TASK : DEMON_AT_LIST_END;
	return DEMON_OK;
}

enum demon_rc demon_machine_begin(struct demon_machine *m,
				  const struct demon_definition *definition, const json_t *input,
				  struct demon_err *err)
{
	demon_machine_done(m);
	m->definition = definition;
	m->last_step = 0;
	m->leaf = (struct demon_leaf){.step_id = 0};
	if (input)
		put(&m->value, input);
	else
		m->value = json_object();
	if (!m->value)
		return no_memory(err);
	m->control = DEMON_AT_START;
	return demon_machine_root_steps(definition) ? DEMON_OK : push(m, &definition->root, 0, err);
}

void demon_machine_iterate(struct demon_machine *m)
{
	struct demon_frame *f = demon_machine_top(m);

	f->iteration++;
	f->index = 0;
	m->control = DEMON_AT_TASK;
}

/* A task of the top frame is over. */
static void follow(struct demon_machine *m, size_t next)
{
	struct demon_frame *f = demon_machine_top(m);

	if (f->task->kind == DEMON_TASK_COMPENSATE) {
		f->iteration++;
		m->control =
		    f->iteration < json_array_size(f->items) ? DEMON_AT_TASK : DEMON_AT_LIST_END;
	} else if (next == DEMON_NEXT_END) {
		m->control = DEMON_AT_END;
	} else if (next == DEMON_NEXT_EXIT || next >= f->count) {
		m->control = DEMON_AT_LIST_END;
	} else {
		f->index = next;
		m->control = DEMON_AT_TASK;
	}
}

static enum demon_rc unfit(const char *type, const char *why, struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "event %s does not fit here: %s", type, why);
}

/* The task that the event is about, if it is the one that is next. */
static enum demon_rc next_task(struct demon_machine *m, const char *type, const json_t *payload,
			       const struct demon_task **ret_task, struct demon_err *err)
{
	const char *reference = json_string_value(json_object_get(payload, "reference"));

	if (m->control == DEMON_AT_LIST_END && demon_machine_has_item(m))
		demon_machine_iterate(m);
	if (m->control != DEMON_AT_TASK && m->control != DEMON_AT_START)
		return unfit(type, "no task is next", err);
	*ret_task = demon_machine_next(m);
	if (!*ret_task || !reference || strcmp((*ret_task)->reference, reference) != 0)
		return unfit(type, "another task is next", err);
	m->last_step = json_integer_value(json_object_get(payload, "stepId"));
	return DEMON_OK;
}

/* What an event says of the value and the context. */
static void take_value(struct demon_machine *m, const json_t *payload)
{
	const json_t *value = json_object_get(payload, "value");
	const json_t *context = json_object_get(payload, "context");

	if (value)
		put(&m->value, value);
	if (context)
		put(&m->context, context);
}

static bool is_leaf(const struct demon_task *task)
{
	return task->kind == DEMON_TASK_CALL || task->kind == DEMON_TASK_WAIT ||
	       task->kind == DEMON_TASK_LISTEN || task->kind == DEMON_TASK_RAISE ||
	       task->kind == DEMON_TASK_SET || task->kind == DEMON_TASK_SWITCH ||
	       task->kind == DEMON_TASK_TIMER;
}

/* When a wait is over; that its run is looked at earlier is no business of the machine. */
static demon_time due_at(const json_t *payload)
{
	demon_time due = demon_machine_time(payload, "dueAt");

	return due ? due : demon_machine_time(payload, "wakeAt");
}

static void start_leaf(struct demon_machine *m, const struct demon_task *task,
		       const json_t *payload)
{
	const json_t *key = json_object_get(payload, "idempotencyKey");
	const json_t *data = json_object_get(payload, "data");
	struct demon_leaf *leaf = &m->leaf;

	leaf_done(leaf);
	*leaf = (struct demon_leaf){
	    .task = task,
	    .step_id = m->last_step,
	    .attempt = json_integer_value(json_object_get(payload, "attempt")),
	    .idempotent = json_is_true(json_object_get(payload, "idempotent")),
	    .wake = due_at(payload),
	    .began = demon_machine_time(payload, "ts"),
	    .deadline = demon_machine_time(payload, "deadline"),
	};
	if (json_string_length(key) == sizeof(leaf->key) - 1)
		memcpy(leaf->key, json_string_value(key), sizeof(leaf->key));
	put(&leaf->with, json_object_get(payload, "input"));
	put(&leaf->secrets, json_object_get(payload, "secrets"));
	put(&leaf->data, data ? data : m->value);
	m->control = DEMON_AT_LEAF;
}

/* The next attempt; its time may have been given anew. */
static void repeat_leaf(struct demon_leaf *leaf, const json_t *payload)
{
	demon_time deadline = demon_machine_time(payload, "deadline");

	leaf->attempt = json_integer_value(json_object_get(payload, "attempt"));
	drop(&leaf->refused);
	if (!deadline)
		return;
	leaf->began = demon_machine_time(payload, "ts");
	leaf->deadline = deadline;
}

static enum demon_rc start_composite(struct demon_machine *m, const struct demon_task *task,
				     const json_t *payload, struct demon_err *err)
{
	const json_t *data = json_object_get(payload, "data");
	struct demon_frame *f;
	enum demon_rc rc;

	if (data)
		put(&m->value, data);
	if ((rc = push(m, task, m->last_step, err)))
		return rc;
	f = demon_machine_top(m);
	put(&f->items, json_object_get(payload, "items"));
	f->deadline = demon_machine_time(payload, "deadline");
	f->began = demon_machine_time(payload, "ts");
	if (task->kind == DEMON_TASK_COMPENSATE) {
		m->control = json_array_size(f->items) ? DEMON_AT_TASK : DEMON_AT_LIST_END;
		drop(&m->undo);
	} else if (task->kind == DEMON_TASK_FOR && json_array_size(f->items) == 0) {
		m->control = DEMON_AT_LIST_END;
	}
	return DEMON_OK;
}

static enum demon_rc step_started(struct demon_machine *m, const char *type, const json_t *payload,
				  struct demon_err *err)
{
	int64_t id = json_integer_value(json_object_get(payload, "stepId"));
	const struct demon_task *task = NULL;
	enum demon_rc rc;

	if (m->control == DEMON_AT_LEAF && id == m->leaf.step_id) {
		repeat_leaf(&m->leaf, payload);
		return DEMON_OK;
	}
	if ((rc = next_task(m, type, payload, &task, err)) || !task)
		return rc;
	if (!is_leaf(task))
		return start_composite(m, task, payload, err);
	start_leaf(m, task, payload);
	return DEMON_OK;
}

/* More of the items of the FOR that has just started. */
static enum demon_rc step_items(struct demon_machine *m, const char *type, const json_t *payload,
				struct demon_err *err)
{
	struct demon_frame *f = m->depth ? demon_machine_top(m) : NULL;
	json_t *more = json_object_get(payload, "items");
	json_auto_t *all = NULL;

	if (!f || f->step_id != json_integer_value(json_object_get(payload, "stepId")))
		return unfit(type, "another step is under way", err);
	/* the event that began the list still has it */
	all = json_copy(f->items);
	if (!all || json_array_extend(all, more))
		return no_memory(err);
	put(&f->items, all);
	if (m->control == DEMON_AT_LIST_END && json_array_size(all))
		m->control = DEMON_AT_TASK;
	return DEMON_OK;
}

/* A task that has the name of a word goes by its reference. */
const char *demon_machine_way(const struct demon_frame *f, size_t next)
{
	const char *name;

	if (next == DEMON_NEXT_END)
		return "end";
	if (next >= f->count)
		return "exit";
	name = f->list[next].name;
	return strcmp(name, "end") == 0 || strcmp(name, "exit") == 0 ? f->list[next].reference
								     : name;
}

static size_t next_named(const struct demon_frame *f, const char *word)
{
	if (strcmp(word, "end") == 0)
		return DEMON_NEXT_END;
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(demon_machine_way(f, i), word) == 0)
			return i;
	return DEMON_NEXT_EXIT;
}

static size_t next_of(struct demon_machine *m, const struct demon_task *task, const json_t *payload)
{
	const char *name = json_string_value(json_object_get(payload, "next"));

	return name ? next_named(demon_machine_top(m), name) : task->next;
}

static enum demon_rc remember_timer(struct demon_machine *m, const struct demon_task *task,
				    const json_t *payload, struct demon_err *err)
{
	demon_time due = demon_machine_time(payload, "wakeAt");

	if (!m->timers)
		m->timers = json_object();
	if (json_object_set_new(m->timers, task->timer, json_integer(due)))
		return no_memory(err);
	return DEMON_OK;
}

static enum demon_rc remember_undo(struct demon_machine *m, const struct demon_task *task,
				   struct demon_err *err)
{
	if (!task->compensation)
		return DEMON_OK;
	if (!m->undo)
		m->undo = json_array();
	if (json_array_insert_new(m->undo, 0, json_string(task->compensation->reference)))
		return no_memory(err);
	return DEMON_OK;
}

/* A leaf that starts and ends at once; or one that is passed over. */
static enum demon_rc step_evaluated(struct demon_machine *m, const char *type,
				    const json_t *payload, struct demon_err *err)
{
	const struct demon_task *task = NULL;
	enum demon_rc rc;

	if ((rc = next_task(m, type, payload, &task, err)) || !task)
		return rc;
	if (task->kind == DEMON_TASK_TIMER && (rc = remember_timer(m, task, payload, err)))
		return rc;
	take_value(m, payload);
	drop(&m->result);
	follow(m, next_of(m, task, payload));
	return DEMON_OK;
}

static enum demon_rc step_skipped(struct demon_machine *m, const char *type, const json_t *payload,
				  struct demon_err *err)
{
	const struct demon_task *task = NULL;
	enum demon_rc rc;

	if ((rc = next_task(m, type, payload, &task, err)) || !task)
		return rc;
	/* what is passed over leads nowhere: the one behind it is next */
	if (m->control != DEMON_AT_START)
		follow(m, demon_machine_top(m)->index + 1);
	return DEMON_OK;
}

static enum demon_rc leaf_completed(struct demon_machine *m, const json_t *payload,
				    struct demon_err *err)
{
	const json_t *result = json_object_get(json_object_get(payload, "output"), "result");
	const json_t *data = json_object_get(result, "data");
	const struct demon_task *task = m->leaf.task;

	put(&m->result, result);
	if (data)
		put(&m->value, data);
	else if (result) {
		drop(&m->value);
		m->value = json_null();
	}
	take_value(m, payload);
	if (remember_undo(m, task, err))
		return DEMON_NOMEM;
	follow(m, next_of(m, task, payload));
	return DEMON_OK;
}

/* A call has its answer, and its step goes on. */
static enum demon_rc step_returned(struct demon_machine *m, const char *type, const json_t *payload,
				   struct demon_err *err)
{
	int64_t id = json_integer_value(json_object_get(payload, "stepId"));

	if (m->control != DEMON_AT_LEAF || id != m->leaf.step_id ||
	    m->leaf.task->kind != DEMON_TASK_CALL)
		return unfit(type, "its step is not under way", err);
	put(&m->leaf.answer, json_object_get(payload, "output"));
	return DEMON_OK;
}

/* A gate is opened, or somebody is to look at it at another time. */
static enum demon_rc gate_moved(struct demon_machine *m, const char *type, const json_t *payload,
				struct demon_err *err)
{
	if (!demon_machine_at_gate(m) || m->leaf.decided)
		return unfit(type, "no gate is under way", err);
	m->leaf.round = json_integer_value(json_object_get(payload, "round"));
	m->leaf.wake = demon_machine_time(payload, "nextAt");
	return DEMON_OK;
}

static enum demon_rc gate_decided(struct demon_machine *m, const char *type, const json_t *payload,
				  struct demon_err *err)
{
	if (!demon_machine_at_gate(m) || m->leaf.decided)
		return unfit(type, "no gate is under way", err);
	put(&m->leaf.decided, payload);
	m->leaf.wake = 0;
	return DEMON_OK;
}

/* A ward has decided about the call that has just started. */
static enum demon_rc ward_evaluated(struct demon_machine *m, const char *type,
				    const json_t *payload, struct demon_err *err)
{
	int64_t id = json_integer_value(json_object_get(payload, "stepId"));

	if (m->control != DEMON_AT_LEAF || id != m->leaf.step_id)
		return unfit(type, "its step is not under way", err);
	if (json_is_false(json_object_get(payload, "allowed")))
		put(&m->leaf.refused, payload);
	return DEMON_OK;
}

static void pop(struct demon_machine *m)
{
	frame_done(&m->frames[--m->depth]);
}

static enum demon_rc step_completed(struct demon_machine *m, const char *type,
				    const json_t *payload, struct demon_err *err)
{
	int64_t id = json_integer_value(json_object_get(payload, "stepId"));
	const struct demon_frame *f = m->depth ? demon_machine_top(m) : NULL;
	const struct demon_task *task;
	bool ending = m->control == DEMON_AT_END;

	if (m->control == DEMON_AT_LEAF && id == m->leaf.step_id)
		return leaf_completed(m, payload, err);
	if (!f || f->step_id != id || (m->control != DEMON_AT_LIST_END && !ending))
		return unfit(type, "its step is not under way", err);
	task = f->task;
	pop(m);
	take_value(m, payload);
	if (json_object_get(payload, "value"))
		drop(&m->result);
	if (m->depth == 0)
		m->control = DEMON_AT_END;
	else if (!ending)
		follow(m, task->next);
	return DEMON_OK;
}

static enum demon_rc step_failed(struct demon_machine *m, const char *type, const json_t *payload,
				 struct demon_err *err)
{
	int64_t id = json_integer_value(json_object_get(payload, "stepId"));

	if (m->control == DEMON_AT_LEAF && id == m->leaf.step_id) {
		m->control = DEMON_FAILING;
	} else if (m->depth && demon_machine_top(m)->step_id == id) {
		pop(m);
		m->control = DEMON_FAILING;
	} else {
		return unfit(type, "its step is not under way", err);
	}
	put(&m->error, json_object_get(payload, "error"));
	return DEMON_OK;
}

static enum demon_rc step_caught(struct demon_machine *m, const char *type, const json_t *payload,
				 struct demon_err *err)
{
	int64_t id = json_integer_value(json_object_get(payload, "stepId"));
	struct demon_frame *f = m->depth ? demon_machine_top(m) : NULL;

	if (m->control != DEMON_FAILING || !f || f->step_id != id ||
	    f->task->kind != DEMON_TASK_TRY || f->handling)
		return unfit(type, "nothing is to be caught", err);
	put(&f->error, json_object_get(payload, "error"));
	put(&m->value, f->data);
	drop(&m->error);
	drop(&m->result);
	if (!f->failed)
		f->failed = demon_machine_time(payload, "ts");
	f->wake = due_at(payload);
	f->index = 0;
	if (f->wake) {
		f->retries++;
		m->control = DEMON_AT_PAUSE;
		return DEMON_OK;
	}
	f->handling = true;
	f->list = f->task->handler ? f->task->handler->tasks : NULL;
	f->count = f->task->handler ? f->task->handler->count : 0;
	m->control = f->count ? DEMON_AT_TASK : DEMON_AT_LIST_END;
	return DEMON_OK;
}

static enum demon_rc timer_fired(struct demon_machine *m, const char *type, const json_t *payload,
				 struct demon_err *err)
{
	const char *id = json_string_value(json_object_get(payload, "timerId"));
	const char *named = id ? strstr(id, ":timer:") : NULL;

	(void)type;
	(void)err;
	if (named && m->timers)
		(void)json_object_del(m->timers, named + strlen(":timer:"));
	if (m->control == DEMON_AT_PAUSE) {
		m->control = DEMON_AT_TASK;
		demon_machine_top(m)->wake = 0;
		demon_machine_top(m)->began = demon_machine_time(payload, "ts");
	}
	return DEMON_OK;
}

/* With an error where it has failed. */
static enum demon_rc ended(struct demon_machine *m, const char *type, const json_t *payload,
			   struct demon_err *err)
{
	(void)type;
	(void)err;
	put(&m->error, json_object_get(payload, "error"));
	m->control = DEMON_AT_DONE;
	return DEMON_OK;
}

static enum demon_rc restored(struct demon_machine *m, const char *type, const json_t *payload,
			      struct demon_err *err)
{
	(void)type;
	return demon_machine_load(m, json_object_get(payload, "state"), err);
}

static const struct {
	const char *type;
	enum demon_rc (*apply)(struct demon_machine *m, const char *type, const json_t *payload,
			       struct demon_err *err);
} moves[] = {
    {"step.evaluated:v1", step_evaluated}, {"step.started:v1", step_started},
    {"step.completed:v1", step_completed}, {"step.skipped:v1", step_skipped},
    {"step.returned:v1", step_returned},   {"step.failed:v1", step_failed},
    {"step.caught:v1", step_caught},       {"step.items:v1", step_items},
    {"timer.fired:v1", timer_fired},       {"ritual.completed:v1", ended},
    {"ritual.failed:v1", ended},           {"ritual.canceled:v1", ended},
    {"ritual.restored:v1", restored},      {"approval.opened:v1", gate_moved},
    {"approval.warned:v1", gate_moved},    {"approval.leveled:v1", gate_moved},
    {"approval.decided:v1", gate_decided}, {"policy.evaluated:v1", ward_evaluated},
};

bool demon_machine_knows(const char *type)
{
	for (size_t i = 0; i < demon_count(moves); i++)
		if (strcmp(type, moves[i].type) == 0)
			return true;
	return false;
}

enum demon_rc demon_machine_apply(struct demon_machine *m, const char *type, const json_t *payload,
				  struct demon_err *err)
{
	for (size_t i = 0; i < demon_count(moves); i++)
		if (strcmp(type, moves[i].type) == 0)
			return moves[i].apply(m, type, payload, err);
	return DEMON_OK;
}
