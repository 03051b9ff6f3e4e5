/*
 * Small templates: text with {{name}} in it. Values are put in as they are and never read again as
 * templates; what they may do to the text around them is up to where it goes.
 */
#ifndef DEMON_TEMPLATE_H
#define DEMON_TEMPLATE_H

#include "base/json.h"

#define DEMON_TEMPLATE_MAX ((size_t)16 * 1024) /* bytes of a template */
#define DEMON_TEMPLATE_OUT ((size_t)64 * 1024) /* bytes of what it comes to */

/** What is done to a value. Whatever it is, characters that steer a terminal or the direction of
 * writing do not come through. */
enum demon_escape {
	DEMON_ESCAPE_TEXT, /* of several lines: line feeds and tabs stay */
	DEMON_ESCAPE_LINE, /* one line: every kind of line end is a blank */
	DEMON_ESCAPE_CHAT, /* as text; what begins links and mentions in chats is written out */
};

/** DEMON_INVALID: a brace is not closed, a name is none of @p names (says which was meant), or it
 * is too long. */
enum demon_rc demon_template_check(const char *text, const char *const *names, size_t count,
				   struct demon_err *err) demon_must_check;

/**
 * Appends a template that was checked with the members of @p values in their places: strings and
 * numbers; what is absent is empty. Ends after DEMON_TEMPLATE_OUT bytes, with a mark.
 */
void demon_template_render(const char *text, const json_t *values, enum demon_escape escape,
			   struct demon_buf *out);

/** Appends @p text escaped, at most @p max bytes of whole characters; a cut is marked. */
void demon_template_escape(const char *text, size_t max, enum demon_escape escape,
			   struct demon_buf *out);

#endif
