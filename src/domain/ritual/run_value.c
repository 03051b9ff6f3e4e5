/*
 * Values: what terms of a definition come to where the run stands.
 */
#include "domain/capsule/output.h"
#include "run_exec.h"

#include <stdio.h>
#include <string.h>

#ifndef DEMON_VERSION
#define DEMON_VERSION "0.1.0"
#endif

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a value");
}

/* A variable costs something: only what the expression mentions is given to it. */
static bool mentions(const char *text, const char *variable)
{
	size_t len = strlen(variable);

	for (const char *at = strchr(text, '$'); at; at = strchr(at + 1, '$'))
		if (strncmp(at + 1, variable, len) == 0)
			return true;
	return false;
}

static bool set(json_t *object, const char *key, const json_t *value)
{
	return json_object_set(object, key, demon_json_iterable(value)) == 0;
}

/* A path of names ends in the marker of a secret, which is put in place when a call is made. */
static bool add_secret(struct demon_exec *x, json_t *secrets, const char *name)
{
	const char *slash = strchr(name, '/');
	json_t *scope = secrets;
	char marker[192];

	(void)snprintf(marker, sizeof(marker), "secret://%s%s%s", slash ? "" : "default/", name,
		       x->nonce);
	if (slash) {
		char key[65];

		(void)snprintf(key, sizeof(key), "%.*s", (int)(slash - name), name);
		scope = json_object_get(secrets, key);
		if (!scope && json_object_set_new(secrets, key, scope = json_object()))
			return false;
		name = slash + 1;
	}
	return json_object_set_new(scope, name, json_string(marker)) == 0;
}

static bool add_secrets(struct demon_exec *x, json_t *vars)
{
	const json_t *names = x->state->definition->secrets;
	json_t *secrets = json_object();

	if (json_object_set_new(vars, "secrets", secrets))
		return false;
	for (size_t i = 0; i < json_array_size(names); i++)
		if (!add_secret(x, secrets, json_string_value(json_array_get(names, i))))
			return false;
	return true;
}

static bool add_task(json_t *vars, const struct demon_scope *scope)
{
	json_t *task = json_pack("{s:s, s:s, s:O?, s:O?}", "name", scope->task->name, "reference",
				 scope->task->reference, "input", demon_json_iterable(scope->input),
				 "output", demon_json_iterable(scope->output));

	return json_object_set_new(vars, "task", task) == 0;
}

static bool add_workflow(struct demon_exec *x, json_t *vars)
{
	const struct demon_run_state *state = x->state;
	json_t *workflow =
	    json_pack("{s:s, s:O, s:O?}", "id", state->id.run_id, "definition",
		      demon_json_iterable(state->definition->spec), "input", state->input);

	return json_object_set_new(vars, "workflow", workflow) == 0;
}

static bool add_standard(struct demon_exec *x, const char *text, const struct demon_scope *scope,
			 json_t *vars)
{
	if ((mentions(text, "context") && x->machine->context &&
	     !set(vars, "context", x->machine->context)) ||
	    (mentions(text, "input") && scope->input && !set(vars, "input", scope->input)) ||
	    (mentions(text, "output") && scope->output && !set(vars, "output", scope->output)) ||
	    (mentions(text, "secrets") && !add_secrets(x, vars)) ||
	    (mentions(text, "__nonce") &&
	     json_object_set_new(vars, "__nonce", json_string(x->nonce))) ||
	    (mentions(text, "task") && !add_task(vars, scope)) ||
	    (mentions(text, "workflow") && !add_workflow(x, vars)))
		return false;
	if (mentions(text, "runtime") &&
	    json_object_set_new(vars, "runtime",
				json_pack("{s:s, s:s}", "name", "demon", "version", DEMON_VERSION)))
		return false;
	return true;
}

/* What the composites around the task bind; an inner one hides an outer one's. What a composite
 * itself binds is not known to its output. */
static bool add_lexical(const struct demon_machine *m, const struct demon_scope *scope,
			json_t *vars)
{
	for (size_t i = 0; i < m->depth; i++) {
		const struct demon_frame *f = &m->frames[i];
		const struct demon_task *task = f->task;
		const json_t *item = json_array_get(f->items, f->iteration);

		if (scope->output && task == scope->task)
			continue;
		if (task->kind == DEMON_TASK_FOR &&
		    ((item && !set(vars, task->each, item)) ||
		     json_object_set_new(vars, task->at, json_integer((json_int_t)f->iteration))))
			return false;
		if (task->kind == DEMON_TASK_TRY && f->handling &&
		    !set(vars, task->catch_as, f->error))
			return false;
	}
	return true;
}

static enum demon_rc variables(struct demon_exec *x, const struct demon_expr_source *source,
			       const struct demon_scope *scope, struct demon_buf *out,
			       struct demon_err *err)
{
	json_auto_t *vars = json_object();
	enum demon_rc rc;

	if (!vars || !add_standard(x, source->text, scope, vars) ||
	    (source->variables && !add_lexical(x->machine, scope, vars)))
		return no_memory(err);
	if (scope->error && !set(vars, scope->task->catch_as, scope->error))
		return no_memory(err);
	if ((rc = demon_json_canonical(vars, out, err)))
		return rc;
	return demon_buf_rc(out, err);
}

/* An expression's failure is the run's, unless no worker could be had. */
static enum demon_rc failed(struct demon_run_error *error, const char *text, enum demon_rc rc,
			    struct demon_err *err)
{
	struct demon_err why = *err;

	if (rc == DEMON_INVALID || rc == DEMON_TIMEOUT || rc == DEMON_TOOBIG || rc == DEMON_FAILED)
		return demon_run_error_set(error, DEMON_ERROR_EXPRESSION, 400, "Expression failed",
					   err, "%s: '%.*s'", why.msg, demon_output_clip(text, 200),
					   text);
	return rc;
}

static enum demon_rc evaluate(struct demon_exec *x, size_t index, const struct demon_scope *scope,
			      json_t **ret_value, struct demon_run_error *error,
			      struct demon_err *err)
{
	const struct demon_definition *d = x->state->definition;
	struct demon_expr_unit unit = {.sources = d->exprs, .count = d->expr_count};
	DEMON_BUF(input, 0);
	DEMON_BUF(vars, 0);
	enum demon_rc rc;

	if (!x->watch->expr)
		return demon_err_set(err, DEMON_UNAVAIL,
				     "there is nothing to evaluate expressions");
	memcpy(unit.id, d->digest, sizeof(unit.id));
	if (scope->dot)
		rc = demon_json_canonical(scope->dot, &input, err);
	else
		rc = (demon_buf_str(&input, "null"), DEMON_OK);
	if (rc || (rc = demon_buf_rc(&input, err)) ||
	    (rc = variables(x, &d->exprs[index], scope, &vars, err)))
		return rc;
	rc = demon_expr_eval(x->watch->expr, &unit, index,
			     (struct demon_json_span){input.data, input.len},
			     (struct demon_json_span){vars.data, vars.len}, ret_value, err);
	return rc ? failed(error, d->exprs[index].text, rc, err) : DEMON_OK;
}

enum demon_rc demon_exec_value(struct demon_exec *x, const struct demon_term *term,
			       const struct demon_scope *scope, json_t **ret_value,
			       struct demon_run_error *error, struct demon_err *err)
{
	*ret_value = NULL;
	if (!term->json)
		return DEMON_OK;
	if (term->expr)
		return evaluate(x, term->expr - 1, scope, ret_value, error, err);
	*ret_value = json_incref(demon_json_iterable(term->json));
	return DEMON_OK;
}

enum demon_rc demon_exec_condition(struct demon_exec *x, const struct demon_term *term,
				   const struct demon_scope *scope, bool *ret_true,
				   struct demon_run_error *error, struct demon_err *err)
{
	json_auto_t *value = NULL;
	enum demon_rc rc = demon_exec_value(x, term, scope, &value, error, err);

	if (rc)
		return rc;
	*ret_true = !value || !(json_is_false(value) || json_is_null(value));
	return DEMON_OK;
}

enum demon_rc demon_exec_duration(struct demon_exec *x, const struct demon_duration *duration,
				  const struct demon_scope *scope, int64_t *ret_ms,
				  struct demon_run_error *error, struct demon_err *err)
{
	json_auto_t *value = NULL;
	enum demon_rc rc;

	*ret_ms = duration->ms;
	if (!duration->term.expr)
		return DEMON_OK;
	if ((rc = demon_exec_value(x, &duration->term, scope, &value, error, err)))
		return rc;
	if (!demon_duration_read(value, ret_ms))
		return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400, "Not a duration",
					   err, "expected a duration, e.g. \"PT30S\"");
	return DEMON_OK;
}

enum demon_rc demon_exec_check(const struct demon_schema *schema, const json_t *value,
			       const char *what, struct demon_run_error *error,
			       struct demon_err *err)
{
	struct demon_err why;
	enum demon_rc rc;

	if (!schema || !(rc = demon_schema_check(schema, value, &why)))
		return DEMON_OK;
	if (rc != DEMON_INVALID) {
		*err = why;
		return rc;
	}
	return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400,
				   "Does not hold to its schema", err, "%s: %s", what, why.msg);
}

enum demon_rc demon_exec_output(struct demon_exec *x, const struct demon_scope *raw,
				json_t *payload, struct demon_run_error *error,
				struct demon_err *err)
{
	const struct demon_task *task = raw->task;
	struct demon_scope scope = *raw;
	json_auto_t *value = NULL;
	json_auto_t *context = NULL;
	enum demon_rc rc;

	scope.output = raw->dot;
	if ((rc = demon_exec_value(x, &task->output_as, &scope, &value, error, err)))
		return rc;
	scope.dot = scope.output = value ? value : raw->dot;
	if ((rc = demon_exec_check(task->output_schema, scope.dot, "output", error, err)) ||
	    (rc = demon_exec_value(x, &task->export_as, &scope, &context, error, err)))
		return rc;
	if (context && (rc = demon_exec_check(task->export_schema, context, "export", error, err)))
		return rc;
	if ((value && !demon_run_event_set(payload, "value", demon_take(value))) ||
	    (context && !demon_run_event_set(payload, "context", demon_take(context))))
		return no_memory(err);
	return DEMON_OK;
}
