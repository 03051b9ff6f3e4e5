/*
 * States of the seed notation, by their type.
 */
#include "domain/capsule/capsule.h"
#include "domain/capsule/output.h"
#include "seed.h"

#include <string.h>

#define KEYS DEMON_SEED_KEYS

static const char *const task_known[] = {"name", "type",    "action",       "transition",
					 "end",  "timeout", "compensatedBy"};
static const char *const event_known[] = {"name", "type", "on", "timeout"};
static const char *const switch_known[] = {"name", "type", "dataConditions", "defaultCondition"};
static const char *const later[] = {"onErrors", "retry", NULL};
static const char *const action_known[] = {"functionRef"};
static const char *const function_known[] = {"refName", "arguments"};
static const char *const timer_known[] = {"timer", "delaySeconds", "delay"};
static const char *const types[] = {"task", "event", "switch"};
static const char *const types_later[] = {"operation", "sleep",    "parallel", "foreach",
					  "inject",    "callback", NULL};
static const char *const functions_later[] = {"container-exec", "graph", NULL};

static struct demon_duration load_duration(struct demon_seed *s, struct demon_value v,
					   const char *key)
{
	struct demon_duration duration = {.ms = 0};

	if (v.json && !demon_duration_read(v.json, &duration.ms))
		demon_loader_problem(
		    s->loader, v, "%s: expected a duration like PT30S, found %s", key,
		    json_is_string(v.json) ? "another string" : demon_value_describe(v));
	return duration;
}

/* A limit of time: that of no time would be none. */
static struct demon_duration load_timeout(struct demon_seed *s, struct demon_value state)
{
	struct demon_value v = demon_value_get(state, "timeout");
	struct demon_duration duration = load_duration(s, v, "timeout");

	if (v.json && duration.ms == 0 && demon_duration_read(v.json, &duration.ms))
		demon_loader_problem(s->loader, v, "timeout: expected a duration above 0");
	return duration;
}

/* scheduleTimer: {timer, delaySeconds | delay} */
static void load_timer(struct demon_seed *s, struct demon_value function,
		       struct demon_value arguments, struct demon_task *task)
{
	struct demon_value name = demon_value_get(arguments, "timer");
	struct demon_value seconds = demon_value_get(arguments, "delaySeconds");
	struct demon_value delay = demon_value_get(arguments, "delay");

	task->kind = DEMON_TASK_TIMER;
	task->call = "scheduleTimer";
	task->timer = task->name;
	demon_loader_keys(s->loader, arguments, KEYS(timer_known, demon_seed_none));
	if (name.json && demon_loader_line(s->loader, name, "timer"))
		task->timer = json_string_value(name.json);
	if (seconds.json && (!json_is_number(seconds.json) ||
			     !demon_duration_read(seconds.json, &task->duration.ms)))
		demon_loader_problem(s->loader, seconds,
				     "delaySeconds: expected seconds from 0 to 100 years, found %s",
				     json_is_number(seconds.json) ? "another number"
								  : demon_value_describe(seconds));
	if (!seconds.json == !delay.json)
		demon_loader_problem(s->loader, arguments.json ? arguments : function,
				     "scheduleTimer: expected one of delaySeconds, delay");
	else if (delay.json)
		task->duration = load_duration(s, delay, "delay");
	if (json_object_set_new(s->timers, task->timer, json_true()))
		s->loader->failed = true;
}

static void load_capsule(struct demon_seed *s, struct demon_value v, const char *name,
			 struct demon_task *task)
{
	struct demon_keys keys = {.later = demon_seed_none};

	task->capsule = demon_capsule_find(name);
	if (task->capsule)
		return;
	keys.known = demon_capsule_names(&keys.count);
	if (demon_loader_among(name, functions_later))
		demon_loader_problem(s->loader, v, "not supported yet: function '%s'", name);
	else
		demon_loader_unknown(s->loader, v, false, "unknown function", name, &keys);
}

static void load_function(struct demon_seed *s, struct demon_value function,
			  struct demon_task *task)
{
	struct demon_value arguments = demon_value_get(function, "arguments");
	struct demon_value v;
	const char *name = NULL;

	if (!demon_loader_mapping(s->loader, function, "functionRef"))
		return;
	demon_loader_keys(s->loader, function, KEYS(function_known, demon_seed_none));
	if (demon_loader_require(s->loader, function, "refName", &v))
		name = demon_loader_string(s->loader, v, "refName");
	if (!name || (arguments.json && !demon_loader_mapping(s->loader, arguments, "arguments")))
		return;
	if (strcmp(name, "scheduleTimer") == 0) {
		load_timer(s, function, arguments, task);
		return;
	}
	if (strcmp(name, "compensate") == 0) {
		task->kind = DEMON_TASK_COMPENSATE;
		task->call = "compensate";
		if (json_object_size(arguments.json))
			demon_loader_problem(s->loader, arguments,
					     "compensate: takes no arguments");
		return;
	}
	load_capsule(s, v, name, task);
	task->with.json = arguments.json;
	if (!task->capsule)
		return;
	task->call = task->capsule->name;
	/* what is missing from arguments that are not there is missing from the function */
	demon_loader_arguments(s->loader, task->capsule, arguments.json ? arguments : function,
			       task->with.json);
	task->secrets = demon_loader_secrets(s->loader, arguments.json);
}

static void load_action(struct demon_seed *s, struct demon_value state, struct demon_task *task)
{
	struct demon_value action;
	struct demon_value function;

	if (!demon_loader_require(s->loader, state, "action", &action) ||
	    !demon_loader_mapping(s->loader, action, "action"))
		return;
	demon_loader_keys(s->loader, action, KEYS(action_known, demon_seed_none));
	if (demon_loader_require(s->loader, action, "functionRef", &function))
		load_function(s, function, task);
}

/* compensatedBy: {functionRef}: what undoes the state. */
static void load_undo(struct demon_seed *s, struct demon_value state, struct demon_task *task)
{
	struct demon_value v = demon_value_get(state, "compensatedBy");
	struct demon_value function;
	struct demon_task *undo;

	if (!v.json || !demon_loader_mapping(s->loader, v, "compensatedBy"))
		return;
	demon_loader_keys(s->loader, v, KEYS(action_known, demon_seed_none));
	undo = demon_loader_new(s->loader, 1, sizeof(*undo));
	if (!undo || !demon_loader_require(s->loader, v, "functionRef", &function))
		return;
	undo->kind = DEMON_TASK_CALL;
	undo->name = task->name;
	undo->call = "";
	undo->reference = demon_loader_text(s->loader, "%s/compensatedBy", task->reference);
	undo->next = DEMON_NEXT_EXIT;
	load_function(s, function, undo);
	if (undo->kind != DEMON_TASK_CALL)
		demon_loader_problem(s->loader, function,
				     "compensatedBy: expected a function that is called");
	task->compensation = undo;
}

static void load_task(struct demon_seed *s, struct demon_value state, size_t i,
		      struct demon_task *task)
{
	demon_loader_keys(s->loader, state, KEYS(task_known, later));
	load_action(s, state, task);
	load_undo(s, state, task);
	task->timeout = load_timeout(s, state);
	task->next = demon_seed_way(s, state, i + 1 == s->count ? DEMON_NEXT_END : i + 1);
}

static struct demon_value find_ways(struct demon_seed *s, struct demon_value state, const char *key,
				    size_t *ret_count)
{
	struct demon_value list = {NULL, NULL};

	*ret_count = 0;
	if (!demon_loader_require(s->loader, state, key, &list)) {
		s->flow_broken = true;
		return list;
	}
	*ret_count = json_array_size(list.json);
	s->flow_broken = s->flow_broken || *ret_count == 0;
	if (*ret_count == 0)
		demon_loader_problem(s->loader, list, "%s: expected a list, found %s", key,
				     json_is_array(list.json) ? "an empty list"
							      : demon_value_describe(list));
	return list;
}

/* A way that has to be written. */
static void check_way(struct demon_seed *s, struct demon_value v)
{
	const json_t *end = demon_value_get(v, "end").json;

	if (demon_value_get(v, "transition").json || (end && !json_is_false(end)))
		return;
	s->flow_broken = true;
	demon_loader_problem(s->loader, v, "expected 'transition' or 'end: true'");
}

/* One way out: what is asked for under @p key, and where it leads. */
static bool load_way(struct demon_seed *s, struct demon_value item, const char *key,
		     struct demon_case *c, struct demon_value *ret_asked)
{
	const char *const known[] = {key, "transition", "end"};

	c->name = "";
	c->next = DEMON_NEXT_END;
	if (!demon_loader_mapping(s->loader, item, "item"))
		return false;
	demon_loader_keys(s->loader, item, KEYS(known, demon_seed_none));
	check_way(s, item);
	c->next = demon_seed_way(s, item, DEMON_NEXT_END);
	return demon_loader_require(s->loader, item, key, ret_asked) &&
	       demon_loader_string(s->loader, *ret_asked, key);
}

/* on: [{eventRef, transition | end}] */
static void load_event(struct demon_seed *s, struct demon_value state, struct demon_task *task)
{
	size_t count;
	struct demon_value list;
	struct demon_case *cases;

	task->kind = DEMON_TASK_LISTEN;
	task->call = "event";
	demon_loader_keys(s->loader, state, KEYS(event_known, later));
	list = find_ways(s, state, "on", &count);
	cases = demon_loader_new(s->loader, count, sizeof(*cases));
	for (size_t i = 0; cases && i < count; i++) {
		struct demon_value asked;

		if (load_way(s, demon_value_at(list, i), "eventRef", &cases[i], &asked))
			cases[i].name = json_string_value(asked.json);
	}
	task->cases = cases;
	task->case_count = cases ? count : 0;
	task->timeout = load_timeout(s, state);
}

/* dataConditions: [{condition, transition | end}], defaultCondition: {transition | end} */
static void load_switch(struct demon_seed *s, struct demon_value state, struct demon_task *task)
{
	static const char *const default_known[] = {"transition", "end"};
	size_t count;
	struct demon_value list;
	struct demon_value other;
	struct demon_case *cases;

	task->kind = DEMON_TASK_SWITCH;
	task->call = "switch";
	demon_loader_keys(s->loader, state, KEYS(switch_known, later));
	list = find_ways(s, state, "dataConditions", &count);
	cases = demon_loader_new(s->loader, count, sizeof(*cases));
	for (size_t i = 0; cases && i < count; i++) {
		struct demon_value asked;

		if (!load_way(s, demon_value_at(list, i), "condition", &cases[i], &asked))
			continue;
		demon_loader_syntax(s->loader, asked, json_string_value(asked.json),
				    json_string_length(asked.json));
		cases[i].when.json = asked.json;
		cases[i].when.expr =
		    demon_loader_expr(s->loader, asked, json_string_value(asked.json), NULL);
	}
	task->cases = cases;
	task->case_count = cases ? count : 0;
	if (!demon_loader_require(s->loader, state, "defaultCondition", &other) ||
	    !demon_loader_mapping(s->loader, other, "defaultCondition")) {
		s->flow_broken = true;
		return;
	}
	demon_loader_keys(s->loader, other, KEYS(default_known, demon_seed_none));
	check_way(s, other);
	task->next = demon_seed_way(s, other, DEMON_NEXT_END);
}

void demon_seed_state(struct demon_seed *s, size_t i, struct demon_task *task)
{
	struct demon_value state = demon_value_at(s->states, i);
	const struct demon_keys keys = KEYS(types, demon_seed_none);
	struct demon_value v;
	const char *type = "task";

	task->kind = DEMON_TASK_CALL;
	if (!task->name)
		task->name = "";
	task->call = "";
	task->next = DEMON_NEXT_END;
	task->reference = demon_loader_text(s->loader, "/states/%zu", i);
	if (!json_is_object(state.json))
		return;
	if (demon_loader_require(s->loader, state, "type", &v))
		type = demon_loader_string(s->loader, v, "type");
	if (!type || strcmp(type, "task") == 0) {
		load_task(s, state, i, task);
	} else if (strcmp(type, "event") == 0) {
		load_event(s, state, task);
	} else if (strcmp(type, "switch") == 0) {
		load_switch(s, state, task);
	} else {
		s->flow_broken = true;
		if (demon_loader_among(type, types_later))
			demon_loader_problem(s->loader, v, "not supported yet: state type '%s'",
					     type);
		else
			demon_loader_unknown(s->loader, v, false, "unknown state type", type,
					     &keys);
	}
}

/* The names of timers, as far as there are few of them. */
static void report_timer(struct demon_seed *s, struct demon_value v, const char *name)
{
	const char *names[64];
	struct demon_keys keys = {names, 0, demon_seed_none};
	const char *key;
	json_t *item;

	json_object_foreach(s->timers, key, item)
	{
		if (keys.count < demon_count(names))
			names[keys.count++] = key;
	}
	demon_loader_unknown(s->loader, v, false, "eventRef: no scheduleTimer sets", name, &keys);
}

static void check_events(struct demon_seed *s, const struct demon_task *task, struct demon_value on)
{
	json_auto_t *seen = json_object();

	for (size_t i = 0; i < task->case_count; i++) {
		const char *name = task->cases[i].name;
		struct demon_value v;

		if (!*name)
			continue;
		v = demon_value_get(demon_value_at(on, i), "eventRef");
		if (!json_object_get(s->timers, name))
			report_timer(s, v, name);
		else if (json_object_get(seen, name))
			demon_loader_problem(s->loader, v, "eventRef: '%.*s' is there already",
					     demon_output_clip(name, DEMON_SEED_SHOWN), name);
		if (json_object_set_new(seen, name, json_true()))
			s->loader->failed = true;
	}
}

void demon_seed_timers(struct demon_seed *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->tasks[i].kind == DEMON_TASK_LISTEN)
			check_events(s, &s->tasks[i],
				     demon_value_get(demon_value_at(s->states, i), "on"));
}
