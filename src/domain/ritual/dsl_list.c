#include "domain/capsule/arguments.h"
#include "domain/capsule/output.h"
#include "dsl.h"

#include <string.h>

#define SHOWN 64 /* bytes of a foreign string in a message */

/* The only member of an item of a list: a task under its name. */
static bool only_member(struct demon_dsl *d, struct demon_value item, const char **ret_name,
			struct demon_value *ret_task)
{
	const char *key;
	json_t *value;

	if (!demon_loader_mapping(d->loader, item, "task"))
		return false;
	if (json_object_size(item.json) != 1) {
		demon_loader_problem(d->loader, item,
				     "task: expected one name with its task, found %zu keys",
				     json_object_size(item.json));
		return false;
	}
	json_object_foreach(demon_json_iterable(item.json), key, value)
	{
		*ret_name = key;
		*ret_task = demon_value_member(item, value, 0);
	}
	return true;
}

static bool is_directive(const char *name)
{
	return strcmp(name, "continue") == 0 || strcmp(name, "end") == 0 ||
	       strcmp(name, "exit") == 0;
}

static void name_task(struct demon_dsl *d, struct demon_value at, const char *name, size_t index,
		      json_t *names)
{
	if (!*name || strlen(name) > 256)
		demon_loader_problem_key(
		    d->loader, at, "task name: expected 1 to 256 bytes, found %zu", strlen(name));
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p < 0x20 || *p == 0x7f) {
			demon_loader_problem_key(d->loader, at,
						 "task name: has a control character");
			break;
		}
	if (is_directive(name))
		demon_loader_problem_key(d->loader, at,
					 "task name '%s' is a word that `then` knows", name);
	if (json_object_get(names, name)) {
		demon_loader_problem_key(d->loader, at, "duplicate task name '%.*s'",
					 demon_output_clip(name, SHOWN), name);
		return;
	}
	if (json_object_set_new_nocheck(names, name, json_integer((json_int_t)index)))
		d->loader->failed = true;
}

static const char *reference_of(struct demon_dsl *d, const char *list, size_t index,
				const char *name)
{
	DEMON_BUF(text, 0);

	demon_buf_fmt(&text, "%s/%zu", list, index);
	demon_arguments_pointer(&text, name);
	if (text.rc)
		d->loader->failed = true;
	return demon_loader_text(d->loader, "%s", text.data);
}

static void suggest_then(struct demon_dsl *d, struct demon_value v, const char *name,
			 const json_t *names)
{
	size_t count = json_object_size(names) + 3;
	demon_auto_free const char **known = NULL;
	struct demon_keys keys = {.later = demon_dsl_none};
	const char *key;
	json_t *index;

	if (d->loader->problems->count >= DEMON_PROBLEMS_MAX) {
		demon_loader_problem(d->loader, v, "then: there is no such task");
		return;
	}
	known = demon_calloc(count, sizeof(*known));
	if (!known) {
		d->loader->failed = true;
		return;
	}
	keys.known = known;
	known[keys.count++] = "continue";
	known[keys.count++] = "end";
	known[keys.count++] = "exit";
	json_object_foreach(demon_json_iterable(names), key, index) known[keys.count++] = key;
	demon_loader_unknown(d->loader, v, false, "then: there is no task", name, &keys);
}

size_t demon_dsl_then(struct demon_dsl *d, struct demon_value mapping, const json_t *names,
		      size_t after)
{
	struct demon_value v = demon_value_get(mapping, "then");
	const char *name = v.json ? demon_loader_string(d->loader, v, "then") : NULL;
	const json_t *index = name ? json_object_get(names, name) : NULL;

	if (!name || strcmp(name, "continue") == 0)
		return after;
	if (strcmp(name, "end") == 0) {
		d->end_count++;
		return DEMON_NEXT_END;
	}
	if (strcmp(name, "exit") == 0)
		return DEMON_NEXT_EXIT;
	if (index)
		return (size_t)json_integer_value(index);
	suggest_then(d, v, name, names);
	return after;
}

/* The list itself is sound: its tasks are read one by one. leaves[i]: something in task i may end
 * the run. */
static void load_tasks(struct demon_dsl *d, struct demon_value list, const char *reference,
		       struct demon_task *tasks, bool *leaves)
{
	json_auto_t *names = json_object();
	size_t count = json_array_size(list.json);

	if (!names) {
		d->loader->failed = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct demon_value task = {NULL, NULL};
		const char *name = "";

		if (!only_member(d, demon_value_at(list, i), &name, &task))
			continue;
		tasks[i].name = name;
		name_task(d, task, name, i, names);
	}
	for (size_t i = 0; i < count; i++) {
		struct demon_value item = demon_value_at(list, i);
		size_t ends = d->end_count;
		const json_t *task;

		tasks[i].next = i + 1 < count ? i + 1 : DEMON_NEXT_EXIT;
		tasks[i].reference = "";
		if (!tasks[i].name || json_object_size(item.json) != 1)
			continue;
		task = json_object_get(item.json, tasks[i].name);
		tasks[i].reference = reference_of(d, reference, i, tasks[i].name);
		demon_dsl_task(d, demon_value_member(item, task, 0), names, &tasks[i]);
		leaves[i] = d->end_count != ends;
	}
}

void demon_dsl_list(struct demon_dsl *d, struct demon_value v, const char *reference,
		    struct demon_task *parent)
{
	struct demon_loader *l = d->loader;
	size_t count = json_array_size(v.json);
	size_t before = demon_loader_problem_count(l);
	demon_auto_free bool *leaves = NULL;
	struct demon_task *tasks;

	if (!count) {
		demon_loader_problem(l, v, "expected a list of tasks, found %s",
				     json_is_array(v.json) ? "an empty list"
							   : demon_value_describe(v));
		return;
	}
	d->task_count += count;
	if (d->task_count > DEMON_DSL_TASKS) {
		demon_loader_problem(l, v, "more than %d tasks", DEMON_DSL_TASKS);
		return;
	}
	leaves = demon_calloc(count, sizeof(*leaves));
	tasks = demon_loader_new(l, count, sizeof(*tasks));
	if (!leaves || !tasks) {
		l->failed = true;
		return;
	}
	load_tasks(d, v, reference, tasks, leaves);
	parent->tasks = tasks;
	parent->count = count;
	if (!l->failed && demon_loader_problem_count(l) == before)
		demon_dsl_flow(d, v, parent, leaves);
}
