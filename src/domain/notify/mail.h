/*
 * Mails: RFC 5322 with MIME, plain text in UTF-8.
 */
#ifndef DEMON_MAIL_H
#define DEMON_MAIL_H

#include "base/buf.h"

#include <demon/env.h>

/** What a mail says. Addresses were checked (route.h); subject is one line, text is any. Borrowed.
 */
struct demon_mail {
	const char *from;
	const char *to;
	const char *subject;
	const char *text;
	const char *key;    /* of the Message-ID: the same mail has the same */
	const char *thread; /* what mails belong together by: hexadecimal; NULL: none */
	const char *topic;
	demon_time ts;
};

/** Appends the mail with CRLF line ends. Every line is ASCII, and at most 78 characters long unless
 * an address is longer; none begins with a dot. */
void demon_mail_write(const struct demon_mail *mail, struct demon_buf *out);

/** Appends the text of a header field, in encoded words (RFC 2047) and folded where it has to be.
 * @p used: columns of the line that are taken, at most 12 where that matters. */
void demon_mail_header_text(const char *text, size_t used, struct demon_buf *out);

#endif
