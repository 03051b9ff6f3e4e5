/*
 * Result codes and error text.
 *
 * Every function that can fail returns enum demon_rc and, on failure, fills the caller's
 * struct demon_err. The three translations that a program needs (words, HTTP status, exit
 * status) stand beside the code, once.
 */
#ifndef DEMON_ERR_H
#define DEMON_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define demon_must_check        __attribute__((warn_unused_result))
#define demon_printf_like(f, a) __attribute__((format(printf, f, a)))

#if defined(__GNUC__)
#define DEMON_API __attribute__((visibility("default")))
#else
#define DEMON_API
#endif

/* X(code, words, HTTP status, exit status) */
#define DEMON_RC_LIST(X)                                                                    \
	X(DEMON_OK, "ok", 200, 0)                                                           \
	X(DEMON_FAILED, "failed", 422, 1)   /* the operation ran and its answer is no */    \
	X(DEMON_USAGE, "usage", 400, 2)     /* the request itself is malformed */           \
	X(DEMON_INVALID, "invalid", 400, 1) /* input that does not hold to its format */    \
	X(DEMON_NOTFOUND, "not found", 404, 3)                                              \
	X(DEMON_CONFLICT, "conflict", 409, 4) /* the state has moved on */                  \
	X(DEMON_EXISTS, "exists already", 409, 4)                                           \
	X(DEMON_DENIED, "refused", 403, 5)   /* policy, authorization, a denied gate */     \
	X(DEMON_TOOBIG, "too large", 413, 1) /* a stated limit was met */                   \
	X(DEMON_BUSY, "busy", 503, 6)        /* locked by another; trying again may help */ \
	X(DEMON_UNAVAIL, "unavailable", 503, 6)                                             \
	X(DEMON_NEWER, "made by a newer version", 503, 6)                                   \
	X(DEMON_TIMEOUT, "timed out", 504, 1)                                               \
	X(DEMON_CANCELED, "canceled", 409, 1)                                               \
	X(DEMON_CORRUPT, "damaged", 500, 7) /* damaged, tampered or altered data */         \
	X(DEMON_READONLY, "read-only", 500, 1)                                              \
	X(DEMON_FULL, "disk full", 507, 1)                                                  \
	X(DEMON_IO, "input/output error", 500, 1)                                           \
	X(DEMON_NOMEM, "out of memory", 500, 1)                                             \
	X(DEMON_INTERNAL, "internal error", 500, 1) /* a mistake of this program */

#define DEMON_RC_ENUM(code, words, http, status) code,
enum demon_rc { DEMON_RC_LIST(DEMON_RC_ENUM) };
#undef DEMON_RC_ENUM

/** What failed and why. Lives with the caller; never NULL where a function asks for one. */
struct demon_err {
	enum demon_rc rc; /* the code that was returned; DEMON_OK: nothing failed */
	int sys;          /* the foreign code behind it (errno, SQLite's extended code), or 0 */
	char msg[512];    /* one line: what failed first, lower case, no full stop */
};

/** The words of a code, in static storage. Any thread. */
DEMON_API const char *demon_rc_text(enum demon_rc rc);

/** The HTTP status that answers a request which failed with @p rc. Any thread. */
DEMON_API int demon_rc_http(enum demon_rc rc);

/** The exit status of a program which failed with @p rc (docs: the table in README). */
DEMON_API int demon_rc_exit(enum demon_rc rc);

/** Sets code and message and returns @p rc, so that `return demon_err_set(...)` reads well. */
DEMON_API enum demon_rc demon_err_set(struct demon_err *err, enum demon_rc rc, const char *fmt, ...)
    demon_printf_like(3, 4);

/** The same, with the text of errno value @p sys appended after ": ". */
DEMON_API enum demon_rc demon_err_sys(struct demon_err *err, enum demon_rc rc, int sys,
				      const char *fmt, ...) demon_printf_like(4, 5);

/** Puts "what: " before the message and returns err->rc: `run 'r-7': gate 'g1': decided`. */
DEMON_API enum demon_rc demon_err_wrap(struct demon_err *err, const char *fmt, ...)
    demon_printf_like(2, 3);

#endif
