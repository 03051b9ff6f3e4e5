#include "run_arguments.h"

#include "base/buf.h"
#include "domain/capsule/capsule.h"
#include "domain/capsule/http_uri.h"

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

enum demon_rc demon_run_arguments(const struct demon_task *task, const json_t *data, json_t **with,
				  struct demon_run_error *error, struct demon_err *err)
{
	if (strcmp(task->capsule->name, "http") == 0)
		return expand_uri(data, with, error, err);
	return DEMON_OK;
}

enum demon_rc demon_run_returned(const struct demon_task *task, const json_t *data,
				 json_t **ret_raw, struct demon_err *err)
{
	(void)task;
	(void)data;
	(void)err;
	*ret_raw = NULL;
	return DEMON_OK;
}
