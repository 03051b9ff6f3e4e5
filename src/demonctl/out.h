/*
 * What goes to stdout: results, as JSON lines or as plain text; and notes on stderr.
 *
 * Text from events and files is printed with control characters replaced, so that no event can
 * steer a terminal. Failed writes are noticed once, by main, when stdout is flushed.
 */
#ifndef DEMON_OUT_H
#define DEMON_OUT_H

#include "base/buf.h"
#include "base/json.h"
#include "cli/settings.h"

#include <demon/env.h>

/** Prints @p doc: canonical on one line with --json, else readable. Steals @p doc_new; NULL
 * stands for a tree that memory did not suffice for. */
enum demon_rc demon_out_json(const struct demon_settings *s, json_t *doc_new, struct demon_err *err)
    demon_must_check;

/** The same for a text that is canonical JSON. */
enum demon_rc demon_out_canonical(const struct demon_settings *s, const char *text, size_t len,
				  struct demon_err *err) demon_must_check;

/** A line on stdout as it is. */
void demon_out_line(const char *text);

/** "name    value" on stdout, names in a column of 16; for a record in plain text. */
void demon_out_field(const char *name, const char *fmt, ...) demon_printf_like(2, 3);

/** A line on stderr, unless --quiet. */
void demon_out_note(const struct demon_settings *s, const char *fmt, ...) demon_printf_like(2, 3);

/** Appends @p text with control characters replaced by U+FFFD. */
void demon_out_printable(struct demon_buf *out, const char *text);

/** A time as RFC 3339 in one of four static buffers, "-" for 0. One thread. */
const char *demon_out_time(demon_time t);

/** Appends a length of time: "12 ms", "1.2 s", "3 m 20 s", "5 h 3 m", "2 d 4 h". */
void demon_out_duration(struct demon_buf *out, int64_t ms);

/** RFC 3339 as a JSON string (new), or null for 0. */
json_t *demon_out_time_json(demon_time t);

/** How @p status is coloured on a terminal: an escape sequence, or "". */
const char *demon_out_color(const struct demon_settings *s, const char *status);

/** Columns of equal width; printed at the end. */
struct demon_table {
	const struct demon_settings *settings;
	const char *const *heads; /* NULL-terminated */
	size_t columns;
	size_t status_column; /* coloured; (size_t)-1: none */
	char **cells;         /* owned */
	size_t count;
	size_t cap;
	bool failed; /* out of memory */
};

struct demon_table demon_table_begin(const struct demon_settings *s, const char *const *heads,
				     size_t status_column);
/** Adds a cell; rows fill from the left. */
void demon_table_cell(struct demon_table *t, const char *text);
/** Prints heads and rows; nothing when there are no rows. */
enum demon_rc demon_table_print(struct demon_table *t, struct demon_err *err) demon_must_check;
void demon_table_done(struct demon_table *t);

#endif
