#include "run_checkpoint.h"

#include <string.h>

#define VERSION 1

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for the state of a run");
}

static const struct {
	enum demon_control control;
	const char *name;
} controls[] = {
    {DEMON_AT_START, "start"},      {DEMON_AT_TASK, "task"},   {DEMON_AT_LEAF, "task"},
    {DEMON_AT_LIST_END, "listEnd"}, {DEMON_AT_PAUSE, "pause"}, {DEMON_AT_END, "end"},
};

static const char *control_name(enum demon_control control)
{
	for (size_t i = 0; i < demon_count(controls); i++)
		if (controls[i].control == control)
			return controls[i].name;
	return NULL;
}

static demon_time later(demon_time t, int64_t shift)
{
	return t ? t + shift : 0;
}

/* `data` is left out where it is that of the frame below, or the run's input. */
static json_t *save_frame(const struct demon_frame *f, const json_t *below, int64_t step_id,
			  int64_t shift)
{
	return json_pack(
	    "{s:s, s:s, s:s, s:I, s:b, s:I, s:O*, s:O*, s:I, s:O*, s:I, s:I, s:I, s:I, s:I}",
	    "reference", f->task->reference, "name", f->task->name, "call", f->task->call, "stepId",
	    (json_int_t)step_id, "handling", f->handling, "index", (json_int_t)f->index, "data",
	    f->data == below ? NULL : f->data, "items", f->items, "iteration",
	    (json_int_t)f->iteration, "error", f->error, "retries", (json_int_t)f->retries,
	    "failed", (json_int_t)later(f->failed, shift), "wake",
	    (json_int_t)later(f->wake, shift), "began", (json_int_t)later(f->began, shift),
	    "deadline", (json_int_t)later(f->deadline, shift));
}

/* Only the workflow may have no step of its own. */
static json_t *save_frames(const struct demon_machine *m, const json_t *input, int64_t shift)
{
	json_auto_t *frames = json_array();
	int64_t steps = 0;

	for (size_t i = 0; i < m->depth; i++) {
		const struct demon_frame *f = &m->frames[i];
		const json_t *below = i ? m->frames[i - 1].data : input;

		if (json_array_append_new(frames,
					  save_frame(f, below, f->step_id ? ++steps : 0, shift)))
			return NULL;
	}
	return demon_take(frames);
}

static json_t *save_timers(const json_t *timers, int64_t shift)
{
	json_auto_t *moved = json_object();
	const char *name;
	json_t *due;

	json_object_foreach(demon_json_iterable(timers), name, due)
	{
		if (json_object_set_new(moved, name, json_integer(json_integer_value(due) + shift)))
			return NULL;
	}
	return demon_take(moved);
}

enum demon_rc demon_machine_save(const struct demon_machine *m, const json_t *input, int64_t shift,
				 json_t **ret_saved, struct demon_err *err)
{
	const json_t *below = m->depth ? m->frames[m->depth - 1].data : input;
	const char *control = control_name(m->control);
	json_t *timers;

	if (!control)
		return demon_err_set(err, DEMON_CONFLICT,
				     "there is no task before which it could begin again");
	timers = m->timers ? save_timers(m->timers, shift) : json_object();
	*ret_saved = json_pack("{s:i, s:s, s:o, s:O*, s:O*, s:o, s:O*, s:O*}", "version", VERSION,
			       "control", control, "frames", save_frames(m, input, shift), "value",
			       m->value == below ? NULL : m->value, "context", m->context, "timers",
			       timers, "undo", m->undo, "result", m->result);
	return *ret_saved ? DEMON_OK : no_memory(err);
}

static enum demon_rc unfit(const char *what, struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "the restored state does not fit: %s", what);
}

/* The task of a frame: the workflow, or one of those in the list of the frame below. */
static const struct demon_task *find_task(const struct demon_machine *m, const char *reference)
{
	const struct demon_frame *f = m->depth ? &m->frames[m->depth - 1] : NULL;

	if (!f)
		return strcmp(reference, m->definition->root.reference) == 0 ? &m->definition->root
									     : NULL;
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->list[i].reference, reference) == 0)
			return &f->list[i];
	return NULL;
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* @p below: the input of the task that holds it. */
static enum demon_rc load_frame(struct demon_machine *m, const json_t *saved, json_t *below,
				struct demon_err *err)
{
	const char *reference = json_string_value(json_object_get(saved, "reference"));
	const struct demon_task *task = reference ? find_task(m, reference) : NULL;
	struct demon_frame *f = &m->frames[m->depth];
	json_t *data = json_object_get(saved, "data");

	if (!task || m->depth == DEMON_FRAMES_MAX)
		return unfit("a task under way", err);
	*f = (struct demon_frame){
	    .task = task,
	    .list = task->tasks,
	    .count = task->count,
	    .index = (size_t)number(saved, "index"),
	    .step_id = number(saved, "stepId"),
	    .data = json_incref(data ? data : below),
	    .items = json_incref(json_object_get(saved, "items")),
	    .iteration = (size_t)number(saved, "iteration"),
	    .error = json_incref(json_object_get(saved, "error")),
	    .handling = json_is_true(json_object_get(saved, "handling")),
	    .retries = number(saved, "retries"),
	    .failed = number(saved, "failed"),
	    .wake = number(saved, "wake"),
	    .began = number(saved, "began"),
	    .deadline = number(saved, "deadline"),
	};
	m->depth++;
	if (f->step_id > m->last_step)
		m->last_step = f->step_id;
	if (f->handling) {
		f->list = task->handler ? task->handler->tasks : NULL;
		f->count = task->handler ? task->handler->count : 0;
	}
	return DEMON_OK;
}

static void keep(json_t **place, const json_t *saved, const char *key)
{
	json_decref(*place);
	*place = json_incref(json_object_get(saved, key));
}

/* Whether what stands on top of the frames is what the control is about. */
static bool is_sound(const struct demon_machine *m)
{
	const struct demon_frame *f = m->depth ? &m->frames[m->depth - 1] : NULL;

	switch (m->control) {
	case DEMON_AT_START:
		return !f && demon_machine_root_steps(m->definition);
	case DEMON_AT_TASK:
		return f && demon_machine_next(m);
	case DEMON_AT_PAUSE:
		return f && f->task->kind == DEMON_TASK_TRY && f->wake;
	case DEMON_AT_LIST_END:
		return f;
	case DEMON_AT_END:
		return true;
	case DEMON_AT_LEAF:
	case DEMON_FAILING:
	case DEMON_AT_DONE:
		break;
	}
	return false;
}

static bool load_control(struct demon_machine *m, const char *name)
{
	for (size_t i = 0; name && i < demon_count(controls); i++) {
		if (strcmp(controls[i].name, name) == 0) {
			m->control = controls[i].control;
			return is_sound(m);
		}
	}
	return false;
}

enum demon_rc demon_machine_load(struct demon_machine *m, const json_t *saved,
				 struct demon_err *err)
{
	const json_t *frames = json_object_get(saved, "frames");
	const struct demon_definition *definition = m->definition;
	json_auto_t *input = json_incref(m->value);
	json_t *below = input;
	enum demon_rc rc;

	if (number(saved, "version") != VERSION)
		return demon_err_set(err, DEMON_NEWER, "the restored state is of a later version");
	demon_machine_done(m);
	m->definition = definition;
	m->last_step = 0;
	for (size_t i = 0; i < json_array_size(frames); i++) {
		if ((rc = load_frame(m, json_array_get(frames, i), below, err)))
			return rc;
		below = m->frames[i].data;
	}
	keep(&m->value, saved, "value");
	if (!m->value)
		m->value = json_incref(below);
	keep(&m->context, saved, "context");
	keep(&m->timers, saved, "timers");
	keep(&m->undo, saved, "undo");
	keep(&m->result, saved, "result");
	if (!load_control(m, json_string_value(json_object_get(saved, "control"))))
		return unfit("where it stands", err);
	return DEMON_OK;
}
