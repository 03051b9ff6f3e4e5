/*
 * Memory that runs out: whichever allocation fails, nothing leaks, nothing is corrupt, and the run
 * can be taken up.
 */
#include "support/test.h"

#include "base/fault.h"
#include "domain/ritual/run_control.h"
#include "support/play.h"

#include <stdio.h>

/* Allocations of jansson fail too, at the n-th from now; 0: none. */
static unsigned countdown;
static unsigned triggered;

static void *failing_malloc(size_t size)
{
	if (countdown && --countdown == 0) {
		triggered++;
		return NULL;
	}
	return malloc(size);
}

static void arm(bool jansson, unsigned nth)
{
	triggered = 0;
	if (jansson)
		countdown = nth;
	else
		demon_fault_arm(DEMON_FAULT_ALLOC, nth, false);
}

static bool disarm(bool jansson)
{
	countdown = 0;
	return jansson ? triggered : demon_fault_disarm();
}

/* Takes the run up until it has ended. */
static void go_to_the_end(struct play *f)
{
	const struct demon_run_request request = {.by = "op"};
	struct demon_err err;

	play_on(f);
	if (strcmp(f->outcome.status, "Suspended") == 0) {
		assert_ok(demon_run_resume(f->store, &f->run, &request, &err), &err);
		play_on(f);
	}
}

static unsigned fail_everywhere(struct play *f, const char *text, const char *want, bool jansson)
{
	struct demon_run_watch watch = {.expr = f->expr};
	unsigned nth = 1;
	bool hit = true;

	f->definition = run_definition(text);
	for (; hit; nth += 1 + nth / 16) {
		char id[32];
		const struct demon_run_options options = {.run_id = id};
		struct demon_err err;
		enum demon_rc rc;

		(void)snprintf(id, sizeof(id), "r-%u", nth);
		assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
		free(f->outcome.terminal);
		f->outcome = (struct demon_run_outcome){0};
		arm(jansson, nth);
		rc = demon_run_execute_watched(f->store, &f->run, &watch, &f->outcome, &err);
		hit = disarm(jansson);
		if (rc && rc != DEMON_NOMEM)
			fail_msg("allocation %u: %s: %s", nth, demon_rc_text(rc), err.msg);
		go_to_the_end(f);
		if (!f->outcome.terminal || !strstr(f->outcome.terminal, want))
			fail_msg("allocation %u: %s", nth, f->outcome.terminal);
	}
	print_message("%u allocations\n", nth);
	return nth;
}

#define EVERYTHING                                                                               \
	DSL_WITH(                                                                                \
	    "'input':{'from':'. + {n: 1}'},'output':{'as':'{out: .}'},'use':{'errors':{'e':{"    \
	    "'type':'odd','status':400}}},'timeout':{'after':'PT1H'}",                           \
	    "{'l':{'for':{'each':'x','in':'[1,2]'},'while':'$x < 9','do':[{'a':{'set':{"         \
	    "'sum':'${ (.sum // 0) + $x }'},'export':{'as':'{seen: .sum}'}}}]}},"                \
	    "{'t':{'try':[{'bad':{'raise':{'error':'e'}}}],'catch':{'as':'e','when':'$e.status " \
	    "== 400','retry':{'limit':{'attempt':{'count':1}}},'do':[{'c':{'set':'${ {sum: 3, "  \
	    "e: $e.type} }'}}]}}},"                                                              \
	    "{'s':{'switch':[{'no':{'when':'.sum > 3','then':'end'}},{'yes':{'then':'w'}}]}},"   \
	    "{'w':{'wait':{'seconds':0}}},"                                                      \
	    "{'d':{'input':{'from':'. + {d: 1}'},'do':[{'call':{'call':'echo','with':{"          \
	    "'message':'${ .e }'},'output':{'as':'{v: .echoed_message, c: $context.seen}'}}},"   \
	    "{'sh':{'run':{'shell':{'command':'echo $1','arguments':['${ .v }']}},'output':{"    \
	    "'as':'{v: .}'}}},{'if':{'if':'false','set':{'no':1}}}]}}")

static void a_run_outlives_every_allocation_of_ours(void **state)
{
	assert_true(fail_everywhere(*state, EVERYTHING, "{\"out\":{\"v\":\"odd\\n\"}}", false) >
		    100);
}

static void a_run_outlives_every_allocation_of_json(void **state)
{
	assert_true(fail_everywhere(*state, EVERYTHING, "{\"out\":{\"v\":\"odd\\n\"}}", true) >
		    1000);
}

#define UNDO(text)                                                                                 \
	"{'name':'" text "','type':'task','action':{'functionRef':{'refName':'echo','arguments':{" \
	"'message':'" text "'}}},'compensatedBy':{'functionRef':{'refName':'echo','arguments':{"   \
	"'message':'undo " text "'}}}}"
#define SEED                                                                                       \
	"{'id':'test','version':'1','states':[" UNDO("A") "," UNDO(                                \
	    "B") ",{'name':'T','type':'task','action':{'functionRef':{'refName':'scheduleTimer',"  \
		 "'arguments':{'timer':'t','delaySeconds':0}}}},{'name':'W','type':'event','on':[" \
		 "{"                                                                               \
		 "'eventRef':'t','transition':'C'}]},{'name':'C','type':'task','action':{"         \
		 "'functionRef':{'refName':'compensate'}},'end':true}]}"

static void what_was_done_is_undone_whichever_allocation_fails(void **state)
{
	assert_true(fail_everywhere(*state, SEED, "\"echoed_message\":\"undo A\"", false) > 50);
}

static void what_was_done_is_undone_whichever_allocation_of_json_fails(void **state)
{
	assert_true(fail_everywhere(*state, SEED, "\"echoed_message\":\"undo A\"", true) > 200);
}

int main(void)
{
#define MEMORY_TEST(test) cmocka_unit_test_setup_teardown(test, play_set_up, play_tear_down)
	const struct CMUnitTest tests[] = {
	    MEMORY_TEST(a_run_outlives_every_allocation_of_ours),
	    MEMORY_TEST(a_run_outlives_every_allocation_of_json),
	    MEMORY_TEST(what_was_done_is_undone_whichever_allocation_fails),
	    MEMORY_TEST(what_was_done_is_undone_whichever_allocation_of_json_fails),
	};

	json_set_alloc_funcs(failing_malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
