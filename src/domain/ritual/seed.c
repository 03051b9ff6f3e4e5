/*
 * The seed notation: id, version, states: [{name, type: task, action, transition | end}].
 */
#include "base/suggest.h"
#include "domain/capsule/arguments.h"
#include "domain/capsule/output.h"
#include "loader.h"

#include <stdio.h>
#include <string.h>

#define ID_MAX        64
#define TEXT_MAX      256 /* characters of a version or of a state's name */
#define SHOWN         64  /* bytes of a foreign string in a message */
#define SUGGEST_COUNT 256 /* names among which the nearest one is looked for */

/* What can stand in a mapping, and what the notation has beside it. */
struct keys {
	const char *const *known;
	size_t count;
	const char *const *later; /* ends with NULL: parts of the notation that are not read yet */
};

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

#define KEYS(known, later) ((struct keys){known, demon_count(known), later})

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

static bool is_among(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* " (did you mean 'x'?)", or what was expected instead. */
static void add_hint(struct demon_buf *text, const char *word, const char *const *known,
		     size_t count)
{
	const char *nearest = strnlen(word, SHOWN + 1) <= SHOWN && count <= SUGGEST_COUNT
				  ? demon_suggest(word, known, count)
				  : NULL;

	if (nearest) {
		demon_buf_fmt(text, " (did you mean '%s'?)", nearest);
		return;
	}
	if (count > 8)
		return;
	demon_buf_str(text, count > 1 ? ": expected one of " : ": expected ");
	for (size_t i = 0; i < count; i++)
		demon_buf_fmt(text, "%s%s", i ? ", " : "", known[i]);
}

static bool is_full(const struct seed *s)
{
	return s->loader->problems->count >= DEMON_PROBLEMS_MAX;
}

/* "what 'word' (did you mean …)" */
static void unknown(struct seed *s, struct demon_value at, bool at_key, const char *what,
		    const char *word, const struct keys *keys)
{
	DEMON_BUF(text, 0);

	demon_buf_fmt(&text, "%s '%.*s'", what, demon_output_clip(word, SHOWN), word);
	if (!is_full(s))
		add_hint(&text, word, keys->known, keys->count);
	if (at_key)
		demon_loader_problem_key(s->loader, at, "%s", text.data);
	else
		demon_loader_problem(s->loader, at, "%s", text.data);
}

static bool is_mapping(struct seed *s, struct demon_value v, const char *what)
{
	if (json_is_object(v.json))
		return true;
	demon_loader_problem(s->loader, v, "%s: expected a mapping, found %s", what,
			     demon_value_describe(v));
	return false;
}

static void check_keys(struct seed *s, struct demon_value mapping, struct keys keys)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(demon_json_iterable(mapping.json), key, value)
	{
		struct demon_value at = demon_value_member(mapping, value, n++);
		bool known = false;

		for (size_t i = 0; i < keys.count; i++)
			known = known || strcmp(key, keys.known[i]) == 0;
		if (known)
			continue;
		if (is_among(key, keys.later))
			demon_loader_problem_key(s->loader, at, "not supported yet: key '%s'", key);
		else
			unknown(s, at, true, "unknown key", key, &keys);
	}
}

/* A member that has to be there. */
static bool require(struct seed *s, struct demon_value mapping, const char *key,
		    struct demon_value *ret)
{
	*ret = demon_value_get(mapping, key);
	if (!ret->json)
		demon_loader_problem(s->loader, mapping, "missing required key '%s'", key);
	return ret->json != NULL;
}

static const char *text_of(struct seed *s, struct demon_value v, const char *key)
{
	if (!json_is_string(v.json))
		demon_loader_problem(s->loader, v, "%s: expected a string, found %s", key,
				     demon_value_describe(v));
	return json_string_value(v.json);
}

static bool is_id(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return n >= 1 && n <= ID_MAX && !text[n];
}

/* A text on one line, 1 to 256 characters. */
static const char *line_of(struct seed *s, struct demon_value v, const char *key)
{
	const char *text = text_of(s, v, key);
	size_t count = 0;

	for (const char *p = text; p && *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			demon_loader_problem(s->loader, v, "%s: has a control character", key);
			return NULL;
		}
		count += ((unsigned char)*p & 0xc0) != 0x80;
	}
	if (text && (count == 0 || count > TEXT_MAX)) {
		demon_loader_problem(s->loader, v, "%s: expected 1 to %d characters, found %zu",
				     key, TEXT_MAX, count);
		return NULL;
	}
	return text;
}

static void load_version(struct seed *s, struct demon_value root)
{
	struct demon_value v;

	if (!require(s, root, "version", &v))
		return;
	if (json_is_number(v.json))
		demon_loader_problem(
		    s->loader, v, "version: expected a string, found a number: put it in quotes");
	else
		s->loader->definition->version = line_of(s, v, "version");
}

static void load_top(struct seed *s, struct demon_value root)
{
	struct demon_definition *d = s->loader->definition;
	struct demon_value v;

	check_keys(s, root, KEYS(top_known, none));
	if (require(s, root, "id", &v)) {
		d->ritual_id = text_of(s, v, "id");
		if (d->ritual_id && !is_id(d->ritual_id))
			demon_loader_problem(s->loader, v,
					     "id: expected 1 to 64 of A-Z a-z 0-9 '_' '-', found "
					     "'%.*s'",
					     demon_output_clip(d->ritual_id, SHOWN), d->ritual_id);
	}
	load_version(s, root);
	v = demon_value_get(root, "name");
	d->title = v.json ? text_of(s, v, "name") : NULL;
	v = demon_value_get(root, "description");
	if (v.json)
		(void)text_of(s, v, "description");
}

/* Where a capsule's check reports to. */
struct argument_report {
	struct demon_loader *loader;
	struct demon_value arguments;
};

static void report_argument(void *ctx, const char *pointer, bool at_key, const char *text)
{
	struct argument_report *r = ctx;
	bool kept = r->loader->problems->count < DEMON_PROBLEMS_MAX;
	struct demon_value at = kept ? demon_value_find(r->arguments, pointer) : r->arguments;

	if (at_key)
		demon_loader_problem_key(r->loader, at, "%s", text);
	else
		demon_loader_problem(r->loader, at, "%s", text);
}

static const struct demon_capsule *find_capsule(struct seed *s, struct demon_value v)
{
	const char *name = text_of(s, v, "refName");
	const struct demon_capsule *capsule = name ? demon_capsule_find(name) : NULL;
	struct keys keys = {.later = none};

	if (!name || capsule)
		return capsule;
	keys.known = demon_capsule_names(&keys.count);
	if (is_among(name, functions_later))
		demon_loader_problem(s->loader, v, "not supported yet: function '%s'", name);
	else
		unknown(s, v, false, "unknown function", name, &keys);
	return NULL;
}

static void load_function(struct seed *s, struct demon_value function, struct demon_task *task)
{
	/* what is missing from arguments that are not there is missing from the function */
	struct argument_report r = {s->loader, function};
	struct demon_value arguments;
	struct demon_value v;

	if (!is_mapping(s, function, "functionRef"))
		return;
	check_keys(s, function, KEYS(function_known, none));
	if (require(s, function, "refName", &v))
		task->capsule = find_capsule(s, v);
	arguments = demon_value_get(function, "arguments");
	if (arguments.json && !is_mapping(s, arguments, "arguments"))
		return;
	task->with.json = arguments.json;
	if (arguments.json)
		r.arguments = arguments;
	if (task->capsule) {
		task->call = task->capsule->name;
		task->capsule->check(task->with.json, report_argument, &r);
	}
}

static void load_action(struct seed *s, struct demon_value state, struct demon_task *task)
{
	struct demon_value action;
	struct demon_value function;

	if (!require(s, state, "action", &action) || !is_mapping(s, action, "action"))
		return;
	check_keys(s, action, KEYS(action_known, none));
	if (require(s, action, "functionRef", &function))
		load_function(s, function, task);
}

/* True: it is a task. */
static bool check_type(struct seed *s, struct demon_value state)
{
	struct demon_value v;
	struct keys keys = KEYS(types, none);
	const char *type;

	if (!require(s, state, "type", &v))
		return true;
	type = text_of(s, v, "type");
	if (!type || strcmp(type, "task") == 0)
		return true;
	if (is_among(type, types_later))
		demon_loader_problem(s->loader, v, "not supported yet: state type '%s'", type);
	else
		unknown(s, v, false, "unknown state type", type, &keys);
	s->flow_broken = true;
	return false;
}

static void check_transition(struct seed *s, struct demon_value v, struct demon_task *task)
{
	const struct keys keys = {s->list, s->named, none};
	const char *name = text_of(s, v, "transition");
	const json_t *index = name ? json_object_get(s->names, name) : NULL;

	if (index) {
		task->next = (size_t)json_integer_value(index);
		return;
	}
	s->flow_broken = true;
	if (name)
		unknown(s, v, false, "transition to a missing state", name, &keys);
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
	check_keys(s, state, KEYS(state_known, state_later));
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

	if (is_mapping(s, state, "state") && require(s, state, "name", &v))
		name = line_of(s, v, "name");
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
	if (!require(s, root, "states", &s->states))
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
