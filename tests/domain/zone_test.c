#include "support/test.h"

#include "domain/ward/zone.h"
#include "domain/ward/zone_rule.h"

#include <stdio.h>

static struct demon_zone *zone(const char *name)
{
	struct demon_zone *z = NULL;
	struct demon_err err;

	assert_ok(demon_zone_open(NULL, name, &z, &err), &err);
	return z;
}

/* Instants of 2026 in Oslo, where summer begins on March 29 and ends on October 25, at 1:00 UTC. */
static void an_hour_is_left_out_in_spring_and_comes_twice_in_autumn(void **state)
{
	static const struct {
		demon_time t;
		const char *text;
		int minute;
	} rows[] = {
	    {1774745999000, "2026-03-29T01:59:59+01:00", 119},
	    {1774746000000, "2026-03-29T03:00:00+02:00", 180},
	    {1792889999999, "2026-10-25T02:59:59+02:00", 179},
	    {1792890000000, "2026-10-25T02:00:00+01:00", 120},
	    {1792893599000, "2026-10-25T02:59:59+01:00", 179},
	};
	struct demon_zone *z = zone("Europe/Oslo");

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		struct demon_local local = demon_zone_local(z, rows[i].t);
		char text[DEMON_LOCAL_LEN + 1];

		demon_local_text(&local, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(local.minute, rows[i].minute);
		assert_int_equal(local.weekday, 6);
	}
	demon_zone_free(z);
}

static void times_before_the_epoch_are_of_their_own_day(void **state)
{
	struct demon_zone *z = zone("UTC");
	struct demon_local local = demon_zone_local(z, -1);

	(void)state;
	assert_int_equal(local.seconds, -1);
	assert_int_equal(local.minute, 1439);
	assert_int_equal(local.weekday, 2);
	demon_zone_free(z);
}

static void names_that_leave_the_folder_are_no_names(void **state)
{
	static const char *const bad[] = {
	    "",        "/etc/passwd", "../zoneinfo/UTC", "Europe/../UTC", "Europe//Oslo",
	    "Europe/", "./UTC",       "Europe/Oslo ",    "localtime",     "tzdata.zi",
	    "a\nb",    "Ozeanien/ö"};
	char big[DEMON_ZONE_NAME_MAX + 3];
	struct demon_zone *z = NULL;
	struct demon_err err;

	(void)state;
	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_rc(demon_zone_open(NULL, bad[i], &z, &err), DEMON_INVALID, &err);
		assert_contains(err.msg, "is no name of a time zone");
	}
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_rc(demon_zone_open(NULL, big, &z, &err), DEMON_INVALID, &err);
	assert_null(z);
}

static void an_unknown_zone_and_a_machine_without_zones_are_told_apart(void **state)
{
	struct demon_zone *z = NULL;
	struct demon_err err;

	(void)state;
	assert_rc(demon_zone_open(NULL, "Europe/Atlantis", &z, &err), DEMON_INVALID, &err);
	assert_string_equal(err.msg, "there is no time zone 'Europe/Atlantis'");
	assert_rc(demon_zone_open(NULL, "Europe", &z, &err), DEMON_INVALID, &err);
	assert_rc(demon_zone_open("/nowhere", "UTC", &z, &err), DEMON_NOTFOUND, &err);
	assert_contains(err.msg, "tzdata");
}

/* Every file cut off anywhere, and with any byte changed, is a zone or an error. */
static void damaged_files_are_errors_and_nothing_worse(void **state)
{
	char *bytes = NULL;
	size_t len = 0;
	uint64_t seed = test_seed(4711);
	FILE *file = fopen(DEMON_ZONE_FOLDER "/America/New_York", "re");
	struct demon_err err;
	struct demon_zone *z;

	(void)state;
	assert_non_null(file);
	bytes = calloc(1, 8192);
	assert_non_null(bytes);
	len = fread(bytes, 1, 8192, file);
	(void)fclose(file);
	for (size_t n = 0; n < len; n++)
		if (demon_zone_parse(bytes, n, &z, &err) == DEMON_OK)
			fail_msg("%zu of %zu bytes are a zone", n, len);
	for (int i = 0; i < 20000; i++) {
		size_t at = test_random(&seed) % len;
		char was = bytes[at];

		bytes[at] = (char)test_random(&seed);
		if (demon_zone_parse(bytes, len, &z, &err) == DEMON_OK) {
			for (int k = 0; k < 4; k++)
				(void)demon_zone_local(z, (demon_time)(test_random(&seed) >> 12) -
							      ((demon_time)1 << 51));
			demon_zone_free(z);
		} else {
			assert_int_equal(err.rc, DEMON_CORRUPT);
		}
		bytes[at] = was;
	}
	free(bytes);
}

static void rules_are_read_strictly(void **state)
{
	static const char *const good[] = {"UTC0",
					   "<+0330>-3:30",
					   "CET-1CEST,M3.5.0,M10.5.0/3",
					   "EST5EDT,M3.2.0/2:00:00,M11.1.0",
					   "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
					   "XXX3EDT4,0/0,J365/23"};
	static const char *const bad[] = {"",
					  "CET",
					  "C-1",
					  "CET-1CEST",
					  "CET-1CEST,M3.5.0",
					  "CET-1CEST,M13.5.0,M10.5.0",
					  "CET-1CEST,M3.6.0,M10.5.0",
					  "CET-1CEST,M3.5.7,M10.5.0",
					  "CET-1CEST,J0,J365",
					  "CET-1CEST,M3.5.0,M10.5.0/168",
					  "CET-25",
					  "<CET-1",
					  "CET-1:60",
					  "CET-1CEST,M3.5.0,M10.5.0x"};
	struct demon_zone_rule rule;

	(void)state;
	for (size_t i = 0; i < demon_count(good); i++)
		assert_true(demon_zone_rule_read(good[i], strlen(good[i]), &rule));
	for (size_t i = 0; i < demon_count(bad); i++)
		if (demon_zone_rule_read(bad[i], strlen(bad[i]), &rule))
			fail_msg("'%s' is a rule", bad[i]);
}

static void years_begin_where_the_calendar_says(void **state)
{
	(void)state;
	assert_int_equal(demon_zone_year_begin(1970), 0);
	assert_int_equal(demon_zone_year_begin(1969), -365);
	assert_int_equal(demon_zone_year_begin(2000), 10957);
	for (int64_t year = -5000; year < 12000; year++) {
		int64_t first = demon_zone_year_begin(year);

		assert_int_equal(demon_zone_year_begin(year + 1) - first,
				 demon_zone_is_leap(year) ? 366 : 365);
		assert_int_equal(demon_zone_year_of(first), year);
		assert_int_equal(demon_zone_year_of(first - 1), year - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_hour_is_left_out_in_spring_and_comes_twice_in_autumn),
	    cmocka_unit_test(times_before_the_epoch_are_of_their_own_day),
	    cmocka_unit_test(names_that_leave_the_folder_are_no_names),
	    cmocka_unit_test(an_unknown_zone_and_a_machine_without_zones_are_told_apart),
	    cmocka_unit_test(damaged_files_are_errors_and_nothing_worse),
	    cmocka_unit_test(rules_are_read_strictly),
	    cmocka_unit_test(years_begin_where_the_calendar_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
