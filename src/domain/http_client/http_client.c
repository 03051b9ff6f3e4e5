#include "http_client.h"

#include "http_exchange.h"
#include "http_redirect.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void demon_http_response_done(struct demon_http_response *r)
{
	free(r->url);
	free(r->method);
	demon_http_fields_done(&r->asked);
	demon_http_fields_done(&r->fields);
	demon_buf_done(&r->body);
	*r = (struct demon_http_response){0};
}

static void refuse(struct demon_http_response *r, const char *what, const char *why)
{
	r->end = DEMON_HTTP_REDIRECTS;
	(void)snprintf(r->reason, sizeof(r->reason), "%s %s", what, why);
}

/* Follows a redirect. *ret_url is new, or NULL: it ends here. */
static enum demon_rc follow(struct demon_http_exchange *x, const char *location, char **ret_url,
			    struct demon_err *err)
{
	struct demon_http_redirect to;
	enum demon_rc rc = demon_http_redirect(x->curl, x->url, location, &to, err);

	*ret_url = NULL;
	if (rc)
		return rc;
	if (to.refused) {
		refuse(x->out, "it redirects", to.refused);
		return DEMON_OK;
	}
	*ret_url = to.url;
	x->home = x->home && to.same_origin;
	if (demon_http_redirect_to_get(x->out->status, x->method)) {
		x->method = "GET";
		x->body = false;
	}
	return DEMON_OK;
}

/* Exchanges until there is an answer that leads no further. @p url is owned. */
static enum demon_rc travel(struct demon_http_exchange *x, char **url, struct demon_err *err)
{
	struct demon_http_response *out = x->out;

	for (;;) {
		const char *location;
		char *next;
		enum demon_rc rc;

		x->url = *url;
		if ((rc = demon_http_exchange(x, err)))
			return rc;
		location = demon_http_fields_get(&out->fields, "Location");
		if (out->end != DEMON_HTTP_ANSWERED || x->request->redirects == 0 ||
		    !demon_http_is_redirect(out->status) || !location)
			return DEMON_OK;
		if (out->redirects == x->request->redirects) {
			char text[64];

			(void)snprintf(text, sizeof(text), "than %u", out->redirects);
			refuse(out, "more redirects", text);
			return DEMON_OK;
		}
		if ((rc = follow(x, location, &next, err)))
			return rc;
		if (!next)
			return DEMON_OK;
		free(*url);
		*url = next;
		out->redirects++;
	}
}

static enum demon_rc send_with(struct demon_http_exchange *x, struct demon_err *err)
{
	demon_auto_free char *url = demon_strdup(x->request->url);
	enum demon_rc rc;

	if (!url || !x->easy || !x->multi)
		return demon_err_set(err, DEMON_NOMEM, "HTTP client: out of memory");
	if ((rc = travel(x, &url, err)))
		return rc;
	x->out->method = demon_strdup(x->method);
	x->out->url = demon_take(url);
	if (!x->out->method)
		return demon_err_set(err, DEMON_NOMEM, "HTTP client: out of memory");
	return DEMON_OK;
}

enum demon_rc demon_http_send(const struct demon_http_request *request,
			      struct demon_http_response *ret_response, struct demon_err *err)
{
	const struct demon_env *env = request->env;
	struct demon_http_response out = {.body = {.data = demon_buf_empty}};
	struct demon_http_exchange x = {
	    .request = request,
	    .method = request->method,
	    .body = request->body != NULL,
	    .home = true,
	    .deadline = env->mono(env->ctx) + request->timeout_ms * 1000,
	    .out = &out,
	};
	enum demon_rc rc;

	if ((rc = demon_libcurl(&x.curl, err)))
		return rc;
	x.easy = x.curl->easy_init();
	x.multi = x.curl->multi_init();
	rc = send_with(&x, err);
	if (x.multi)
		(void)x.curl->multi_cleanup(x.multi);
	if (x.easy)
		x.curl->easy_cleanup(x.easy);
	if (rc)
		demon_http_response_done(&out);
	else
		*ret_response = out;
	return rc;
}

bool demon_http_retry_after(const struct demon_http_response *r, demon_time now, int64_t *ret_ms)
{
	const char *text = demon_http_fields_get(&r->fields, "Retry-After");
	const struct demon_libcurl *curl;
	struct demon_err err;
	int64_t seconds = 0;
	time_t at;

	if (!text || !*text)
		return false;
	if (strspn(text, "0123456789") == strlen(text)) {
		for (; *text && seconds < INT32_MAX; text++)
			seconds = seconds * 10 + (*text - '0');
		*ret_ms = seconds * 1000;
		return true;
	}
	if (demon_libcurl(&curl, &err) || (at = curl->getdate(text, NULL)) < 0)
		return false;
	*ret_ms = (int64_t)at * 1000 > now ? (int64_t)at * 1000 - now : 0;
	return true;
}
