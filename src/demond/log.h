/*
 * The daemon's log: a line a record, to a file as JSON and to stderr as text.
 *
 *	{"ts":"2026-01-31T08:00:00.000Z","level":"info","msg":"run executed","runId":"r1"}
 *	2026-01-31T08:00:00.000Z info run executed runId=r1 key="two words"
 *	<6>run executed runId=r1 key="two words"
 *
 * The third is for the journal of systemd, which has a time of its own: when stderr is the stream
 * that the service manager named. Levels: error (someone must act), warn (went on, say so), info
 * (life cycle), debug (--verbose). The text is constant but for an address, what varies stands in
 * pairs; control characters in values are escaped. docs/logging.md lists the keys. Any thread.
 */
#ifndef DEMON_LOG_LINES_H
#define DEMON_LOG_LINES_H

#include "base/base.h"

enum demon_level { DEMON_LOG_ERROR, DEMON_LOG_WARN, DEMON_LOG_INFO, DEMON_LOG_DEBUG };

struct demon_log;

struct demon_log_options {
	const char *path;              /* of the file; copied; NULL: none */
	const char *journal;           /* $JOURNAL_STREAM, "DEVICE:INODE", or NULL */
	enum demon_level level;        /* less important lines are dropped */
	enum demon_level stderr_level; /* the same for stderr alone */
};

/** Opens the log. DEMON_IO: the file cannot be opened. */
enum demon_rc demon_log_open(const struct demon_log_options *options, struct demon_log **ret_log,
			     struct demon_err *err) demon_must_check;
void demon_log_close(struct demon_log *log);

/** Closes and opens the file again, after it was moved away. On failure the old one stays. */
enum demon_rc demon_log_reopen(struct demon_log *log, struct demon_err *err) demon_must_check;

/** True when lines of this level are written anywhere. */
bool demon_log_takes(const struct demon_log *log, enum demon_level level);

/**
 * Writes a record. After @p text come pairs of key and value, both strings, and a NULL:
 * demon_log_write(log, DEMON_LOG_WARN, "run failed", "runId", id, NULL). A pair whose value is NULL
 * is left out. Keys need no escape.
 */
void demon_log_write(struct demon_log *log, enum demon_level level, const char *text, ...)
    __attribute__((sentinel));

#endif
