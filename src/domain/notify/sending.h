/*
 * One attempt to send a notice by a route, and what it came to.
 */
#ifndef DEMON_SENDING_H
#define DEMON_SENDING_H

#include "domain/secret/secret.h"
#include "notice.h"
#include "route.h"

/** What attempts are made with. Borrowed. */
struct demon_sending {
	const struct demon_env *env;
	struct demon_secrets *secrets;
	bool (*canceled)(void *ctx); /* asked while the network is waited for; NULL: never */
	void *ctx;
};

enum demon_sent_end {
	DEMON_SENT,          /* the other side has taken it */
	DEMON_SENT_LATER,    /* not this time */
	DEMON_SENT_REFUSED,  /* the other side says that it never will */
	DEMON_SENT_CANCELED, /* it was given up; it may have arrived */
};

struct demon_sent {
	enum demon_sent_end end;
	int status;             /* of HTTP or SMTP; 0: there was no answer */
	int64_t retry_after_ms; /* as the answer asked; -1: it did not */
	char text[256];         /* why not, in one line without secrets */
};

/**
 * Makes one attempt. @p value is that of the route, checked, with names of secrets in it. Whatever
 * hinders it, missing secrets too, is a success that says so; fails with DEMON_NOMEM only, and
 * DEMON_INTERNAL.
 */
enum demon_rc demon_sending_try(const struct demon_sending *sending, const json_t *value,
				const struct demon_notice *notice, struct demon_sent *ret_sent,
				struct demon_err *err) demon_must_check;

#endif
