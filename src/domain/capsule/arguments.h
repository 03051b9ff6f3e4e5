/*
 * Checks of the arguments of a capsule, and how they are read.
 */
#ifndef DEMON_ARGUMENTS_H
#define DEMON_ARGUMENTS_H

#include "capsule.h"

/** A check under way. Everything is borrowed. */
struct demon_arguments {
	const json_t *with; /* NULL: none */
	demon_argument_problem_fn *report;
	void *ctx;
};

/** Reports one problem of the value at @p pointer, or of the key that it has. */
void demon_arguments_report(const struct demon_arguments *a, const char *pointer, const char *fmt,
			    ...) demon_printf_like(3, 4);
void demon_arguments_report_key(const struct demon_arguments *a, const char *pointer,
				const char *fmt, ...) demon_printf_like(3, 4);

/**
 * Reports arguments that are not a mapping, and every key outside @p known with the nearest of
 * them. False: the arguments are not a mapping, there is nothing more to check.
 */
bool demon_arguments_known(const struct demon_arguments *a, const char *const *known, size_t count);

/** The value of @p key if it is there and a string; reports any other type. */
const char *demon_arguments_text(const struct demon_arguments *a, const char *key);

/** Reports @p key if it is there and not a boolean. */
void demon_arguments_flag(const struct demon_arguments *a, const char *key);

/**
 * Reads a length of time: seconds as a number above 0, or an ISO 8601 duration of weeks or of
 * days, hours, minutes and seconds ("PT30S", "P1DT12H", "PT0.5S"). False: it is something else,
 * not above 0 ms, or longer than @p max_ms.
 */
bool demon_arguments_duration(const json_t *value, int64_t max_ms, int64_t *ret_ms);

/** Reads such an ISO 8601 duration, which may be none at all ("PT0S"). */
bool demon_arguments_period(const char *text, double *ret_ms);

/** The first problem of arguments that were not known before the run: zeroed, then given as ctx to
 * a check with demon_argument_note(). */
struct demon_argument_problem {
	bool found;
	char pointer[128];
	char text[256];
};
void demon_argument_note(void *ctx, const char *pointer, bool at_key, const char *text);

/** Appends "/KEY" with the escapes of a JSON pointer. */
void demon_arguments_pointer(struct demon_buf *out, const char *key);

#endif
