/*
 * What the http capsule answers, made of what the network did.
 */
#ifndef DEMON_HTTP_ANSWER_H
#define DEMON_HTTP_ANSWER_H

#include "envelope.h"
#include "http_arguments.h"

/** Canonical JSON of the answer's data is at most so long: an event has to hold it. */
#define DEMON_HTTP_DATA_MAX ((size_t)480 * 1024)

/** Whether the answer's status is a success. */
bool demon_http_is_success(const struct demon_http_plan *plan, const struct demon_http_response *r);

/** Puts the result into @p e. DEMON_NOMEM only. */
enum demon_rc demon_http_answer(struct demon_envelope *e, const struct demon_http_plan *plan,
				const struct demon_http_response *r, struct demon_err *err)
    demon_must_check;

#endif
