/*
 * The daemon's log: a line a record, to a file and to stderr.
 *
 *	2026-01-31T08:00:00.000Z info listening on http://127.0.0.1:3000 key=value key="two words"
 *
 * Levels: error (someone must act), warn (went on, say so), info (life cycle), debug (--verbose).
 * The text is constant but for an address, what varies stands in pairs; control characters in
 * values are escaped. Any thread.
 */
#ifndef DEMON_LOG_LINES_H
#define DEMON_LOG_LINES_H

#include "base/base.h"

enum demon_level { DEMON_LOG_ERROR, DEMON_LOG_WARN, DEMON_LOG_INFO, DEMON_LOG_DEBUG };

struct demon_log;

/** Opens the log. @p path is copied; NULL: stderr only. Lines above @p level are dropped. */
enum demon_rc demon_log_open(const char *path, enum demon_level level, struct demon_log **ret_log,
			     struct demon_err *err) demon_must_check;
void demon_log_close(struct demon_log *log);

/** Closes and opens the file again, after it was moved away. On failure the old one stays. */
enum demon_rc demon_log_reopen(struct demon_log *log, struct demon_err *err) demon_must_check;

/**
 * Writes a record. After @p text come pairs of key and value, both strings, and a NULL:
 * demon_log_write(log, DEMON_LOG_WARN, "run failed", "run", id, NULL).
 */
void demon_log_write(struct demon_log *log, enum demon_level level, const char *text, ...)
    __attribute__((sentinel));

#endif
