#include "support/test.h"

#include "base/fault.h"
#include "domain/secret/secret.h"

#include <stdio.h>
#include <time.h>

#define R DEMON_REDACTED

static struct demon_err err;

static void add(struct demon_redactor *r, const char *value)
{
	assert_ok(demon_redactor_add(r, value, strlen(value), &err), &err);
}

static void add_bytes(struct demon_redactor *r, const char *value, size_t len)
{
	assert_ok(demon_redactor_add(r, value, len, &err), &err);
}

/* Fails unless @p text becomes @p want. */
static void assert_redacted(const struct demon_redactor *r, const char *text, const char *want)
{
	DEMON_BUF(out, 0);

	demon_redact_text(r, text, strlen(text), &out);
	if (out.rc || strcmp(out.data, want) != 0)
		fail_msg("'%s' became '%s', not '%s'", text, out.data, want);
}

static void a_value_is_replaced_wherever_it_stands(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	assert_redacted(&r, "nothing to hide", "nothing to hide");
	add(&r, "hunter2");
	assert_redacted(&r, "hunter2", R);
	assert_redacted(&r, "-hunter2-hunter2hunter2", "-" R "-" R R);
	assert_redacted(&r, "hunter hunter1 unter2 Hunter2", "hunter hunter1 unter2 Hunter2");
	assert_redacted(&r, "", "");
}

static void what_means_something_elsewhere_means_nothing_here(void **state)
{
	static const char *const values[] = {
	    ".*",     "a+b?[c](d){2}^$|",        "%s%n", "\\", "\"q\"\\n", "&amp;<b>", "$(id)",
	    "\t\r\v", "\xc3\xa9\xf0\x9f\x94\x91"};

	(void)state;
	for (size_t i = 0; i < demon_count(values); i++) {
		DEMON_REDACTOR(r);
		char text[64];

		add(&r, values[i]);
		(void)snprintf(text, sizeof(text), "x %s y", values[i]);
		assert_redacted(&r, text, "x " R " y");
		assert_redacted(&r, "plain text 1", "plain text 1");
	}
}

static void bytes_of_any_kind_are_found(void **state)
{
	static const char value[] = "a\0b\xff\x80";
	DEMON_REDACTOR(r);
	DEMON_BUF(out, 0);

	(void)state;
	assert_ok(demon_redactor_add(&r, value, 5, &err), &err);
	demon_redact_text(&r, "\0a\0b\xff\x80\0", 7, &out);
	assert_int_equal(out.len, 2 + strlen(R));
	assert_memory_equal(out.data, "\0" R "\0", out.len);
}

static void the_longest_match_wins_and_overlaps_go_together(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "pass");
	add(&r, "password");
	add(&r, "wording");
	add(&r, "sword");
	assert_redacted(&r, "pass passw password", R " " R "w " R);
	assert_redacted(&r, "passwording!", R "!");
	assert_redacted(&r, "sword swording", R " " R);
	assert_redacted(&r, "xpasswordpass", "x" R R);
}

static void a_value_that_overlaps_itself_leaves_nothing(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "abab");
	assert_redacted(&r, "ababab", R);
	assert_redacted(&r, "abababa", R "a");
	assert_redacted(&r, "abaabab", "aba" R);
}

static void nothing_and_short_values_are_taken_as_they_are(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "");
	assert_int_equal(r.count, 0);
	add(&r, "abc");
	assert_int_equal(r.count, 1);
	add(&r, "abc");
	assert_int_equal(r.count, 1);
	assert_redacted(&r, "abc YWJj %61", R " YWJj %61");
}

static void percent_encoded_forms_are_found(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "p/w d=\xc3\xa9*");
	assert_redacted(&r, "a=p%2Fw%20d%3D%C3%A9%2A;", "a=" R ";");
	assert_redacted(&r, "a=p%2fw%20d%3d%c3%a9%2a;", "a=" R ";");
	assert_redacted(&r, "a=p%2Fw+d%3D%C3%A9%2A;", "a=" R ";");
	assert_redacted(&r, "a=p/w%20d%3D%C3%A9%2A;", "a=" R ";");
	assert_redacted(&r, "a=p%2Fw%20d%3D%C3%A9*;", "a=" R ";");
}

static void json_escaped_forms_are_found(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "q\"\\\n\x01\xc3\xa9\xf0\x9f\x94\x91");
	assert_redacted(&r, "{\"k\":\"q\\\"\\\\\\n\\u0001\xc3\xa9\xf0\x9f\x94\x91\"}",
			"{\"k\":\"" R "\"}");
	assert_redacted(&r, "{\"k\":\"q\\\"\\\\\\n\\u0001\\u00e9\\ud83d\\udd11\"}",
			"{\"k\":\"" R "\"}");
}

static void lines_of_eight_bytes_are_values_too(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "-----BEGIN\r\nshort\nMIIBVgIBADAN\n");
	assert_redacted(&r, "> MIIBVgIBADAN <", "> " R " <");
	assert_redacted(&r, "-----BEGIN\n", R "\n");
	assert_redacted(&r, "short", "short");
	assert_redacted(&r, "-----BEGIN\r\nshort\nMIIBVgIBADAN", R);
}

static void white_space_around_a_value_may_be_gone(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, " \tpw12\n");
	assert_redacted(&r, "got pw12!", "got " R "!");
	assert_redacted(&r, "got  \tpw12\n!", "got " R "!");
}

/* An encoder of the test's own. */
static void base64(const char *bytes, size_t len, bool url, bool pad, char *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		unsigned char b[3] = {0};
		size_t n = len - i < 3 ? len - i : 3;
		unsigned word;

		memcpy(b, bytes + i, n);
		word = (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];
		for (size_t k = 0; k < 4; k++) {
			char c = digits[word >> (18 - 6 * k) & 63];

			if (url && c == '+')
				c = '-';
			if (url && c == '/')
				c = '_';
			if (k <= n)
				*out++ = c;
			else if (pad)
				*out++ = '=';
		}
	}
	*out = '\0';
}

static void base64_alone_is_replaced_whole(void **state)
{
	(void)state;
	for (size_t len = 4; len < 80; len++) {
		for (unsigned form = 0; form < 4; form++) {
			DEMON_REDACTOR(r);
			char value[81] = "";
			char text[160];

			for (size_t i = 0; i < len; i++)
				value[i] = (char)(i * 37 + 0xf8);
			base64(value, len, form & 1, form & 2, text);
			add_bytes(&r, value, len);
			assert_redacted(&r, text, R);
		}
	}
}

/* Characters in which a neighbour has a part stay: at most one at each end of the mark. */
static void base64_within_something_longer_is_found_at_every_alignment(void **state)
{
	static const char value[] = "Tr0ub4dor&3";

	(void)state;
	for (size_t before = 0; before < 7; before++) {
		for (size_t after = 0; after < 7; after++) {
			DEMON_REDACTOR(r);
			DEMON_BUF(out, 0);
			char plain[64];
			char text[96];
			const char *mark;

			(void)snprintf(plain, sizeof(plain), "%.*s%s%.*s", (int)before,
				       "user:x:", value, (int)after, "@host/y");
			base64(plain, strlen(plain), false, true, text);
			add(&r, value);
			demon_redact_text(&r, text, strlen(text), &out);
			mark = strstr(out.data, R);
			assert_non_null(mark);
			assert_in_range(mark - out.data, before * 8 / 6, (before * 8 + 5) / 6);
			assert_memory_equal(out.data, text, (size_t)(mark - out.data));
			assert_in_range(strlen(mark + strlen(R)), after * 8 / 6, after * 8 / 6 + 4);
		}
	}
}

static void base64_in_lines_is_found(void **state)
{
	static const size_t widths[] = {64, 76};
	char value[301];
	char text[512];

	(void)state;
	for (size_t i = 0; i < 300; i++)
		value[i] = (char)('!' + i * 7 % 90);
	value[300] = '\0';
	base64(value, 300, false, true, text);
	for (size_t w = 0; w < 2; w++) {
		DEMON_REDACTOR(r);
		DEMON_BUF(wrapped, 0);
		DEMON_BUF(out, 0);

		add(&r, value);
		for (size_t at = 0; at < strlen(text); at += widths[w])
			demon_buf_fmt(&wrapped, "%.*s\n", (int)widths[w], text + at);
		demon_redact_text(&r, wrapped.data, wrapped.len, &out);
		for (const char *line = out.data; *line; line = strchr(line, '\n') + 1)
			assert_true(strncmp(line, R "\n", strlen(R "\n")) == 0);
	}
}

/* Feeds @p text in pieces and compares with what one pass says. */
static void assert_stream(const struct demon_redactor *r, const char *text, size_t len,
			  const size_t *cuts, size_t count)
{
	struct demon_redact_stream s = {.redactor = r};
	DEMON_BUF(want, 0);
	DEMON_BUF(out, 0);
	size_t at = 0;

	demon_redact_text(r, text, len, &want);
	for (size_t i = 0; i < count; i++) {
		demon_redact_more(&s, text + at, cuts[i] - at, false, &out);
		assert_true(out.len <= want.len);
		assert_memory_equal(out.data, want.data, out.len);
		at = cuts[i];
	}
	demon_redact_more(&s, text + at, len - at, true, &out);
	assert_int_equal(s.held_len, 0);
	assert_string_equal(out.data, want.data);
	demon_redact_stream_done(&s);
}

static void a_value_that_straddles_pieces_is_found_at_every_offset(void **state)
{
	static const char text[] =
	    "xx hunter2 hunter hunter2hunter22 abababab y aGVsbG8td29ybGQ= hunt";
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "hunter2");
	add(&r, "hunter22 a");
	add(&r, "abab");
	add(&r, "hello-world");
	add(&r, "ter2hu");
	for (size_t a = 0; a < sizeof(text); a++)
		for (size_t b = a; b < sizeof(text); b++)
			assert_stream(&r, text, sizeof(text) - 1,
				      (size_t[]){a < sizeof(text) - 1 ? a : a - 1,
						 b < sizeof(text) - 1 ? b : b - 1},
				      2);
}

static void a_stream_of_single_bytes_ends_the_same(void **state)
{
	uint64_t seed = test_seed(7);

	(void)state;
	for (int round = 0; round < 2000; round++) {
		DEMON_REDACTOR(r);
		char text[40];
		size_t len = test_random(&seed) % sizeof(text);
		size_t cuts[sizeof(text)];
		char value[8];

		for (int i = 0; i < 4; i++) {
			size_t n = test_random(&seed) % 7 + 1;

			for (size_t k = 0; k < n; k++)
				value[k] = (char)('a' + test_random(&seed) % 2);
			add_bytes(&r, value, n);
		}
		for (size_t i = 0; i < len; i++) {
			text[i] = (char)('a' + test_random(&seed) % 3);
			cuts[i] = i;
		}
		assert_stream(&r, text, len, cuts, len);
	}
}

/* An overlap-proof model: every byte that any occurrence covers is gone. */
static void no_occurrence_of_any_value_survives(void **state)
{
	uint64_t seed = test_seed(11);

	(void)state;
	for (int round = 0; round < 2000; round++) {
		DEMON_REDACTOR(r);
		DEMON_BUF(out, 0);
		char text[31] = "";
		char values[3][6] = {"", "", ""};
		bool covered[31] = {false};
		size_t kept = 0;
		size_t marks = 0;

		for (int i = 0; i < 3; i++) {
			size_t n = test_random(&seed) % 4 + 1;

			for (size_t k = 0; k < n; k++)
				values[i][k] = (char)('x' + test_random(&seed) % 2);
			add_bytes(&r, values[i], n);
		}
		for (size_t i = 0; i < 30; i++)
			text[i] = (char)('x' + test_random(&seed) % 3);
		for (int i = 0; i < 3; i++)
			for (char *at = text; (at = strstr(at, values[i])); at++)
				memset(covered + (at - text), true, strlen(values[i]));
		demon_redact_text(&r, text, 30, &out);
		for (size_t i = 0; i < 30; i++)
			kept += !covered[i];
		for (char *at = out.data; (at = strstr(at, R)); at++)
			marks++;
		assert_int_equal(out.len, kept + marks * strlen(R));
	}
}

static void a_stream_hands_out_what_cannot_be_a_value(void **state)
{
	DEMON_REDACTOR(r);
	struct demon_redact_stream s = {.redactor = &r};
	DEMON_BUF(out, 0);

	(void)state;
	add(&r, "hunter2");
	demon_redact_more(&s, "progress 10%\n", 13, false, &out);
	assert_string_equal(out.data, "progress 10%\n");
	demon_redact_more(&s, "hun", 3, false, &out);
	assert_string_equal(out.data, "progress 10%\n");
	assert_int_equal(s.held_len, 3);
	demon_redact_more(&s, "gry", 3, false, &out);
	assert_string_equal(out.data, "progress 10%\nhungry");
	demon_redact_more(&s, "hunter", 6, false, &out);
	demon_redact_more(&s, NULL, 0, true, &out);
	assert_string_equal(out.data, "progress 10%\nhungryhunter");
	demon_redact_stream_done(&s);
}

static json_t *tree(const char *text)
{
	json_t *json = NULL;

	assert_ok(demon_json_parse(text, strlen(text), &demon_json_payload_limits, &json, &err),
		  &err);
	return json;
}

static void assert_tree(const struct demon_redactor *r, const char *text, const char *want)
{
	DEMON_BUF(out, 0);
	json_t *json = tree(text);

	assert_ok(demon_redact_json(r, json, &err), &err);
	assert_ok(demon_json_canonical(json, &out, &err), &err);
	json_decref(json);
	assert_string_equal(out.data, want);
}

static void strings_and_keys_of_trees_are_replaced(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	assert_tree(&r, "{\"a\":\"hunter2\"}", "{\"a\":\"hunter2\"}");
	add(&r, "hunter2");
	assert_tree(&r, "{\"a\":[\"x hunter2\",{\"b\":\"aHVudGVyMg==\"}],\"c\":null}",
		    "{\"a\":[\"x " R "\",{\"b\":\"" R "\"}],\"c\":null}");
	assert_tree(&r, "{\"hunter2\":{\"a hunter2\":\"hunter2\"},\"z\":1}",
		    "{\"" R "\":{\"a " R "\":\"" R "\"},\"z\":1}");
	assert_tree(&r, "\"hunter2\"", "\"" R "\"");
}

static void keys_that_become_the_same_stay_apart(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "hunter2");
	add(&r, "correct horse");
	assert_tree(&r, "{\"correct horse\":2,\"hunter2\":1,\"" R " 2\":3}",
		    "{\"" R "\":2,\"" R " 2\":1,\"" R " 2 2\":3}");
}

static void a_number_that_is_a_value_becomes_a_string(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	add(&r, "12345678");
	add(&r, "1234");
	assert_tree(&r, "[12345678,1234,123456789,-12345678,\"1234\"]",
		    "[\"" R "\",1234,123456789,-12345678,\"" R "\"]");
}

static void cutting_leaves_no_broken_characters_in_trees(void **state)
{
	DEMON_REDACTOR(r);

	(void)state;
	assert_ok(demon_redactor_add(&r, "\xc3", 1, &err), &err);
	assert_tree(&r, "[\"a\xc3\xa9\"]", "[\"" R "\"]");
}

static double cpu_seconds(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void large_texts_take_time_in_proportion(void **state)
{
	const size_t size = (size_t)1024 * 1024;
	char *text = demon_calloc(size, 1);
	uint64_t seed = test_seed(3);
	DEMON_REDACTOR(r);
	double began;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 100; i++) {
		char value[41];

		for (size_t k = 0; k < 40; k++)
			value[k] = (char)('!' + test_random(&seed) % 90);
		value[40] = '\0';
		add(&r, value);
	}
	for (size_t i = 0; i < size; i++)
		text[i] = (char)('!' + test_random(&seed) % 90);
	began = cpu_seconds();
	for (int i = 0; i < 2; i++) {
		DEMON_BUF(out, 0);
		struct demon_redact_stream s = {.redactor = &r};

		demon_redact_text(&r, text, size, &out);
		assert_int_equal(out.len, size);
		demon_buf_clear(&out);
		for (size_t at = 0; at < size; at += 4096)
			demon_redact_more(&s, text + at, 4096, at + 4096 == size, &out);
		assert_int_equal(out.len, size);
		demon_redact_stream_done(&s);
		memset(text, 'a', size); /* all begins and nothing ends */
		add(&r, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
	}
	free(text);
	/* seconds, with sanitizers; a pass for each value would take minutes */
	assert_true(cpu_seconds() - began < 30);
}

static void running_out_of_memory_shows_nothing(void **state)
{
	(void)state;
	for (unsigned nth = 1;; nth++) {
		DEMON_REDACTOR(r);
		struct demon_redact_stream s = {.redactor = &r};
		json_t *json = tree("{\"hunter2\":[\"xhunter2\"]}");
		DEMON_BUF(out, 0);
		enum demon_rc rc;
		unsigned hits;

		demon_fault_arm(DEMON_FAULT_ALLOC, nth, false);
		rc = demon_redactor_add(&r, "hunter2", 7, &err);
		if (!rc) {
			demon_redact_more(&s, "hunt", 4, false, &out);
			demon_redact_more(&s, "er2 hunter2", 11, true, &out);
			rc = demon_redact_json(&r, json, &err);
		}
		hits = demon_fault_disarm();
		assert_null(strstr(out.data, "hunter2"));
		if (!rc && !out.rc) {
			assert_string_equal(out.data, R " " R);
			assert_non_null(json_object_get(json, R));
		} else {
			assert_true(rc == DEMON_OK || rc == DEMON_NOMEM);
		}
		demon_redact_stream_done(&s);
		json_decref(json);
		if (!hits)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_value_is_replaced_wherever_it_stands),
	    cmocka_unit_test(what_means_something_elsewhere_means_nothing_here),
	    cmocka_unit_test(bytes_of_any_kind_are_found),
	    cmocka_unit_test(the_longest_match_wins_and_overlaps_go_together),
	    cmocka_unit_test(a_value_that_overlaps_itself_leaves_nothing),
	    cmocka_unit_test(nothing_and_short_values_are_taken_as_they_are),
	    cmocka_unit_test(percent_encoded_forms_are_found),
	    cmocka_unit_test(json_escaped_forms_are_found),
	    cmocka_unit_test(lines_of_eight_bytes_are_values_too),
	    cmocka_unit_test(white_space_around_a_value_may_be_gone),
	    cmocka_unit_test(base64_alone_is_replaced_whole),
	    cmocka_unit_test(base64_within_something_longer_is_found_at_every_alignment),
	    cmocka_unit_test(base64_in_lines_is_found),
	    cmocka_unit_test(a_value_that_straddles_pieces_is_found_at_every_offset),
	    cmocka_unit_test(a_stream_of_single_bytes_ends_the_same),
	    cmocka_unit_test(no_occurrence_of_any_value_survives),
	    cmocka_unit_test(a_stream_hands_out_what_cannot_be_a_value),
	    cmocka_unit_test(strings_and_keys_of_trees_are_replaced),
	    cmocka_unit_test(keys_that_become_the_same_stay_apart),
	    cmocka_unit_test(a_number_that_is_a_value_becomes_a_string),
	    cmocka_unit_test(cutting_leaves_no_broken_characters_in_trees),
	    cmocka_unit_test(large_texts_take_time_in_proportion),
	    cmocka_unit_test(running_out_of_memory_shows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
