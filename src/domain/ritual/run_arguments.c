#include "run_arguments.h"

#include "base/buf.h"
#include "domain/capsule/capsule.h"
#include "domain/capsule/http_uri.h"
#include "domain/capsule/shell.h"

#include <string.h>

/* Where `http` has its URI: the endpoint, or its `uri`. */
static json_t *uri_of(json_t *with)
{
	json_t *endpoint = json_object_get(with, "endpoint");

	return json_is_object(endpoint) ? json_object_get(endpoint, "uri") : endpoint;
}

/* Replaces "{name}" in the URI by the task's input. */
static enum demon_rc expand_uri(const json_t *data, json_t **with, struct demon_run_error *error,
				struct demon_err *err)
{
	const char *uri = json_string_value(uri_of(*with));
	json_auto_t *copy = NULL;
	DEMON_BUF(text, 0);
	enum demon_rc rc;

	if (!uri || !strchr(uri, '{'))
		return DEMON_OK;
	rc = demon_http_expand(uri, data, &text, err);
	if (rc == DEMON_INVALID)
		return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400, "Not a URI", err,
					   "%s", err->msg);
	if (rc || (rc = demon_buf_rc(&text, err)))
		return rc;
	copy = json_deep_copy(*with);
	if (!copy || json_string_set(uri_of(copy), text.data))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a URI");
	json_decref(*with);
	*with = demon_take(copy);
	return DEMON_OK;
}

/* Makes exec's arguments of a shell or a script. */
static enum demon_rc map_process(const struct demon_task *task, json_t **with,
				 struct demon_run_error *error, struct demon_err *err)
{
	json_t *mapped = NULL;
	enum demon_rc rc = demon_shell_arguments(task->process, *with, task->run, &mapped, err);

	if (rc == DEMON_INVALID)
		return demon_run_error_set(error, DEMON_ERROR_VALIDATION, 400, "Not an argument",
					   err, "%s", err->msg);
	if (rc)
		return rc;
	json_decref(*with);
	*with = mapped;
	return DEMON_OK;
}

enum demon_rc demon_run_arguments(const struct demon_task *task, const json_t *data, json_t **with,
				  struct demon_run_error *error, struct demon_err *err)
{
	if (task->process)
		return map_process(task, with, error, err);
	if (strcmp(task->capsule->name, "http") == 0)
		return expand_uri(data, with, error, err);
	return DEMON_OK;
}

enum demon_rc demon_run_returned(const struct demon_task *task, const json_t *data,
				 const json_t *input, json_t **ret_raw, struct demon_err *err)
{
	*ret_raw = NULL;
	if (!task->process)
		return DEMON_OK;
	*ret_raw = demon_shell_output(task->run, data, input);
	return *ret_raw ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for an output");
}
