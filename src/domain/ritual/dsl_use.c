/*
 * `use`: what tasks refer to by name. All of it is looked at, also what nothing refers to.
 */
#include "domain/capsule/capsule.h"
#include "domain/capsule/output.h"
#include "dsl.h"

#include <stdio.h>
#include <string.h>

#define SHOWN    64                         /* bytes of a foreign string in a message */
#define USED_MAX ((size_t)16 * 1024 * 1024) /* what is put in place of names, in all */
#define NODE     64                         /* bytes that a value takes beside its text */

static const char *const known[] = {"authentications", "errors",  "functions",
				    "retries",         "secrets", "timeouts"};
static const char *const later[] = {"extensions", "catalogs", NULL};

static size_t weigh(const json_t *json)
{
	size_t size = NODE + json_string_length(json);
	const char *key;
	json_t *item;

	for (size_t i = 0; json_is_array(json) && i < json_array_size(json); i++)
		size += weigh(json_array_get(json, i));
	json_object_foreach(demon_json_iterable(json), key, item) size += strlen(key) + weigh(item);
	return size;
}

bool demon_dsl_afford(struct demon_dsl *d, struct demon_value at, const json_t *json)
{
	if (d->used > USED_MAX)
		return false;
	d->used += weigh(json);
	if (d->used <= USED_MAX)
		return true;
	demon_loader_problem(d->loader, at,
			     "what names of `use` stand for comes to more than %zu MiB",
			     USED_MAX >> 20);
	return false;
}

struct demon_value demon_dsl_used(struct demon_dsl *d, const char *kind, struct demon_value name)
{
	struct demon_value all = demon_value_get(d->use, kind);
	const char *text = json_string_value(name.json);
	struct demon_value found = demon_value_get(all, text);

	if (!found.json)
		demon_loader_problem(d->loader, name, "there is no '%.*s' in use.%s",
				     demon_output_clip(text, SHOWN), text, kind);
	else if (!demon_dsl_afford(d, name, found.json))
		found = (struct demon_value){0};
	return found;
}

/* "KEY" or "SCOPE/KEY" */
static bool is_secret(const char *name)
{
	const char *slash = strchr(name, '/');
	char scope[65];

	if (!slash)
		return demon_loader_is_id(name);
	if (slash - name > 64)
		return false;
	(void)snprintf(scope, sizeof(scope), "%.*s", (int)(slash - name), name);
	return demon_loader_is_id(scope) && demon_loader_is_id(slash + 1);
}

/* In $secrets, a scope holds its keys: no secret can have its name. */
static void check_scopes(struct demon_dsl *d, struct demon_value list)
{
	json_auto_t *scopes = json_object();

	for (size_t i = 0; i < json_array_size(list.json); i++) {
		const char *name = json_string_value(json_array_get(list.json, i));
		const char *slash = name ? strchr(name, '/') : NULL;

		if (slash &&
		    json_object_setn_new(scopes, name, (size_t)(slash - name), json_true()))
			d->loader->failed = true;
	}
	for (size_t i = 0; i < json_array_size(list.json); i++) {
		struct demon_value v = demon_value_at(list, i);
		const char *name = json_string_value(v.json);

		if (name && json_object_get(scopes, name))
			demon_loader_problem(d->loader, v,
					     "secrets: '%.*s' is also the scope of another",
					     demon_output_clip(name, SHOWN), name);
	}
}

static void load_secrets(struct demon_dsl *d)
{
	struct demon_loader *l = d->loader;
	struct demon_value list = demon_value_get(d->use, "secrets");

	if (!list.json)
		return;
	if (!json_is_array(list.json)) {
		demon_loader_problem(l, list, "secrets: expected a list of names, found %s",
				     demon_value_describe(list));
		return;
	}
	for (size_t i = 0; i < json_array_size(list.json); i++) {
		struct demon_value v = demon_value_at(list, i);
		const char *name = demon_loader_string(l, v, "secrets");

		if (name && !is_secret(name))
			demon_loader_problem(l, v,
					     "secrets: expected KEY or SCOPE/KEY, found '%.*s'",
					     demon_output_clip(name, SHOWN), name);
	}
	check_scopes(d, list);
	l->definition->secrets = list.json;
}

static void check_function(struct demon_dsl *d, const char *name, struct demon_value v)
{
	struct demon_value with = {0};

	if (demon_capsule_find(name))
		demon_loader_problem_key(d->loader, v, "use.functions: '%s' is a capsule's name",
					 name);
	(void)demon_dsl_function(d, v, &with);
}

static void check_authentication(struct demon_dsl *d, const char *name, struct demon_value v)
{
	static const char *const kinds[] = {"basic", "bearer"};
	static const char *const kinds_later[] = {"certificate", "digest", "oauth2", "oidc", NULL};

	(void)name;
	if (!demon_loader_mapping(d->loader, v, "authentication"))
		return;
	demon_loader_keys(d->loader, v, DEMON_KEYS(kinds, kinds_later));
	if (json_object_size(v.json) != 1)
		demon_loader_problem(d->loader, v, "authentication: expected one of basic, bearer");
}

static void check_error(struct demon_dsl *d, const char *name, struct demon_value v)
{
	(void)name;
	(void)demon_dsl_error(d, v);
}

static void check_retry(struct demon_dsl *d, const char *name, struct demon_value v)
{
	(void)name;
	(void)demon_dsl_retry(d, v);
}

static void check_timeout(struct demon_dsl *d, const char *name, struct demon_value v)
{
	(void)name;
	(void)demon_dsl_after(d, v);
}

static const struct {
	const char *kind;
	void (*check)(struct demon_dsl *d, const char *name, struct demon_value v);
} kinds[] = {
    {"authentications", check_authentication},
    {"errors", check_error},
    {"functions", check_function},
    {"retries", check_retry},
    {"timeouts", check_timeout},
};

/* Which variables there are is known where a name is used: nothing is entered here. */
static void check_all(struct demon_dsl *d, struct demon_value all,
		      void (*check)(struct demon_dsl *d, const char *name, struct demon_value v))
{
	const char *key;
	json_t *item;
	size_t n = 0;

	d->dry = true;
	json_object_foreach(demon_json_iterable(all.json), key, item)
	    check(d, key, demon_value_member(all, item, n++));
	d->dry = false;
}

void demon_dsl_use(struct demon_dsl *d, struct demon_value top)
{
	struct demon_value use = demon_value_get(top, "use");

	if (!use.json || !demon_loader_mapping(d->loader, use, "use"))
		return;
	demon_loader_keys(d->loader, use, DEMON_KEYS(known, later));
	d->use = use;
	load_secrets(d);
	for (size_t i = 0; i < demon_count(kinds); i++) {
		struct demon_value v = demon_value_get(use, kinds[i].kind);

		if (v.json && demon_loader_mapping(d->loader, v, kinds[i].kind))
			check_all(d, v, kinds[i].check);
	}
}
