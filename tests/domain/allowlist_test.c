#include "support/test.h"

#include "base/base.h"
#include "domain/admin/allowlist.h"

static bool has(const char *text, const char *subject)
{
	struct demon_allowlist *list = NULL;
	struct demon_err err;
	bool found;

	assert_ok(demon_allowlist_parse(text, &list, &err), &err);
	found = demon_allowlist_has(list, subject);
	demon_allowlist_free(list);
	return found;
}

static void an_empty_list_allows_nobody(void **state)
{
	(void)state;
	assert_false(has(NULL, "kim"));
	assert_false(has("", "kim"));
	assert_false(has(" , ,, \t", "kim"));
	assert_false(has("", ""));
	assert_false(has(",", ""));
	assert_false(demon_allowlist_has(NULL, "kim"));
}

static void names_are_trimmed_and_compared_without_case(void **state)
{
	static const char list[] = " kim@corp.test ,\tLee@Corp.Test\n,,ops team";

	(void)state;
	assert_true(has(list, "kim@corp.test"));
	assert_true(has(list, "KIM@CORP.TEST"));
	assert_true(has(list, "lee@corp.test"));
	assert_true(has(list, "ops team"));
	assert_false(has(list, "kim"));
	assert_false(has(list, "kim@corp.test "));
	assert_false(has(list, "kim@corp.test,lee@corp.test"));
	assert_false(has(list, "ops"));
	assert_false(has(list, ""));
}

static void a_star_allows_anybody_but_the_system(void **state)
{
	struct demon_allowlist *list = NULL;
	struct demon_err err;

	(void)state;
	assert_true(has("*", "kim"));
	assert_true(has("lee, * ", "kim"));
	assert_false(has("*", "system"));
	assert_false(has("system", "System"));
	assert_false(has("k*", "kim"));
	assert_false(has("**", "kim"));
	assert_ok(demon_allowlist_parse("b,*,A", &list, &err), &err);
	assert_true(demon_allowlist_is_open(list));
	assert_int_equal(demon_allowlist_count(list), 2);
	assert_string_equal(demon_allowlist_at(list, 0), "A");
	demon_allowlist_free(list);
	assert_ok(demon_allowlist_parse("b", &list, &err), &err);
	assert_false(demon_allowlist_is_open(list));
	demon_allowlist_free(list);
}

static void a_name_that_is_none_is_refused_with_its_number(void **state)
{
	struct demon_allowlist *list = NULL;
	struct demon_err err;
	char text[2 * DEMON_ALLOWLIST_MAX + 2];

	(void)state;
	assert_rc(demon_allowlist_parse("kim,le\x1b[1me", &list, &err), DEMON_INVALID, &err);
	assert_contains(err.msg, "name 2 of the allow-list");
	assert_rc(demon_allowlist_parse("\xff", &list, &err), DEMON_INVALID, &err);
	memset(text, ',', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_rc(demon_allowlist_parse(text, &list, &err), DEMON_TOOBIG, &err);
	assert_null(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_list_allows_nobody),
	    cmocka_unit_test(names_are_trimmed_and_compared_without_case),
	    cmocka_unit_test(a_star_allows_anybody_but_the_system),
	    cmocka_unit_test(a_name_that_is_none_is_refused_with_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
