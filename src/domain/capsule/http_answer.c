#include "http_answer.h"

#include "base/json.h"
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DETAIL_JSON ((size_t)16 * 1024) /* of a body, and of the fields, in an error */
#define DEPTH       48                  /* of a body: it lies some levels deep in an event */

bool demon_http_is_success(const struct demon_http_plan *plan, const struct demon_http_response *r)
{
	return r->status >= 200 && r->status <= (plan->follow ? 399 : 299);
}

/* Valid UTF-8 of any bytes; new, or NULL. */
static json_t *text_of(const char *bytes, size_t len, bool more, size_t max_json)
{
	DEMON_BUF(text, 0);

	(void)demon_output_text(&text, bytes, len, more, max_json);
	return text.rc ? NULL : json_stringn(text.data, text.len);
}

static bool shows_credentials(const char *name)
{
	return strcasecmp(name, "Authorization") == 0 ||
	       strcasecmp(name, "Proxy-Authorization") == 0 || strcasecmp(name, "Cookie") == 0;
}

/* Adds a field under its name in small letters; several of one name are joined. */
static bool put_field(json_t *object, const struct demon_http_field *f, const char *shown)
{
	json_t *value = text_of(shown, strlen(shown), false, SIZE_MAX);
	DEMON_BUF(name, 0);
	DEMON_BUF(joined, 0);
	const json_t *before;

	(void)demon_output_text(&name, f->name, strlen(f->name), false, SIZE_MAX);
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] >= 'A' && name.data[i] <= 'Z')
			name.data[i] |= 0x20;
	before = json_object_get(object, name.data);
	if (before && value) {
		demon_buf_fmt(&joined, "%s, %s", json_string_value(before),
			      json_string_value(value));
		json_decref(value);
		value = joined.rc ? NULL : json_stringn(joined.data, joined.len);
	}
	if (name.rc) {
		json_decref(value);
		return false;
	}
	return json_object_set_new(object, name.data, value) == 0;
}

/* New, or NULL. */
static json_t *fields_of(const struct demon_http_fields *fields)
{
	json_t *object = json_object();
	bool done = object != NULL;

	for (size_t i = 0; done && i < fields->count; i++) {
		const struct demon_http_field *f = &fields->items[i];

		done = put_field(object, f, shows_credentials(f->name) ? "[redacted]" : f->value);
	}
	if (done)
		return object;
	json_decref(object);
	return NULL;
}

/* "application/json; charset=utf-8" is JSON, and so is "application/problem+json". */
static bool is_json(const struct demon_http_response *r)
{
	const char *type = demon_http_fields_get(&r->fields, "Content-Type");
	size_t len = type ? strcspn(type, "; \t,") : 0;

	return (len == 16 && strncasecmp(type, "application/json", 16) == 0) ||
	       (len == 9 && strncasecmp(type, "text/json", 9) == 0) ||
	       (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

/* The coding that the body has although none was asked for, or NULL. */
static const char *coding_of(const struct demon_http_response *r)
{
	const char *coding = demon_http_fields_get(&r->fields, "Content-Encoding");

	return coding && *coding && strcasecmp(coding, "identity") != 0 ? coding : NULL;
}

/* New, or NULL. */
static json_t *base64_of(const struct demon_http_response *r)
{
	DEMON_BUF(text, 0);

	demon_buf_base64(&text, r->body.data, r->body.len);
	return text.rc ? NULL : json_stringn(text.data, text.len);
}

/* A body that is not JSON: text where it is some, else base64. New, or NULL. */
static json_t *plain_content(const struct demon_http_response *r)
{
	DEMON_BUF(text, 0);

	(void)demon_output_text(&text, r->body.data, r->body.len, false, SIZE_MAX);
	if (text.rc)
		return NULL;
	if (text.len == r->body.len && memcmp(text.data, r->body.data, text.len) == 0)
		return json_stringn(text.data, text.len);
	return base64_of(r);
}

static enum demon_rc parse(const struct demon_http_response *r, json_t **ret_json,
			   struct demon_err *err)
{
	const struct demon_json_limits limits = {r->body.len, DEPTH};

	return demon_json_parse(r->body.data, r->body.len, &limits, ret_json, err);
}

/* The URI as messages show it: without its query, which may be anybody's business. */
static json_t *shown_uri(const char *url)
{
	return text_of(url, strcspn(url, "?#"), false, 512);
}

/* Answers with an error; @p details_new has at least the URI that was asked. */
static void fail(struct demon_envelope *e, const struct demon_http_response *r, const char *code,
		 const char *what, json_t *details_new)
{
	json_t *uri = shown_uri(r->url);
	DEMON_BUF(text, 0);

	demon_buf_fmt(&text, "%s '%s': ", r->method, uri ? json_string_value(uri) : "");
	(void)demon_output_text(&text, what, strlen(what), false, 1024);
	if (json_object_set_new(details_new, "uri", uri) || text.rc)
		e->failed = true;
	demon_envelope_error(e, code, text.data, details_new);
}

/* Details of an answer that has a status. */
static json_t *details_of(const struct demon_http_response *r)
{
	return json_pack("{s:i, s:i}", "status", r->status, "statusCode", r->status);
}

static bool fits(const json_t *value, size_t max)
{
	DEMON_BUF(text, max);
	struct demon_err err;

	return demon_json_canonical(value, &text, &err) != DEMON_TOOBIG && text.rc != DEMON_TOOBIG;
}

/* The beginning of a body for an error: JSON where it is some that is small. */
static json_t *detail_content(const struct demon_http_response *r)
{
	json_t *content = NULL;
	struct demon_err err;

	if (is_json(r) && !r->cut && r->body.len <= DETAIL_JSON &&
	    parse(r, &content, &err) == DEMON_OK) {
		if (fits(content, DETAIL_JSON))
			return content;
		json_decref(content);
	}
	return text_of(r->body.data, r->body.len, true, DETAIL_JSON);
}

static void answer_status(struct demon_envelope *e, const struct demon_http_response *r)
{
	json_t *details = details_of(r);
	json_t *fields = fields_of(&r->fields);
	char text[64];

	/* a session's cookie is of use to nobody who reads about an error */
	if (json_object_get(fields, "set-cookie") &&
	    json_object_set_new(fields, "set-cookie", json_string("[redacted]")))
		e->failed = true;
	if (!fields || !fits(fields, DETAIL_JSON))
		json_decref(fields);
	else if (json_object_set_new(details, "headers", fields))
		e->failed = true;
	if (r->body.len && json_object_set_new(details, "content", detail_content(r)))
		e->failed = true;
	(void)snprintf(text, sizeof(text), "answered with status %d", r->status);
	fail(e, r, "HTTP_STATUS", text, details);
}

static void answer_failure(struct demon_envelope *e, const struct demon_http_response *r)
{
	static const char *const codes[] = {
	    [DEMON_HTTP_DNS] = "HTTP_DNS",
	    [DEMON_HTTP_CONNECT] = "HTTP_CONNECT",
	    [DEMON_HTTP_TLS] = "HTTP_TLS",
	    [DEMON_HTTP_TIMED_OUT] = "HTTP_TIMEOUT",
	    [DEMON_HTTP_CANCELED] = "CANCELED",
	    [DEMON_HTTP_TOO_LARGE] = "HTTP_TOO_LARGE",
	    [DEMON_HTTP_REDIRECTS] = "HTTP_REDIRECTS",
	    [DEMON_HTTP_PROTOCOL] = "HTTP_PROTOCOL",
	};

	fail(e, r, codes[r->end], r->reason, r->status ? details_of(r) : json_object());
}

static enum demon_rc content_of(const struct demon_http_plan *plan,
				const struct demon_http_response *r, json_t **ret_content,
				struct demon_err *err)
{
	json_t *content = NULL;
	enum demon_rc rc = DEMON_OK;

	if (plan->output == DEMON_HTTP_RAW)
		content = base64_of(r);
	else if (r->body.len == 0)
		content = json_null();
	else if (is_json(r))
		rc = parse(r, &content, err);
	else
		content = plain_content(r);
	if (!rc && !content)
		rc = demon_err_set(err, DEMON_NOMEM, "HTTP answer: out of memory");
	*ret_content = content;
	return rc;
}

/* The whole answer around its content, which is stolen. New, or NULL. */
static json_t *response_of(const struct demon_http_response *r, json_t *content_new)
{
	return json_pack("{s:{s:s, s:o, s:o}, s:i, s:o, s:o}", "request", "method", r->method,
			 "uri", text_of(r->url, strlen(r->url), false, SIZE_MAX), "headers",
			 fields_of(&r->asked), "statusCode", r->status, "headers",
			 fields_of(&r->fields), "content", content_new);
}

static enum demon_rc answer_success(struct demon_envelope *e, const struct demon_http_plan *plan,
				    const struct demon_http_response *r, struct demon_err *err)
{
	const char *coding = plan->output == DEMON_HTTP_RAW ? NULL : coding_of(r);
	json_t *data = NULL;
	char text[128];
	enum demon_rc rc;

	if (coding && r->body.len) {
		(void)snprintf(text, sizeof(text),
			       "the body is encoded as '%.32s', which was not asked for", coding);
		fail(e, r, "HTTP_PROTOCOL", text, details_of(r));
		return DEMON_OK;
	}
	rc = content_of(plan, r, &data, err);
	if (rc == DEMON_INVALID || rc == DEMON_TOOBIG) {
		(void)demon_err_wrap(err, "the body is not JSON as events hold it");
		fail(e, r, "HTTP_BAD_JSON", err->msg, details_of(r));
		return DEMON_OK;
	}
	if (rc)
		return rc;
	if (plan->output == DEMON_HTTP_RESPONSE && !(data = response_of(r, data)))
		return demon_err_set(err, DEMON_NOMEM, "HTTP answer: out of memory");
	if (!fits(data, DEMON_HTTP_DATA_MAX)) {
		json_decref(data);
		(void)snprintf(text, sizeof(text), "the answer is larger than %zu bytes of JSON",
			       DEMON_HTTP_DATA_MAX);
		fail(e, r, "HTTP_TOO_LARGE", text, details_of(r));
		return DEMON_OK;
	}
	demon_envelope_success(e, data);
	return DEMON_OK;
}

static void count(struct demon_envelope *e, const struct demon_http_response *r)
{
	demon_envelope_count(e, "bodyBytes", r->body.len);
	demon_envelope_count(e, "redirects", r->redirects);
	demon_envelope_count(e, "resolvedMs", (uint64_t)r->resolved_ms);
	demon_envelope_count(e, "connectedMs", (uint64_t)r->connected_ms);
	demon_envelope_count(e, "securedMs", (uint64_t)r->secured_ms);
	demon_envelope_count(e, "answeredMs", (uint64_t)r->answered_ms);
}

enum demon_rc demon_http_answer(struct demon_envelope *e, const struct demon_http_plan *plan,
				const struct demon_http_response *r, struct demon_err *err)
{
	char text[96];

	count(e, r);
	if (r->end != DEMON_HTTP_ANSWERED) {
		answer_failure(e, r);
	} else if (!demon_http_is_success(plan, r)) {
		answer_status(e, r);
	} else if (r->cut) {
		(void)snprintf(text, sizeof(text), "the body is larger than %zu bytes",
			       plan->request.max_body);
		fail(e, r, "HTTP_TOO_LARGE", text, details_of(r));
	} else {
		return answer_success(e, plan, r, err);
	}
	return DEMON_OK;
}
