/*
 * One request over the wire and its answer; a redirect is an answer like others. For
 * src/domain/http_client only.
 */
#ifndef DEMON_HTTP_EXCHANGE_H
#define DEMON_HTTP_EXCHANGE_H

#include "http_client.h"
#include "libcurl.h"

struct demon_http_exchange {
	const struct demon_libcurl *curl;
	const struct demon_http_request *request; /* limits, files, body */
	CURL *easy;           /* borrowed; keeps connections from one exchange to the next */
	CURLM *multi;         /* borrowed */
	const char *url;      /* borrowed */
	const char *method;   /* borrowed */
	bool body;            /* the request's body is sent */
	bool home;            /* this is the origin that may see credentials */
	demon_ticks deadline; /* of the request's clock */
	/* state of the one under way */
	struct demon_http_response *out; /* borrowed; `asked` is what is sent */
	size_t field_bytes;
	bool whole_head; /* the line that ends the fields has come */
	bool nomem;
	const char *malformed; /* what is wrong with a field, in static storage, or NULL */
	char error[CURL_ERROR_SIZE];
};

/** Makes the exchange. x->out has its end, reason, fields, body, times and status afterwards. */
enum demon_rc demon_http_exchange(struct demon_http_exchange *x, struct demon_err *err)
    demon_must_check;

#endif
