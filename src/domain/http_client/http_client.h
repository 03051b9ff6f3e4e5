/*
 * Outgoing HTTP: a request, the redirects that follow it, and the answer.
 *
 * TLS is 1.2 or later and always verified. Nothing of the environment has a say: no proxy, no
 * netrc, no cookies. Only http and https are spoken, on redirects too; a redirect from https to
 * http is refused. What authenticates (the credentials here, and every field but those that
 * describe the content) goes to the origin of the request's own URL and to no other, and is not
 * sent again once a redirect has left it.
 *
 * The library behind it is loaded by the first request (libcurl.h). Any thread.
 */
#ifndef DEMON_HTTP_CLIENT_H
#define DEMON_HTTP_CLIENT_H

#include "http_fields.h"

#include <demon/env.h>

#define DEMON_HTTP_FIELDS_MAX ((size_t)64 * 1024)  /* bytes of an answer's fields, 1xx included */
#define DEMON_HTTP_CONNECT_MS ((int64_t)30 * 1000) /* most for one connection to be made */
#define DEMON_HTTP_ASK_MS     200                  /* canceled() is asked so often */

/** What is sent. Everything is borrowed; zero members mean the default. */
struct demon_http_request {
	const struct demon_env *env;            /* its monotonic clock tells when the time is up */
	const char *method;                     /* as it is sent: "GET" */
	const char *url;                        /* http or https, without user and password */
	const struct demon_http_fields *fields; /* NULL: none; they are tokens and values */
	const char *body;                       /* NULL: none */
	size_t body_len;
	/* credentials: a user (without ":") and a password, or a bearer token; NULL: none */
	const char *username;
	const char *password;
	const char *token;
	unsigned redirects;    /* at most so many are followed; 0: one is an answer like others */
	int64_t timeout_ms;    /* of everything, above 0 */
	size_t max_body;       /* bytes of the answer's body that are kept; the rest is not read */
	const char *ca_file;   /* PEM, instead of the machine's; NULL: the machine's */
	const char *cert_file; /* PEM, this side's; NULL: none */
	const char *key_file;  /* PEM; NULL: it is in cert_file */
	/* Asked at least every 250 ms; true: give up. NULL: never. */
	bool (*canceled)(void *ctx);
	void *ctx;
};

/** How it ended. */
enum demon_http_end {
	DEMON_HTTP_ANSWERED,  /* with any status */
	DEMON_HTTP_DNS,       /* the name was not resolved */
	DEMON_HTTP_CONNECT,   /* no connection, or lost before an answer began */
	DEMON_HTTP_TLS,       /* no trust, or a file that cannot be used */
	DEMON_HTTP_TIMED_OUT, /* the time was up */
	DEMON_HTTP_CANCELED,
	DEMON_HTTP_TOO_LARGE, /* its fields; a body that is too large is cut */
	DEMON_HTTP_REDIRECTS, /* too many, or to where none is followed */
	DEMON_HTTP_PROTOCOL,  /* what came is not HTTP, or was cut off */
};

/** What came of it. Zeroed, then done. */
struct demon_http_response {
	enum demon_http_end end;
	char reason[256]; /* what failed, in one line, unless it was answered */
	bool sent;        /* the last request may have been received: something was sent */
	int status;       /* of the last answer; 0: none began */
	char *url;        /* owned: the last one that was asked */
	char *method;     /* owned: the last one that was used */
	struct demon_http_fields asked; /* fields of the last request, credentials left out */
	struct demon_http_fields fields;
	struct demon_buf body;
	bool cut;           /* the body was longer than max_body */
	unsigned redirects; /* that were followed */
	/* of the last request, ms from its start; 0: not reached */
	int64_t resolved_ms;
	int64_t connected_ms;
	int64_t secured_ms;
	int64_t answered_ms; /* its first byte */
};
void demon_http_response_done(struct demon_http_response *r);

/**
 * Sends a request and waits for the answer. *ret_response is zeroed or done; it is set on success
 * only. Whatever the network does is a success whose `end` says what. DEMON_UNAVAIL: there is no
 * client (libcurl.h); DEMON_NOMEM; DEMON_INTERNAL: the library refuses what it was told.
 */
enum demon_rc demon_http_send(const struct demon_http_request *request,
			      struct demon_http_response *ret_response, struct demon_err *err)
    demon_must_check;

/** How long the answer asks to wait before the next request (Retry-After, in seconds or as a
 * date), from @p now on, in ms, 0 or more. False: it does not say. */
bool demon_http_retry_after(const struct demon_http_response *r, demon_time now, int64_t *ret_ms);

#endif
