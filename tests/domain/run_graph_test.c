/*
 * Rituals that commit to graphs and ask them: a commit and its step's result are one transaction.
 */
#include "support/test.h"

#include "base/fault.h"
#include "domain/graph/history.h"
#include "support/play.h"

#include <stdio.h>

#define G "'projectId':'p','namespace':'n','graphId':'g'"
#define COMMIT(name, more)                                                                \
	"{'" name "':{'call':'graph.commit','with':{" G ",'mutations':[{'op':'add-node'," \
	"'nodeId':'${ \\\"n\\\" + ($workflow.id // \\\"\\\") }','properties':{'v':1}}],"  \
	"'tag':'main'" more "}}}"
#define QUERY(name, more) "{'" name "':{'call':'graph.query','with':{" G "," more "}}}"

static const struct demon_graph_scope scope = {"default", "p", "n", "g"};

static enum demon_rc count_row(void *ctx, const struct demon_graph_log_row *row,
			       struct demon_err *err)
{
	(void)row;
	(void)err;
	++*(size_t *)ctx;
	return DEMON_OK;
}

static size_t count_commits(struct play *f)
{
	const struct demon_graph_log_filter filter = {.from = NULL};
	struct demon_err err;
	size_t n = 0;
	enum demon_rc rc = demon_graph_log(f->store, &scope, &filter, count_row, &n, &err);

	if (rc != DEMON_NOTFOUND)
		assert_ok(rc, &err);
	return n;
}

static void a_ritual_commits_and_asks(void **state)
{
	struct play *f = *state;

	play(f, DSL(COMMIT("c", "") "," QUERY("q", "'operation':'get-node','nodeId':'nr-1'")));
	assert_output(f, "{\"labels\":[],\"nodeId\":\"nr-1\",\"properties\":{\"v\":1}}");
	assert_int_equal(count_commits(f), 1);
}

static void what_is_not_there_is_null(void **state)
{
	struct play *f = *state;

	play(f, DSL(COMMIT("c", "") "," QUERY("q", "'operation':'get-node','nodeId':'x'")));
	assert_output(f, "null");
}

static void a_refused_commit_is_an_error_of_the_step(void **state)
{
	struct play *f = *state;

	play(f, DSL(COMMIT("c", "") "," COMMIT("d", ",'parents':['main']")));
	assert_failed(f, "GRAPH_CONFLICT: mutation 0");
	assert_int_equal(count_commits(f), 1);
}

static void a_graph_that_is_not_there_is_an_error_of_the_step(void **state)
{
	struct play *f = *state;

	play(f, DSL(QUERY("q", "'operation':'neighbors','nodeId':'a'")));
	assert_failed(f, "GRAPH_NOT_FOUND");
}

static void a_tag_that_has_moved_takes_the_commit_back(void **state)
{
	struct play *f = *state;

	play(f, DSL(COMMIT("c", ",'expect':'other'")));
	assert_failed(f, "GRAPH_NOT_FOUND");
	assert_int_equal(count_commits(f), 0);
}

static void a_commit_is_made_once_whatever_point_its_process_ends_at(void **state)
{
	static const enum demon_fault points[] = {
	    DEMON_FAULT_STEP_STARTED,   DEMON_FAULT_COMMIT_BEFORE,  DEMON_FAULT_COMMIT_AFTER,
	    DEMON_FAULT_APPEND_EVENT,   DEMON_FAULT_APPEND_APPLIED, DEMON_FAULT_STEP_RETURNED,
	    DEMON_FAULT_STEP_COMPLETED,
	};
	struct play *f = *state;
	size_t made = 0;

	f->definition = run_definition(DSL(COMMIT("c", "")));
	for (size_t i = 0; i < demon_count(points); i++)
		for (unsigned nth = 1; nth <= 6; nth++) {
			char id[16];
			const struct demon_run_options options = {.run_id = id};
			struct demon_err err;

			(void)snprintf(id, sizeof(id), "f-%zu-%u", i, nth);
			assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err),
				  &err);
			demon_fault_arm(points[i], nth, false);
			(void)play_try(f, &err);
			(void)demon_fault_disarm();
			play_on(f);
			assert_string_equal(f->outcome.status, "Completed");
			assert_int_equal(count_commits(f), ++made);
		}
}

static void arguments_are_checked_before_anything_runs(void **state)
{
	static const char *const bad[] = {
	    "{\"mutations\":[]}",
	    "{"
	    "\"projectId\":\"p\",\"namespace\":\"n\",\"graphId\":\"g\"}",
	    "{\"projectId\":\"p\",\"namespace\":\"n\",\"graphId\":\"g\",\"mutations\":{},"
	    "\"odd\":1}",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < demon_count(bad); i++) {
		struct demon_definition *definition;
		struct demon_err err;

		(void)snprintf(text, sizeof(text),
			       "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"default\","
			       "\"name\":\"t\",\"version\":\"1\"},\"do\":[{\"c\":{\"call\":"
			       "\"graph.commit\",\"with\":%s}}]}",
			       bad[i]);
		assert_rc(demon_definition_load("t", text, strlen(text), &definition, NULL, &err),
			  DEMON_INVALID, &err);
	}
}

#define GRAPH_TEST(name) cmocka_unit_test_setup_teardown(name, play_set_up, play_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    GRAPH_TEST(a_ritual_commits_and_asks),
	    GRAPH_TEST(what_is_not_there_is_null),
	    GRAPH_TEST(a_refused_commit_is_an_error_of_the_step),
	    GRAPH_TEST(a_graph_that_is_not_there_is_an_error_of_the_step),
	    GRAPH_TEST(a_tag_that_has_moved_takes_the_commit_back),
	    GRAPH_TEST(a_commit_is_made_once_whatever_point_its_process_ends_at),
	    GRAPH_TEST(arguments_are_checked_before_anything_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
