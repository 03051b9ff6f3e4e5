/*
 * Where a redirect leads.
 */
#ifndef DEMON_HTTP_REDIRECT_H
#define DEMON_HTTP_REDIRECT_H

#include "libcurl.h"

struct demon_http_redirect {
	char *url;           /* owned, new: absolute, without user, password and fragment */
	bool same_origin;    /* scheme, host and port are those of where it came from */
	const char *refused; /* why it is not followed, in static storage; NULL: it is */
};

/** Resolves @p location against @p from. DEMON_NOMEM only. */
enum demon_rc demon_http_redirect(const struct demon_libcurl *curl, const char *from,
				  const char *location, struct demon_http_redirect *ret,
				  struct demon_err *err) demon_must_check;

/** Whether a redirect with this status changes the method to GET and drops the body. */
bool demon_http_redirect_to_get(int status, const char *method);

/** Whether an answer with this status and a Location is a redirect. */
bool demon_http_is_redirect(int status);

#endif
