/*
 * Messages: a notice in the words and the format of a route, ready to be sent.
 */
#ifndef DEMON_MESSAGE_H
#define DEMON_MESSAGE_H

#include "domain/http_client/http_fields.h"
#include "notice.h"
#include "route.h"

/** Zeroed, then done. */
struct demon_message {
	struct demon_http_fields fields; /* of an HTTP request */
	struct demon_buf body;           /* its body, or a mail as it goes through SMTP */
};
void demon_message_done(struct demon_message *m);

/**
 * Builds the message. @p route has its secrets filled in; @p now is the time of this attempt, which
 * signatures cover; everything else is the same for every attempt. DEMON_INVALID: what a secret
 * came to cannot be used; DEMON_NOMEM; DEMON_TOOBIG.
 */
enum demon_rc demon_message_build(const struct demon_route *route,
				  const struct demon_notice *notice, demon_time now,
				  struct demon_message *ret_message, struct demon_err *err)
    demon_must_check;

#endif
