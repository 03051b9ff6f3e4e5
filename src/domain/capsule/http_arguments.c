#include "http_arguments.h"

#include "arguments.h"
#include "http_uri.h"

#include <string.h>
#include <strings.h>

#define DELAY_MS ((int64_t)1000) /* before the second try, unless the step says */

static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"};
#define REPEATABLE 5 /* so many of them, from the first, may be sent again (RFC 9110, §9.2.2) */

/* The index of a method, or demon_count(methods). */
static size_t find_method(const json_t *with)
{
	const char *text = json_string_value(json_object_get(with, "method"));
	size_t i = 0;

	while (i < demon_count(methods) && !(text && strcasecmp(text, methods[i]) == 0))
		i++;
	return i;
}

bool demon_http_idempotent(const json_t *with)
{
	const json_t *said = json_object_get(with, "idempotent");

	return json_is_boolean(said) ? json_is_true(said) : find_method(with) < REPEATABLE;
}

void demon_http_plan_done(struct demon_http_plan *plan)
{
	demon_http_fields_done(&plan->fields);
	demon_buf_done(&plan->url);
	demon_buf_done(&plan->body);
	*plan = (struct demon_http_plan){0};
}

static void add_default(struct demon_http_plan *plan, const char *name, const char *value)
{
	if (!demon_http_fields_get(&plan->fields, name))
		demon_http_fields_add(&plan->fields, name, value);
}

static enum demon_rc set_fields(struct demon_http_plan *plan, const struct demon_call *call,
				struct demon_err *err)
{
	json_t *headers = demon_json_iterable(json_object_get(call->with, "headers"));
	const json_t *body = json_object_get(call->with, "body");
	const char *name;
	json_t *value;

	json_object_foreach(headers, name, value)
	{
		DEMON_BUF(text, 0);

		(void)demon_json_scalar(value, &text);
		demon_http_fields_add(&plan->fields, name, text.data);
		if (text.rc)
			plan->fields.failed = true;
	}
	add_default(plan, "Accept", "*/*");
	add_default(plan, "User-Agent", "demon");
	add_default(plan, "Idempotency-Key", call->idempotency_key);
	if (plan->request.body)
		add_default(plan, "Content-Type",
			    json_is_string(body) ? "text/plain; charset=utf-8"
						 : "application/json");
	plan->request.fields = &plan->fields;
	if (plan->fields.failed)
		return demon_err_set(err, DEMON_NOMEM, "header fields: out of memory");
	return DEMON_OK;
}

static enum demon_rc set_body(struct demon_http_plan *plan, const json_t *body,
			      struct demon_err *err)
{
	enum demon_rc rc;

	if (!body || json_is_null(body))
		return DEMON_OK;
	if (json_is_string(body)) {
		plan->request.body = json_string_value(body);
		plan->request.body_len = json_string_length(body);
		return DEMON_OK;
	}
	if ((rc = demon_json_canonical(body, &plan->body, err)) ||
	    (rc = demon_buf_rc(&plan->body, err)))
		return rc;
	plan->request.body = plan->body.data;
	plan->request.body_len = plan->body.len;
	return DEMON_OK;
}

static const char *text_of(const json_t *map, const char *key)
{
	return json_string_value(json_object_get(map, key));
}

static void set_endpoint(struct demon_http_plan *plan, const json_t *with)
{
	const json_t *endpoint = json_object_get(with, "endpoint");
	const json_t *authentication = json_object_get(endpoint, "authentication");
	const json_t *basic = json_object_get(authentication, "basic");
	const json_t *bearer = json_object_get(authentication, "bearer");
	const char *uri =
	    json_is_string(endpoint) ? json_string_value(endpoint) : text_of(endpoint, "uri");

	demon_http_uri_build(uri ? uri : "", json_object_get(with, "query"), &plan->url);
	plan->request.url = plan->url.data;
	plan->request.username = text_of(basic, "username");
	plan->request.password = text_of(basic, "password");
	plan->request.token = text_of(bearer, "token");
}

static int64_t duration_of(const json_t *value, int64_t max_ms, int64_t otherwise)
{
	int64_t ms;

	return value && demon_arguments_duration(value, max_ms, &ms) ? ms : otherwise;
}

static void set_limits(struct demon_http_plan *plan, const json_t *with)
{
	const json_t *retry = json_object_get(with, "retry");
	const json_t *tls = json_object_get(with, "tls");
	const json_t *max_bytes = json_object_get(with, "maxBytes");

	plan->timeout_ms = duration_of(json_object_get(with, "timeout"), DEMON_HTTP_TIMEOUT_MAX_MS,
				       DEMON_HTTP_TIMEOUT_MS);
	plan->attempts = json_integer_value(json_object_get(retry, "attempts"));
	plan->delay_ms =
	    duration_of(json_object_get(retry, "delay"), DEMON_HTTP_DELAY_MAX_MS, DELAY_MS);
	plan->statuses = json_object_get(retry, "statuses");
	plan->request.max_body =
	    max_bytes ? (size_t)json_integer_value(max_bytes) : DEMON_HTTP_BYTES;
	plan->request.redirects = plan->follow ? DEMON_HTTP_REDIRECTS_MAX : 0;
	plan->request.ca_file = text_of(tls, "caFile");
	plan->request.cert_file = text_of(tls, "certFile");
	plan->request.key_file = text_of(tls, "keyFile");
}

enum demon_rc demon_http_plan_make(struct demon_http_plan *plan, const struct demon_call *call,
				   struct demon_err *err)
{
	const json_t *with = call->with;
	const char *output = text_of(with, "output");
	size_t method = find_method(with);
	enum demon_rc rc;

	*plan = (struct demon_http_plan){
	    .url = {.data = demon_buf_empty},
	    .body = {.data = demon_buf_empty},
	    .follow = json_is_true(json_object_get(with, "redirect")),
	    .idempotent = demon_http_idempotent(with),
	    .request = {.env = call->env,
			.method = methods[method < demon_count(methods) ? method : 0],
			.canceled = call->canceled,
			.ctx = call->ctx},
	};
	if (output)
		plan->output = strcmp(output, "raw") == 0        ? DEMON_HTTP_RAW
			       : strcmp(output, "response") == 0 ? DEMON_HTTP_RESPONSE
								 : DEMON_HTTP_CONTENT;
	set_endpoint(plan, with);
	set_limits(plan, with);
	if ((rc = demon_buf_rc(&plan->url, err)) ||
	    (rc = set_body(plan, json_object_get(with, "body"), err)))
		return rc;
	return set_fields(plan, call, err);
}

bool demon_http_is_retried(const struct demon_http_plan *plan, int status)
{
	static const int usual[] = {429, 502, 503, 504};

	for (size_t i = 0; !plan->statuses && i < demon_count(usual); i++)
		if (usual[i] == status)
			return true;
	for (size_t i = 0; i < json_array_size(plan->statuses); i++)
		if (json_integer_value(json_array_get(plan->statuses, i)) == status)
			return true;
	return false;
}
