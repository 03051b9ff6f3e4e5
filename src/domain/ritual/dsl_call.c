#include "domain/capsule/capsule.h"
#include "domain/capsule/output.h"
#include "dsl.h"

#include <string.h>

#define SHOWN 64

static const char *const calls_later[] = {"openapi",      "grpc",        "asyncapi", "a2a", "mcp",
					  "graph.commit", "graph.query", "approval", NULL};

/* The arguments of a function of `use`, with those of the caller over them. */
static struct demon_value merged(struct demon_dsl *d, struct demon_value function,
				 struct demon_value with)
{
	struct demon_value own = demon_value_get(function, "with");
	json_t *both;

	if (!own.json || !with.json)
		return own.json ? own : with;
	both = json_deep_copy(own.json);
	if (!both || json_object_update(both, demon_json_iterable(with.json))) {
		json_decref(both);
		d->loader->failed = true;
		return with;
	}
	return (struct demon_value){demon_loader_keep(d->loader, both), with.node};
}

static void unknown_call(struct demon_dsl *d, struct demon_value v, const char *name)
{
	struct demon_keys keys = {.later = demon_dsl_none};

	keys.known = demon_capsule_names(&keys.count);
	if (demon_loader_among(name, calls_later))
		demon_loader_problem(d->loader, v, "not supported yet: call '%s'", name);
	else
		demon_loader_unknown(d->loader, v, false, "unknown function", name, &keys);
}

/* What is called by a name: a capsule, or a function of `use` that calls one. */
static const struct demon_capsule *find(struct demon_dsl *d, struct demon_value v,
					struct demon_value *with)
{
	static const char *const known[] = {"call", "with"};
	const char *name = demon_loader_string(d->loader, v, "call");
	const struct demon_capsule *capsule = name ? demon_capsule_find(name) : NULL;
	struct demon_value function;

	if (!name || capsule)
		return capsule;
	function = demon_value_get(demon_value_get(d->use, "functions"), name);
	if (!function.json) {
		unknown_call(d, v, name);
		return NULL;
	}
	if (!demon_loader_mapping(d->loader, function, "function"))
		return NULL;
	demon_loader_keys(d->loader, function, DEMON_KEYS(known, demon_dsl_none));
	v = demon_value_get(function, "call");
	name = v.json ? demon_loader_string(d->loader, v, "call") : NULL;
	capsule = name ? demon_capsule_find(name) : NULL;
	if (!capsule)
		demon_loader_problem(d->loader, v.json ? v : function,
				     "a function of use.functions must call a capsule");
	*with = merged(d, function, *with);
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
	const char *process;

	if (!demon_loader_mapping(d->loader, run, "run"))
		return;
	demon_loader_keys(d->loader, run, DEMON_KEYS(known, run_later));
	process = demon_value_get(run, "shell").json ? "shell" : "script";
	if (!demon_value_get(run, process).json ||
	    (demon_value_get(run, "shell").json && demon_value_get(run, "script").json)) {
		if (!demon_value_get(run, "container").json &&
		    !demon_value_get(run, "workflow").json)
			demon_loader_problem(d->loader, run, "run: expected one of shell, script");
		return;
	}
	demon_loader_process(d->loader, process, run);
	task->capsule = &demon_capsule_exec;
	task->process = process;
	task->run = run.json;
	task->with = demon_dsl_marked(d, demon_value_get(run, process));
}
