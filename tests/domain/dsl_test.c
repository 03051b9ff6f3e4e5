/*
 * What the Serverless Workflow DSL becomes when it is loaded, and what is refused. How it runs is
 * in run_dsl_test.c; the files in data/rituals/bad have more that is refused.
 */
#include "support/test.h"

#include "base/fault.h"
#include "domain/capsule/capsule.h"
#include "domain/ritual/definition.h"

#include <stdio.h>

#define SET "{'set':{'v':1}}"

struct fixture {
	struct demon_definition *definition;
	struct demon_definition *again;
	struct demon_problems problems;
	struct demon_buf text;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->text = (struct demon_buf){.data = demon_buf_empty};
	*state = f;
	return 0;
}

static void reset(struct fixture *f)
{
	demon_definition_free_p(&f->definition);
	demon_definition_free_p(&f->again);
	f->definition = NULL;
	f->again = NULL;
	demon_problems_done(&f->problems);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	reset(f);
	demon_buf_done(&f->text);
	free(f);
	return 0;
}

/* A document with @p more members beside `do`; ' stands for ". */
static void begin(struct fixture *f, const char *more)
{
	demon_buf_clear(&f->text);
	demon_buf_fmt(&f->text,
		      "{'document':{'dsl':'1.0.3','namespace':'default','name':'t','version':'1'}"
		      "%s%s,'do':[",
		      *more ? "," : "", more);
}

static enum demon_rc end(struct fixture *f)
{
	demon_buf_str(&f->text, "]}");
	assert_int_equal(f->text.rc, DEMON_OK);
	for (size_t i = 0; i < f->text.len; i++)
		if (f->text.data[i] == '\'')
			f->text.data[i] = '"';
	reset(f);
	return demon_definition_load("file", f->text.data, f->text.len, &f->definition,
				     &f->problems, &f->err);
}

static enum demon_rc load(struct fixture *f, const char *more, const char *tasks)
{
	begin(f, more);
	demon_buf_str(&f->text, tasks);
	return end(f);
}

static void accept(struct fixture *f, const char *more, const char *tasks)
{
	assert_ok(load(f, more, tasks), &f->err);
	assert_int_equal(f->problems.count, 0);
}

/* Refused with the one problem @p want, which stands where @p at begins in the text. */
static void refuse(struct fixture *f, const char *more, const char *tasks, const char *at,
		   const char *want)
{
	char plain[256];
	const char *found;
	size_t i = 0;

	assert_rc(load(f, more, tasks), DEMON_INVALID, &f->err);
	assert_null(f->definition);
	if (f->problems.count != 1 || strncmp(f->problems.items[0].text, want, strlen(want)) != 0)
		fail_msg("%s: expected '%s', found %zu problems: '%s'", tasks, want,
			 f->problems.count, f->problems.items[0].text);
	for (; at[i] && i < sizeof(plain) - 1; i++)
		plain[i] = at[i] == '\'' ? '"' : at[i];
	plain[i] = '\0';
	found = strstr(f->text.data, plain);
	assert_non_null(found);
	assert_int_equal(f->problems.items[0].line, 1);
	assert_int_equal(f->problems.items[0].column, found - f->text.data + 1);
}

static const struct demon_task *task(const struct fixture *f, size_t i)
{
	assert_true(i < f->definition->root.count);
	return &f->definition->root.tasks[i];
}

static void a_loop_may_be_left_from_within_a_list(void **state)
{
	struct fixture *f = *state;

	accept(f, "",
	       "{'poll':{'do':[{'check':{'if':'.done','set':{'v':1},'then':'end'}}]}},"
	       "{'pause':{'wait':'PT1S','then':'poll'}}");
	assert_int_equal(task(f, 1)->next, 0);
	accept(f, "",
	       "{'a':{'try':[{'r':{'raise':{'error':{'type':'t','status':400}}}}],"
	       "'catch':{'errors':{'with':{'status':500}},'do':[{'b':" SET "}]},'then':'a'}}");
	accept(f, "", "{'a':{'if':'.again','set':{'v':1},'then':'a'}}");
	accept(f, "", "{'a':{'switch':[{'x':{'when':'.x','then':'a'}}]}}");
	accept(f, "", "{'a':{'do':[{'b':{'set':{'v':1},'then':'exit'}}]}}");
}

static void a_loop_that_nothing_leaves_is_refused(void **state)
{
	static const char want[] = "tasks go in a circle for ever from 'a' on";
	struct fixture *f = *state;

	refuse(f, "", "{'a':{'set':{'v':1},'then':'a'}}", "{'a'", want);
	refuse(f, "",
	       "{'a':{'switch':[{'x':{'when':'.x','then':'b'}},{'y':{'then':'b'}}]}},"
	       "{'b':{'set':{'v':1},'then':'a'}}",
	       "{'a'", want);
	refuse(f, "", "{'a':{'do':[{'b':{'set':{'v':1},'then':'exit'}}],'then':'a'}}", "{'a'",
	       want);
	refuse(f, "", "{'d':{'do':[{'a':{'wait':'PT1S','then':'a'}}]}}", "{'a'", want);
}

static void what_no_way_leads_to_is_refused(void **state)
{
	static const char want[] = "task 'b' can never be reached";
	struct fixture *f = *state;

	refuse(f, "", "{'a':{'raise':{'error':{'type':'t','status':400}}}},{'b':" SET "}", "{'b'",
	       want);
	refuse(f, "", "{'a':{'switch':[{'x':{'then':'c'}}]}},{'b':" SET "},{'c':" SET "}", "{'b'",
	       want);
	refuse(f, "", "{'a':{'set':{'v':1},'then':'exit'}},{'b':" SET "}", "{'b'", want);
	accept(f, "",
	       "{'a':{'if':'.x','raise':{'error':{'type':'t','status':400}}}},{'b':" SET "}");
	accept(f, "",
	       "{'a':{'switch':[{'x':{'when':'.x','then':'c'}}]}},{'b':" SET "},{'c':" SET "}");
}

static void many_problems_leave_nothing_unsaid_about_broken_lists(void **state)
{
	struct fixture *f = *state;

	begin(f, "");
	for (unsigned i = 0; i < 101; i++)
		demon_buf_fmt(&f->text, "{'t%u':{'set':{'v':1},'oops':1}},", i);
	demon_buf_str(&f->text, "{'d':{'do':[{'a':{'set':{'v':1},'then':'end'}},5]}}");
	assert_rc(end(f), DEMON_INVALID, &f->err);
	assert_int_equal(f->problems.count, 100);
	assert_int_equal(f->problems.dropped, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_loop_may_be_left_from_within_a_list),
	    TEST(a_loop_that_nothing_leaves_is_refused),
	    TEST(what_no_way_leads_to_is_refused),
	    TEST(many_problems_leave_nothing_unsaid_about_broken_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
