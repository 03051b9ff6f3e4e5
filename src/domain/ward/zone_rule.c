#include "zone_rule.h"

#define DAY_S   ((int64_t)86400)
#define HOURS_S 3600

int64_t demon_zone_year_begin(int64_t year)
{
	int64_t y = year - 1;
	int64_t floor4 = y >= 0 ? y / 4 : (y - 3) / 4;
	int64_t floor100 = y >= 0 ? y / 100 : (y - 99) / 100;
	int64_t floor400 = y >= 0 ? y / 400 : (y - 399) / 400;

	return 365 * y + floor4 - floor100 + floor400 - 719162;
}

int64_t demon_zone_year_of(int64_t day)
{
	/* a little late or right: 400 years have 146 097 days */
	int64_t year = 1970 + day * 400 / 146097 + 1;

	while (demon_zone_year_begin(year) > day)
		year--;
	return year;
}

bool demon_zone_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int demon_zone_month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && demon_zone_is_leap(year) ? 1 : 0);
}

/** A text that is read. */
struct scan {
	const char *at;
	const char *end;
};

static bool is_next(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* A number from @p least to @p most of at most three digits. */
static bool read_number(struct scan *s, int least, int most, int *ret)
{
	int digits = 0;

	*ret = 0;
	for (; is_digit(s) && digits < 4; digits++)
		*ret = 10 * *ret + (*s->at++ - '0');
	return digits > 0 && digits < 4 && *ret >= least && *ret <= most;
}

/* "UTC", "<+03>" */
static bool skip_name(struct scan *s)
{
	bool quoted = is_next(s, '<');
	size_t n = 0;

	for (; s->at < s->end && n <= 16; s->at++, n++) {
		char c = *s->at;
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
			break;
	}
	return n >= 3 && n <= 16 && (!quoted || is_next(s, '>'));
}

/* [+-]h[h[h]][:mm[:ss]] as seconds. */
static bool read_time(struct scan *s, int most_hours, int *ret)
{
	bool minus = is_next(s, '-');
	int h;
	int m = 0;
	int sec = 0;

	if (!minus)
		(void)is_next(s, '+');
	if (!read_number(s, 0, most_hours, &h) ||
	    (is_next(s, ':') &&
	     (!read_number(s, 0, 59, &m) || (is_next(s, ':') && !read_number(s, 0, 59, &sec)))))
		return false;
	*ret = h * HOURS_S + m * 60 + sec;
	if (minus)
		*ret = -*ret;
	return true;
}

static bool read_day(struct scan *s, struct demon_zone_day *d)
{
	bool ok;

	*d = (struct demon_zone_day){.time = 2 * HOURS_S};
	if (is_next(s, 'M')) {
		d->kind = DEMON_ZONE_MONTHLY;
		ok = read_number(s, 1, 12, &d->month) && is_next(s, '.') &&
		     read_number(s, 1, 5, &d->week) && is_next(s, '.') &&
		     read_number(s, 0, 6, &d->day);
	} else if (is_next(s, 'J')) {
		d->kind = DEMON_ZONE_JULIAN;
		ok = read_number(s, 1, 365, &d->day);
	} else {
		d->kind = DEMON_ZONE_ORDINAL;
		ok = read_number(s, 0, 365, &d->day);
	}
	return ok && (!is_next(s, '/') || read_time(s, 167, &d->time));
}

bool demon_zone_rule_read(const char *text, size_t len, struct demon_zone_rule *ret_rule)
{
	struct scan s = {text, text + len};
	struct demon_zone_rule r = {0};
	int west;

	if (!skip_name(&s) || !read_time(&s, 24, &west))
		return false;
	r.standard = -west;
	if (s.at == s.end) {
		*ret_rule = r;
		return true;
	}
	r.has_summer = true;
	r.summer = r.standard + HOURS_S;
	if (!skip_name(&s))
		return false;
	if (s.at < s.end && *s.at != ',') {
		if (!read_time(&s, 24, &west))
			return false;
		r.summer = -west;
	}
	if (!is_next(&s, ',') || !read_day(&s, &r.from) || !is_next(&s, ',') ||
	    !read_day(&s, &r.to) || s.at != s.end)
		return false;
	*ret_rule = r;
	return true;
}

/* The day since the Epoch; a Thursday is day 0. */
static int64_t day_in(const struct demon_zone_day *d, int64_t year)
{
	int64_t first = demon_zone_year_begin(year);
	int weekday;
	int day;

	if (d->kind == DEMON_ZONE_ORDINAL)
		return first + d->day;
	if (d->kind == DEMON_ZONE_JULIAN)
		return first + d->day - (demon_zone_is_leap(year) && d->day >= 60 ? 0 : 1);
	for (int m = 1; m < d->month; m++)
		first += demon_zone_month_days(year, m);
	weekday = (int)(((first + 4) % 7 + 7) % 7);
	day = (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
	while (day >= demon_zone_month_days(year, d->month))
		day -= 7;
	return first + day;
}

int demon_zone_rule_offset(const struct demon_zone_rule *rule, int64_t t)
{
	int64_t local = t + rule->standard;
	int64_t day = local >= 0 ? local / DAY_S : -((-local + DAY_S - 1) / DAY_S);
	int64_t year = demon_zone_year_of(day);
	int64_t from;
	int64_t to;

	if (!rule->has_summer)
		return rule->standard;
	from = day_in(&rule->from, year) * DAY_S + rule->from.time - rule->standard;
	to = day_in(&rule->to, year) * DAY_S + rule->to.time - rule->summer;
	/* in the south summer is around the turn of the year */
	if (from < to)
		return t >= from && t < to ? rule->summer : rule->standard;
	return t >= to && t < from ? rule->standard : rule->summer;
}
