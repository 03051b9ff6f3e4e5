/*
 * http: sends a request and answers with what came back.
 */
#include "arguments.h"
#include "http_answer.h"
#include "http_arguments.h"
#include "output.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define SLICE_MS 200 /* of a wait, after which it is asked whether it is still wanted */

/* One call of the capsule. */
struct session {
	const struct demon_call *call;
	struct demon_envelope *envelope;
	struct demon_http_plan plan;
	struct demon_http_response response;
	demon_ticks began;
	bool limited; /* the call's limit is what ends the try, not the step's own */
};

static bool refuse_arguments(struct demon_envelope *e, const json_t *with)
{
	struct demon_argument_problem p = {0};

	demon_http_check(with, demon_argument_note, &p);
	if (p.found)
		demon_envelope_error(e, "HTTP_ARGUMENTS", p.text,
				     json_pack("{s:s}", "pointer", p.pointer));
	return p.found;
}

static int64_t elapsed_ms(const struct session *s)
{
	const struct demon_env *env = s->call->env;

	return (env->mono(env->ctx) - s->began) / 1000;
}

/* What is left of the call's limit; without one, more than anything here takes. */
static int64_t left_ms(const struct session *s)
{
	int64_t left;

	if (s->call->limit_ms <= 0)
		return INT64_MAX;
	left = s->call->limit_ms - elapsed_ms(s);
	return left > 0 ? left : 0;
}

static enum demon_rc try_once(struct session *s, struct demon_err *err)
{
	int64_t left = left_ms(s);

	s->limited = left <= s->plan.timeout_ms;
	s->plan.request.timeout_ms = s->limited ? left : s->plan.timeout_ms;
	demon_http_response_done(&s->response);
	return demon_http_send(&s->plan.request, &s->response, err);
}

/* Whether the same request may bring something else. What may have been received is sent again
 * only if the step says so, by its statuses or by being idempotent. */
static bool is_worth_trying(const struct session *s)
{
	const struct demon_http_response *r = &s->response;

	if (r->end == DEMON_HTTP_ANSWERED)
		return !demon_http_is_success(&s->plan, r) &&
		       demon_http_is_retried(&s->plan, r->status);
	if (r->end == DEMON_HTTP_DNS || (r->end == DEMON_HTTP_CONNECT && !r->sent))
		return true;
	return s->plan.idempotent &&
	       (r->end == DEMON_HTTP_CONNECT || r->end == DEMON_HTTP_TIMED_OUT);
}

/* How long to wait before try @p n + 1: twice as long each time, or what the answer asks for. */
static int64_t delay_of(const struct session *s, int64_t n)
{
	const struct demon_env *env = s->call->env;
	int64_t delay = s->plan.delay_ms;
	int64_t asked;

	for (; n > 1 && delay < DEMON_HTTP_DELAY_MAX_MS; n--)
		delay *= 2;
	if (demon_http_retry_after(&s->response, env->now(env->ctx), &asked) && asked > delay)
		delay = asked;
	return delay < DEMON_HTTP_DELAY_MAX_MS ? delay : DEMON_HTTP_DELAY_MAX_MS;
}

/* False: the call was canceled meanwhile. */
static bool wait_for(const struct session *s, int64_t ms)
{
	int64_t end = elapsed_ms(s) + ms;
	int64_t left;

	while ((left = end - elapsed_ms(s)) > 0) {
		if (s->call->canceled && s->call->canceled(s->call->ctx))
			return false;
		(void)poll(NULL, 0, left < SLICE_MS ? (int)left : SLICE_MS);
	}
	return true;
}

static void say_again(const struct session *s, int64_t delay)
{
	const struct demon_http_response *r = &s->response;

	if (r->end == DEMON_HTTP_ANSWERED)
		demon_envelope_say(s->envelope, "info",
				   "answered with status %d, trying again in %lld ms", r->status,
				   (long long)delay);
	else
		demon_envelope_say(s->envelope, "info", "%.160s, trying again in %lld ms",
				   r->reason, (long long)delay);
}

/* Tries until it is answered for good. *ret_canceled: it was given up between two tries. */
static enum demon_rc try_all(struct session *s, bool *ret_canceled, struct demon_err *err)
{
	enum demon_rc rc;
	int64_t n = 1;

	*ret_canceled = false;
	while (!(rc = try_once(s, err)) && n <= s->plan.attempts && is_worth_trying(s)) {
		int64_t delay = delay_of(s, n);

		if (delay >= left_ms(s)) {
			demon_envelope_say(s->envelope, "warning",
					   "not tried again: no time is left for it");
			break;
		}
		say_again(s, delay);
		if (!wait_for(s, delay)) {
			*ret_canceled = true;
			break;
		}
		n++;
	}
	demon_envelope_count(s->envelope, "tries", (uint64_t)n);
	return rc;
}

static enum demon_rc answer(struct session *s, bool canceled, struct demon_err *err)
{
	if (canceled)
		demon_envelope_error(s->envelope, "CANCELED", "canceled", json_object());
	else if (s->response.end == DEMON_HTTP_TIMED_OUT && s->limited)
		demon_envelope_error(s->envelope, "TIMEOUT", "the step's time was up",
				     json_object());
	else
		return demon_http_answer(s->envelope, &s->plan, &s->response, err);
	return DEMON_OK;
}

static void end_session(struct session *s)
{
	demon_http_plan_done(&s->plan);
	demon_http_response_done(&s->response);
}

static enum demon_rc run(const struct demon_call *call, json_t **ret_envelope,
			 struct demon_err *err)
{
	demon_cleanup(demon_envelope_done) struct demon_envelope e =
	    demon_envelope_begin(call->env, "http-capsule", "0.0.1");
	demon_cleanup(end_session) struct session s = {
	    .call = call, .envelope = &e, .began = call->env->mono(call->env->ctx)};
	bool canceled;
	enum demon_rc rc;

	if (refuse_arguments(&e, call->with))
		return demon_envelope_end(&e, ret_envelope, err);
	if ((rc = demon_http_plan_make(&s.plan, call, err)))
		return rc;
	rc = try_all(&s, &canceled, err);
	if (rc == DEMON_UNAVAIL)
		demon_envelope_error(&e, "HTTP_UNAVAILABLE", err->msg, json_object());
	else if (rc || (rc = answer(&s, canceled, err)))
		return rc;
	return demon_envelope_end(&e, ret_envelope, err);
}

const struct demon_capsule demon_capsule_http = {
    .name = "http", .check = demon_http_check, .idempotent = demon_http_idempotent, .run = run};
