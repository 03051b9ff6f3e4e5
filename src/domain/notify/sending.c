#include "sending.h"

#include "domain/http_client/http_client.h"
#include "message.h"
#include "smtp.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX ((size_t)16 * 1024) /* bytes of an answer that are read */

/* An attempt under way. */
struct attempt {
	const struct demon_sending *sending;
	struct demon_route route;
	json_t *value; /* owned; with the secrets in their places */
	struct demon_redactor redactor;
	struct demon_message message;
};

static void attempt_done(struct attempt *a)
{
	demon_message_done(&a->message);
	demon_redactor_done(&a->redactor);
	json_decref(a->value);
}

static void say(const struct attempt *a, struct demon_sent *sent, const char *text)
{
	DEMON_BUF(clean, 0);

	demon_redact_text(&a->redactor, text, strlen(text), &clean);
	(void)snprintf(sent->text, sizeof(sent->text), "%s", clean.rc ? "" : clean.data);
}

/* What stands in the way on this side is no reason to give a notification up: people repair it. */
static enum demon_rc hindered(const struct attempt *a, const struct demon_err *why,
			      struct demon_sent *sent, struct demon_err *err)
{
	if (why->rc == DEMON_NOMEM || why->rc == DEMON_INTERNAL)
		return demon_err_set(err, why->rc, "%s", why->msg);
	sent->end = DEMON_SENT_LATER;
	say(a, sent, why->msg);
	return DEMON_OK;
}

static enum demon_sent_end judge(int status)
{
	if (status >= 200 && status < 300)
		return DEMON_SENT;
	if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429)
		return DEMON_SENT_REFUSED;
	return DEMON_SENT_LATER;
}

static void judge_answer(const struct attempt *a, const struct demon_http_response *r,
			 struct demon_sent *sent)
{
	const struct demon_env *env = a->sending->env;
	char text[64];

	sent->status = r->status;
	sent->end = judge(r->status);
	if (sent->end == DEMON_SENT)
		return;
	(void)snprintf(text, sizeof(text), "the answer was %d", r->status);
	say(a, sent, text);
	if (!demon_http_retry_after(r, env->now(env->ctx), &sent->retry_after_ms))
		sent->retry_after_ms = -1;
}

/* A filled-in address is held to less than a written one: it is secret, and nobody is told it. */
static bool is_sendable(const char *url)
{
	return url && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
}

static enum demon_rc post(struct attempt *a, struct demon_sent *sent, struct demon_err *err)
{
	const struct demon_http_request request = {
	    .env = a->sending->env,
	    .method = "POST",
	    .url = a->route.url,
	    .fields = &a->message.fields,
	    .body = a->message.body.data,
	    .body_len = a->message.body.len,
	    .timeout_ms = a->route.timeout_ms,
	    .max_body = ANSWER_MAX,
	    .ca_file = a->route.ca_file,
	    .canceled = a->sending->canceled,
	    .ctx = a->sending->ctx,
	};
	struct demon_http_response response = {0};
	struct demon_err why = {0};

	if (!is_sendable(a->route.url)) {
		(void)demon_err_set(&why, DEMON_INVALID,
				    "the secret of the address is no http or https address");
		return hindered(a, &why, sent, err);
	}
	if (demon_http_send(&request, &response, &why))
		return hindered(a, &why, sent, err);
	if (response.end == DEMON_HTTP_ANSWERED) {
		judge_answer(a, &response, sent);
	} else {
		sent->end =
		    response.end == DEMON_HTTP_CANCELED ? DEMON_SENT_CANCELED : DEMON_SENT_LATER;
		say(a, sent, response.reason);
	}
	demon_http_response_done(&response);
	return DEMON_OK;
}

static enum demon_rc mail(struct attempt *a, const char *to, struct demon_sent *sent,
			  struct demon_err *err)
{
	const struct demon_smtp_request request = {
	    .env = a->sending->env,
	    .url = a->route.url,
	    .from = a->route.from,
	    .to = to,
	    .username = a->route.username,
	    .password = a->route.password,
	    .ca_file = a->route.ca_file,
	    .plain = a->route.plain,
	    .mail = a->message.body.data,
	    .mail_len = a->message.body.len,
	    .timeout_ms = a->route.timeout_ms,
	    .canceled = a->sending->canceled,
	    .ctx = a->sending->ctx,
	};
	struct demon_smtp_response response;
	struct demon_err why = {0};

	if (demon_smtp_send(&request, &response, &why))
		return hindered(a, &why, sent, err);
	sent->status = response.status;
	sent->end = response.sent            ? DEMON_SENT
		    : response.canceled      ? DEMON_SENT_CANCELED
		    : response.status >= 500 ? DEMON_SENT_REFUSED
					     : DEMON_SENT_LATER;
	say(a, sent, response.reason);
	return DEMON_OK;
}

/* Puts the secrets in and reads the route again. */
static enum demon_rc fill(struct attempt *a, const json_t *value, struct demon_err *err)
{
	json_auto_t *places = demon_route_secrets(value);
	enum demon_rc rc;

	a->value = demon_json_copy(value);
	if (!a->value || !places)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a route");
	rc = demon_secrets_fill(a->sending->secrets, a->value, places, &a->redactor, err);
	demon_route_read(a->value, &a->route);
	return rc;
}

enum demon_rc demon_sending_try(const struct demon_sending *sending, const json_t *value,
				const struct demon_notice *notice, struct demon_sent *ret_sent,
				struct demon_err *err)
{
	const struct demon_env *env = sending->env;
	demon_cleanup(attempt_done) struct attempt a = {.sending = sending};
	struct demon_sent sent = {.retry_after_ms = -1};
	struct demon_err why = {0};
	enum demon_rc rc;

	if (fill(&a, value, &why) ||
	    demon_message_build(&a.route, notice, env->now(env->ctx), &a.message, &why))
		rc = hindered(&a, &why, &sent, err);
	else if (a.route.kind == DEMON_ROUTE_SMTP)
		rc = mail(&a, notice->recipient, &sent, err);
	else
		rc = post(&a, &sent, err);
	if (!rc)
		*ret_sent = sent;
	return rc;
}
