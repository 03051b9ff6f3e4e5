/*
 * Times and lengths of time as options take them.
 */
#ifndef DEMON_WHEN_H
#define DEMON_WHEN_H

#include <demon/env.h>

/** Reads the value of option @p option: RFC 3339, a date, or a length of time (90s, 15m, 24h, 7d,
 * 2w) before now (@p sign -1) or from now on (1). DEMON_USAGE: something else. */
enum demon_rc demon_when(const char *text, const char *option, int sign, demon_time *ret_t,
			 struct demon_err *err) demon_must_check;

/** Reads a length of time, in ms; 0 needs no unit. DEMON_USAGE: something else. */
enum demon_rc demon_when_length(const char *text, const char *option, int64_t *ret_ms,
				struct demon_err *err) demon_must_check;

#endif
