/*
 * Header fields of a message, in order. Names compare without regard to case.
 *
 * A zeroed list is valid. The first lack of memory sticks in `failed`.
 */
#ifndef DEMON_HTTP_FIELDS_H
#define DEMON_HTTP_FIELDS_H

#include "base/buf.h"

struct demon_http_field {
	char *name;
	char *value; /* without white space around it */
};

struct demon_http_fields {
	struct demon_http_field *items; /* owned */
	size_t count;
	size_t room;
	bool failed; /* memory ran out */
};

void demon_http_fields_done(struct demon_http_fields *f);

/** Forgets the fields, keeps the memory and the failure. */
void demon_http_fields_clear(struct demon_http_fields *f);

/** Appends a field; both are copied. */
void demon_http_fields_add(struct demon_http_fields *f, const char *name, const char *value);

/** Appends the field that a line of a message says, "Name: value" with or without its line end. A
 * line that begins with white space goes on with the field before it; what is neither is left
 * out. */
void demon_http_fields_line(struct demon_http_fields *f, const char *line, size_t len);

/** The value of the first field of that name, borrowed, or NULL. */
const char *demon_http_fields_get(const struct demon_http_fields *f, const char *name);

/** Whether @p text is a token (RFC 9110, §5.6.2): a field's name, a method. */
bool demon_http_is_token(const char *text);

/** Whether @p text can be a field's value: no control characters but tabs. */
bool demon_http_is_value(const char *text);

#endif
