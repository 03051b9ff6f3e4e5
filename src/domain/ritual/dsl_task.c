#include "base/suggest.h"
#include "domain/capsule/output.h"
#include "dsl.h"

#include <string.h>

#define SHOWN  64 /* bytes of a foreign string in a message */
#define COMMON "if", "input", "output", "export", "timeout", "then", "metadata"

static void load_do(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	demon_dsl_list(d, demon_value_get(v, "do"),
		       demon_loader_text(d->loader, "%s/do", task->reference), task);
}

static void load_set(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	struct demon_value set = demon_value_get(v, "set");

	if (!json_is_object(set.json) && !demon_dsl_is_dynamic(set.json))
		demon_loader_problem(d->loader, set,
				     "set: expected a mapping or an expression, found %s",
				     demon_value_describe(set));
	task->with = demon_dsl_value(d, set);
}

static void load_wait(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	task->duration = demon_dsl_duration(d, demon_value_get(v, "wait"), "wait");
}

static void load_for(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	static const char *const known[] = {"each", "in", "at"};
	struct demon_value mapping = demon_value_get(v, "for");
	size_t bound = d->var_count;
	struct demon_value list;

	if (!demon_loader_mapping(d->loader, mapping, "for"))
		return;
	demon_loader_keys(d->loader, mapping, DEMON_KEYS(known, demon_dsl_none));
	task->each = demon_dsl_variable(d, mapping, "each", "item");
	task->at = demon_dsl_variable(d, mapping, "at", "index");
	if (strcmp(task->each, task->at) == 0)
		demon_loader_problem(d->loader, mapping, "for: 'each' and 'at' are both '%.*s'",
				     demon_output_clip(task->at, SHOWN), task->at);
	if (demon_loader_require(d->loader, mapping, "in", &list))
		task->in = demon_dsl_expression(d, list);
	if (!demon_dsl_bind(d, mapping, task->each) || !demon_dsl_bind(d, mapping, task->at))
		return;
	task->while_ = demon_dsl_condition(d, v, "while");
	if (demon_loader_require(d->loader, v, "do", &list))
		load_do(d, v, task);
	demon_dsl_unbind(d, bound);
}

static void load_case(struct demon_dsl *d, struct demon_value item, const json_t *names,
		      struct demon_case *c, size_t after)
{
	static const char *const known[] = {"when", "then"};
	struct demon_value v = {0};
	const char *key;
	json_t *value;

	c->name = "";
	c->next = after;
	if (!demon_loader_mapping(d->loader, item, "case"))
		return;
	if (json_object_size(item.json) != 1) {
		demon_loader_problem(d->loader, item, "case: expected one name with its case");
		return;
	}
	json_object_foreach(demon_json_iterable(item.json), key, value)
	{
		c->name = key;
		v = demon_value_member(item, value, 0);
	}
	if (!demon_loader_mapping(d->loader, v, "case"))
		return;
	demon_loader_keys(d->loader, v, DEMON_KEYS(known, demon_dsl_none));
	c->when = demon_dsl_condition(d, v, "when");
	if (!demon_value_get(v, "then").json)
		demon_loader_problem(d->loader, v, "missing required key 'then'");
	c->next = demon_dsl_then(d, v, names, after);
}

static void load_switch(struct demon_dsl *d, struct demon_value v, const json_t *names,
			struct demon_task *task)
{
	struct demon_value list = demon_value_get(v, "switch");
	size_t count = json_array_size(list.json);
	struct demon_case *cases;

	if (!count) {
		demon_loader_problem(d->loader, list, "switch: expected a list of cases, found %s",
				     json_is_array(list.json) ? "an empty list"
							      : demon_value_describe(list));
		return;
	}
	cases = demon_loader_new(d->loader, count, sizeof(*cases));
	for (size_t i = 0; cases && i < count; i++) {
		load_case(d, demon_value_at(list, i), names, &cases[i], task->next);
		if (!cases[i].when.json && i + 1 < count)
			demon_loader_problem(d->loader, demon_value_at(list, i),
					     "only the last case can be without 'when'");
	}
	task->cases = cases;
	task->case_count = cases ? count : 0;
}

/* A kind of task: the key that tells it, and what may stand beside it. */
static const struct kind {
	enum demon_task_kind kind;
	const char *key;
	const char *call;
	const char *known[12]; /* ends with NULL */
} kinds[] = {
    {DEMON_TASK_CALL, "call", "call", {"call", "with", COMMON}},
    {DEMON_TASK_CALL, "run", "exec", {"run", COMMON}},
    {DEMON_TASK_FOR, "for", "for", {"for", "while", "do", COMMON}},
    {DEMON_TASK_TRY, "try", "try", {"try", "catch", COMMON}},
    {DEMON_TASK_DO, "do", "do", {"do", COMMON}},
    {DEMON_TASK_SET, "set", "set", {"set", COMMON}},
    {DEMON_TASK_SWITCH, "switch", "switch", {"switch", COMMON}},
    {DEMON_TASK_RAISE, "raise", "raise", {"raise", COMMON}},
    {DEMON_TASK_WAIT, "wait", "wait", {"wait", COMMON}},
};
static const char *const common[] = {COMMON, NULL};
static const char *const later[] = {"fork", "emit", "listen", NULL};

static void report_no_kind(struct demon_dsl *d, struct demon_value v)
{
	const char *names[demon_count(kinds)];
	const char *nearest = NULL;
	const char *key;
	json_t *item;

	for (size_t i = 0; i < demon_count(kinds); i++)
		names[i] = kinds[i].key;
	json_object_foreach(demon_json_iterable(v.json), key, item)
	{
		if (!nearest && strlen(key) <= SHOWN && !demon_loader_among(key, common))
			nearest = demon_suggest(key, names, demon_count(names));
	}
	demon_loader_problem(d->loader, v,
			     "task: expected one of call, do, for, raise, run, set, switch, try, "
			     "wait%s%s%s",
			     nearest ? " (did you mean '" : "", nearest ? nearest : "",
			     nearest ? "'?)" : "");
}

static const struct kind *find_kind(struct demon_dsl *d, struct demon_value v)
{
	for (size_t i = 0; i < demon_count(kinds); i++)
		if (demon_value_get(v, kinds[i].key).json)
			return &kinds[i];
	for (size_t i = 0; later[i]; i++) {
		struct demon_value found = demon_value_get(v, later[i]);

		if (!found.json)
			continue;
		demon_loader_problem_key(d->loader, found, "not supported yet: task '%s'",
					 later[i]);
		return NULL;
	}
	report_no_kind(d, v);
	return NULL;
}

static void load_metadata(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	struct demon_value metadata = demon_value_get(v, "metadata");
	struct demon_value idempotent = demon_value_get(metadata, "idempotent");

	if (metadata.json)
		(void)demon_loader_mapping(d->loader, metadata, "metadata");
	if (!idempotent.json)
		return;
	if (!json_is_boolean(idempotent.json))
		demon_loader_problem(d->loader, idempotent,
				     "idempotent: expected true or false, found %s",
				     demon_value_describe(idempotent));
	task->idempotent = idempotent.json;
}

static void load_kind(struct demon_dsl *d, struct demon_value v, const json_t *names,
		      const struct kind *kind, struct demon_task *task)
{
	switch (kind->kind) {
	case DEMON_TASK_CALL:
		if (strcmp(kind->key, "run") == 0)
			demon_dsl_run(d, v, task);
		else
			demon_dsl_call(d, v, task);
		break;
	case DEMON_TASK_SET:
		load_set(d, v, task);
		break;
	case DEMON_TASK_SWITCH:
		load_switch(d, v, names, task);
		break;
	case DEMON_TASK_FOR:
		load_for(d, v, task);
		break;
	case DEMON_TASK_TRY:
		demon_dsl_try(d, v, task);
		break;
	case DEMON_TASK_RAISE:
		demon_dsl_raise(d, v, task);
		break;
	case DEMON_TASK_WAIT:
		load_wait(d, v, task);
		break;
	case DEMON_TASK_DO:
	case DEMON_TASK_TIMER:
	case DEMON_TASK_LISTEN:
	case DEMON_TASK_COMPENSATE:
		load_do(d, v, task);
		break;
	}
}

void demon_dsl_task(struct demon_dsl *d, struct demon_value v, const json_t *names,
		    struct demon_task *task)
{
	struct demon_keys keys = {.later = later};
	const struct kind *kind;

	if (!demon_loader_mapping(d->loader, v, "task") || !(kind = find_kind(d, v)))
		return;
	keys.known = kind->known;
	while (kind->known[keys.count])
		keys.count++;
	demon_loader_keys(d->loader, v, keys);
	task->kind = kind->kind;
	task->call = kind->call;
	task->condition = demon_dsl_condition(d, v, "if");
	demon_dsl_data(d, v, task);
	task->next = demon_dsl_then(d, v, names, task->next);
	load_metadata(d, v, task);
	load_kind(d, v, names, kind, task);
}
