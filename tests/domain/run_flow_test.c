#include "support/test.h"

#include "domain/ritual/run_flow.h"

#define CALL(n, ref, follows)                                                               \
	{                                                                                   \
		.kind = DEMON_TASK_CALL, .name = (n), .reference = (ref), .next = (follows) \
	}
#define END DEMON_NEXT_END

/* a, then the list (b, then nothing, then c), then e; d is passed over. */
static const struct demon_task nothing[1];
static const struct demon_task inner[] = {
    CALL("b", "/1/b", 1),
    {.kind = DEMON_TASK_DO, .name = "nothing", .reference = "/1/n", .next = 2, .tasks = nothing},
    CALL("c", "/1/c", END),
};
static const struct demon_task outer[] = {
    CALL("a", "/0", 1),
    {.kind = DEMON_TASK_DO,
     .name = "list",
     .reference = "/1",
     .next = 3,
     .tasks = inner,
     .count = 3},
    CALL("d", "/2", END),
    CALL("e", "/3", END),
};
static const struct demon_definition definition = {
    .root = {.kind = DEMON_TASK_DO, .tasks = outer, .count = 4}};

static void calls_follow_each_other_through_nested_lists(void **state)
{
	static const char *const order[] = {"/0", "/1/b", "/1/c", "/3"};
	const struct demon_task *task = demon_flow_first(&definition);

	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		assert_non_null(task);
		assert_string_equal(task->reference, order[i]);
		assert_ptr_equal(demon_flow_find(&definition, order[i]), task);
		task = demon_flow_after(&definition, order[i]);
	}
	assert_null(task);
}

static void a_call_that_no_way_leads_to_is_found_all_the_same(void **state)
{
	(void)state;
	assert_string_equal(demon_flow_find(&definition, "/2")->name, "d");
	assert_null(demon_flow_after(&definition, "/2"));
	assert_null(demon_flow_find(&definition, "/1"));
	assert_null(demon_flow_find(&definition, "/9"));
	assert_null(demon_flow_after(&definition, "/9"));
}

static void a_definition_without_calls_has_no_first(void **state)
{
	const struct demon_definition empty = {.root = {.kind = DEMON_TASK_DO}};

	(void)state;
	assert_null(demon_flow_first(&empty));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_follow_each_other_through_nested_lists),
	    cmocka_unit_test(a_call_that_no_way_leads_to_is_found_all_the_same),
	    cmocka_unit_test(a_definition_without_calls_has_no_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
