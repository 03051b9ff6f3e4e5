/*
 * The rule at the end of a zone's file, for all times behind its last transition: a TZ string of
 * POSIX with the extensions of RFC 8536, such as "CET-1CEST,M3.5.0,M10.5.0/3".
 */
#ifndef DEMON_ZONE_RULE_H
#define DEMON_ZONE_RULE_H

#include "base/base.h"

/** When, within a year, a clock is set. */
struct demon_zone_day {
	enum { DEMON_ZONE_MONTHLY, DEMON_ZONE_JULIAN, DEMON_ZONE_ORDINAL } kind;
	int month; /* MONTHLY: 1 to 12 */
	int week;  /* MONTHLY: 1 to 5, 5: the last */
	int day;   /* MONTHLY: 0 is Sunday; JULIAN: 1 to 365, no leap day; ORDINAL: 0 to 365 */
	int time;  /* seconds after the midnight of the clock that is set; may be beyond the day */
};

struct demon_zone_rule {
	int standard; /* seconds east of UTC */
	int summer;
	bool has_summer;
	struct demon_zone_day from; /* summer */
	struct demon_zone_day to;
};

/** False: it is no such string. */
bool demon_zone_rule_read(const char *text, size_t len, struct demon_zone_rule *ret_rule)
    demon_must_check;

/** Seconds east of UTC at @p t seconds since the Epoch. */
int demon_zone_rule_offset(const struct demon_zone_rule *rule, int64_t t);

/** Days from 1970-01-01 to the first of January of @p year in the Gregorian calendar. */
int64_t demon_zone_year_begin(int64_t year);

/** The year in which that day lies. */
int64_t demon_zone_year_of(int64_t day);

bool demon_zone_is_leap(int64_t year);

/** Days of a month, 1 to 12. */
int demon_zone_month_days(int64_t year, int month);

#endif
