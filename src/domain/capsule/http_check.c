#include "arguments.h"
#include "base/suggest.h"
#include "http_arguments.h"
#include "http_uri.h"
#include "output.h"

#include <string.h>
#include <strings.h>

#define HEADERS_MAX 256 /* each is held against all others */

static const char *const known[] = {"method",   "endpoint", "headers",  "body",
				    "query",    "output",   "redirect", "timeout",
				    "maxBytes", "retry",    "tls",      "idempotent"};
static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"};
static const char *const outputs[] = {"raw", "content", "response"};
static const char *const retry_keys[] = {"attempts", "statuses", "delay"};
static const char *const tls_keys[] = {"caFile", "certFile", "keyFile"};

static bool is_one_of(const char *text, const char *const *words, size_t count,
		      int (*compare)(const char *, const char *))
{
	for (size_t i = 0; i < count; i++)
		if (compare(text, words[i]) == 0)
			return true;
	return false;
}

/* Reports a value of @p key that is none of @p words. */
static void check_word(const struct demon_arguments *a, const char *key, const char *const *words,
		       size_t count, int (*compare)(const char *, const char *))
{
	const char *text = demon_arguments_text(a, key);
	const char *nearest;
	DEMON_BUF(list, 0);
	DEMON_BUF(pointer, 0);

	if (!text || is_one_of(text, words, count, compare))
		return;
	nearest = demon_suggest(text, words, count);
	if (nearest)
		demon_buf_fmt(&list, " (did you mean '%s'?)", nearest);
	else
		demon_buf_str(&list, ", expected one of ");
	for (size_t i = 0; !nearest && i < count; i++)
		demon_buf_fmt(&list, "%s%s", i ? ", " : "", words[i]);
	demon_arguments_pointer(&pointer, key);
	demon_arguments_report(a, pointer.data, "argument '%s': unknown '%.*s'%s", key,
			       demon_output_clip(text, 64), text, list.data);
}

/* The mapping @p key; NULL when it is absent or, reported, something else. */
static json_t *mapping(const struct demon_arguments *a, const char *key)
{
	json_t *value = json_object_get(a->with, key);
	DEMON_BUF(pointer, 0);

	if (!value || json_is_object(value))
		return value;
	demon_arguments_pointer(&pointer, key);
	demon_arguments_report(a, pointer.data, "argument '%s': expected a mapping, found %s", key,
			       demon_json_describe(value));
	return NULL;
}

/* Reports keys of a mapping at @p pointer that are not known. */
static void check_keys(const struct demon_arguments *a, const char *pointer, json_t *map,
		       const char *const *words, size_t count)
{
	const char *key;
	json_t *value;

	json_object_foreach(map, key, value)
	{
		DEMON_BUF(at, 0);

		if (is_one_of(key, words, count, strcmp))
			continue;
		demon_buf_str(&at, pointer);
		demon_arguments_pointer(&at, key);
		demon_arguments_report_key(a, at.data, "unknown argument '%.*s' in '%s'",
					   demon_output_clip(key, 64), key, pointer + 1);
	}
}

/* A secret is put in place before the call, whose arguments are checked again. */
static bool has_secret(const char *text)
{
	return strstr(text, "secret://") != NULL;
}

static void check_uri(const struct demon_arguments *a, const char *pointer, const json_t *value)
{
	struct demon_err err;
	const char *problem;

	if (!json_is_string(value)) {
		demon_arguments_report(a, pointer,
				       "the endpoint's URI: expected a string, found %s",
				       demon_json_describe(value));
		return;
	}
	if (has_secret(json_string_value(value)))
		return;
	problem = demon_http_uri_problem(json_string_value(value));
	if (problem)
		demon_arguments_report(a, pointer, "the endpoint's URI: %s", problem);
	else if (demon_http_expandable(json_string_value(value), &err))
		demon_arguments_report(a, pointer, "the endpoint's URI: %s", err.msg);
}

/* A string of a credential: text that a header field can hold. */
static void check_credential(const struct demon_arguments *a, const char *pointer,
			     const json_t *policy, const char *key)
{
	const json_t *value = json_object_get(policy, key);
	bool user = strcmp(key, "username") == 0;
	DEMON_BUF(at, 0);

	demon_buf_str(&at, pointer);
	if (!value) {
		demon_arguments_report(a, at.data, "authentication: '%s' is missing", key);
		return;
	}
	demon_arguments_pointer(&at, key);
	if (!json_is_string(value))
		demon_arguments_report(a, at.data,
				       "authentication: '%s': expected a string, found %s", key,
				       demon_json_describe(value));
	else if (!demon_http_is_value(json_string_value(value)))
		demon_arguments_report(a, at.data, "authentication: '%s' has control characters",
				       key);
	else if (user && strchr(json_string_value(value), ':') &&
		 !has_secret(json_string_value(value)))
		demon_arguments_report(a, at.data, "authentication: 'username' has a ':'");
}

static void check_policy(const struct demon_arguments *a, const char *kind, json_t *policy)
{
	static const char *const basic[] = {"username", "password"};
	static const char *const bearer[] = {"token"};
	bool is_basic = strcmp(kind, "basic") == 0;
	const char *const *keys = is_basic ? basic : bearer;
	size_t count = is_basic ? demon_count(basic) : demon_count(bearer);
	DEMON_BUF(pointer, 0);

	demon_buf_str(&pointer, "/endpoint/authentication");
	demon_arguments_pointer(&pointer, kind);
	if (!json_is_object(policy)) {
		demon_arguments_report(a, pointer.data,
				       "authentication '%s': expected a mapping, found %s", kind,
				       demon_json_describe(policy));
		return;
	}
	check_keys(a, pointer.data, policy, keys, count);
	for (size_t i = 0; i < count; i++)
		check_credential(a, pointer.data, policy, keys[i]);
}

static void check_authentication(const struct demon_arguments *a, json_t *authentication)
{
	const char *kind;
	json_t *policy;

	if (!json_is_object(authentication) || json_object_size(authentication) != 1) {
		demon_arguments_report(a, "/endpoint/authentication",
				       "authentication: expected 'basic' or 'bearer', found %s",
				       json_is_object(authentication)
					   ? "a mapping with other than one key"
					   : demon_json_describe(authentication));
		return;
	}
	json_object_foreach(authentication, kind, policy)
	{
		DEMON_BUF(pointer, 0);

		demon_buf_str(&pointer, "/endpoint/authentication");
		demon_arguments_pointer(&pointer, kind);
		if (strcmp(kind, "basic") == 0 || strcmp(kind, "bearer") == 0)
			check_policy(a, kind, policy);
		else
			demon_arguments_report_key(a, pointer.data,
						   "authentication '%.*s' is not supported, "
						   "expected 'basic' or 'bearer'",
						   demon_output_clip(kind, 64), kind);
	}
}

static void check_endpoint(const struct demon_arguments *a)
{
	static const char *const keys[] = {"uri", "authentication"};
	json_t *endpoint = json_object_get(a->with, "endpoint");
	json_t *authentication = json_object_get(endpoint, "authentication");

	if (!endpoint) {
		demon_arguments_report(a, "", "missing required argument 'endpoint'");
		return;
	}
	if (!json_is_object(endpoint)) {
		check_uri(a, "/endpoint", endpoint);
		return;
	}
	check_keys(a, "/endpoint", endpoint, keys, demon_count(keys));
	if (json_object_get(endpoint, "uri"))
		check_uri(a, "/endpoint/uri", json_object_get(endpoint, "uri"));
	else
		demon_arguments_report(a, "/endpoint", "argument 'endpoint': 'uri' is missing");
	if (authentication)
		check_authentication(a, authentication);
}

/* Fields that belong to the connection, or to the client. */
static bool is_reserved(const char *name)
{
	static const char *const names[] = {
	    "Connection", "Content-Length",      "Expect",           "Keep-Alive",
	    "TE",         "Proxy-Authorization", "Proxy-Connection", "Trailer",
	    "Upgrade",    "Transfer-Encoding"};

	return is_one_of(name, names, demon_count(names), strcasecmp);
}

/* Whether another member of @p map has this name but for case, and comes before it. */
static bool is_repeated(json_t *map, const char *name)
{
	const char *other;
	json_t *value;

	json_object_foreach(map, other, value)
	{
		if (strcmp(other, name) == 0)
			return false;
		if (strcasecmp(other, name) == 0)
			return true;
	}
	return false;
}

static const char *problem_of_header(const struct demon_arguments *a, json_t *headers,
				     const char *name)
{
	const json_t *endpoint = json_object_get(a->with, "endpoint");

	if (!demon_http_is_token(name))
		return "is not the name of a header field";
	if (is_reserved(name))
		return "is set by the client itself";
	if (strcasecmp(name, "Authorization") == 0 && json_object_get(endpoint, "authentication"))
		return "is set by 'authentication'";
	return is_repeated(headers, name) ? "is there already, in other letters" : NULL;
}

static void check_headers(const struct demon_arguments *a)
{
	json_t *headers = mapping(a, "headers");
	const char *name;
	json_t *value;

	if (json_object_size(headers) > HEADERS_MAX) {
		demon_arguments_report(a, "/headers",
				       "argument 'headers': expected at most %d fields, found %zu",
				       HEADERS_MAX, json_object_size(headers));
		return;
	}
	json_object_foreach(headers, name, value)
	{
		const char *problem = problem_of_header(a, headers, name);
		int shown = demon_output_clip(name, 64);
		DEMON_BUF(text, 0);
		DEMON_BUF(pointer, 0);

		demon_buf_str(&pointer, "/headers");
		demon_arguments_pointer(&pointer, name);
		if (problem)
			demon_arguments_report_key(a, pointer.data, "argument 'headers': '%.*s' %s",
						   shown, name, problem);
		if (!demon_json_scalar(value, &text))
			demon_arguments_report(
			    a, pointer.data,
			    "argument 'headers': value of '%.*s': expected a string, found %s",
			    shown, name, demon_json_describe(value));
		else if (!demon_http_is_value(text.data) || strlen(text.data) != text.len)
			demon_arguments_report(
			    a, pointer.data,
			    "argument 'headers': value of '%.*s' has control characters", shown,
			    name);
	}
}

static void check_query(const struct demon_arguments *a)
{
	const char *name;
	json_t *value;

	json_object_foreach(mapping(a, "query"), name, value)
	{
		DEMON_BUF(text, 0);
		DEMON_BUF(pointer, 0);

		demon_buf_str(&pointer, "/query");
		demon_arguments_pointer(&pointer, name);
		if (!demon_json_scalar(value, &text))
			demon_arguments_report(
			    a, pointer.data,
			    "argument 'query': value of '%.*s': expected a string, found %s",
			    demon_output_clip(name, 64), name, demon_json_describe(value));
	}
}

static bool is_within(const json_t *value, json_int_t least, json_int_t most)
{
	return json_is_integer(value) && json_integer_value(value) >= least &&
	       json_integer_value(value) <= most;
}

static void check_time(const struct demon_arguments *a, const char *pointer, const json_t *value,
		       int64_t max_ms)
{
	int64_t ms;

	if (value && !demon_arguments_duration(value, max_ms, &ms))
		demon_arguments_report(
		    a, pointer,
		    "argument '%s': expected seconds above 0 or a duration such as PT30S, at most "
		    "%lld seconds, found %s",
		    pointer + 1, (long long)(max_ms / 1000),
		    json_is_string(value) ? "another string" : demon_json_describe(value));
}

static void check_statuses(const struct demon_arguments *a, const json_t *statuses)
{
	if (!statuses)
		return;
	if (!json_is_array(statuses))
		demon_arguments_report(a, "/retry/statuses",
				       "argument 'retry/statuses': expected a list, found %s",
				       demon_json_describe(statuses));
	for (size_t i = 0; i < json_array_size(statuses); i++) {
		DEMON_BUF(pointer, 0);

		demon_buf_fmt(&pointer, "/retry/statuses/%zu", i);
		if (!is_within(json_array_get(statuses, i), 400, 599))
			demon_arguments_report(
			    a, pointer.data,
			    "argument 'retry/statuses': expected a status from 400 to 599");
	}
}

static void check_retry(const struct demon_arguments *a)
{
	json_t *retry = mapping(a, "retry");
	const json_t *attempts = json_object_get(retry, "attempts");

	check_keys(a, "/retry", retry, retry_keys, demon_count(retry_keys));
	if (retry && !is_within(attempts, 1, DEMON_HTTP_ATTEMPTS_MAX))
		demon_arguments_report(
		    a, attempts ? "/retry/attempts" : "/retry",
		    "argument 'retry': 'attempts': expected an integer from 1 to %d, found %s",
		    DEMON_HTTP_ATTEMPTS_MAX,
		    json_is_integer(attempts) ? "another" : demon_json_describe(attempts));
	check_statuses(a, json_object_get(retry, "statuses"));
	check_time(a, "/retry/delay", json_object_get(retry, "delay"), DEMON_HTTP_DELAY_MAX_MS);
}

static void check_tls(const struct demon_arguments *a)
{
	json_t *tls = mapping(a, "tls");

	check_keys(a, "/tls", tls, tls_keys, demon_count(tls_keys));
	for (size_t i = 0; i < demon_count(tls_keys); i++) {
		const json_t *value = json_object_get(tls, tls_keys[i]);
		DEMON_BUF(pointer, 0);

		demon_buf_fmt(&pointer, "/tls/%s", tls_keys[i]);
		if (value && (!json_is_string(value) || json_string_length(value) == 0))
			demon_arguments_report(a, pointer.data,
					       "argument 'tls': '%s': expected the path of a file",
					       tls_keys[i]);
	}
	if (json_object_get(tls, "keyFile") && !json_object_get(tls, "certFile"))
		demon_arguments_report(a, "/tls", "argument 'tls': 'keyFile' without 'certFile'");
}

static void check_body(const struct demon_arguments *a)
{
	const json_t *body = json_object_get(a->with, "body");
	const char *method = json_string_value(json_object_get(a->with, "method"));

	if (body && !json_is_null(body) && method && strcasecmp(method, "HEAD") == 0)
		demon_arguments_report(a, "/body", "argument 'body': HEAD has none");
}

void demon_http_check(const json_t *with, demon_argument_problem_fn *report, void *ctx)
{
	const struct demon_arguments a = {with, report, ctx};
	const json_t *max_bytes = json_object_get(with, "maxBytes");

	if (!demon_arguments_known(&a, known, demon_count(known)))
		return;
	if (!json_object_get(with, "method"))
		demon_arguments_report(&a, "", "missing required argument 'method'");
	check_word(&a, "method", methods, demon_count(methods), strcasecmp);
	check_endpoint(&a);
	check_headers(&a);
	check_query(&a);
	check_body(&a);
	check_word(&a, "output", outputs, demon_count(outputs), strcmp);
	demon_arguments_flag(&a, "redirect");
	check_time(&a, "/timeout", json_object_get(with, "timeout"), DEMON_HTTP_TIMEOUT_MAX_MS);
	if (max_bytes && !is_within(max_bytes, 1, (json_int_t)DEMON_HTTP_BYTES_MAX))
		demon_arguments_report(&a, "/maxBytes",
				       "argument 'maxBytes': expected an integer from 1 to %zu",
				       DEMON_HTTP_BYTES_MAX);
	check_retry(&a);
	check_tls(&a);
	demon_arguments_flag(&a, "idempotent");
}
