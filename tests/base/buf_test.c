#include "support/test.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"

static void appends_grow_and_stay_terminated(void **state)
{
	DEMON_BUF(b, 0);
	struct demon_err err;

	(void)state;
	assert_string_equal(b.data, "");
	for (int i = 0; i < 1000; i++)
		demon_buf_i64(&b, i);
	demon_buf_fmt(&b, "-%s", "end");
	assert_ok(demon_buf_rc(&b, &err), &err);
	assert_int_equal(b.len, strlen(b.data));
	assert_string_equal(b.data + b.len - 7, "999-end");
	demon_buf_done(&b);
	assert_string_equal(b.data, "");
}

static void the_first_failure_sticks(void **state)
{
	DEMON_BUF(b, 4);
	struct demon_err err;

	(void)state;
	demon_buf_str(&b, "abcd");
	demon_buf_str(&b, "e");
	demon_buf_clear(&b);
	demon_buf_str(&b, "abcde");
	demon_buf_str(&b, "f");
	assert_rc(demon_buf_rc(&b, &err), DEMON_TOOBIG, &err);
	assert_string_equal(err.msg, "more than 4 bytes");
	assert_null(demon_buf_take(&b));
}

static void lost_memory_is_an_error_not_a_crash(void **state)
{
	DEMON_BUF(b, 0);
	struct demon_err err;

	(void)state;
	demon_fault_arm(DEMON_FAULT_ALLOC, 1, false);
	demon_buf_str(&b, "x");
	assert_int_equal(demon_fault_disarm(), 1);
	assert_rc(demon_buf_rc(&b, &err), DEMON_NOMEM, &err);
	demon_buf_done(&b);
}

static void integers_are_written_at_their_ends(void **state)
{
	DEMON_BUF(b, 0);

	(void)state;
	demon_buf_i64(&b, INT64_MIN);
	demon_buf_char(&b, ' ');
	demon_buf_i64(&b, INT64_MAX);
	demon_buf_char(&b, ' ');
	demon_buf_i64(&b, 0);
	assert_string_equal(b.data, "-9223372036854775808 9223372036854775807 0");
	demon_buf_done(&b);
}

static void base64_is_padded(void **state)
{
	static const char *const forms[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
					    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	DEMON_BUF(text, 8);

	(void)state;
	for (size_t n = 0; n < demon_count(forms); n++) {
		demon_buf_clear(&text);
		demon_buf_base64(&text, "foobar", n);
		assert_int_equal(text.len, strlen(forms[n]));
		assert_string_equal(text.data, forms[n]);
	}
	demon_buf_clear(&text);
	demon_buf_base64(&text, "\xfb\xff\x00", 3);
	assert_string_equal(text.data, "+/8A");
	demon_buf_base64(&text, "more", 4);
	assert_int_equal(text.rc, DEMON_TOOBIG);
	demon_buf_done(&text);
}

static void hex_reads_back_and_refuses_anything_else(void **state)
{
	unsigned char bytes[3];
	char text[7];

	(void)state;
	demon_hex("\x00\xab\xff", 3, text);
	assert_string_equal(text, "00abff");
	assert_true(demon_unhex("00abff", bytes, 3));
	assert_memory_equal(bytes, "\x00\xab\xff", 3);
	assert_false(demon_unhex("00ABff", bytes, 3));
	assert_false(demon_unhex("00abf", bytes, 3));
	assert_false(demon_unhex("00abff0", bytes, 3));
	assert_true(demon_equal("abc", "abd", 2));
	assert_false(demon_equal("abc", "abd", 3));
	assert_false(demon_equal("bbc", "abc", 3));
	assert_true(demon_equal("a", "b", 0));
}

static void times_are_written_and_read(void **state)
{
	static const struct {
		const char *text;
		demon_time t;
	} rows[] = {
	    {"1970-01-01T00:00:00.000Z", 0},
	    {"2026-02-03T04:05:06.789Z", 1770091506789},
	    {"2000-02-29T23:59:59.999Z", 951868799999},
	    {"0000-01-01T00:00:00.000Z", -62167219200000},
	    {"9999-12-31T23:59:59.999Z", 253402300799999},
	    {"1969-12-31T23:59:59.999Z", -1},
	};
	static const char *const bad[] = {"",
					  "2026-02-30T00:00:00Z",
					  "2026-13-01T00:00:00Z",
					  "2026-02-03 04:05:06Z",
					  "2026-02-03T04:05:06",
					  "2026-02-03T04:05:06.Z",
					  "2026-02-03T04:05:06Zx",
					  "2026-02-03T24:00:00Z",
					  "2026-02-03T04:05:06+24:00"};
	char text[DEMON_RFC3339_LEN + 1];
	struct demon_err err;
	demon_time t;

	(void)state;
	for (size_t i = 0; i < demon_count(rows); i++) {
		demon_rfc3339(rows[i].t, text);
		assert_string_equal(text, rows[i].text);
		assert_ok(demon_rfc3339_parse(rows[i].text, &t, &err), &err);
		assert_int_equal(t, rows[i].t);
	}
	assert_ok(demon_rfc3339_parse("2026-02-03T05:05:06.789123456+01:00", &t, &err), &err);
	assert_int_equal(t, 1770091506789);
	for (size_t i = 0; i < demon_count(bad); i++)
		assert_rc(demon_rfc3339_parse(bad[i], &t, &err), DEMON_INVALID, &err);
}

static void uuids_are_version_7_and_sort_by_time(void **state)
{
	struct fake_env f;
	char a[DEMON_UUID_LEN + 1];
	char b[DEMON_UUID_LEN + 1];

	(void)state;
	fake_env_init(&f, 1);
	demon_uuid7(&f.env, a);
	fake_env_advance(&f, 1);
	demon_uuid7(&f.env, b);
	assert_int_equal(strlen(a), DEMON_UUID_LEN);
	assert_int_equal(a[14], '7');
	assert_true(strcmp(a, b) < 0);
}

static void errors_are_one_line_and_wrap_going_up(void **state)
{
	struct demon_err err;

	(void)state;
	assert_int_equal(demon_err_set(&err, DEMON_CONFLICT, "gate '%s': decided", "a\nb"),
			 DEMON_CONFLICT);
	assert_int_equal(demon_err_wrap(&err, "run '%s'", "r-7"), DEMON_CONFLICT);
	assert_string_equal(err.msg, "run 'r-7': gate 'a b': decided");
	(void)demon_err_set(&err, DEMON_CONFLICT, "%s", "a\xc9z \xc3\xa9 \xe2\x82");
	assert_string_equal(err.msg, "a?z \xc3\xa9 ??");
	assert_int_equal(demon_rc_exit(DEMON_CONFLICT), 4);
	assert_int_equal(demon_rc_http(DEMON_CONFLICT), 409);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appends_grow_and_stay_terminated),
	    cmocka_unit_test(the_first_failure_sticks),
	    cmocka_unit_test(lost_memory_is_an_error_not_a_crash),
	    cmocka_unit_test(integers_are_written_at_their_ends),
	    cmocka_unit_test(base64_is_padded),
	    cmocka_unit_test(hex_reads_back_and_refuses_anything_else),
	    cmocka_unit_test(times_are_written_and_read),
	    cmocka_unit_test(uuids_are_version_7_and_sort_by_time),
	    cmocka_unit_test(errors_are_one_line_and_wrap_going_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
