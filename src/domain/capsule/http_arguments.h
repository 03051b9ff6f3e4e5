/*
 * Arguments of the http capsule: how they are checked, and the request that they ask for.
 */
#ifndef DEMON_HTTP_ARGUMENTS_H
#define DEMON_HTTP_ARGUMENTS_H

#include "capsule.h"
#include "domain/http_client/http_client.h"

#define DEMON_HTTP_REDIRECTS_MAX  10
#define DEMON_HTTP_ATTEMPTS_MAX   20                   /* tries after the first */
#define DEMON_HTTP_TIMEOUT_MS     ((int64_t)60 * 1000) /* of a try, unless the step says */
#define DEMON_HTTP_TIMEOUT_MAX_MS ((int64_t)24 * 3600 * 1000)
#define DEMON_HTTP_BYTES          ((size_t)1024 * 1024) /* of a body, unless the step says */
#define DEMON_HTTP_BYTES_MAX      ((size_t)4 * 1024 * 1024)
#define DEMON_HTTP_DELAY_MAX_MS   ((int64_t)5 * 60 * 1000) /* between two tries */

void demon_http_check(const json_t *with, demon_argument_problem_fn *report, void *ctx);

/** Whether the request may be sent again: what the step says, else what the method means. */
bool demon_http_idempotent(const json_t *with);

enum demon_http_output { DEMON_HTTP_CONTENT, DEMON_HTTP_RAW, DEMON_HTTP_RESPONSE };

/** What a step wants. It borrows from its call and is zeroed, then done. */
struct demon_http_plan {
	struct demon_http_request request;
	struct demon_http_fields fields; /* owned; the request's */
	struct demon_buf url;            /* owned; the request's */
	struct demon_buf body;           /* owned; the request's, unless it is a string of with */
	enum demon_http_output output;
	bool follow; /* redirects are followed, and 3xx is no error */
	bool idempotent;
	int64_t timeout_ms; /* of one try */
	int64_t attempts;   /* tries after the first */
	int64_t delay_ms;
	const json_t *statuses; /* after which it is tried again; NULL: the default */
};
void demon_http_plan_done(struct demon_http_plan *plan);

/** Makes the plan of a call whose arguments hold to the check. DEMON_NOMEM, DEMON_INVALID: a body
 * that JSON cannot say. */
enum demon_rc demon_http_plan_make(struct demon_http_plan *plan, const struct demon_call *call,
				   struct demon_err *err) demon_must_check;

/** Whether an answer with this status is asked for again. */
bool demon_http_is_retried(const struct demon_http_plan *plan, int status);

#endif
