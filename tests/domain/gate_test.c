/*
 * Gates: they are opened, voted on, warned about, escalated and decided, once each.
 */
#include "support/test.h"

#include "base/fault.h"
#include "domain/admin/roles.h"
#include "domain/approval/escalation.h"
#include "domain/approval/vote.h"
#include "domain/ritual/run_control.h"
#include "store/readers.h"
#include "support/play.h"

#include <stdio.h>

#define GATE(more) "{'ask':{'call':'approval','with':{'gate':'prod','reason':'release'" more "}}}"
#define HOUR       ((int64_t)3600 * 1000)

struct desk {
	struct play *play;
	struct demon_allowlist *list;
	struct demon_gate_config config;
	struct demon_vote_answer answer;
	struct demon_err err;
	json_t *rules;
};

static int set_up(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));
	void *play;

	assert_int_equal(play_set_up(&play), 0);
	d->play = play;
	assert_ok(demon_allowlist_parse("ada, lin, kim, max", &d->list, &d->err), &d->err);
	d->config.allowlist = d->list;
	d->play->gates = &d->config;
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	void *play = d->play;

	demon_vote_answer_done(&d->answer);
	demon_allowlist_free(d->list);
	json_decref(d->rules);
	free(d);
	return play_tear_down(&play);
}

static enum demon_rc cast(struct desk *d, enum demon_gate_state want, const char *who,
			  const char *note)
{
	const struct demon_actor actor = {.subject = who};
	const struct demon_vote vote = {
	    .run = &d->play->run, .gate_id = "prod", .want = want, .actor = &actor, .note = note};

	demon_vote_answer_done(&d->answer);
	return demon_vote_cast(d->play->store, &d->config, &vote, &d->answer, &d->err);
}

static enum demon_rc grant(struct desk *d, const char *who)
{
	return cast(d, DEMON_GATE_GRANTED, who, NULL);
}

static enum demon_rc deny(struct desk *d, const char *who)
{
	return cast(d, DEMON_GATE_DENIED, who, "no");
}

static void assert_status(struct desk *d, const char *want)
{
	assert_string_equal(d->play->outcome.status, want);
}

/* How many events of a type the run has. */
static size_t count_events(struct desk *d, const char *type)
{
	size_t n = 0;

	run_events_done(&d->play->events);
	run_events_read(d->play->store, "r-1", &d->play->events);
	for (size_t i = 0; i < d->play->events.count; i++)
		n += strcmp(d->play->events.items[i].type, type) == 0;
	return n;
}

static void wait_for(struct desk *d, int64_t ms)
{
	fake_env_advance(&d->play->clock, ms);
	if (play_due(d->play, NULL))
		play_on(d->play);
}

static void a_run_waits_at_its_gate_and_goes_on_when_that_is_granted(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE("")));
	assert_status(d, "AwaitingApproval");
	assert_int_equal(play_due(d->play, NULL), 0);
	assert_ok(grant(d, "ada"), &d->err);
	assert_true(d->answer.decided && !d->answer.noop);
	assert_contains(d->answer.event, "\"approver\":\"ada\",\"event\":\"approval.granted:v1\"");
	assert_int_equal(play_due(d->play, NULL), 1);
	play_on(d->play);
	assert_output(d->play, "{\"approvers\":[\"ada\"],\"by\":\"ada\",\"gateId\":\"prod\","
			       "\"round\":1,\"state\":\"granted\"}");
	assert_int_equal(count_events(d, "approval.granted:v1"), 1);
	assert_int_equal(count_events(d, "approval.vote:v1"), 1);
}

static void a_denial_ends_the_run_as_denied(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE("") "," SET("a", "1")));
	assert_ok(deny(d, "ada"), &d->err);
	play_on(d->play);
	assert_status(d, "Denied");
	assert_contains(d->play->outcome.terminal, "\"event\":\"ritual.failed:v1\"");
	assert_contains(d->play->outcome.terminal, "/errors/denied");
	assert_contains(d->play->outcome.terminal, "gate 'prod' was denied by ada: no");
}

static void the_same_again_is_no_news_and_the_contrary_a_conflict(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE("")));
	assert_ok(grant(d, "ada"), &d->err);
	assert_ok(grant(d, "ada"), &d->err);
	assert_true(d->answer.noop);
	assert_null(d->answer.event);
	assert_ok(grant(d, "lin"), &d->err);
	assert_true(d->answer.noop);
	assert_rc(deny(d, "ada"), DEMON_CONFLICT, &d->err);
	assert_int_equal(d->answer.state, DEMON_GATE_GRANTED);
	assert_contains(d->err.msg, "already resolved: it is granted");
	assert_rc(cast(d, DEMON_GATE_OVERRIDDEN, "ada", "why"), DEMON_CONFLICT, &d->err);
	play_on(d->play);
	assert_rc(deny(d, "lin"), DEMON_CONFLICT, &d->err);
	assert_int_equal(count_events(d, "approval.vote:v1"), 1);
}

static void only_gates_that_were_requested_can_be_decided(void **state)
{
	struct desk *d = *state;
	const struct demon_actor actor = {.subject = "ada"};
	struct demon_vote vote = {
	    .run = &d->play->run, .gate_id = "other", .want = DEMON_GATE_GRANTED, .actor = &actor};

	play(d->play, DSL("{'w':{'wait':'PT1H'}}," GATE("")));
	assert_rc(grant(d, "ada"), DEMON_NOTFOUND, &d->err);
	assert_rc(demon_vote_cast(d->play->store, &d->config, &vote, &d->answer, &d->err),
		  DEMON_NOTFOUND, &d->err);
	assert_int_equal(count_events(d, "approval.vote:v1"), 0);
}

static void who_asks_may_not_decide(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'requester':'kim'")));
	assert_rc(grant(d, "KIM"), DEMON_DENIED, &d->err);
	assert_contains(d->err.msg, "asks for the approval itself");
	assert_rc(deny(d, "kim"), DEMON_DENIED, &d->err);
	assert_ok(grant(d, "ada"), &d->err);
}

static void who_asks_may_decide_where_the_gate_says_so(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'requester':'kim','allowRequester':true")));
	assert_ok(grant(d, "kim"), &d->err);
}

static void nobody_may_decide_who_is_not_allowed(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'approvers':['lin']")));
	assert_rc(grant(d, "eve"), DEMON_DENIED, &d->err);
	assert_contains(d->err.msg, "allow-list");
	assert_rc(grant(d, "ada"), DEMON_DENIED, &d->err);
	assert_contains(d->err.msg, "none of its approvers");
	assert_rc(grant(d, "system"), DEMON_INVALID, &d->err);
	assert_rc(grant(d, ""), DEMON_INVALID, &d->err);
	d->config.allowlist = NULL;
	assert_rc(grant(d, "lin"), DEMON_DENIED, &d->err);
	assert_int_equal(count_events(d, "approval.vote:v1"), 0);
	assert_status(d, "AwaitingApproval");
}

static void a_quorum_takes_distinct_voters(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'quorum':2")));
	assert_ok(grant(d, "ada"), &d->err);
	assert_true(!d->answer.decided && d->answer.have == 1 && d->answer.need == 2);
	assert_ok(grant(d, "Ada"), &d->err);
	assert_true(d->answer.noop);
	assert_int_equal(d->answer.state, DEMON_GATE_PENDING);
	assert_rc(deny(d, "ada"), DEMON_CONFLICT, &d->err);
	assert_ok(grant(d, "lin"), &d->err);
	assert_true(d->answer.decided);
	play_on(d->play);
	assert_output(d->play, "{\"approvers\":[\"ada\",\"lin\"],\"by\":\"lin\","
			       "\"gateId\":\"prod\",\"round\":1,\"state\":\"granted\"}");
}

static void denials_are_counted_too(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'quorum':2,'denials':2")));
	assert_ok(deny(d, "ada"), &d->err);
	assert_false(d->answer.decided);
	assert_ok(grant(d, "lin"), &d->err);
	assert_ok(deny(d, "kim"), &d->err);
	assert_true(d->answer.decided);
	assert_int_equal(d->answer.state, DEMON_GATE_DENIED);
}

static void a_gate_nobody_decides_is_denied_at_its_deadline_and_never_before(void **state)
{
	struct desk *d = *state;
	demon_time due;

	play(d->play, DSL(GATE(",'ttl':'PT1H'")));
	(void)play_due(d->play, &due);
	assert_int_equal(due, d->play->clock.now + HOUR / 2);
	wait_for(d, HOUR / 2);
	assert_int_equal(count_events(d, "approval.warned:v1"), 1);
	wait_for(d, HOUR / 2 - 1);
	assert_int_equal(count_events(d, "approval.warned:v1"), 2);
	assert_status(d, "AwaitingApproval");
	wait_for(d, 1);
	assert_status(d, "Denied");
	assert_int_equal(count_events(d, "approval.denied:v1"), 1);
	assert_contains(d->play->outcome.terminal, "denied by system: expired");
}

static void a_gate_without_a_ttl_has_a_deadline_all_the_same(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE("")));
	wait_for(d, 24 * HOUR);
	assert_status(d, "Denied");
}

static void a_vote_after_the_deadline_is_too_late_though_no_timer_has_fired(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'ttl':60")));
	fake_env_advance(&d->play->clock, 60000);
	assert_rc(grant(d, "ada"), DEMON_CONFLICT, &d->err);
	assert_int_equal(d->answer.state, DEMON_GATE_DENIED);
	assert_int_equal(count_events(d, "approval.granted:v1"), 0);
	assert_int_equal(count_events(d, "approval.denied:v1"), 1);
	play_on(d->play);
	assert_status(d, "Denied");
}

static void a_timer_for_a_decided_gate_does_nothing(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'ttl':60")));
	assert_ok(grant(d, "ada"), &d->err);
	fake_env_advance(&d->play->clock, 120000);
	assert_ok(demon_gate_tick(d->play->store, &d->play->run, &d->err), &d->err);
	play_on(d->play);
	assert_status(d, "Completed");
	assert_int_equal(count_events(d, "approval.denied:v1"), 0);
}

static void a_clock_that_goes_back_makes_nothing_early(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'ttl':60")));
	fake_env_advance(&d->play->clock, -HOUR);
	assert_int_equal(play_due(d->play, NULL), 0);
	assert_ok(grant(d, "ada"), &d->err);
	play_on(d->play);
	assert_status(d, "Completed");
}

static void each_time_the_step_runs_it_opens_a_new_round(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL("{'l':{'for':{'in':'[1,2,3]'},'do':[" GATE("") "]}}"));
	for (int64_t round = 1; round <= 3; round++) {
		assert_status(d, "AwaitingApproval");
		assert_ok(grant(d, "ada"), &d->err);
		assert_int_equal(d->answer.round, round);
		assert_true(d->answer.decided);
		assert_ok(grant(d, "ada"), &d->err);
		assert_true(d->answer.noop);
		play_on(d->play);
	}
	assert_status(d, "Completed");
	assert_int_equal(count_events(d, "approval.granted:v1"), 3);
}

static void a_vote_is_for_the_round_that_was_seen(void **state)
{
	struct desk *d = *state;
	const struct demon_actor actor = {.subject = "ada"};
	struct demon_vote vote = {.run = &d->play->run,
				  .gate_id = "prod",
				  .round = 1,
				  .want = DEMON_GATE_GRANTED,
				  .actor = &actor};

	play(d->play, DSL("{'l':{'for':{'in':'[1,2]'},'do':[" GATE("") "]}}"));
	assert_ok(grant(d, "ada"), &d->err);
	play_on(d->play);
	demon_vote_answer_done(&d->answer);
	assert_ok(demon_vote_cast(d->play->store, &d->config, &vote, &d->answer, &d->err), &d->err);
	assert_true(d->answer.noop);
	vote.round = 2;
	vote.seen = "0000";
	assert_rc(demon_vote_cast(d->play->store, &d->config, &vote, &d->answer, &d->err),
		  DEMON_CONFLICT, &d->err);
	assert_contains(d->err.msg, "something else than what was seen");
	assert_status(d, "AwaitingApproval");
}

static void only_a_catch_that_names_the_type_catches_a_denial(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL("{'t':{'try':[" GATE("") "],'catch':{'do':[" SET("b", "1") "]}}}"));
	assert_ok(deny(d, "ada"), &d->err);
	play_on(d->play);
	assert_status(d, "Denied");
}

static void a_catch_that_names_the_type_catches_it(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL("{'t':{'try':[" GATE(
			  "") "],'catch':{'errors':{'with':{'type':'https://demon.example/errors/"
			      "denied'}},'do':[" SET("b", "1") "]}}}"));
	assert_ok(deny(d, "ada"), &d->err);
	play_on(d->play);
	assert_output(d->play, "{\"v\":1}");
}

static void a_run_that_waits_at_a_gate_can_be_canceled(void **state)
{
	struct desk *d = *state;
	const struct demon_run_request request = {.by = "op"};
	bool changed;

	play(d->play, DSL(GATE("")));
	assert_ok(demon_run_cancel(d->play->store, &d->play->run, &request, &changed, &d->err),
		  &d->err);
	assert_true(changed);
	assert_rc(grant(d, "ada"), DEMON_CONFLICT, &d->err);
	assert_int_equal(d->answer.state, DEMON_GATE_DENIED);
	play_on(d->play);
	assert_status(d, "Canceled");
	assert_int_equal(count_events(d, "approval.denied:v1"), 1);
}

static void a_gate_whose_step_has_no_time_left_is_closed(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL("{'d':{'timeout':{'after':'PT5S'},'do':[" GATE("") "]}}"));
	assert_status(d, "AwaitingApproval");
	wait_for(d, 5000);
	assert_failed(d->play, "/errors/timeout");
	assert_int_equal(count_events(d, "approval.denied:v1"), 1);
	assert_rc(grant(d, "ada"), DEMON_CONFLICT, &d->err);
}

static void what_time_is_left_is_no_grant_when_the_step_has_its_own(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL("{'ask':{'call':'approval','with':{'gate':'prod'},'timeout':{'after':"
			  "'PT5S'}}}"));
	wait_for(d, 5000);
	assert_failed(d->play, "/errors/timeout");
	assert_int_equal(count_events(d, "approval.denied:v1"), 1);
}

static void terms_that_are_none_are_told(void **state)
{
	static const char *const bad[] = {
	    ",'ttl':0",
	    ",'ttl':-5",
	    ",'ttl':'P100Y'",
	    ",'ttl':'P36500D'",
	    ",'quorum':0",
	    ",'quorum':1.5",
	    ",'approvers':'ada'",
	    ",'denials':101",
	    ",'roles':[1]",
	    ",'allowRequester':1",
	    ",'authentication':'system'",
	    ",'approvers':['a\\nb']",
	    ",'unknown':1",
	};
	struct desk *d = *state;
	struct demon_definition *definition;
	char text[512];

	(void)d;
	for (size_t i = 0; i < demon_count(bad); i++) {
		char *quoted;
		struct demon_err err;

		(void)snprintf(text, sizeof(text), DSL(GATE("%s")), bad[i]);
		quoted = text;
		for (char *p = quoted; *p; p++)
			if (*p == '\'')
				*p = '"';
		assert_rc(
		    demon_definition_load("t", quoted, strlen(quoted), &definition, NULL, &err),
		    DEMON_INVALID, &err);
	}
}

static void terms_that_are_computed_are_held_to_the_same(void **state)
{
	struct desk *d = *state;

	play(d->play, DSL(GATE(",'ttl':'${ 0 - 1 }'")));
	assert_failed(d->play, "/errors/validation");
	assert_int_equal(count_events(d, "approval.requested:v1"), 0);
}

static void set_rules(struct desk *d, const char *chain)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "{\"tenants\":{\"default\":{\"gates\":{\"prod\":%s}}}}",
		       chain);
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	assert_ok(demon_escalation_parse(text, &d->rules, &d->err), &d->err);
	d->config.escalation = d->rules;
}

static void give_role(struct desk *d, const char *who, const char *role)
{
	const struct demon_actor actor = {.subject = "root"};
	const struct demon_roles_request request = {
	    .tenant = "default", .subject = who, .roles = &role, .count = 1, .actor = &actor};

	assert_ok(demon_roles_set(d->play->store, &request, NULL, &d->err), &d->err);
}

#define CHAIN                                                                              \
	"{'levels':[{'level':1,'roles':['lead'],'timeoutSeconds':600},{'level':2,'roles':" \
	"['head'],'timeoutSeconds':600,'emergencyOverride':true}],'repeat':1}"

static void a_gate_is_escalated_level_by_level_and_then_denied(void **state)
{
	struct desk *d = *state;

	set_rules(d, CHAIN);
	give_role(d, "ada", "lead");
	give_role(d, "lin", "head");
	play(d->play, DSL(GATE("")));
	assert_rc(grant(d, "lin"), DEMON_DENIED, &d->err);
	assert_rc(grant(d, "kim"), DEMON_DENIED, &d->err);
	wait_for(d, 600 * 1000);
	assert_int_equal(count_events(d, "approval.escalated:v1"), 1);
	wait_for(d, 600 * 1000);
	assert_int_equal(count_events(d, "approval.escalated:v1"), 2);
	wait_for(d, 600 * 1000);
	assert_int_equal(count_events(d, "approval.escalated:v1"), 3);
	assert_status(d, "AwaitingApproval");
	wait_for(d, 600 * 1000);
	assert_status(d, "Denied");
	assert_contains(d->play->outcome.terminal, "expired");
	assert_int_equal(count_events(d, "approval.leveled:v1"), 3);
}

static void a_level_keeps_its_say_after_the_next_has_begun(void **state)
{
	struct desk *d = *state;

	set_rules(d, CHAIN);
	give_role(d, "ada", "lead");
	play(d->play, DSL(GATE("")));
	wait_for(d, 700 * 1000);
	assert_ok(grant(d, "ada"), &d->err);
	assert_true(d->answer.decided);
}

static void a_voter_of_a_level_that_has_begun_need_not_wait_for_a_timer(void **state)
{
	struct desk *d = *state;

	set_rules(d, CHAIN);
	give_role(d, "lin", "head");
	play(d->play, DSL(GATE("")));
	fake_env_advance(&d->play->clock, 601 * 1000);
	assert_ok(grant(d, "lin"), &d->err);
	assert_true(d->answer.decided);
	assert_int_equal(count_events(d, "approval.escalated:v1"), 1);
}

static void an_override_takes_a_level_that_allows_it_and_a_reason(void **state)
{
	struct desk *d = *state;

	set_rules(d, CHAIN);
	give_role(d, "lin", "head");
	give_role(d, "ada", "lead");
	play(d->play, DSL(GATE(",'quorum':2")));
	assert_rc(cast(d, DEMON_GATE_OVERRIDDEN, "lin", "fire"), DEMON_DENIED, &d->err);
	assert_contains(d->err.msg, "allows no override");
	assert_ok(demon_gate_escalate(d->play->store, &d->play->run, "prod",
				      &(struct demon_actor){.subject = "ops"}, NULL, &d->err),
		  &d->err);
	assert_rc(cast(d, DEMON_GATE_OVERRIDDEN, "lin", " "), DEMON_INVALID, &d->err);
	assert_rc(cast(d, DEMON_GATE_OVERRIDDEN, "ada", "fire"), DEMON_DENIED, &d->err);
	assert_ok(cast(d, DEMON_GATE_OVERRIDDEN, "lin", "fire"), &d->err);
	assert_true(d->answer.decided);
	assert_contains(d->answer.event, "\"overrideLevel\":2");
	assert_ok(cast(d, DEMON_GATE_OVERRIDDEN, "lin", "fire"), &d->err);
	assert_true(d->answer.noop);
	assert_rc(grant(d, "ada"), DEMON_CONFLICT, &d->err);
	play_on(d->play);
	assert_status(d, "Completed");
}

static void a_gate_survives_the_end_of_its_process_at_every_point(void **state)
{
	static const enum demon_fault points[] = {
	    DEMON_FAULT_COMMIT_BEFORE, DEMON_FAULT_COMMIT_AFTER, DEMON_FAULT_APPEND_EVENT};
	struct desk *d = *state;
	struct demon_err err;

	d->play->definition = run_definition(DSL(GATE("") "," SET("a", "1")));
	for (size_t i = 0; i < demon_count(points); i++) {
		char id[8];
		const struct demon_run_options options = {.run_id = id};

		(void)snprintf(id, sizeof(id), "f-%zu", i);
		assert_ok(demon_run_start(d->play->store, d->play->definition, &options,
					  &d->play->run, &err),
			  &err);
		demon_fault_arm(points[i], 1, false);
		(void)play_try(d->play, &err);
		(void)demon_fault_disarm();
		assert_ok(play_try(d->play, &err), &err);
		assert_status(d, "AwaitingApproval");
		demon_fault_arm(points[i], 1, false);
		(void)grant(d, "ada");
		(void)demon_fault_disarm();
		assert_ok(grant(d, "ada"), &d->err);
		assert_int_equal(d->answer.round, 1);
		assert_ok(play_try(d->play, &err), &err);
		assert_output(d->play, "{\"v\":1}");
	}
}

#define GATE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    GATE_TEST(a_run_waits_at_its_gate_and_goes_on_when_that_is_granted),
	    GATE_TEST(a_denial_ends_the_run_as_denied),
	    GATE_TEST(the_same_again_is_no_news_and_the_contrary_a_conflict),
	    GATE_TEST(only_gates_that_were_requested_can_be_decided),
	    GATE_TEST(who_asks_may_not_decide),
	    GATE_TEST(who_asks_may_decide_where_the_gate_says_so),
	    GATE_TEST(nobody_may_decide_who_is_not_allowed),
	    GATE_TEST(a_quorum_takes_distinct_voters),
	    GATE_TEST(denials_are_counted_too),
	    GATE_TEST(a_gate_nobody_decides_is_denied_at_its_deadline_and_never_before),
	    GATE_TEST(a_gate_without_a_ttl_has_a_deadline_all_the_same),
	    GATE_TEST(a_vote_after_the_deadline_is_too_late_though_no_timer_has_fired),
	    GATE_TEST(a_timer_for_a_decided_gate_does_nothing),
	    GATE_TEST(a_clock_that_goes_back_makes_nothing_early),
	    GATE_TEST(each_time_the_step_runs_it_opens_a_new_round),
	    GATE_TEST(a_vote_is_for_the_round_that_was_seen),
	    GATE_TEST(only_a_catch_that_names_the_type_catches_a_denial),
	    GATE_TEST(a_catch_that_names_the_type_catches_it),
	    GATE_TEST(a_run_that_waits_at_a_gate_can_be_canceled),
	    GATE_TEST(a_gate_whose_step_has_no_time_left_is_closed),
	    GATE_TEST(what_time_is_left_is_no_grant_when_the_step_has_its_own),
	    GATE_TEST(terms_that_are_none_are_told),
	    GATE_TEST(terms_that_are_computed_are_held_to_the_same),
	    GATE_TEST(a_gate_is_escalated_level_by_level_and_then_denied),
	    GATE_TEST(a_level_keeps_its_say_after_the_next_has_begun),
	    GATE_TEST(a_voter_of_a_level_that_has_begun_need_not_wait_for_a_timer),
	    GATE_TEST(an_override_takes_a_level_that_allows_it_and_a_reason),
	    GATE_TEST(a_gate_survives_the_end_of_its_process_at_every_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
