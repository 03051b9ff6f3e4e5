/*
 * Secrets: named by "secret://SCOPE/KEY" wherever a definition's arguments hold a string, put in
 * place at the last moment before a capsule runs, and taken out of everything that it answers.
 *
 * SCOPE and KEY are [A-Za-z0-9_-]{1,64}. A secret is looked up, in this order, in
 *   - the environment: SECRET_SCOPE_KEY, in upper case, '-' as '_';
 *   - a file: a JSON object of scopes, each an object of strings; it must belong to this user and
 *     be readable by no one else (0600 or stricter; of a symbolic link the target); read anew for
 *     every secret, so that nothing of it is kept; at most 1 MiB; it need not exist;
 *   - a command, called with SCOPE and KEY as its last two arguments, without a shell, and without
 *     the variables SECRET_*: it answers on stdout (one newline at the end is dropped, at most
 *     64 KiB) and exits with 0 within 10 s.
 *
 * A value is 1 to 65536 bytes of UTF-8 without NUL. The next place is asked only when one does not
 * have the secret; one that is at fault ends the search.
 *
 * Any thread.
 */
#ifndef DEMON_SECRET_H
#define DEMON_SECRET_H

#include "base/buf.h"
#include "base/json.h"

/** Where secrets come from. Everything is copied; NULL: not from there. */
struct demon_secrets_options {
	const char *const *environ; /* NAME=VALUE, ended by NULL */
	const char *file;
	const char *const *command; /* argv, ended by NULL */
};

struct demon_secrets;

/** *ret_secrets is new: demon_secrets_close(). Reads nothing yet. */
enum demon_rc demon_secrets_open(const struct demon_secrets_options *options,
				 struct demon_secrets **ret_secrets, struct demon_err *err)
    demon_must_check;
/** Wipes what it holds. NULL is allowed. */
void demon_secrets_close(struct demon_secrets *secrets);

/**
 * Appends the value of a secret. DEMON_NOTFOUND: nowhere. DEMON_DENIED: the file may be read by
 * others, or is not this user's. DEMON_INVALID: a name, the file, the answer or the value is not as
 * above; every failure of the command. DEMON_IO, DEMON_NOMEM. No message ever holds a value.
 */
enum demon_rc demon_secrets_get(struct demon_secrets *secrets, const char *scope, const char *key,
				struct demon_buf *ret_value, struct demon_err *err)
    demon_must_check;

/** Values that must not show. Zeroed, used by one thread, then done (which wipes them). */
struct demon_redactor {
	struct demon_redactor_value *values; /* owned; longest first */
	size_t count;
};
#define DEMON_REDACTOR(name) demon_cleanup(demon_redactor_done) struct demon_redactor name = {0}
void demon_redactor_done(struct demon_redactor *r);

/** What stands in place of a secret. */
#define DEMON_REDACTED "[redacted]"

/**
 * Adds a value, and the forms in which it commonly comes back: base64 and base64url (alone, in
 * lines of 64 and 76, and within something longer: then up to one character at each end stays),
 * percent-encoded, escaped as in JSON, without white space around it, and the lines of a value of
 * several lines when they are 8 bytes or longer. Values shorter than 4 bytes are added as they are.
 *
 * Not found: a value that was changed, cut or split otherwise, compressed, hashed, in hexadecimal,
 * encoded twice, base64 within something longer that is broken into lines. On failure what was
 * added before still counts.
 */
enum demon_rc demon_redactor_add(struct demon_redactor *r, const char *value, size_t len,
				 struct demon_err *err) demon_must_check;

/** Appends @p text to @p out with every value replaced. The longest match at a place wins; values
 * that overlap are replaced together, by one mark. */
void demon_redact_text(const struct demon_redactor *r, const char *text, size_t len,
		       struct demon_buf *out);

/**
 * Replaces values in every string and key of @p tree, in place, and numbers of 8 characters or more
 * that are a value by strings. Keys that become the same get " 2", " 3", ... behind them.
 * DEMON_NOMEM only: the tree is then not to be shown.
 */
enum demon_rc demon_redact_json(const struct demon_redactor *r, json_t *tree, struct demon_err *err)
    demon_must_check;

/** A text that comes in pieces: a value that straddles two is found too. Zeroed, then done. */
struct demon_redact_stream {
	const struct demon_redactor *redactor; /* borrowed */
	char *held;                            /* owned: what may be the beginning of a value */
	size_t held_len;
	size_t covered; /* bytes at its beginning whose mark was handed out already */
};
/** Appends to @p out what is certain after @p bytes; @p last: everything that is left. Out of
 * memory: @p out fails, and what it does not have is lost. */
void demon_redact_more(struct demon_redact_stream *s, const char *bytes, size_t len, bool last,
		       struct demon_buf *out);
void demon_redact_stream_done(struct demon_redact_stream *s);

/** Calls @p fn for every "secret://SCOPE/KEY" in @p text, as long as names go; what is not quite
 * one is passed over. Scope and key are NUL-terminated copies. Stops at the first that is not
 * DEMON_OK and returns it. */
typedef enum demon_rc demon_secret_fn(void *ctx, const char *scope, const char *key, size_t at,
				      size_t len, struct demon_err *err);
enum demon_rc demon_secret_each(const char *text, size_t len, demon_secret_fn *fn, void *ctx,
				struct demon_err *err) demon_must_check;

/**
 * Puts the values in place of their names, in the strings of @p with at @p places (an array of
 * JSON pointers), and adds them to @p r. @p with is changed in place, and on failure not at all;
 * its strings must not be shared with other trees. What a value says is never read as a name.
 * Errors as demon_secrets_get; DEMON_INVALID: there is no string at a place.
 */
enum demon_rc demon_secrets_fill(struct demon_secrets *secrets, json_t *with, const json_t *places,
				 struct demon_redactor *r, struct demon_err *err) demon_must_check;

#endif
