/*
 * Bad input about gates: what each is answered, and that it changes nothing.
 */
#include "support/test.h"

#include "base/bytes.h"
#include "domain/admin/register.h"
#include "domain/approval/escalation.h"
#include "support/gate_desk.h"

#include <stdio.h>

#define LONG 10000

static const char *ten_kilobytes(void)
{
	static char text[LONG + 1];

	memset(text, 'x', LONG);
	return text;
}

/* No ids. The last one is to be replaced by one of 10 kB. */
static const char *const bad_ids[] = {"a:b", "a.b",     "*",        ">",       "a b",
				      "",    "prod\n",  "a/b",      "../prod", "%2E",
				      "'",   "prod;--", "\xc3\xa9", "\xff",    NULL};
#define BAD_ID(i) (bad_ids[i] ? bad_ids[i] : ten_kilobytes())

static struct demon_vote grant_of(struct gate_desk *d, const struct demon_actor *actor)
{
	return (struct demon_vote){
	    .run = &d->play->run, .gate_id = "prod", .want = DEMON_GATE_GRANTED, .actor = actor};
}

static const struct demon_actor ada = {.subject = "ada"};

/* Refused with @p want, in one line, and nothing was written. */
static void assert_refused(struct gate_desk *d, const struct demon_vote *vote, enum demon_rc want)
{
	int64_t seq = gate_seq(d);

	d->err.msg[0] = '\0';
	assert_rc(gate_cast(d, vote), want, &d->err);
	assert_null(d->answer.event);
	assert_true(d->err.msg[0] != '\0');
	for (const char *p = d->err.msg; *p; p++)
		assert_true((unsigned char)*p >= ' ');
	assert_int_equal(gate_seq(d), seq);
}

static void a_ritual_that_asks_at_no_id_is_no_ritual(void **state)
{
	(void)state;
	for (size_t i = 0; i < demon_count(bad_ids); i++) {
		json_t *spec = json_pack("{s:{s:s,s:s,s:s,s:s},s:[{s:{s:s,s:{s:s%}}}]}", "document",
					 "dsl", "1.0.3", "namespace", "default", "name", "test",
					 "version", "1", "do", "ask", "call", "approval", "with",
					 "gate", BAD_ID(i), strlen(BAD_ID(i)));
		struct demon_definition *definition;
		struct demon_err err;
		char *text;

		if (!spec) /* no UTF-8: no JSON either */
			continue;
		text = json_dumps(spec, 0);
		assert_rc(demon_definition_load("t", text, strlen(text), &definition, NULL, &err),
			  DEMON_INVALID, &err);
		assert_contains(err.msg, "gate");
		free(text);
		json_decref(spec);
	}
}

static void an_id_that_is_computed_is_held_to_the_same(void **state)
{
	struct gate_desk *d = *state;

	play(d->play, DSL("{'ask':{'call':'approval','with':{'gate':'${ \\'a\\' + \\':b\\' }'}}}"));
	assert_failed(d->play, "/errors/validation");
	assert_int_equal(gate_events(d, "approval.requested:v1"), 0);
}

static void a_task_whose_name_is_no_id_has_to_name_its_gate(void **state)
{
	struct gate_desk *d = *state;

	play(d->play, DSL("{'is it ok?':{'call':'approval'}}"));
	assert_failed(d->play, "the task's name is no id");
	assert_int_equal(gate_events(d, "approval.requested:v1"), 0);
}

static void there_is_no_gate_of_such_an_id(void **state)
{
	struct gate_desk *d = *state;
	struct demon_vote vote = grant_of(d, &ada);

	play(d->play, DSL(GATE("")));
	for (size_t i = 0; i < demon_count(bad_ids); i++) {
		vote.gate_id = BAD_ID(i);
		assert_refused(d, &vote, DEMON_NOTFOUND);
	}
	assert_rc(demon_gate_escalate(d->play->store, &d->play->run, "a:b",
				      &(struct demon_actor){.subject = "ops"}, NULL, &d->err),
		  DEMON_NOTFOUND, &d->err);
}

static void there_is_no_such_run(void **state)
{
	struct gate_desk *d = *state;
	struct demon_vote vote = grant_of(d, &ada);
	struct demon_run_id run;

	play(d->play, DSL(GATE("")));
	vote.run = &run;
	for (size_t i = 0; bad_ids[i]; i++) {
		run = d->play->run;
		(void)snprintf(run.run_id, sizeof(run.run_id), "%s", bad_ids[i]);
		assert_refused(d, &vote, DEMON_NOTFOUND);
		run = d->play->run;
		(void)snprintf(run.tenant_id, sizeof(run.tenant_id), "%s", bad_ids[i]);
		assert_refused(d, &vote, DEMON_NOTFOUND);
	}
}

static void there_is_no_such_round(void **state)
{
	static const int64_t rounds[] = {-1, 2, INT64_MAX, INT64_MIN};
	struct gate_desk *d = *state;
	struct demon_vote vote = grant_of(d, &ada);

	play(d->play, DSL(GATE("")));
	for (size_t i = 0; i < demon_count(rounds); i++) {
		vote.round = rounds[i];
		assert_refused(d, &vote, DEMON_NOTFOUND);
	}
}

static void a_gate_of_another_tenant_is_not_decided_nor_told_of(void **state)
{
	struct gate_desk *d = *state;
	const struct demon_actor other = {
	    .subject = "ada", .auth = DEMON_AUTH_TOKEN, .role = DEMON_ROLE_ADMIN, .tenant = "blue"};
	struct demon_vote vote = grant_of(d, &other);
	struct demon_run_id run;

	play(d->play, DSL(GATE("")));
	assert_refused(d, &vote, DEMON_DENIED);
	/* whether it was decided, or was ever there, is none of its business either */
	vote.gate_id = "no";
	assert_refused(d, &vote, DEMON_DENIED);
	vote.gate_id = "prod";
	assert_ok(gate_vote(d, DEMON_GATE_GRANTED, "ada"), &d->err);
	assert_refused(d, &vote, DEMON_DENIED);
	vote.want = DEMON_GATE_DENIED;
	vote.note = "no";
	assert_refused(d, &vote, DEMON_DENIED);
	/* the same run id in the tenant that the token is for is another run */
	run = d->play->run;
	(void)snprintf(run.tenant_id, sizeof(run.tenant_id), "blue");
	vote.run = &run;
	assert_refused(d, &vote, DEMON_NOTFOUND);
	play_on(d->play);
	assert_gate_status(d, "Completed");
}

static void who_votes_has_a_name_of_one_line(void **state)
{
	static const char *const names[] = {"",      " ada", "ada ",   "a\nb", "a\x7f",
					    "a\x01", "\xff", "system", NULL};
	struct gate_desk *d = *state;

	gate_allow(d, "*");
	play(d->play, DSL(GATE("")));
	for (size_t i = 0; i < demon_count(names); i++) {
		const struct demon_actor actor = {.subject = names[i] ? names[i] : ten_kilobytes()};
		const struct demon_vote vote = grant_of(d, &actor);

		assert_refused(d, &vote, DEMON_INVALID);
	}
}

static void a_name_may_have_whatever_a_line_may_have(void **state)
{
	static const char *const names[] = {"a:b", "a.b", "*", ">", "a b", "\xc3\xa9", "o'hara"};
	struct gate_desk *d = *state;

	gate_allow(d, "*");
	play(d->play, DSL(GATE(",'quorum':7")));
	for (size_t i = 0; i < demon_count(names); i++)
		assert_ok(gate_vote(d, DEMON_GATE_GRANTED, names[i]), &d->err);
	assert_true(d->answer.decided);
}

static void an_asterisk_as_a_name_is_not_the_open_list(void **state)
{
	struct gate_desk *d = *state;

	play(d->play, DSL(GATE("")));
	assert_rc(gate_vote(d, DEMON_GATE_GRANTED, "*"), DEMON_DENIED, &d->err);
}

static void a_reason_is_text_and_not_too_long(void **state)
{
	static const char *const notes[] = {"", " ", "\n\t", "\xff", "a\xc3", NULL};
	struct gate_desk *d = *state;
	struct demon_vote vote = grant_of(d, &ada);

	play(d->play, DSL(GATE("")));
	vote.want = DEMON_GATE_DENIED;
	assert_refused(d, &vote, DEMON_INVALID);
	for (size_t i = 0; i < demon_count(notes); i++) {
		vote.note = notes[i] ? notes[i] : ten_kilobytes();
		assert_refused(d, &vote, DEMON_INVALID);
	}
	vote.note = "\xc3\xa9\n\"'\x01";
	assert_ok(gate_cast(d, &vote), &d->err);
}

static void a_reason_to_escalate_is_held_to_the_same(void **state)
{
	struct gate_desk *d = *state;
	int64_t seq;

	gate_rules(d, GATE_CHAIN);
	play(d->play, DSL(GATE("")));
	seq = gate_seq(d);
	assert_rc(demon_gate_escalate(d->play->store, &d->play->run, "prod",
				      &(struct demon_actor){.subject = "ops"}, ten_kilobytes(),
				      &d->err),
		  DEMON_INVALID, &d->err);
	assert_rc(demon_gate_escalate(d->play->store, &d->play->run, "prod",
				      &(struct demon_actor){.subject = "ops"}, "\xff", &d->err),
		  DEMON_INVALID, &d->err);
	assert_int_equal(gate_seq(d), seq);
}

static void what_was_seen_is_a_digest_or_a_conflict(void **state)
{
	struct gate_desk *d = *state;
	struct demon_vote vote = grant_of(d, &ada);

	play(d->play, DSL(GATE("")));
	for (size_t i = 0; i < demon_count(bad_ids); i++) {
		vote.seen = BAD_ID(i);
		assert_refused(d, &vote, DEMON_CONFLICT);
	}
}

static void a_ttl_is_above_zero_and_below_ten_years(void **state)
{
	static const char *const bad[] = {",'ttl':'${ 0 }'",          ",'ttl':'${ -1 }'",
					  ",'ttl':'${ 3153600000 }'", ",'ttl':'${ 0.0001 }'",
					  ",'ttl':'${ null }'",       ",'ttl':'${ [60] }'",
					  ",'ttl':'${ \\'PT0S\\' }'", ",'ttl':'${ 1e300 }'"};

	(void)state;
	for (size_t i = 0; i < demon_count(bad); i++) {
		char text[512];
		struct gate_desk *d;
		void *fresh;

		assert_int_equal(gate_desk_set_up(&fresh), 0);
		d = fresh;
		(void)snprintf(text, sizeof(text), DSL(GATE("%s")), bad[i]);
		play(d->play, text);
		assert_failed(d->play, "/errors/validation");
		assert_int_equal(gate_events(d, "approval.requested:v1"), 0);
		(void)gate_desk_tear_down(&fresh);
	}
}

static void ten_years_are_waited_for(void **state)
{
	struct gate_desk *d = *state;

	play(d->play, DSL(GATE(",'ttl':'P3650D'")));
	gate_wait(d, (int64_t)3650 * 24 * GATE_HOUR - 1);
	assert_gate_status(d, "AwaitingApproval");
	gate_wait(d, 1);
	assert_gate_status(d, "Denied");
}

/* The levels of the gate that a play has opened. */
static const char *opened(struct gate_desk *d)
{
	(void)gate_events(d, "");
	for (size_t i = 0; i < d->play->events.count; i++)
		if (strcmp(d->play->events.items[i].type, "approval.opened:v1") == 0)
			return d->play->events.items[i].payload;
	fail_msg("no gate was opened");
	return "";
}

/* A chain of one level in the database. */
static void put_chain(struct gate_desk *d, const char *tenant, const char *role)
{
	const struct demon_actor root = {.subject = "root"};
	json_t *value = json_pack("{s:[{s:i,s:[s],s:i}]}", "levels", "level", 1, "roles", role,
				  "timeoutSeconds", 60);
	const struct demon_register_write write = {.kind = DEMON_REGISTER_ESCALATION,
						   .tenant = tenant,
						   .name = "prod",
						   .value = value,
						   .actor = &root};

	assert_ok(demon_register_set(d->play->store, &write, NULL, &d->err), &d->err);
	json_decref(value);
}

static void of_rules_that_overlap_the_nearest_holds(void **state)
{
	static const char *const expected[][2] = {
	    {"\"escalation\":\"environment\"", "\"roles\":[\"lead\"]"},
	    {"\"escalation\":\"database\"", "\"roles\":[\"of-all\"]"},
	    {"\"escalation\":\"database\"", "\"roles\":[\"of-tenant\"]"},
	};

	(void)state;
	for (size_t i = 0; i < demon_count(expected); i++) {
		struct gate_desk *d;
		void *fresh;

		assert_int_equal(gate_desk_set_up(&fresh), 0);
		d = fresh;
		gate_rules(d, GATE_CHAIN);
		if (i > 1)
			put_chain(d, "default", "of-tenant");
		if (i > 0)
			put_chain(d, DEMON_TENANT_ALL, "of-all");
		put_chain(d, "blue", "of-another");
		play(d->play, DSL(GATE("")));
		assert_contains(opened(d), expected[i][0]);
		assert_contains(opened(d), expected[i][1]);
		(void)gate_desk_tear_down(&fresh);
	}
}

#define LEVEL "{\"level\":1,\"roles\":[\"r\"],\"timeoutSeconds\":1}"

static void rules_that_contradict_each_other_are_none(void **state)
{
	static const char *const bad[] = {
	    "{\"tenants\":{\"a\":{\"gates\":{\"g\":{\"levels\":[" LEVEL
	    "]},\"g\":{\"levels\":[" LEVEL "]}}}}}",
	    "{\"tenants\":{\"a\":{\"gates\":{}},\"a\":{\"gates\":{}}}}",
	    "{\"tenants\":{\"a\":{\"gates\":{\"g\":{\"levels\":[" LEVEL "," LEVEL "]}}}}}",
	};
	json_t *rules;

	(void)state;
	for (size_t i = 0; i < demon_count(bad); i++) {
		struct demon_err err;

		assert_rc(demon_escalation_parse(bad[i], &rules, &err), DEMON_INVALID, &err);
		assert_null(rules);
	}
}

static void a_chain_that_another_node_has_broken_opens_no_gate(void **state)
{
	const struct demon_actor root = {.subject = "root"};
	struct gate_desk *d = *state;
	json_t *value = json_pack("{s:s}", "levels", "none");
	const struct demon_register_write write = {.kind = DEMON_REGISTER_ESCALATION,
						   .tenant = "default",
						   .name = "prod",
						   .value = value,
						   .actor = &root};

	assert_ok(demon_register_set(d->play->store, &write, NULL, &d->err), &d->err);
	json_decref(value);
	play(d->play, DSL(GATE("")));
	assert_failed(d->play, "escalation rules");
	assert_int_equal(gate_events(d, "approval.requested:v1"), 0);
}

static void a_gate_that_may_not_be_repeated_still_ends_with_its_step(void **state)
{
	struct gate_desk *d = *state;

	play(d->play, DSL("{'d':{'timeout':{'after':'PT5S'},'do':[{'ask':{'call':'approval','with':"
			  "{'gate':'prod'},'metadata':{'idempotent':false}}}]}}"));
	assert_gate_status(d, "AwaitingApproval");
	gate_wait(d, 5000);
	assert_failed(d->play, "/errors/timeout");
	assert_int_equal(gate_events(d, "approval.denied:v1"), 1);
}

static void a_step_of_a_gate_that_may_not_be_repeated_times_out(void **state)
{
	struct gate_desk *d = *state;

	play(d->play, DSL("{'ask':{'call':'approval','with':{'gate':'prod'},'timeout':{'after':"
			  "'PT5S'},'metadata':{'idempotent':false}}}"));
	gate_wait(d, 5000);
	assert_failed(d->play, "/errors/timeout");
	assert_int_equal(gate_events(d, "approval.denied:v1"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    GATE_TEST(a_ritual_that_asks_at_no_id_is_no_ritual),
	    GATE_TEST(an_id_that_is_computed_is_held_to_the_same),
	    GATE_TEST(a_task_whose_name_is_no_id_has_to_name_its_gate),
	    GATE_TEST(there_is_no_gate_of_such_an_id),
	    GATE_TEST(there_is_no_such_run),
	    GATE_TEST(there_is_no_such_round),
	    GATE_TEST(a_gate_of_another_tenant_is_not_decided_nor_told_of),
	    GATE_TEST(who_votes_has_a_name_of_one_line),
	    GATE_TEST(a_name_may_have_whatever_a_line_may_have),
	    GATE_TEST(an_asterisk_as_a_name_is_not_the_open_list),
	    GATE_TEST(a_reason_is_text_and_not_too_long),
	    GATE_TEST(a_reason_to_escalate_is_held_to_the_same),
	    GATE_TEST(what_was_seen_is_a_digest_or_a_conflict),
	    GATE_TEST(a_ttl_is_above_zero_and_below_ten_years),
	    GATE_TEST(ten_years_are_waited_for),
	    GATE_TEST(a_gate_that_may_not_be_repeated_still_ends_with_its_step),
	    GATE_TEST(a_step_of_a_gate_that_may_not_be_repeated_times_out),
	    GATE_TEST(of_rules_that_overlap_the_nearest_holds),
	    GATE_TEST(rules_that_contradict_each_other_are_none),
	    GATE_TEST(a_chain_that_another_node_has_broken_opens_no_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
