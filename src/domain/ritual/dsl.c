#include "dsl.h"

#include "domain/capsule/output.h"
#include "domain/schema.h"

#include <string.h>

#define SHOWN 64 /* bytes of a foreign string in a message */

const char *const demon_dsl_none[] = {NULL};

static const char *const top_known[] = {"document", "input",  "use",     "do",
					"timeout",  "output", "evaluate"};
static const char *const top_later[] = {"schedule", NULL};
static const char *const document_known[] = {"dsl",   "namespace", "name", "version",
					     "title", "summary",   "tags", "metadata"};
static const char *const evaluate_known[] = {"language", "mode"};
static const char *const input_known[] = {"from", "schema"};
static const char *const output_known[] = {"as", "schema"};
static const char *const schema_known[] = {"format", "document"};
static const char *const schema_later[] = {"resource", NULL};

static const struct demon_schema *load_schema(struct demon_dsl *d, struct demon_value mapping)
{
	struct demon_loader *l = d->loader;
	struct demon_value v = demon_value_get(mapping, "schema");
	const struct demon_schema *schema = NULL;
	struct demon_value document;
	struct demon_value format;
	struct demon_err err;

	if (!v.json || !demon_loader_mapping(l, v, "schema"))
		return NULL;
	demon_loader_keys(l, v, DEMON_KEYS(schema_known, schema_later));
	format = demon_value_get(v, "format");
	if (format.json && (!json_is_string(format.json) ||
			    strncmp(json_string_value(format.json), "json", 4) != 0))
		demon_loader_problem(l, format, "not supported yet: a schema that is not 'json'");
	if (demon_value_get(v, "resource").json ||
	    !demon_loader_require(l, v, "document", &document))
		return NULL;
	if (!l->schemas)
		l->schemas = demon_schemas_new();
	/* after a failure the schemas are of no use any more, nor is the definition */
	if (!l->schemas)
		l->failed = true;
	else if (!l->schemas_broken &&
		 demon_schemas_add(l->schemas, json_deep_copy(document.json), &schema, &err)) {
		l->schemas_broken = true;
		demon_loader_problem(l, document, "schema: %s", err.msg);
	}
	return schema;
}

/* One of input, output, export: its expression under @p key, and its schema. */
static struct demon_term load_filter(struct demon_dsl *d, struct demon_value mapping,
				     const char *name, struct demon_keys keys,
				     const struct demon_schema **ret_schema)
{
	struct demon_value v = demon_value_get(mapping, name);

	if (!v.json || !demon_loader_mapping(d->loader, v, name))
		return (struct demon_term){0};
	demon_loader_keys(d->loader, v, keys);
	*ret_schema = load_schema(d, v);
	return demon_dsl_expression(d, demon_value_get(v, keys.known[0]));
}

void demon_dsl_data(struct demon_dsl *d, struct demon_value mapping, struct demon_task *task)
{
	const struct demon_keys input = DEMON_KEYS(input_known, demon_dsl_none);
	const struct demon_keys output = DEMON_KEYS(output_known, demon_dsl_none);

	task->input_from = load_filter(d, mapping, "input", input, &task->input_schema);
	task->output_as = load_filter(d, mapping, "output", output, &task->output_schema);
	task->export_as = load_filter(d, mapping, "export", output, &task->export_schema);
	task->timeout = demon_dsl_timeout(d, mapping);
}

/* A name that the document must have. */
static const char *load_name(struct demon_dsl *d, struct demon_value document, const char *key)
{
	struct demon_value v;
	const char *text;

	if (!demon_loader_require(d->loader, document, key, &v))
		return NULL;
	text = demon_loader_string(d->loader, v, key);
	if (text && !demon_loader_is_id(text)) {
		demon_loader_problem(d->loader, v,
				     "%s: expected 1 to 64 of A-Z a-z 0-9 '_' '-', found '%.*s'",
				     key, demon_output_clip(text, SHOWN), text);
		return NULL;
	}
	return text;
}

static void load_ritual_id(struct demon_dsl *d, struct demon_value document)
{
	const char *name = load_name(d, document, "name");
	const char *space = load_name(d, document, "namespace");

	if (!name || !space)
		return;
	d->loader->definition->ritual_id = strcmp(space, "default") == 0
					       ? name
					       : demon_loader_text(d->loader, "%s_%s", space, name);
	if (!demon_loader_is_id(d->loader->definition->ritual_id))
		demon_loader_problem(d->loader, demon_value_get(document, "name"),
				     "name and namespace together have more than 63 characters");
}

static void load_document(struct demon_dsl *d, struct demon_value document)
{
	struct demon_loader *l = d->loader;
	struct demon_value v;
	const char *dsl;

	demon_loader_keys(l, document, DEMON_KEYS(document_known, demon_dsl_none));
	if (demon_loader_require(l, document, "dsl", &v)) {
		dsl = demon_loader_string(l, v, "dsl");
		if (dsl && (strncmp(dsl, "1.0.", 4) != 0 || dsl[4] < '0' || dsl[4] > '9'))
			demon_loader_problem(l, v, "dsl: expected a version 1.0.x, found '%.*s'",
					     demon_output_clip(dsl, SHOWN), dsl);
	}
	load_ritual_id(d, document);
	if (demon_loader_require(l, document, "version", &v)) {
		if (json_is_number(v.json))
			demon_loader_problem(
			    l, v, "version: expected a string, found a number: put it in quotes");
		else
			l->definition->version = demon_loader_line(l, v, "version");
	}
	v = demon_value_get(document, "title");
	l->definition->title = v.json ? demon_loader_string(l, v, "title") : NULL;
	v = demon_value_get(document, "summary");
	if (v.json)
		(void)demon_loader_string(l, v, "summary");
	v = demon_value_get(document, "tags");
	if (v.json)
		(void)demon_loader_mapping(l, v, "tags");
	v = demon_value_get(document, "metadata");
	if (v.json)
		(void)demon_loader_mapping(l, v, "metadata");
}

/* What is read is strict jq: "${ … }" marks an expression. */
static void load_evaluate(struct demon_dsl *d, struct demon_value top)
{
	static const struct {
		const char *key;
		const char *value;
	} only[] = {{"language", "jq"}, {"mode", "strict"}};
	struct demon_value evaluate = demon_value_get(top, "evaluate");

	if (!evaluate.json || !demon_loader_mapping(d->loader, evaluate, "evaluate"))
		return;
	demon_loader_keys(d->loader, evaluate, DEMON_KEYS(evaluate_known, demon_dsl_none));
	for (size_t i = 0; i < demon_count(only); i++) {
		struct demon_value v = demon_value_get(evaluate, only[i].key);
		const char *text =
		    v.json ? demon_loader_string(d->loader, v, only[i].key) : only[i].value;

		if (text && strcmp(text, only[i].value) != 0)
			demon_loader_problem(
			    d->loader, v, "not supported yet: %s '%.*s', only '%s' is", only[i].key,
			    demon_output_clip(text, SHOWN), text, only[i].value);
	}
}

enum demon_rc demon_dsl_load(struct demon_loader *l, struct demon_value root, struct demon_err *err)
{
	struct demon_dsl d = {.loader = l};
	struct demon_task *task = &l->definition->root;
	struct demon_value v;

	(void)err;
	l->definition->notation = DEMON_NOTATION_DSL;
	demon_loader_keys(l, root, DEMON_KEYS(top_known, top_later));
	if (demon_loader_require(l, root, "document", &v) && demon_loader_mapping(l, v, "document"))
		load_document(&d, v);
	load_evaluate(&d, root);
	demon_dsl_use(&d, root);
	*task =
	    (struct demon_task){.kind = DEMON_TASK_DO,
				.name = l->definition->ritual_id ? l->definition->ritual_id : "",
				.reference = "",
				.call = "workflow",
				.next = DEMON_NEXT_END};
	demon_dsl_data(&d, root, task);
	if (demon_loader_require(l, root, "do", &v))
		demon_dsl_list(&d, v, "/do", task);
	return DEMON_OK;
}
