/*
 * Where a machine stands: what is read of it.
 */
#include "base/bytes.h"
#include "domain/approval/terms.h"
#include "run_machine.h"

#include <string.h>

struct demon_frame *demon_machine_top(struct demon_machine *m)
{
	return &m->frames[m->depth - 1];
}

demon_time demon_machine_time(const json_t *payload, const char *key)
{
	const json_t *text = json_object_get(payload, key);
	struct demon_err err;
	demon_time t;

	if (!json_is_string(text) || demon_rfc3339_parse(json_string_value(text), &t, &err))
		return 0;
	return t;
}

bool demon_machine_root_steps(const struct demon_definition *definition)
{
	const struct demon_task *root = &definition->root;

	return root->input_from.json || root->output_as.json || root->input_schema ||
	       root->output_schema || root->timeout.ms || root->timeout.term.json;
}

static const struct demon_task *find_compensation(const struct demon_task *list,
						  const char *reference)
{
	for (size_t i = 0; reference && i < list->count; i++) {
		const struct demon_task *undo = list->tasks[i].compensation;

		if (undo && strcmp(undo->reference, reference) == 0)
			return undo;
	}
	return NULL;
}

const struct demon_task *demon_machine_next(const struct demon_machine *m)
{
	const struct demon_frame *f;

	if (m->control == DEMON_AT_START)
		return &m->definition->root;
	f = &m->frames[m->depth - 1];
	if (f->task->kind == DEMON_TASK_COMPENSATE)
		return find_compensation(&m->definition->root,
					 json_string_value(json_array_get(f->items, f->iteration)));
	return f->index < f->count ? &f->list[f->index] : NULL;
}

bool demon_machine_has_item(const struct demon_machine *m)
{
	const struct demon_frame *f = &m->frames[m->depth - 1];

	return f->task->kind == DEMON_TASK_FOR && f->iteration + 1 < json_array_size(f->items);
}

bool demon_machine_at_gate(const struct demon_machine *m)
{
	const struct demon_task *task = m->leaf.task;

	return m->control == DEMON_AT_LEAF && task->kind == DEMON_TASK_CALL &&
	       task->capsule == &demon_capsule_approval;
}
