#include "run_checkpoint.h"

#include <string.h>

#define VERSION 1

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for the state of a run");
}

static const char *control_name(const struct demon_machine *m)
{
	switch (m->control) {
	case DEMON_AT_START:
		return "start";
	case DEMON_AT_TASK:
	case DEMON_AT_LEAF:
	case DEMON_AT_PAUSE:
		return "task";
	case DEMON_AT_LIST_END:
		return "listEnd";
	case DEMON_AT_END:
	case DEMON_FAILING:
	case DEMON_AT_DONE:
		break;
	}
	return NULL;
}

static demon_time later(demon_time t, int64_t shift)
{
	return t ? t + shift : 0;
}

static json_t *save_frame(const struct demon_frame *f, int64_t shift)
{
	return json_pack(
	    "{s:s, s:b, s:I, s:I, s:O*, s:O*, s:I, s:O*, s:I, s:I, s:I, s:I}", "reference",
	    f->task->reference, "handling", f->handling, "index", (json_int_t)f->index, "stepId",
	    (json_int_t)f->step_id, "data", f->data, "items", f->items, "iteration",
	    (json_int_t)f->iteration, "error", f->error, "retries", (json_int_t)f->retries,
	    "failed", (json_int_t)later(f->failed, shift), "began",
	    (json_int_t)later(f->began, shift), "deadline", (json_int_t)later(f->deadline, shift));
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
	return json_incref(moved);
}

enum demon_rc demon_machine_save(const struct demon_machine *m, int64_t shift, json_t **ret_saved,
				 struct demon_err *err)
{
	const char *control = control_name(m);
	json_auto_t *frames = json_array();

	if (!control)
		return demon_err_set(err, DEMON_INVALID,
				     "there is no task before which it could begin again");
	for (size_t i = 0; i < m->depth; i++)
		if (json_array_append_new(frames, save_frame(&m->frames[i], shift)))
			return no_memory(err);
	*ret_saved =
	    json_pack("{s:i, s:s, s:O, s:I, s:O, s:O*, s:o*, s:O*}", "version", VERSION, "control",
		      control, "frames", frames, "lastStep", (json_int_t)m->last_step, "value",
		      m->value, "context", m->context, "timers",
		      m->timers ? save_timers(m->timers, shift) : NULL, "undo", m->undo);
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

static enum demon_rc load_frame(struct demon_machine *m, const json_t *saved, struct demon_err *err)
{
	const char *reference = json_string_value(json_object_get(saved, "reference"));
	const struct demon_task *task = reference ? find_task(m, reference) : NULL;
	struct demon_frame *f = &m->frames[m->depth];

	if (!task || m->depth == DEMON_FRAMES_MAX)
		return unfit("frame", err);
	*f = (struct demon_frame){
	    .task = task,
	    .list = task->tasks,
	    .count = task->count,
	    .index = (size_t)number(saved, "index"),
	    .step_id = number(saved, "stepId"),
	    .data = json_incref(json_object_get(saved, "data")),
	    .items = json_incref(json_object_get(saved, "items")),
	    .iteration = (size_t)number(saved, "iteration"),
	    .error = json_incref(json_object_get(saved, "error")),
	    .handling = json_is_true(json_object_get(saved, "handling")),
	    .retries = number(saved, "retries"),
	    .failed = number(saved, "failed"),
	    .began = number(saved, "began"),
	    .deadline = number(saved, "deadline"),
	};
	m->depth++;
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

static bool load_control(struct demon_machine *m, const char *name)
{
	if (!name)
		return false;
	if (strcmp(name, "start") == 0)
		m->control = DEMON_AT_START;
	else if (strcmp(name, "task") == 0 && m->depth)
		m->control = DEMON_AT_TASK;
	else if (strcmp(name, "listEnd") == 0 && m->depth)
		m->control = DEMON_AT_LIST_END;
	else
		return false;
	return m->control != DEMON_AT_TASK || demon_machine_next(m) != NULL;
}

enum demon_rc demon_machine_load(struct demon_machine *m, const json_t *saved,
				 struct demon_err *err)
{
	const json_t *frames = json_object_get(saved, "frames");
	const struct demon_definition *definition = m->definition;
	enum demon_rc rc;

	if (number(saved, "version") != VERSION)
		return demon_err_set(err, DEMON_NEWER, "the restored state is of a later version");
	demon_machine_done(m);
	m->definition = definition;
	for (size_t i = 0; i < json_array_size(frames); i++)
		if ((rc = load_frame(m, json_array_get(frames, i), err)))
			return rc;
	keep(&m->value, saved, "value");
	keep(&m->context, saved, "context");
	keep(&m->timers, saved, "timers");
	keep(&m->undo, saved, "undo");
	m->last_step = m->base_step = number(saved, "lastStep");
	if (!m->value || !load_control(m, json_string_value(json_object_get(saved, "control"))))
		return unfit("where it stands", err);
	return DEMON_OK;
}
