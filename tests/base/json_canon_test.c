/*
 * The checker of canonical text must say exactly what parsing and writing again would show, for
 * any bytes: random edits of good texts, seeded.
 */
#include "support/test.h"

#include "base/json.h"

#include <stdio.h>

#define ROUNDS   200000
#define TEXT_MAX 512

static const char *const texts[] = {
    "{}",
    "{\"a\":[1,-2,3.5,0.000001,1e-7,1e+21,9007199254740993,18446744073709552000],\"b\":{}}",
    "{\"\":\"\\u0001\\b\\t\\n\\f\\r\\\"\\\\/"
    "\x7f\",\"\\t\":true,\"\\u000f\":null,\"!\":false,\"\\\"\":0}",
    "{\"\\\\\":1,\"a\":\"\xc3\xa9\xe2\x82\xac\",\"\xf0\x9f\x98\x80\":[[],{}],\"\xef\xac\xb3\":[{}]"
    "}",
    "{\"n\":[0,10,100000000000000000000,999999999999999,9999999999999998,0.30000000000000004]}",
    "{\"n\":[123456789.123456,0.1,0.00001,-0.5,12345678901234.5,5e-324,1.7976931348623157e+308]}",
    "{\"a\":1,\"aa\":2,\"ab\":3,\"b\":4,\"ba\":{\"a\":[[[[[[]]]]]]}}",
    "{\"e\":\"ritual.started:v1\",\"t\":\"2026-02-03T04:05:06.789Z\",\"u\":[true,false,null]}",
};

/* Pieces that matter to a checker, inserted whole. */
static const char *const pieces[] = {",",
				     ":",
				     "\"",
				     "{",
				     "}",
				     "[",
				     "]",
				     " ",
				     "\\",
				     "\\u0000",
				     "\\u001f",
				     "\\u000a",
				     "\\u001F",
				     "\\n",
				     "\\/",
				     "0",
				     "-",
				     "-0",
				     ".",
				     ".0",
				     "e",
				     "e+1",
				     "1e5",
				     "9",
				     "00",
				     "000000",
				     "\xc3\xa9",
				     "\xed\xa0\x80",
				     "\xc3",
				     "\xf0\x9f\x98\x80",
				     "\xef\xbf\xbf",
				     "\"a\":1,",
				     "\"\":0,",
				     "true",
				     "null",
				     "1234567890123456",
				     "0.1",
				     "\"z\":[],"};

struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

static void replace(struct text *t, size_t at, size_t gone, const char *with, size_t n)
{
	if (t->len - gone + n > sizeof(t->bytes))
		return;
	memmove(t->bytes + at + n, t->bytes + at + gone, t->len - at - gone);
	memcpy(t->bytes + at, with, n);
	t->len = t->len - gone + n;
}

static void mutate(struct text *t, uint64_t *seed)
{
	size_t at = t->len ? test_random(seed) % t->len : 0;
	size_t left = t->len - at;
	char any = (char)test_random(seed);
	const char *piece = pieces[test_random(seed) % (sizeof(pieces) / sizeof(pieces[0]))];
	struct text old = *t;
	size_t from;

	switch (test_random(seed) % 6) {
	case 0:
		replace(t, at, left ? 1 : 0, &any, 1);
		break;
	case 1:
		replace(t, at, left ? 1 : 0, "", 0);
		break;
	case 2:
		replace(t, at, 0, piece, strlen(piece));
		break;
	case 3:
		replace(t, at, left ? 1 : 0, piece, strlen(piece));
		break;
	case 4:
		any = (char)('0' + test_random(seed) % 10);
		replace(t, at, 0, &any, 1);
		break;
	default:
		from = t->len ? test_random(seed) % t->len : 0;
		replace(t, at, 0, old.bytes + from, test_random(seed) % (old.len - from + 1) % 16);
		break;
	}
}

/* What the checker promises, by the long way. */
static bool survives(const struct text *t, const struct demon_json_limits *limits)
{
	struct demon_buf out = {0};
	struct demon_err err;
	json_t *json = NULL;
	bool same = false;

	if (demon_json_parse(t->bytes, t->len, limits, &json, &err))
		return false;
	assert_ok(demon_json_canonical(json, &out, &err), &err);
	same = json_is_object(json) && out.len == t->len && memcmp(out.data, t->bytes, t->len) == 0;
	if (json_is_object(json) && !demon_json_is_canonical(out.data, out.len, limits) &&
	    out.len <= limits->max_bytes)
		fail_msg("written but not canonical: %s", out.data);
	json_decref(json);
	demon_buf_done(&out);
	return same;
}

static void checker_agrees_with_parsing_and_writing_again(void **state)
{
	const struct demon_json_limits limits = {400, 6};
	uint64_t seed = test_seed(20260102);
	unsigned yes = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const char *from = texts[test_random(&seed) % (sizeof(texts) / sizeof(texts[0]))];
		struct text t = {.len = strlen(from)};
		bool got;

		memcpy(t.bytes, from, t.len);
		for (uint64_t n = 1 + test_random(&seed) % 3; n > 0; n--)
			mutate(&t, &seed);
		got = demon_json_is_canonical(t.bytes, t.len, &limits);
		if (got != survives(&t, &limits))
			fail_msg("round %u: said %d of: %.*s", i, got, (int)t.len, t.bytes);
		yes += got;
	}
	assert_true(yes > ROUNDS / 100);
	assert_true(yes < ROUNDS / 2);
}

static void checker_agrees_about_numbers_of_any_bits(void **state)
{
	uint64_t seed = test_seed(20260103);

	(void)state;
	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		uint64_t bits = test_random(&seed);
		int precision = (int)(test_random(&seed) % 18);
		struct text t;
		double v;
		int n;

		if (i % 2)
			v = (double)(bits >> 11) / (double)(UINT64_C(1) << (bits & 63));
		else
			memcpy(&v, &bits, sizeof(v));
		if (i % 3)
			n = snprintf(t.bytes, sizeof(t.bytes), "{\"n\":%.*g}", precision, v);
		else
			n = snprintf(t.bytes, sizeof(t.bytes), "{\"n\":%.*f}", precision, v);
		t.len = (size_t)n;
		if (demon_json_is_canonical(t.bytes, t.len, &demon_json_payload_limits) !=
		    survives(&t, &demon_json_payload_limits))
			fail_msg("round %u: %s", i, t.bytes);
	}
}

static void only_objects_are_canonical_payloads(void **state)
{
	static const char *const rows[] = {
	    "",        "[]",       "1",         "\"a\"",     "null",        "{",       "{\"a\"",
	    "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":-"};

	(void)state;
	assert_true(demon_json_is_canonical("{}", 2, &demon_json_payload_limits));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i]);
		char *exact = malloc(n ? n : 1); /* without a NUL: reading past the end is found */

		memcpy(exact, rows[i], n);
		assert_false(demon_json_is_canonical(exact, n, &demon_json_payload_limits));
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(checker_agrees_with_parsing_and_writing_again),
	    cmocka_unit_test(checker_agrees_about_numbers_of_any_bits),
	    cmocka_unit_test(only_objects_are_canonical_payloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
