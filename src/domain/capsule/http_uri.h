/*
 * URIs of HTTP requests: templates, queries, and what a step may name.
 */
#ifndef DEMON_HTTP_URI_H
#define DEMON_HTTP_URI_H

#include "base/buf.h"

#include <jansson.h>

/**
 * Appends @p uri with each "{name}" replaced by the member of that name in @p data, or, where
 * there is none and the name has dots, by what the path of its parts leads to: simple string
 * expansion, RFC 6570 level 1. Strings, numbers and booleans are percent-encoded but for letters,
 * digits and "-._~". DEMON_INVALID: a brace without its fellow, an operator or a modifier of
 * another level, a name that @p data does not have (the message says which), or a value that is
 * null, a list or a mapping. DEMON_NOMEM.
 */
enum demon_rc demon_http_expand(const char *uri, const json_t *data, struct demon_buf *out,
				struct demon_err *err) demon_must_check;

/** Checks the braces of a template as demon_http_expand() does, without data. */
enum demon_rc demon_http_expandable(const char *uri, struct demon_err *err) demon_must_check;

/** What is wrong with @p uri apart from templates, in static storage, or NULL: it must be absolute,
 * http or https, have a host, no user or password, and no other characters than URIs have. */
const char *demon_http_uri_problem(const char *uri);

/** Appends @p uri without its fragment and with the members of @p query (NULL: none; strings,
 * numbers and booleans), percent-encoded. */
void demon_http_uri_build(const char *uri, const json_t *query, struct demon_buf *out);

#endif
