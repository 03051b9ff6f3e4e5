/*
 * Sending one mail to one address over SMTP, by libcurl (http_client/libcurl.h).
 *
 * TLS is 1.2 or later and verified: from the first byte (smtps), or by STARTTLS, without which
 * nothing is sent unless the route says that it goes in the clear. Nothing of the environment has
 * a say. Any thread.
 */
#ifndef DEMON_SMTP_H
#define DEMON_SMTP_H

#include "base/buf.h"

#include <demon/env.h>

/** What is sent. Everything is borrowed. */
struct demon_smtp_request {
	const struct demon_env *env; /* its monotonic clock tells when the time is up */
	const char *url;             /* smtp or smtps */
	const char *from;
	const char *to;
	const char *username; /* NULL: none */
	const char *password;
	const char *ca_file; /* PEM, instead of the machine's; NULL: the machine's */
	bool plain;          /* without TLS */
	const char *mail;
	size_t mail_len;
	int64_t timeout_ms;          /* of everything, above 0 */
	bool (*canceled)(void *ctx); /* asked at least every 250 ms; NULL: never */
	void *ctx;
};

/** What came of it. */
struct demon_smtp_response {
	bool sent;        /* the server has taken it */
	bool canceled;    /* it was given up */
	int status;       /* the server's last; 0: it has not said anything */
	char reason[256]; /* in one line, unless it was sent */
};

/** Whatever the network and the server do is a success that says what. DEMON_UNAVAIL: there is no
 * client; DEMON_NOMEM; DEMON_INTERNAL: the library refuses what it was told. */
enum demon_rc demon_smtp_send(const struct demon_smtp_request *request,
			      struct demon_smtp_response *ret_response, struct demon_err *err)
    demon_must_check;

#endif
