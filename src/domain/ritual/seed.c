/*
 * The seed notation: id, version, states: [{name, type: task, action, transition | end}].
 */
#include "domain/capsule/arguments.h"
#include "domain/capsule/output.h"
#include "loader.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 64 /* bytes of a foreign string in a message */

static const char *const none[] = {NULL};
static const char *const top_known[] = {"id", "version", "name", "description", "states"};
static const char *const state_known[] = {"name", "type", "action", "transition", "end"};
static const char *const state_later[] = {
    "on", "dataConditions", "defaultCondition", "onErrors", "retry", "timeout", NULL};
static const char *const action_known[] = {"functionRef"};
static const char *const function_known[] = {"refName", "arguments"};
static const char *const types[] = {"task"};
static const char *const types_later[] = {"event",   "switch", "operation", "sleep", "parallel",
					  "foreach", "inject", "callback",  NULL};
static const char *const functions_later[] = {"scheduleTimer", "compensate", "container-exec",
					      "graph", NULL};

#define KEYS(known, later) ((struct demon_keys){known, demon_count(known), later})

struct seed {
	struct demon_loader *loader;
	struct demon_task *tasks;
	json_t *names;     /* state name → index; owned */
	const char **list; /* the names, in order, for suggestions; owned */
	size_t named;      /* how many */
	struct demon_value states;
	size_t count;
	bool flow_broken; /* where the flow goes is not known of every state */
};

static void load_version(struct seed *s, struct demon_value root)
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

static void load_top(struct seed *s, struct demon_value root)
{
	struct demon_definition *d = s->loader->definition;
	struct demon_value v;

	demon_loader_keys(s->loader, root, KEYS(top_known, none));
	if (demon_loader_require(s->loader, root, "id", &v)) {
		d->ritual_id = demon_loader_string(s->loader, v, "id");
		if (d->ritual_id && !demon_loader_is_id(d->ritual_id))
			demon_loader_problem(s->loader, v,
					     "id: expected 1 to 64 of A-Z a-z 0-9 '_' '-', found "
					     "'%.*s'",
					     demon_output_clip(d->ritual_id, SHOWN), d->ritual_id);
	}
	load_version(s, root);
	v = demon_value_get(root, "name");
	d->title = v.json ? demon_loader_string(s->loader, v, "name") : NULL;
	v = demon_value_get(root, "description");
	if (v.json)
		(void)demon_loader_string(s->loader, v, "description");
}

static const struct demon_capsule *find_capsule(struct seed *s, struct demon_value v)
{
	const char *name = demon_loader_string(s->loader, v, "refName");
	const struct demon_capsule *capsule = name ? demon_capsule_find(name) : NULL;
	struct demon_keys keys = {.later = none};

	if (!name || capsule)
		return capsule;
	keys.known = demon_capsule_names(&keys.count);
	if (demon_loader_among(name, functions_later))
		demon_loader_problem(s->loader, v, "not supported yet: function '%s'", name);
	else
		demon_loader_unknown(s->loader, v, false, "unknown function", name, &keys);
	return NULL;
}

static void load_function(struct seed *s, struct demon_value function, struct demon_task *task)
{
	struct demon_value arguments;
	struct demon_value v;

	if (!demon_loader_mapping(s->loader, function, "functionRef"))
		return;
	demon_loader_keys(s->loader, function, KEYS(function_known, none));
	if (demon_loader_require(s->loader, function, "refName", &v))
		task->capsule = find_capsule(s, v);
	arguments = demon_value_get(function, "arguments");
	if (arguments.json && !demon_loader_mapping(s->loader, arguments, "arguments"))
		return;
	task->with.json = arguments.json;
	if (task->capsule) {
		task->call = task->capsule->name;
		/* what is missing from arguments that are not there is missing from the function */
		demon_loader_arguments(s->loader, task->capsule,
				       arguments.json ? arguments : function, task->with.json);
	}
}

static void load_action(struct seed *s, struct demon_value state, struct demon_task *task)
{
	struct demon_value action;
	struct demon_value function;

	if (!demon_loader_require(s->loader, state, "action", &action) ||
	    !demon_loader_mapping(s->loader, action, "action"))
		return;
	demon_loader_keys(s->loader, action, KEYS(action_known, none));
	if (demon_loader_require(s->loader, action, "functionRef", &function))
		load_function(s, function, task);
}

/* True: it is a task. */
static bool check_type(struct seed *s, struct demon_value state)
{
	struct demon_value v;
	struct demon_keys keys = KEYS(types, none);
	const char *type;

	if (!demon_loader_require(s->loader, state, "type", &v))
		return true;
	type = demon_loader_string(s->loader, v, "type");
	if (!type || strcmp(type, "task") == 0)
		return true;
	if (demon_loader_among(type, types_later))
		demon_loader_problem(s->loader, v, "not supported yet: state type '%s'", type);
	else
		demon_loader_unknown(s->loader, v, false, "unknown state type", type, &keys);
	s->flow_broken = true;
	return false;
}

static void check_transition(struct seed *s, struct demon_value v, struct demon_task *task)
{
	const struct demon_keys keys = {s->list, s->named, none};
	const char *name = demon_loader_string(s->loader, v, "transition");
	const json_t *index = name ? json_object_get(s->names, name) : NULL;

	if (index) {
		task->next = (size_t)json_integer_value(index);
		return;
	}
	s->flow_broken = true;
	if (name)
		demon_loader_unknown(s->loader, v, false, "transition to a missing state", name,
				     &keys);
}

static void load_flow(struct seed *s, struct demon_value state, size_t i, struct demon_task *task)
{
	struct demon_value transition = demon_value_get(state, "transition");
	struct demon_value end = demon_value_get(state, "end");
	bool ends = json_is_true(end.json);

	task->next = ends || i + 1 == s->count ? DEMON_NEXT_END : i + 1;
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
		check_transition(s, transition, task);
	}
}

static void load_state(struct seed *s, size_t i, struct demon_task *task)
{
	struct demon_value state = demon_value_at(s->states, i);

	task->kind = DEMON_TASK_CALL;
	if (!task->name)
		task->name = "";
	task->next = DEMON_NEXT_END;
	task->reference = demon_loader_text(s->loader, "/states/%zu", i);
	if (!json_is_object(state.json) || !check_type(s, state))
		return;
	demon_loader_keys(s->loader, state, KEYS(state_known, state_later));
	load_action(s, state, task);
	load_flow(s, state, i, task);
}

static void report_duplicate(struct seed *s, struct demon_value v, const char *name, size_t first)
{
	struct demon_value other = demon_value_get(demon_value_at(s->states, first), "name");

	s->flow_broken = true;
	demon_loader_problem(
	    s->loader, v, "duplicate state name '%.*s': line %u, column %u has it too",
	    demon_output_clip(name, SHOWN), name, other.node ? other.node->line : 1,
	    other.node ? other.node->column : 1);
}

/* The name of each state, and which state has it. */
static void load_name(struct seed *s, size_t i)
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

static void report_cycle(struct seed *s, const struct demon_task *tasks, size_t first)
{
	DEMON_BUF(text, 0);
	size_t last = first;
	struct demon_value v;
	size_t i = first;

	do {
		if (text.len < 180)
			demon_buf_fmt(&text, "'%.*s' -> ", demon_output_clip(tasks[i].name, SHOWN),
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
			     demon_output_clip(tasks[first].name, SHOWN), tasks[first].name);
}

/*
 * Follows each state to the end, to a state seen on an earlier walk, or round a cycle. walk[i] is
 * the number of the walk that saw state i first, from 1; the first walk begins at state 0, so it
 * sees what can be reached.
 */
static void check_flow(struct seed *s, const struct demon_task *tasks, size_t *walk)
{
	for (size_t start = 0; start < s->count; start++) {
		size_t i = start;

		while (i != DEMON_NEXT_END && walk[i] == 0) {
			walk[i] = start + 1;
			i = tasks[i].next;
		}
		if (i != DEMON_NEXT_END && walk[i] == start + 1)
			report_cycle(s, tasks, i);
	}
	for (size_t i = 0; !s->flow_broken && i < s->count; i++)
		if (walk[i] != 1)
			demon_loader_problem(
			    s->loader, demon_value_get(demon_value_at(s->states, i), "name"),
			    "state '%.*s' can never be reached",
			    demon_output_clip(tasks[i].name, SHOWN), tasks[i].name);
}

static bool find_states(struct seed *s, struct demon_value root)
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

static enum demon_rc load_states(struct seed *s, struct demon_err *err)
{
	struct demon_loader *l = s->loader;
	demon_auto_free size_t *walk = demon_calloc(s->count, sizeof(*walk));

	s->names = json_object();
	s->list = demon_calloc(s->count, sizeof(*s->list));
	s->tasks = demon_loader_new(l, s->count, sizeof(*s->tasks));
	if (!walk || !s->names || !s->list || !s->tasks)
		return demon_err_set(err, DEMON_NOMEM, "definition: out of memory");
	for (size_t i = 0; i < s->count; i++)
		load_name(s, i);
	for (size_t i = 0; i < s->count; i++)
		load_state(s, i, &s->tasks[i]);
	check_flow(s, s->tasks, walk);
	l->definition->root = (struct demon_task){.kind = DEMON_TASK_DO,
						  .name = l->definition->ritual_id,
						  .reference = "",
						  .next = DEMON_NEXT_END,
						  .tasks = s->tasks,
						  .count = s->count};
	return DEMON_OK;
}

enum demon_rc demon_seed_load(struct demon_loader *l, struct demon_value root,
			      struct demon_err *err)
{
	struct seed s = {.loader = l};
	enum demon_rc rc = DEMON_OK;

	l->definition->notation = DEMON_NOTATION_SEED;
	load_top(&s, root);
	if (find_states(&s, root))
		rc = load_states(&s, err);
	json_decref(s.names);
	free(s.list);
	return rc;
}
