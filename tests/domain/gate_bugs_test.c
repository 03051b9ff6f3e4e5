/*
 * What other systems of this kind have shipped and should not have: one test each, by the number
 * that it has in the list of such bugs. Those that need a page, or another layer, are tested there:
 * 12 (tables that only grow), 13 (open ports), 14 (collection under load), 15 (a log cut short).
 */
#include "support/test.h"

#include "base/bytes.h"
#include "domain/admin/freeze.h"
#include "domain/approval/link.h"
#include "domain/ritual/run_control.h"
#include "store/readers.h"
#include "support/gate_desk.h"

#include <stdio.h>

static enum demon_rc vote_as(struct gate_desk *d, enum demon_gate_state want,
			     const struct demon_actor *actor)
{
	const struct demon_vote vote = {.run = &d->play->run,
					.gate_id = "prod",
					.want = want,
					.actor = actor,
					.note = "a reason"};

	return gate_cast(d, &vote);
}

static void bug_1_self_approval_is_refused_on_every_path(void **state)
{
	static const enum demon_gate_state wants[] = {DEMON_GATE_GRANTED, DEMON_GATE_DENIED,
						      DEMON_GATE_OVERRIDDEN};
	static const char *const names[] = {"kim", "KIM"};
	struct gate_desk *d = *state;
	int64_t seq;

	gate_rules(d, "{'levels':[{'level':1,'roles':['lead'],'timeoutSeconds':0,"
		      "'emergencyOverride':true}]}");
	gate_role(d, "kim", "lead");
	gate_role(d, "KIM", "lead");
	play(d->play, DSL(GATE(",'requester':'kim','approvers':['kim'],'roles':['lead']")));
	seq = gate_seq(d);
	for (size_t i = 0; i < demon_count(wants) * demon_count(names) * DEMON_AUTH_SYSTEM; i++) {
		const struct demon_actor actor = {
		    .subject = names[i % 2],
		    .auth = (enum demon_auth)(i / 2 % DEMON_AUTH_SYSTEM),
		    .role = DEMON_ROLE_ADMIN,
		};

		assert_rc(vote_as(d, wants[i / 2 / DEMON_AUTH_SYSTEM], &actor), DEMON_DENIED,
			  &d->err);
		assert_contains(d->err.msg, "asks for the approval itself");
	}
	assert_int_equal(gate_seq(d), seq);
	assert_gate_status(d, "AwaitingApproval");
}

/* The gate's link for kim; *ret as it is read back. */
static void make_link(struct gate_desk *d, int64_t round, struct demon_link *ret)
{
	struct demon_link link = {
	    .round = round, .approver = "kim", .gate_id = "prod", .tenant_id = "default"};
	DEMON_BUF(token, 0);

	memcpy(link.run_id, d->play->run.run_id, sizeof(link.run_id));
	memcpy(link.run_origin, d->play->run.origin, sizeof(link.run_origin));
	link.expires_at = d->play->clock.now + GATE_HOUR;
	assert_ok(demon_link_make(d->play->store, &link, &token, &d->err), &d->err);
	assert_ok(demon_link_read(d->play->store, token.data, d->play->clock.now, ret, &d->err),
		  &d->err);
}

static enum demon_rc use_link(struct gate_desk *d, const struct demon_link *link)
{
	const struct demon_actor actor = {.subject = link->approver, .auth = DEMON_AUTH_LINK};
	struct demon_run_id run;
	const struct demon_vote vote = {.run = &run,
					.gate_id = link->gate_id,
					.round = link->round,
					.want = DEMON_GATE_GRANTED,
					.actor = &actor,
					.nonce = link->nonce};

	memcpy(run.tenant_id, link->tenant_id, sizeof(run.tenant_id));
	memcpy(run.run_id, link->run_id, sizeof(run.run_id));
	memcpy(run.origin, link->run_origin, sizeof(run.origin));
	return gate_cast(d, &vote);
}

static void bug_2_who_only_reads_a_link_decides_nothing(void **state)
{
	struct gate_desk *d = *state;
	struct demon_link link;
	int64_t seq;

	play(d->play, DSL(GATE("")));
	seq = gate_seq(d);
	for (int i = 0; i < 10; i++)
		make_link(d, 1, &link);
	assert_int_equal(gate_seq(d), seq);
	assert_int_equal(play_due(d->play, NULL), 0);
	play_on(d->play);
	assert_gate_status(d, "AwaitingApproval");
}

static void bug_3_a_timer_of_a_decided_gate_changes_nothing_in_any_order(void **state)
{
	static const int64_t times[] = {300, 600, 1200, 7200, 7200, -86400, 86400 * 30};
	struct gate_desk *d = *state;
	int64_t seq;

	gate_rules(d, GATE_CHAIN);
	gate_role(d, "ada", "lead");
	play(d->play, DSL(GATE(",'ttl':3600") "," GATE_NEXT));
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
	seq = gate_seq(d);
	for (size_t i = 0; i < demon_count(times); i++) {
		fake_env_advance(&d->play->clock, times[i] * 1000);
		assert_ok(demon_gate_tick(d->play->store, &d->play->run, &d->err), &d->err);
		if (i % 2)
			gate_restart(d);
		assert_int_equal(gate_seq(d), seq);
	}
	play_on(d->play);
	assert_gate_status(d, "AwaitingApproval");
	assert_int_equal(gate_events(d, "approval.denied:v1"), 0);
	assert_int_equal(gate_events(d, "timer.fired:v1"), 0);
}

static void bug_4_nothing_that_is_configured_makes_a_timeout_a_grant(void **state)
{
	static const char *const gates[] = {
	    GATE(""),
	    GATE(",'quorum':2,'denials':2"),
	    GATE(",'allowRequester':true,'approvers':['ada']"),
	    GATE(",'ttl':1"),
	    "{'t':{'try':[" GATE("") "],'catch':{'errors':{'with':{'type':'" GATE_DENIED
				     "'}},'do':[" SET("s", "1") "]}}}",
	    "{'ask':{'call':'approval','with':{'gate':'prod'},'timeout':{'after':'PT1M'}}}",
	};
	(void)state;
	for (size_t i = 0; i < demon_count(gates); i++) {
		void *fresh;
		struct gate_desk *d;
		char text[1024];

		assert_int_equal(gate_desk_set_up(&fresh), 0);
		d = fresh;
		gate_allow(d, "*");
		gate_rules(d, GATE_CHAIN);
		gate_role(d, "ada", "lead");
		(void)snprintf(text, sizeof(text), DSL("%s"), gates[i]);
		play(d->play, text);
		if (i == 1)
			assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
		for (int k = 0; k < 8; k++)
			gate_wait(d, 100 * 24 * GATE_HOUR);
		assert_int_equal(gate_events(d, "approval.granted:v1"), 0);
		assert_int_equal(gate_events(d, "approval.override:v1"), 0);
		assert_int_equal(gate_events(d, "approval.denied:v1"), 1);
		assert_rc(gate_vote(d, DEMON_GATE_GRANTED, "ada"), DEMON_CONFLICT, &d->err);
		assert_int_equal(d->answer.state, DEMON_GATE_DENIED);
		(void)gate_desk_tear_down(&fresh);
	}
}

static void bug_5_a_gate_expires_though_nothing_is_configured(void **state)
{
	struct gate_desk *d = *state;
	demon_time due;

	d->play->gates = NULL;
	play(d->play, DSL(GATE("")));
	(void)play_due(d->play, &due);
	assert_true(due > 0 && due < d->play->clock.now + 24 * GATE_HOUR);
	gate_restart(d);
	gate_wait(d, 24 * GATE_HOUR - 1);
	assert_gate_status(d, "AwaitingApproval");
	gate_wait(d, 1);
	assert_gate_status(d, "Denied");
	assert_contains(d->play->outcome.terminal, "denied by system: expired");
}

static void bug_6_people_are_warned_before_a_gate_expires(void **state)
{
	struct gate_desk *d = *state;
	size_t warned = 0;

	play(d->play, DSL(GATE(",'ttl':'P3D'")));
	for (int hour = 0; hour < 72; hour++) {
		assert_gate_status(d, "AwaitingApproval");
		gate_wait(d, GATE_HOUR);
	}
	assert_gate_status(d, "Denied");
	assert_int_equal(gate_events(d, "approval.warned:v1"), 2);
	for (size_t i = 0; i < d->play->events.count; i++) {
		const char *type = d->play->events.items[i].type;

		warned += strcmp(type, "approval.warned:v1") == 0;
		if (strcmp(type, "approval.denied:v1") == 0)
			assert_int_equal(warned, 2);
	}
}

static void bug_7_a_run_can_be_canceled_whatever_its_gate_is_at(void **state)
{
	enum { PENDING, WARNED, ESCALATED, VOTED, GRANTED, FROZEN, OVERDUE, CASES };

	(void)state;
	for (int i = PENDING; i < CASES; i++) {
		const struct demon_run_request request = {.by = "op"};
		const struct demon_actor op = {.subject = "op"};
		const struct demon_freeze_request freeze = {.tenant = "default", .actor = &op};
		struct gate_desk *d;
		void *fresh;
		bool changed;

		assert_int_equal(gate_desk_set_up(&fresh), 0);
		d = fresh;
		if (i == ESCALATED)
			gate_rules(d, GATE_CHAIN);
		play(d->play, i == VOTED ? DSL(GATE(",'quorum':2")) : DSL(GATE("")));
		if (i == WARNED || i == ESCALATED)
			gate_wait(d, i == WARNED ? 13 * GATE_HOUR : 601000);
		if (i == VOTED || i == GRANTED)
			assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
		if (i == FROZEN)
			assert_ok(demon_freeze(d->play->store, &freeze, &changed, &d->err),
				  &d->err);
		if (i == OVERDUE)
			fake_env_advance(&d->play->clock, 25 * GATE_HOUR);
		assert_ok(
		    demon_run_cancel(d->play->store, &d->play->run, &request, &changed, &d->err),
		    &d->err);
		assert_true(changed);
		play_on(d->play);
		assert_gate_status(d, "Canceled");
		assert_int_equal(gate_events(d, "approval.denied:v1"), i == GRANTED ? 0 : 1);
		assert_int_equal(gate_events(d, "approval.decided:v1"), 1);
		(void)gate_desk_tear_down(&fresh);
	}
}

static void bug_8_who_may_is_asked_when_the_vote_is_cast(void **state)
{
	struct gate_desk *d = *state;

	gate_role(d, "ada", "lead");
	play(d->play, DSL(GATE(",'quorum':2,'roles':['lead']")));
	gate_role(d, "ada", NULL);
	gate_role(d, "lin", "lead");
	assert_rc(gate_vote(d, DEMON_GATE_GRANTED, "ada"), DEMON_DENIED, &d->err);
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "lin"), &d->err);
	gate_role(d, "kim", "lead");
	gate_allow(d, "lin");
	assert_rc(gate_vote(d, DEMON_GATE_GRANTED, "kim"), DEMON_DENIED, &d->err);
	gate_allow(d, "lin, kim");
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "kim"), &d->err);
	assert_true(d->answer.decided);
	assert_int_equal(gate_events(d, "approval.decided:v1"), 1);
	assert_contains(d->play->events.items[d->play->events.count - 1].payload,
			"\"counted\":[{\"approver\":\"lin\",\"authentication\":\"declared\"");
}

static void bug_9_nobody_decides_without_a_name(void **state)
{
	static const char *const names[] = {"", " ", "system", "SYSTEM", "a\nb", "a\tb", "\xff"};
	struct gate_desk *d = *state;
	int64_t seq;

	gate_allow(d, "*");
	play(d->play, DSL(GATE("")));
	seq = gate_seq(d);
	for (size_t i = 0; i < demon_count(names); i++)
		assert_rc(gate_vote(d, DEMON_GATE_GRANTED, names[i]), DEMON_INVALID, &d->err);
	assert_rc(gate_vote(d, DEMON_GATE_GRANTED, NULL), DEMON_INVALID, &d->err);
	assert_rc(vote_as(d, DEMON_GATE_GRANTED, &demon_actor_system), DEMON_DENIED, &d->err);
	assert_int_equal(gate_seq(d), seq);
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "zoe"), &d->err);
	assert_contains(d->answer.event, "\"approver\":\"zoe\"");
	assert_int_equal(gate_events(d, "approval.vote:v1"), 1);
}

static enum demon_rc count_gate(void *ctx, const struct demon_gate *gate, struct demon_err *err)
{
	(void)err;
	assert_string_equal(gate->gate_id, "prod");
	++*(size_t *)ctx;
	return DEMON_OK;
}

static size_t list(struct gate_desk *d, bool pending)
{
	const struct demon_gate_filter filter = {.pending = pending};
	size_t n = 0;

	assert_ok(demon_gate_list(d->play->store, &filter, count_gate, &n, &d->err), &d->err);
	return n;
}

static void bug_10_a_gate_that_waits_is_listed_and_its_run_says_so(void **state)
{
	struct gate_desk *d = *state;

	assert_int_equal(list(d, true), 0);
	play(d->play, DSL(GATE("")));
	assert_gate_status(d, "AwaitingApproval");
	assert_int_equal(list(d, true), 1);
	gate_restart(d);
	assert_int_equal(list(d, true), 1);
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
	assert_int_equal(list(d, true), 0);
	assert_int_equal(list(d, false), 1);
}

static void bug_11_a_link_keeps_the_path_of_its_base(void **state)
{
	static const char *const bases[][2] = {
	    {"https://ops.corp.test/demon", "https://ops.corp.test/demon/approve#T"},
	    {"https://ops.corp.test/demon/", "https://ops.corp.test/demon/approve#T"},
	    {"http://localhost:3000", "http://localhost:3000/approve#T"},
	};
	struct gate_desk *d = *state;

	for (size_t i = 0; i < demon_count(bases); i++) {
		DEMON_BUF(url, 0);

		assert_ok(demon_link_check_base(bases[i][0], &d->err), &d->err);
		demon_link_url(bases[i][0], "T", &url);
		assert_string_equal(url.data, bases[i][1]);
	}
}

static void bug_16_a_link_is_good_for_one_round_of_one_gate_once(void **state)
{
	struct gate_desk *d = *state;
	struct demon_link link;
	struct demon_link moved;

	play(d->play, DSL(GATE(",'quorum':2") "," GATE_AGAIN "," GATE_NEXT));
	make_link(d, 1, &link);
	assert_ok(use_link(d, &link), &d->err);
	assert_ok(use_link(d, &link), &d->err);
	assert_true(d->answer.noop && !d->answer.decided);
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
	play_on(d->play);
	assert_ok(use_link(d, &link), &d->err); /* the round that it is for is granted */
	assert_true(d->answer.noop);
	assert_int_equal(d->answer.round, 1);
	moved = link;
	moved.round = 2;
	assert_rc(use_link(d, &moved), DEMON_DENIED, &d->err);
	assert_contains(d->err.msg, "used before");
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
	play_on(d->play);
	moved.round = 1;
	(void)snprintf(moved.gate_id, sizeof(moved.gate_id), "next");
	assert_rc(use_link(d, &moved), DEMON_DENIED, &d->err);
	assert_gate_status(d, "AwaitingApproval");
	assert_int_equal(gate_events(d, "approval.granted:v1"), 2);
}

static void bug_17_a_granted_run_goes_on_by_itself(void **state)
{
	struct gate_desk *d = *state;

	play(d->play, DSL(GATE("") "," SET("a", "1")));
	assert_int_equal(play_due(d->play, NULL), 0);
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
	assert_int_equal(play_due(d->play, NULL), 1);
	gate_restart(d);
	assert_int_equal(play_due(d->play, NULL), 1);
	play_on(d->play);
	assert_output(d->play, "{\"v\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    GATE_TEST(bug_1_self_approval_is_refused_on_every_path),
	    GATE_TEST(bug_2_who_only_reads_a_link_decides_nothing),
	    GATE_TEST(bug_3_a_timer_of_a_decided_gate_changes_nothing_in_any_order),
	    GATE_TEST(bug_4_nothing_that_is_configured_makes_a_timeout_a_grant),
	    GATE_TEST(bug_5_a_gate_expires_though_nothing_is_configured),
	    GATE_TEST(bug_6_people_are_warned_before_a_gate_expires),
	    GATE_TEST(bug_7_a_run_can_be_canceled_whatever_its_gate_is_at),
	    GATE_TEST(bug_8_who_may_is_asked_when_the_vote_is_cast),
	    GATE_TEST(bug_9_nobody_decides_without_a_name),
	    GATE_TEST(bug_10_a_gate_that_waits_is_listed_and_its_run_says_so),
	    GATE_TEST(bug_11_a_link_keeps_the_path_of_its_base),
	    GATE_TEST(bug_16_a_link_is_good_for_one_round_of_one_gate_once),
	    GATE_TEST(bug_17_a_granted_run_goes_on_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
