#include "domain/capsule/capsule.h"
#include "domain/capsule/output.h"
#include "dsl.h"

#include <string.h>

#define SHOWN 64

static const char *const calls_later[] = {"openapi", "grpc", "asyncapi", "a2a", "mcp", NULL};

/* The arguments of a function of `use`, with those of the caller over them. */
static struct demon_value merged(struct demon_dsl *d, struct demon_value own,
				 struct demon_value with)
{
	json_t *both;

	if (!own.json || (with.json && !json_is_object(with.json)))
		return with;
	if (!with.json)
		return own;
	both = json_deep_copy(own.json);
	if (!both || json_object_update(both, demon_json_iterable(with.json))) {
		json_decref(both);
		d->loader->failed = true;
		return with;
	}
	return (struct demon_value){demon_loader_keep(d->loader, both), with.node};
}

/* Names of capsules, and of the first functions of `use`. */
static void unknown_call(struct demon_dsl *d, struct demon_value v, const char *name)
{
	struct demon_value functions = demon_value_get(d->use, "functions");
	const char *names[64];
	struct demon_keys keys = {.known = names, .later = demon_dsl_none};
	const char *const *capsules = demon_capsule_names(&keys.count);
	const char *key;
	json_t *item;

	if (demon_loader_among(name, calls_later)) {
		demon_loader_problem(d->loader, v, "not supported yet: call '%s'", name);
		return;
	}
	memcpy(names, capsules, keys.count * sizeof(*names));
	json_object_foreach(demon_json_iterable(functions.json), key, item)
	{
		if (keys.count < demon_count(names))
			names[keys.count++] = key;
	}
	demon_loader_unknown(d->loader, v, false, "unknown function", name, &keys);
}

const struct demon_capsule *demon_dsl_function(struct demon_dsl *d, struct demon_value function,
					       struct demon_value *ret_with)
{
	static const char *const known[] = {"call", "with"};
	static const char *const later[] = {"if",     "input",    "output", "export", "timeout",
					    "then",   "metadata", "do",     "for",    "fork",
					    "emit",   "listen",   "raise",  "run",    "set",
					    "switch", "try",      "wait",   NULL};
	const struct demon_capsule *capsule;
	struct demon_value with;
	struct demon_value call;
	const char *name;

	if (!demon_loader_mapping(d->loader, function, "function"))
		return NULL;
	demon_loader_keys(d->loader, function, DEMON_KEYS(known, later));
	if (!demon_loader_require(d->loader, function, "call", &call) ||
	    !(name = demon_loader_string(d->loader, call, "call")))
		return NULL;
	capsule = demon_capsule_find(name);
	if (!capsule && demon_loader_among(name, calls_later))
		demon_loader_problem(d->loader, call, "not supported yet: call '%s'", name);
	else if (!capsule)
		demon_loader_problem(d->loader, call,
				     "a function of use.functions must call a capsule");
	with = demon_value_get(function, "with");
	if (with.json && !demon_loader_mapping(d->loader, with, "with"))
		return NULL;
	*ret_with = with;
	return capsule;
}

/* What is called by a name: a capsule, or a function of `use` that calls one. */
static const struct demon_capsule *find(struct demon_dsl *d, struct demon_value v,
					struct demon_value *with)
{
	const char *name = demon_loader_string(d->loader, v, "call");
	const struct demon_capsule *capsule = name ? demon_capsule_find(name) : NULL;
	struct demon_value function;
	struct demon_value own = {0};

	if (!name || capsule)
		return capsule;
	function = demon_value_get(demon_value_get(d->use, "functions"), name);
	if (!function.json) {
		unknown_call(d, v, name);
		return NULL;
	}
	capsule = demon_dsl_function(d, function, &own);
	if (!capsule || !demon_dsl_afford(d, v, own.json))
		return NULL;
	*with = merged(d, own, *with);
	return capsule;
}

/* Replaces {use: NAME} in an endpoint's authentication by what use.authentications has. */
static struct demon_value resolved(struct demon_dsl *d, struct demon_value with)
{
	struct demon_value endpoint = demon_value_get(with, "endpoint");
	struct demon_value authentication = demon_value_get(endpoint, "authentication");
	struct demon_value name = json_is_string(authentication.json)
				      ? authentication
				      : demon_value_get(authentication, "use");
	struct demon_value found;
	json_t *copy;

	if (!json_is_string(name.json))
		return with;
	found = demon_dsl_used(d, "authentications", name);
	copy = found.json ? json_deep_copy(with.json) : NULL;
	if (!copy)
		return with;
	if (json_object_set_new(json_object_get(copy, "endpoint"), "authentication",
				json_deep_copy(found.json)))
		d->loader->failed = true;
	return (struct demon_value){demon_loader_keep(d->loader, copy), with.node};
}

void demon_dsl_call(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	struct demon_value with = demon_value_get(v, "with");

	task->capsule = find(d, demon_value_get(v, "call"), &with);
	if (!task->capsule || (with.json && !demon_loader_mapping(d->loader, with, "with")))
		return;
	task->call = task->capsule->name;
	with = resolved(d, with);
	demon_loader_arguments(d->loader, task->capsule, with.json ? with : v, with.json);
	task->with = demon_dsl_arguments(d, with, &task->secrets);
}

void demon_dsl_run(struct demon_dsl *d, struct demon_value v, struct demon_task *task)
{
	static const char *const known[] = {"shell", "script", "await", "return"};
	static const char *const run_later[] = {"container", "workflow", NULL};
	struct demon_value run = demon_value_get(v, "run");
	size_t before = demon_loader_problem_count(d->loader);
	const char *process;

	if (!demon_loader_mapping(d->loader, run, "run"))
		return;
	demon_loader_keys(d->loader, run, DEMON_KEYS(known, run_later));
	process = demon_value_get(run, "shell").json ? "shell" : "script";
	if (!demon_value_get(run, process).json ||
	    (demon_value_get(run, "shell").json && demon_value_get(run, "script").json)) {
		if (demon_loader_problem_count(d->loader) == before)
			demon_loader_problem(d->loader, run, "run: expected one of shell, script");
		return;
	}
	demon_loader_process(d->loader, process, run);
	task->capsule = &demon_capsule_exec;
	task->process = process;
	task->run = run.json;
	task->with = demon_dsl_marked(d, demon_value_get(run, process));
}
