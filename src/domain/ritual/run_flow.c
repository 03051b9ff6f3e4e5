#include "run_flow.h"

#include <string.h>

/* How a search of the tree goes on. The recursions are as deep as the definition, which its
 * loader limits. */
enum walk { SEARCHING, PASSED, ARRIVED };

/*
 * Walks the calls of @p list from index @p from in the order in which they run. From PASSED on,
 * the first call met is the answer.
 */
static enum walk walk(const struct demon_task *list, size_t from, const char *reference,
		      enum walk state, const struct demon_task **ret_task);

static enum walk visit(const struct demon_task *task, const char *reference, enum walk state,
		       const struct demon_task **ret_task)
{
	if (task->kind == DEMON_TASK_DO)
		return task->count ? walk(task, 0, reference, state, ret_task) : state;
	if (state == PASSED) {
		*ret_task = task;
		return ARRIVED;
	}
	return strcmp(task->reference, reference) == 0 ? PASSED : SEARCHING;
}

/* A list that is searched is walked in its written order: a task need not lie on the way from the
 * first one. From the task that was passed on, `next` leads. */
static enum walk walk(const struct demon_task *list, size_t from, const char *reference,
		      enum walk state, const struct demon_task **ret_task)
{
	for (size_t i = from; i < list->count;) {
		state = visit(&list->tasks[i], reference, state, ret_task);
		if (state == ARRIVED)
			return ARRIVED;
		i = state == PASSED ? list->tasks[i].next : i + 1;
	}
	return state;
}

static const struct demon_task *find(const struct demon_task *list, const char *reference)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct demon_task *task = &list->tasks[i];

		if (task->kind == DEMON_TASK_DO)
			task = find(task, reference);
		else if (strcmp(task->reference, reference) != 0)
			task = NULL;
		if (task)
			return task;
	}
	return NULL;
}

const struct demon_task *demon_flow_first(const struct demon_definition *definition)
{
	const struct demon_task *task = NULL;

	(void)walk(&definition->root, 0, "", PASSED, &task);
	return task;
}

const struct demon_task *demon_flow_find(const struct demon_definition *definition,
					 const char *reference)
{
	return find(&definition->root, reference);
}

const struct demon_task *demon_flow_after(const struct demon_definition *definition,
					  const char *reference)
{
	const struct demon_task *task = NULL;

	(void)walk(&definition->root, 0, reference, SEARCHING, &task);
	return task;
}
