#include "support/test.h"

#include "base/base.h"
#include "domain/admin/actor.h"

static void levels_and_roles_have_names_both_ways(void **state)
{
	struct demon_err err;
	enum demon_auth auth;
	enum demon_role role;

	(void)state;
	for (int i = 0; i < DEMON_AUTH_COUNT; i++) {
		assert_ok(demon_auth_find(demon_auth_name((enum demon_auth)i), &auth, &err), &err);
		assert_int_equal(auth, i);
	}
	for (int i = DEMON_ROLE_VIEWER; i < DEMON_ROLE_COUNT; i++) {
		assert_ok(demon_role_find(demon_role_name((enum demon_role)i), &role, &err), &err);
		assert_int_equal(role, i);
	}
	assert_rc(demon_auth_find("root", &auth, &err), DEMON_INVALID, &err);
	assert_rc(demon_role_find("none", &role, &err), DEMON_INVALID, &err);
	assert_rc(demon_role_find("Admin", &role, &err), DEMON_INVALID, &err);
}

static void a_subject_is_one_line_of_what_can_be_seen(void **state)
{
	static const char *const good[] = {"kim",           "kim@corp.test", "Kim Lee",
					   "cn=kim,o=corp", "k\xc3\xadm",    "\xe9\x87\x91",
					   "a:b.*>",        "'; drop table"};
	static const char *const bad[][2] = {
	    {"", "it is empty"},
	    {" kim", "begins with white space"},
	    {"kim ", "ends with white space"},
	    {"kim\xc2\xa0", "ends with white space"},
	    {"kim\nlee", "control character"},
	    {"kim\x1b[31m", "control character"},
	    {"kim\x7f", "control character"},
	    {"kim\xc2\x85", "control character"},
	    {"kim\xe2\x80\xae", "control character"}, /* shows what follows backwards */
	    {"k\xe2\x80\x8bim", "control character"}, /* no width */
	    {"kim\xff", "not UTF-8"},
	    {"kim\xc0\xaf", "not UTF-8"},
	    {"kim\xed\xa0\x80", "not UTF-8"},
	    {"kim\xe2\x80", "not UTF-8"},
	};
	struct demon_err err;
	char text[10241];

	(void)state;
	for (size_t i = 0; i < demon_count(good); i++)
		assert_ok(demon_subject_check(good[i], &err), &err);
	for (size_t i = 0; i < demon_count(bad); i++) {
		assert_rc(demon_subject_check(bad[i][0], &err), DEMON_INVALID, &err);
		assert_contains(err.msg, bad[i][1]);
		for (const char *p = err.msg; *p; p++)
			assert_true((unsigned char)*p >= ' ');
	}
	assert_rc(demon_subject_check(NULL, &err), DEMON_INVALID, &err);
	memset(text, 'k', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_rc(demon_subject_check(text, &err), DEMON_INVALID, &err);
	assert_contains(err.msg, "longer than 254 bytes");
	text[DEMON_ACTOR_MAX] = '\0';
	assert_ok(demon_subject_check(text, &err), &err);
}

static void only_the_node_itself_is_the_system(void **state)
{
	struct demon_actor actor = {.subject = "system"};
	struct demon_err err;

	(void)state;
	assert_ok(demon_actor_check(&demon_actor_system, &err), &err);
	assert_rc(demon_actor_check(&actor, &err), DEMON_INVALID, &err);
	actor.auth = DEMON_AUTH_TOKEN;
	actor.subject = "SYSTEM";
	assert_rc(demon_actor_check(&actor, &err), DEMON_INVALID, &err);
	actor.subject = "systems";
	assert_ok(demon_actor_check(&actor, &err), &err);
	actor.auth = DEMON_AUTH_SYSTEM;
	assert_rc(demon_actor_check(&actor, &err), DEMON_INVALID, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(levels_and_roles_have_names_both_ways),
	    cmocka_unit_test(a_subject_is_one_line_of_what_can_be_seen),
	    cmocka_unit_test(only_the_node_itself_is_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
