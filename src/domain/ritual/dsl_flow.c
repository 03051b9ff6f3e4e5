/*
 * Where the flow of a list goes: every task is to be reached, and from every task some way is to
 * lead out of the list. In time linear in the number of ways.
 */
#include "domain/capsule/output.h"
#include "dsl.h"

#include <string.h>

#define SHOWN 64 /* bytes of a foreign string in a message */

struct flow {
	const struct demon_task *tasks;
	size_t count;
	const bool *leaves; /* whether a task may end the run, or fail, by what is in it */
	bool *reached;
	bool *ends;    /* whether some way leads out */
	size_t *first; /* ways into task i are from[first[i]] up to from[first[i + 1]] */
	size_t *from;
	size_t *stack;
};

/* The number of ways on from a task, each counted as often as it is written. */
static size_t way_count(const struct demon_task *task)
{
	size_t count = 0;
	bool decided = task->kind == DEMON_TASK_RAISE;

	if (task->kind == DEMON_TASK_SWITCH && task->case_count) {
		count = task->case_count;
		decided = !task->cases[count - 1].when.json;
	}
	return count + !decided + (task->condition.json != NULL);
}

/* Way @p n of task @p i; one that is passed over leads to the task behind it. */
static size_t way(const struct flow *f, size_t i, size_t n)
{
	const struct demon_task *task = &f->tasks[i];
	size_t cases = task->kind == DEMON_TASK_SWITCH ? task->case_count : 0;

	if (n < cases)
		return task->cases[n].next;
	if (task->condition.json && n + 1 == way_count(task))
		return i + 1;
	return task->next;
}

static void reach(struct flow *f)
{
	size_t depth = 0;

	f->reached[0] = true;
	f->stack[depth++] = 0;
	while (depth) {
		size_t i = f->stack[--depth];
		size_t count = way_count(&f->tasks[i]);

		for (size_t n = 0; n < count; n++) {
			size_t next = way(f, i, n);

			if (next >= f->count || f->reached[next])
				continue;
			f->reached[next] = true;
			f->stack[depth++] = next;
		}
	}
}

/* Turns the ways round. f->first has count + 2 members. */
static bool turn(struct flow *f)
{
	size_t total = 0;

	for (size_t i = 0; i < f->count; i++) {
		size_t count = way_count(&f->tasks[i]);

		for (size_t n = 0; n < count; n++)
			if (way(f, i, n) < f->count) {
				f->first[way(f, i, n) + 2]++;
				total++;
			}
	}
	for (size_t i = 2; i < f->count + 2; i++)
		f->first[i] += f->first[i - 1];
	f->from = demon_calloc(total + 1, sizeof(*f->from));
	if (!f->from)
		return false;
	for (size_t i = 0; i < f->count; i++) {
		size_t count = way_count(&f->tasks[i]);

		for (size_t n = 0; n < count; n++)
			if (way(f, i, n) < f->count)
				f->from[f->first[way(f, i, n) + 1]++] = i;
	}
	return true;
}

static bool leads_out(const struct flow *f, size_t i)
{
	size_t count = way_count(&f->tasks[i]);

	if (f->leaves[i])
		return true;
	for (size_t n = 0; n < count; n++)
		if (way(f, i, n) >= f->count)
			return true;
	return false;
}

/* Goes back from the tasks that lead out. */
static void end(struct flow *f)
{
	size_t depth = 0;

	for (size_t i = 0; i < f->count; i++)
		if (leads_out(f, i)) {
			f->ends[i] = true;
			f->stack[depth++] = i;
		}
	while (depth) {
		size_t i = f->stack[--depth];

		for (size_t n = f->first[i]; n < f->first[i + 1]; n++) {
			size_t before = f->from[n];

			if (f->ends[before])
				continue;
			f->ends[before] = true;
			f->stack[depth++] = before;
		}
	}
}

static void report(const struct flow *f, struct demon_dsl *d, struct demon_value list)
{
	bool told = false;

	for (size_t i = 0; i < f->count; i++) {
		const char *name = f->tasks[i].name;
		int shown = demon_output_clip(name, SHOWN);

		if (!f->reached[i]) {
			demon_loader_problem(d->loader, demon_value_at(list, i),
					     "task '%.*s' can never be reached", shown, name);
		} else if (!f->ends[i] && !told) {
			demon_loader_problem(d->loader, demon_value_at(list, i),
					     "tasks go in a circle for ever from '%.*s' on", shown,
					     name);
			told = true;
		}
	}
}

void demon_dsl_flow(struct demon_dsl *d, struct demon_value list, const struct demon_task *parent,
		    const bool *leaves)
{
	size_t count = parent->count;
	demon_auto_free bool *reached = demon_calloc(count, sizeof(*reached));
	demon_auto_free bool *ends = demon_calloc(count, sizeof(*ends));
	demon_auto_free size_t *first = demon_calloc(count + 2, sizeof(*first));
	demon_auto_free size_t *stack = demon_calloc(count, sizeof(*stack));
	struct flow f = {parent->tasks, count, leaves, reached, ends, first, NULL, stack};

	if (!reached || !ends || !first || !stack || !turn(&f)) {
		d->loader->failed = true;
		return;
	}
	reach(&f);
	end(&f);
	free(f.from);
	report(&f, d, list);
}
