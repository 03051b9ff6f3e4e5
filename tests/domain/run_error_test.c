#include "support/test.h"

#include "base/buf.h"
#include "domain/ritual/run_error.h"

#include <string.h>

static const char *text(const struct demon_run_error *error, const char *key)
{
	return json_string_value(json_object_get(error->value, key));
}

static void of(struct demon_run_error *error, const char *code, int status)
{
	struct demon_err err;
	json_t *result = json_pack("{s:{s:s, s:s, s:{s:i}}}", "error", "code", code, "message", "m",
				   "details", "status", status);

	assert_int_equal(demon_run_error_of(error, result, &err), DEMON_FAILED);
	json_decref(result);
}

static void the_code_of_an_envelope_says_what_kind_of_error_it_is(void **state)
{
	struct demon_run_error error = {NULL};

	(void)state;
	of(&error, "EXEC_TIMEOUT", 0);
	assert_string_equal(text(&error, "type"), DEMON_ERROR_TIMEOUT);
	assert_string_equal(text(&error, "detail"), "EXEC_TIMEOUT: m");
	assert_int_equal(json_integer_value(json_object_get(error.value, "status")), 408);
	of(&error, "HTTP_STATUS", 404);
	assert_string_equal(text(&error, "type"), DEMON_ERROR_COMMUNICATION);
	assert_int_equal(json_integer_value(json_object_get(error.value, "status")), 404);
	of(&error, "HTTP_CONNECT", 0);
	assert_int_equal(json_integer_value(json_object_get(error.value, "status")), 502);
	of(&error, "EXEC_EXIT", 404);
	assert_string_equal(text(&error, "type"), DEMON_ERROR_RUNTIME);
	demon_run_error_done(&error);
}

static void an_answer_without_an_error_is_an_error(void **state)
{
	struct demon_run_error error = {NULL};
	struct demon_err err;

	(void)state;
	assert_int_equal(demon_run_error_of(&error, NULL, &err), DEMON_FAILED);
	assert_contains(text(&error, "detail"), "NO_RESULT");
	demon_run_error_done(&error);
}

static void a_long_detail_is_cut_between_characters(void **state)
{
	struct demon_buf long_text = {.data = demon_buf_empty};
	struct demon_run_error error = {NULL};
	struct demon_err err;

	(void)state;
	for (size_t pad = 0; pad < 4; pad++) {
		demon_buf_clear(&long_text);
		for (size_t i = 0; i < pad; i++)
			demon_buf_char(&long_text, 'x');
		for (int i = 0; i < 400; i++)
			demon_buf_str(&long_text, "\xe2\x82\xac"); /* the euro sign */
		(void)demon_run_error_set(&error, DEMON_ERROR_RUNTIME, 500, "t", &err, "%s",
					  long_text.data);
		assert_non_null(error.value);
		assert_true(strlen(text(&error, "detail")) > 1024 - 5);
		assert_int_equal((strlen(text(&error, "detail")) - pad) % 3, 0);
	}
	demon_run_error_done(&error);
	demon_buf_done(&long_text);
}

static bool matches(const char *error, const char *filter)
{
	json_error_t why;
	json_t *e = json_loads(error, 0, &why);
	json_t *f = json_loads(filter, 0, &why);
	bool yes = demon_run_error_matches(e, f);

	assert_non_null(e);
	assert_non_null(f);
	json_decref(e);
	json_decref(f);
	return yes;
}

static void a_filter_is_met_by_every_member_that_it_has(void **state)
{
#define TYPE(base, kind) "{\"type\":\"https://serverlessworkflow.io/" base kind "\",\"status\":404}"
	const char *error = TYPE("spec/1.0.0/errors/", "communication");

	(void)state;
	assert_true(matches(error, "{}"));
	assert_true(matches(error, error));
	assert_true(matches(error, TYPE("dsl/errors/types/", "communication")));
	assert_false(matches(error, TYPE("dsl/errors/types/", "timeout")));
	assert_false(matches(error, "{\"status\":503}"));
	assert_false(matches(error, "{\"detail\":\"x\"}"));
	assert_true(demon_run_error_matches(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_code_of_an_envelope_says_what_kind_of_error_it_is),
	    cmocka_unit_test(an_answer_without_an_error_is_an_error),
	    cmocka_unit_test(a_long_detail_is_cut_between_characters),
	    cmocka_unit_test(a_filter_is_met_by_every_member_that_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
