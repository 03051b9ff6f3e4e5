/*
 * The seed notation: id, version, states: [{name, type: task, action, transition | end}].
 */
#include "seed.h"
#include "domain/capsule/output.h"

#include <stdio.h>
#include <string.h>

const char *const demon_seed_none[] = {NULL};
static const char *const top_known[] = {"id", "version", "name", "description", "states"};

static void load_version(struct demon_seed *s, struct demon_value root)
{
	struct demon_value v;

	if (!demon_loader_require(s->loader, root, "version", &v))
		return;
	if (json_is_number(v.json))
		demon_loader_problem(
		    s->loader, v, "version: expected a string, found a number: put it in quotes");
	else
		s->loader->definition->version = demon_loader_line(s->loader, v, "version");
}

static void load_top(struct demon_seed *s, struct demon_value root)
{
	struct demon_definition *d = s->loader->definition;
	struct demon_value v;

	demon_loader_keys(s->loader, root, DEMON_SEED_KEYS(top_known, demon_seed_none));
	if (demon_loader_require(s->loader, root, "id", &v)) {
		d->ritual_id = demon_loader_string(s->loader, v, "id");
		if (d->ritual_id && !demon_loader_is_id(d->ritual_id))
			demon_loader_problem(s->loader, v,
					     "id: expected 1 to 64 of A-Z a-z 0-9 '_' '-', found "
					     "'%.*s'",
					     demon_output_clip(d->ritual_id, DEMON_SEED_SHOWN),
					     d->ritual_id);
	}
	load_version(s, root);
	v = demon_value_get(root, "name");
	d->title = v.json ? demon_loader_string(s->loader, v, "name") : NULL;
	v = demon_value_get(root, "description");
	if (v.json)
		(void)demon_loader_string(s->loader, v, "description");
}

static size_t check_transition(struct demon_seed *s, struct demon_value v, size_t after)
{
	const struct demon_keys keys = {s->list, s->named, demon_seed_none};
	const char *name = demon_loader_string(s->loader, v, "transition");
	const json_t *index = name ? json_object_get(s->names, name) : NULL;

	if (index)
		return (size_t)json_integer_value(index);
	s->flow_broken = true;
	if (name)
		demon_loader_unknown(s->loader, v, false, "transition to a missing state", name,
				     &keys);
	return after;
}

size_t demon_seed_way(struct demon_seed *s, struct demon_value v, size_t after)
{
	struct demon_value transition = demon_value_get(v, "transition");
	struct demon_value end = demon_value_get(v, "end");
	bool ends = json_is_true(end.json);

	if (end.json && !json_is_boolean(end.json)) {
		demon_loader_problem(s->loader, end, "end: expected true or false, found %s",
				     demon_value_describe(end));
		s->flow_broken = true;
	}
	if (ends && transition.json) {
		demon_loader_problem_key(s->loader, transition,
					 "'transition' and 'end: true' exclude each other");
		s->flow_broken = true;
	} else if (transition.json) {
		return check_transition(s, transition, after);
	}
	return ends ? DEMON_NEXT_END : after;
}

static void report_duplicate(struct demon_seed *s, struct demon_value v, const char *name,
			     size_t first)
{
	struct demon_value other = demon_value_get(demon_value_at(s->states, first), "name");

	s->flow_broken = true;
	demon_loader_problem(
	    s->loader, v, "duplicate state name '%.*s': line %u, column %u has it too",
	    demon_output_clip(name, DEMON_SEED_SHOWN), name, other.node ? other.node->line : 1,
	    other.node ? other.node->column : 1);
}

/* The name of each state, and which state has it. */
static void load_name(struct demon_seed *s, size_t i)
{
	struct demon_value state = demon_value_at(s->states, i);
	const char *name = NULL;
	const json_t *first;
	struct demon_value v = {NULL, NULL};

	if (demon_loader_mapping(s->loader, state, "state") &&
	    demon_loader_require(s->loader, state, "name", &v))
		name = demon_loader_line(s->loader, v, "name");
	s->tasks[i].name = name;
	if (!name) {
		s->flow_broken = true;
		return;
	}
	first = json_object_get(s->names, name);
	if (first) {
		report_duplicate(s, v, name, (size_t)json_integer_value(first));
		return;
	}
	s->list[s->named++] = name;
	if (json_object_set_new(s->names, name, json_integer((json_int_t)i)))
		s->loader->failed = true;
}

static void report_cycle(struct demon_seed *s, const struct demon_task *tasks, size_t first)
{
	DEMON_BUF(text, 0);
	size_t last = first;
	struct demon_value v;
	size_t i = first;

	do {
		if (text.len < 180)
			demon_buf_fmt(&text, "'%.*s' -> ",
				      demon_output_clip(tasks[i].name, DEMON_SEED_SHOWN),
				      tasks[i].name);
		else if (text.data[text.len - 1] != '.')
			demon_buf_str(&text, "...");
		last = i;
		i = tasks[i].next;
	} while (i != first);
	if (text.len && text.data[text.len - 1] == '.')
		demon_buf_str(&text, " -> ");
	v = demon_value_get(demon_value_at(s->states, last), "transition");
	if (!v.json)
		v = demon_value_at(s->states, last);
	demon_loader_problem(s->loader, v, "states form a cycle: %s'%.*s'", text.data,
			     demon_output_clip(tasks[first].name, DEMON_SEED_SHOWN),
			     tasks[first].name);
}

/* Whether a state may lead elsewhere each time it is come to. */
static bool may_turn(const struct demon_task *task)
{
	return task->kind == DEMON_TASK_SWITCH || task->kind == DEMON_TASK_LISTEN;
}

/* Marks what can be reached from state 0. */
static void reach(const struct demon_seed *s, const struct demon_task *tasks, bool *reached,
		  size_t *stack)
{
	size_t depth = 0;

	reached[0] = true;
	stack[depth++] = 0;
	while (depth) {
		const struct demon_task *task = &tasks[stack[--depth]];

		for (size_t i = 0; i <= task->case_count; i++) {
			size_t next = i < task->case_count ? task->cases[i].next : task->next;

			if (next >= s->count || reached[next])
				continue;
			reached[next] = true;
			stack[depth++] = next;
		}
	}
}

/*
 * Follows each state that cannot turn to the end, to a state seen on an earlier walk, or round a
 * cycle. walk[i] is the number of the walk that saw state i first, from 1.
 */
static void check_cycles(struct demon_seed *s, const struct demon_task *tasks, size_t *walk)
{
	for (size_t start = 0; start < s->count; start++) {
		size_t i = start;

		while (i < s->count && walk[i] == 0 && !may_turn(&tasks[i])) {
			walk[i] = start + 1;
			i = tasks[i].next;
		}
		if (i < s->count && walk[i] == start + 1)
			report_cycle(s, tasks, i);
	}
}

static void check_flow(struct demon_seed *s, const struct demon_task *tasks, size_t *walk)
{
	demon_auto_free bool *reached = demon_calloc(s->count, sizeof(*reached));

	check_cycles(s, tasks, walk);
	if (!reached) {
		s->loader->failed = true;
		return;
	}
	if (s->flow_broken)
		return;
	reach(s, tasks, reached, walk);
	for (size_t i = 0; i < s->count; i++)
		if (!reached[i])
			demon_loader_problem(
			    s->loader, demon_value_get(demon_value_at(s->states, i), "name"),
			    "state '%.*s' can never be reached",
			    demon_output_clip(tasks[i].name, DEMON_SEED_SHOWN), tasks[i].name);
}

static bool find_states(struct demon_seed *s, struct demon_value root)
{
	if (!demon_loader_require(s->loader, root, "states", &s->states))
		return false;
	if (!json_is_array(s->states.json) || json_array_size(s->states.json) == 0) {
		demon_loader_problem(
		    s->loader, s->states, "states: expected a list of states, found %s",
		    json_is_array(s->states.json) ? "an empty list"
						  : demon_value_describe(s->states));
		return false;
	}
	s->count = json_array_size(s->states.json);
	return true;
}

static enum demon_rc load_states(struct demon_seed *s, struct demon_err *err)
{
	struct demon_loader *l = s->loader;
	demon_auto_free size_t *walk = demon_calloc(s->count, sizeof(*walk));

	s->names = json_object();
	s->timers = json_object();
	s->list = demon_calloc(s->count, sizeof(*s->list));
	s->tasks = demon_loader_new(l, s->count, sizeof(*s->tasks));
	if (!walk || !s->names || !s->timers || !s->list || !s->tasks)
		return demon_err_set(err, DEMON_NOMEM, "definition: out of memory");
	for (size_t i = 0; i < s->count; i++)
		load_name(s, i);
	for (size_t i = 0; i < s->count; i++)
		demon_seed_state(s, i, &s->tasks[i]);
	demon_seed_timers(s);
	check_flow(s, s->tasks, walk);
	l->definition->root = (struct demon_task){.kind = DEMON_TASK_DO,
						  .name = l->definition->ritual_id,
						  .reference = "",
						  .call = "workflow",
						  .next = DEMON_NEXT_END,
						  .tasks = s->tasks,
						  .count = s->count};
	return DEMON_OK;
}

enum demon_rc demon_seed_load(struct demon_loader *l, struct demon_value root,
			      struct demon_err *err)
{
	struct demon_seed s = {.loader = l};
	enum demon_rc rc = DEMON_OK;

	l->definition->notation = DEMON_NOTATION_SEED;
	load_top(&s, root);
	if (find_states(&s, root))
		rc = load_states(&s, err);
	json_decref(s.names);
	json_decref(s.timers);
	free(s.list);
	return rc;
}
