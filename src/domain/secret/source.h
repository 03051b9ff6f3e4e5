/*
 * Where secrets are kept outside this process: a file, a command. For src/domain/secret only.
 *
 * Both append a value as it is there; secret.c judges it. Memory that held a value is wiped, as
 * far as it is ours: the JSON parser and the kernel keep copies of their own.
 */
#ifndef DEMON_SECRET_SOURCE_H
#define DEMON_SECRET_SOURCE_H

#include "base/buf.h"

#define DEMON_SECRET_MAX ((size_t)64 * 1024) /* bytes of a value */

/** Wipes the content of a buffer and frees it. Also a cleanup guard. */
void demon_secret_wipe(struct demon_buf *b);
/** Declares a guarded buffer whose content is wiped. */
#define DEMON_SECRET_BUF(name) \
	demon_cleanup(demon_secret_wipe) struct demon_buf name = {.data = demon_buf_empty, .max = 0}

/** DEMON_NOTFOUND: no such file, or it has no such secret. DEMON_DENIED, DEMON_INVALID as in
 * secret.h; DEMON_IO, DEMON_NOMEM. */
enum demon_rc demon_secret_from_file(const char *path, const char *scope, const char *key,
				     struct demon_buf *ret_value, struct demon_err *err)
    demon_must_check;

/** @p command and @p variables end with NULL; PATH of @p variables finds a program without '/'.
 * DEMON_INVALID: whatever is not an answer; DEMON_NOMEM. */
enum demon_rc demon_secret_from_command(const char *const *command, const char *const *variables,
					const char *scope, const char *key,
					struct demon_buf *ret_value, struct demon_err *err)
    demon_must_check;

#endif
