/*
 * Random gates, votes, escalations, jumps of the clock, restarts and faults, held against a model
 * (support/gate_model.h). DEMON_SEED sets the first scenario, DEMON_GATE_SCENARIOS how many
 * (default 240). Seeds that once failed are tried first, always.
 */
#include "support/test.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "domain/admin/freeze.h"
#include "domain/admin/roles.h"
#include "domain/approval/escalation.h"
#include "domain/approval/vote.h"
#include "domain/expr/expr.h"
#include "domain/ritual/run_control.h"
#include "store/readers.h"
#include "support/gate_draw.h"
#include "support/gate_log.h"
#include "support/gate_model.h"
#include "support/runs.h"

#include <stdio.h>

#define SCENARIOS 240
#define ACTS      24
#define A_STORE   20 /* scenarios in one */

static const uint64_t once_failed[] = {1016, 1039, 1077};

struct desk {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_expr *expr;
	struct demon_definition *definition;
	struct demon_allowlist *list;
	struct demon_gate_config config;
	json_t *rules;
	char tenant[40];
	struct demon_run_id run;
	struct model m;
	struct demon_err err;
	uint64_t seed;
	uint64_t random;
	bool done;
	size_t acts;
	struct demon_buf trace;
};

static uint64_t rnd(struct desk *d, uint64_t n)
{
	return gate_draw(&d->random, n);
}

static bool one_in(struct desk *d, uint64_t n)
{
	return gate_draw_one_in(&d->random, n);
}

static void open_store(struct desk *d)
{
	const struct demon_options options = {.create = true, .node_id = "n", .env = &d->clock.env};

	assert_ok(demon_open(test_path(d->dir, "demon.db"), &options, &d->store, &d->err), &d->err);
}

static void close_store(struct desk *d)
{
	demon_close(d->store);
	d->store = NULL;
}

static int set_up(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));
	const struct demon_expr_options expr = {.workers = 1, .output_max = DEMON_EXPR_LIST_MAX};

	d->dir = test_dir();
	d->trace = (struct demon_buf){.data = demon_buf_empty};
	d->done = true;
	fake_env_init(&d->clock, 7);
	assert_ok(demon_expr_open(&expr, &d->expr, &d->err), &d->err);
	*state = d;
	return 0;
}

static void forget(struct desk *d)
{
	demon_definition_free(d->definition);
	demon_allowlist_free(d->list);
	json_decref(d->rules);
	d->definition = NULL;
	d->list = NULL;
	d->rules = NULL;
}

static int tear_down(void **state)
{
	struct desk *d = *state;

	if (!d->done)
		(void)fprintf(stderr, "failed with DEMON_SEED=%llu after:\n%s\n",
			      (unsigned long long)d->seed, d->trace.data);
	(void)demon_fault_disarm();
	forget(d);
	demon_buf_done(&d->trace);
	demon_close(d->store);
	demon_expr_close(d->expr);
	test_dir_remove(d->dir);
	free(d);
	return 0;
}

/* What holds in a scenario. */

static void make_ritual(struct desk *d)
{
	DEMON_BUF(text, 0);

	gate_draw_ritual(&d->random, &d->m.terms, !d->config.ttl_ms, &text);
	demon_buf_fmt(&d->trace, "%s\n", text.data);
	d->definition = run_definition(text.data);
}

static void make_rules(struct desk *d)
{
	DEMON_BUF(text, 0);

	if (!d->m.terms.levels)
		return;
	gate_draw_rules(&d->m.terms, d->tenant, &text);
	demon_buf_fmt(&d->trace, "%s\n", text.data);
	assert_ok(demon_escalation_parse(text.data, &d->rules, &d->err), &d->err);
	d->config.escalation = d->rules;
}

static void set_list(struct desk *d)
{
	DEMON_BUF(text, 0);

	d->m.allowed =
	    one_in(d, 8) ? GATE_EVERYBODY : GATE_EVERYBODY & (unsigned)test_random(&d->random);
	for (size_t i = 0; i < MODEL_PEOPLE; i++)
		if (d->m.allowed >> i & 1)
			demon_buf_fmt(&text, "%s,", gate_people[0][i]);
	if (text.len)
		text.data[text.len - 1] = '\0';
	if (d->m.allowed == GATE_EVERYBODY)
		demon_buf_fmt(&text, "*");
	demon_allowlist_free(d->list);
	demon_buf_fmt(&d->trace, "allow %x\n", d->m.allowed);
	assert_ok(demon_allowlist_parse(d->m.allowed == GATE_EVERYBODY ? "*"
					: d->m.allowed                 ? text.data
								       : "",
					&d->list, &d->err),
		  &d->err);
	d->config.allowlist = d->list;
}

static void set_roles(struct desk *d, unsigned person)
{
	const struct demon_actor actor = {.subject = "root"};
	const char *held[MODEL_ROLES];
	bool changed;
	struct demon_roles_request request = {
	    .tenant = d->tenant, .subject = gate_people[0][person], .roles = held, .actor = &actor};

	d->m.held[person] = (unsigned)rnd(d, 4);
	for (size_t i = 0; i < MODEL_ROLES; i++)
		if (d->m.held[person] >> i & 1)
			held[request.count++] = gate_roles[i];
	demon_buf_fmt(&d->trace, "roles of %s: %x\n", gate_people[0][person], d->m.held[person]);
	assert_ok(demon_roles_set(d->store, &request, &changed, &d->err), &d->err);
}

static void set_freeze(struct desk *d)
{
	const struct demon_actor actor = {.subject = "root"};
	const struct demon_freeze_request request = {
	    .tenant = d->tenant, .actor = &actor, .reason = "test"};
	bool changed;

	d->m.frozen = !d->m.frozen;
	demon_buf_fmt(&d->trace, "frozen: %d\n", d->m.frozen);
	if (d->m.frozen)
		assert_ok(demon_freeze(d->store, &request, &changed, &d->err), &d->err);
	else
		assert_ok(demon_thaw(d->store, &request, &changed, &d->err), &d->err);
	assert_true(changed);
}

/* Acts, with a fault or without: one that fails by it has happened whole or not at all. */

struct attempt {
	struct model before;
	int64_t seq;
	bool fault;
};

static int64_t seq_of(struct desk *d)
{
	int64_t seq;

	assert_ok(demon_last_seq(d->store, &seq, &d->err), &d->err);
	return seq;
}

static struct attempt begin(struct desk *d)
{
	static const enum demon_fault points[] = {
	    DEMON_FAULT_ALLOC,          DEMON_FAULT_TXN_BEGUN,      DEMON_FAULT_APPEND_EVENT,
	    DEMON_FAULT_APPEND_APPLIED, DEMON_FAULT_COMMIT_BEFORE,  DEMON_FAULT_COMMIT_AFTER,
	    DEMON_FAULT_STEP_STARTED,   DEMON_FAULT_STEP_COMPLETED, DEMON_FAULT_RUN_ENDED,
	};
	struct attempt a = {.before = d->m, .seq = seq_of(d), .fault = one_in(d, 6)};
	enum demon_fault point = points[rnd(d, demon_count(points))];
	unsigned most = point == DEMON_FAULT_ALLOC ? 60 : point == DEMON_FAULT_APPEND_EVENT ? 5 : 2;

	if (a.fault) {
		unsigned nth = 1 + (unsigned)rnd(d, most);

		demon_buf_fmt(&d->trace, "fault %s %u\n", demon_fault_name(point), nth);
		demon_fault_arm(point, nth, false);
	}
	return a;
}

/* True: it came to what the model says, which is to be compared. */
static bool came_out(struct desk *d, const struct attempt *a, enum demon_rc rc, enum demon_rc want)
{
	bool hit = a->fault && demon_fault_disarm() > 0;
	bool wrote = seq_of(d) != a->seq;

	if (hit && rc != want) {
		if (rc != DEMON_IO && rc != DEMON_NOMEM)
			fail_msg("a fault: %s: %s", demon_rc_text(rc), d->err.msg);
		if (!wrote)
			d->m = a->before;
		return false;
	}
	assert_rc(rc, want, &d->err);
	assert_int_equal(wrote, d->m.wrote);
	return true;
}

/* The digest of what the round asks. */
static void read_seen(struct desk *d, int64_t round, char seen[65])
{
	DEMON_GATE(gate);
	DEMON_READ(loan);

	(void)snprintf(seen, 65, "none");
	assert_ok(demon_store_borrow(d->store, &loan, &d->err), &d->err);
	if (demon_gate_find(loan.db, &d->run, "prod", round, &gate, &d->err) == DEMON_OK)
		(void)snprintf(seen, 65, "%s",
			       json_string_value(json_object_get(gate.opened, "seen")));
}

static void compare(struct desk *d, const struct model_answer *want,
		    const struct demon_vote_answer *got)
{
	if (!want->told)
		return;
	assert_int_equal(got->state, want->state);
	assert_int_equal(got->round, want->round);
	assert_int_equal(got->noop, want->noop);
	assert_int_equal(got->decided, want->decided);
	if (want->rc || want->noop) {
		assert_null(got->event);
		return;
	}
	assert_int_equal(got->have, want->have);
	assert_int_equal(got->need, want->need);
	assert_contains(got->event, want->decided ? "\"event\":\"approval." : "approval.vote:v1");
	assert_contains(got->event, d->tenant);
}

static void act_vote(struct desk *d)
{
	static const char *const tenants[] = {NULL, NULL, "other"};
	const struct model_vote v = gate_draw_vote(&d->random, &d->m);
	const struct demon_actor actor = {.subject = gate_people[v.upper][v.person],
					  .auth = v.auth,
					  .role = v.role,
					  .tenant = v.tenant == 1 ? d->tenant : tenants[v.tenant]};
	struct demon_vote_answer got;
	struct model_answer want;
	struct attempt a;
	char seen[65];
	char nonce[40];
	const struct demon_vote vote = {
	    .run = &d->run,
	    .gate_id = "prod",
	    .round = v.round,
	    .want = v.want,
	    .actor = &actor,
	    .note = v.note ? "why not" : NULL,
	    .seen = v.seen ? seen : NULL,
	    .nonce = v.nonce >= 0 ? nonce : NULL,
	};
	enum demon_rc rc;

	read_seen(d, v.round, seen);
	if (v.seen == 2)
		seen[0] = 'x';
	(void)snprintf(nonce, sizeof(nonce), "%s-%d", d->tenant, v.nonce);
	demon_buf_fmt(&d->trace,
		      "%s votes %s, round %lld, auth %d role %d tenant %d seen %d nonce %d\n",
		      actor.subject, demon_gate_state_name(v.want), (long long)v.round, v.auth,
		      v.role, v.tenant, v.seen, v.nonce);
	a = begin(d);
	want = model_vote(&d->m, &v);
	rc = demon_vote_cast(d->store, &d->config, &vote, &got, &d->err);
	if (came_out(d, &a, rc, want.rc))
		compare(d, &want, &got);
	demon_vote_answer_done(&got);
}

static void act_tick(struct desk *d)
{
	struct attempt a = begin(d);

	demon_buf_fmt(&d->trace, "tick\n");
	model_tick(&d->m);
	(void)came_out(d, &a, demon_gate_tick(d->store, &d->run, &d->err), DEMON_OK);
}

static void act_escalate(struct desk *d)
{
	static const char *const reasons[] = {NULL, "nobody answers", "timeout"};
	const char *reason = reasons[rnd(d, demon_count(reasons))];
	struct attempt a = begin(d);
	enum demon_rc want = model_escalate(&d->m);

	demon_buf_fmt(&d->trace, "escalate: %s\n", reason ? reason : "-");
	(void)came_out(d, &a,
		       demon_gate_escalate(d->store, &d->run, "prod",
					   &(struct demon_actor){.subject = "ops"}, reason,
					   &d->err),
		       want);
}

static void act_cancel(struct desk *d)
{
	const struct demon_run_request request = {.by = "op"};
	struct attempt a = begin(d);
	bool expected;
	bool changed = false;
	enum demon_rc want = model_cancel(&d->m, &expected);

	demon_buf_fmt(&d->trace, "cancel\n");
	if (came_out(d, &a, demon_run_cancel(d->store, &d->run, &request, &changed, &d->err), want))
		assert_int_equal(changed, expected);
}

static enum demon_rc execute(struct desk *d)
{
	const struct demon_run_watch watch = {.expr = d->expr, .gates = &d->config};
	struct demon_run_outcome outcome = {0};
	enum demon_rc rc = demon_run_execute_watched(d->store, &d->run, &watch, &outcome, &d->err);

	if (!rc)
		assert_string_equal(outcome.status, model_status(&d->m));
	free(outcome.terminal);
	return rc;
}

/* It writes in several groups: what a fault has cut off, the next one does. */
static void act_execute(struct desk *d)
{
	struct attempt a = begin(d);
	enum demon_rc rc;

	demon_buf_fmt(&d->trace, "execute\n");
	model_execute(&d->m);
	rc = execute(d);
	if (a.fault && demon_fault_disarm() > 0 && rc) {
		if (rc != DEMON_IO && rc != DEMON_NOMEM)
			fail_msg("a fault: %s: %s", demon_rc_text(rc), d->err.msg);
		rc = execute(d);
	}
	assert_ok(rc, &d->err);
	assert_int_equal(seq_of(d) != a.seq, d->m.wrote);
}

static void act_clock(struct desk *d)
{
	const struct model_gate *gate = model_last(&d->m);
	bool pending = gate && gate->state == DEMON_GATE_PENDING;
	demon_time next = pending ? model_next(&d->m, gate) : d->clock.now;
	int64_t by = 0;

	switch (rnd(d, 6)) {
	case 0:
		by = next - d->clock.now;
		break;
	case 1:
		by = next - d->clock.now - 1;
		break;
	case 2:
		by = (pending ? gate->expires : next) - d->clock.now - (int64_t)rnd(d, 2);
		break;
	case 3:
		by = -gate_draw_ms(&d->random) / 2;
		break;
	case 4:
		by = (int64_t)rnd(d, (uint64_t)d->m.terms.ttl);
		break;
	default:
		by = (int64_t)rnd(d, 5);
	}
	demon_buf_fmt(&d->trace, "clock by %lld\n", (long long)by);
	fake_env_advance(&d->clock, by);
	d->m.now = d->clock.now;
}

static void act_restart(struct desk *d)
{
	const struct demon_options options = {.node_id = "n", .env = &d->clock.env};
	int64_t seq = seq_of(d);

	demon_buf_fmt(&d->trace, "restart\n");
	close_store(d);
	if (one_in(d, 3)) {
		demon_fault_arm(DEMON_FAULT_ALLOC, 1 + (unsigned)rnd(d, 40), false);
		if (demon_open(test_path(d->dir, "demon.db"), &options, &d->store, &d->err))
			d->store = NULL;
		(void)demon_fault_disarm();
		close_store(d);
	}
	open_store(d);
	assert_int_equal(seq_of(d), seq);
}

static void act(struct desk *d)
{
	static void (*const common[])(struct desk * d) = {act_clock, act_clock, act_execute,
							  act_tick, act_escalate};
	uint64_t rare = rnd(d, 50);

	d->acts++;
	if (rare == 0)
		act_cancel(d);
	else if (rare == 1)
		set_freeze(d);
	else if (rare == 2)
		set_list(d);
	else if (rare < 5)
		set_roles(d, (unsigned)rnd(d, MODEL_PEOPLE));
	else if (rare < 7)
		act_restart(d);
	else if (one_in(d, 2))
		act_vote(d);
	else
		common[rnd(d, demon_count(common))](d);
	gate_state_check(d->store, &d->run, &d->m);
}

/* Whatever was done, the run comes to its end when time goes on. */
static void finish(struct desk *d)
{
	demon_buf_fmt(&d->trace, "the end\n");
	act_execute(d);
	for (int i = 0; d->m.end == MODEL_OPEN; i++) {
		const struct model_gate *gate = model_last(&d->m);

		assert_true(i < 200);
		if (model_next(&d->m, gate) > d->clock.now)
			fake_env_advance(&d->clock, model_next(&d->m, gate) - d->clock.now);
		d->m.now = d->clock.now;
		act_execute(d);
		gate_state_check(d->store, &d->run, &d->m);
	}
	gate_log_check(d->store, &d->run, &d->m);
}

static void scenario(struct desk *d, uint64_t seed)
{
	struct demon_run_options options = {.run_id = "r", .tenant_id = d->tenant};
	size_t acts;

	d->seed = d->random = seed;
	d->done = false;
	forget(d);
	demon_buf_clear(&d->trace);
	d->clock.now = 1767323045000 + (demon_time)rnd(d, 1000);
	d->m = (struct model){.now = d->clock.now, .last = d->clock.now};
	d->config = (struct demon_gate_config){.ttl_ms = 0};
	(void)snprintf(d->tenant, sizeof(d->tenant), "t-%llu", (unsigned long long)seed);
	gate_draw_terms(&d->random, &d->m.terms);
	if (one_in(d, 6))
		d->config.ttl_ms = d->m.terms.ttl;
	make_ritual(d);
	make_rules(d);
	set_list(d);
	for (unsigned i = 0; i < MODEL_PEOPLE; i++)
		set_roles(d, i);
	if (d->m.terms.starter >= 0)
		options.requester = gate_people[0][d->m.terms.starter];
	assert_ok(demon_run_start(d->store, d->definition, &options, &d->run, &d->err), &d->err);
	acts = 1 + rnd(d, ACTS);
	if (!one_in(d, 8))
		act_execute(d);
	for (size_t i = 0; i < acts; i++)
		act(d);
	finish(d);
	d->done = true;
}

/* The projections are what the log says, and the store is sound. */
static void audit(struct desk *d)
{
	struct demon_verified verified;
	int64_t events;
	char *before;
	char *after;

	assert_ok(demon_digest(d->store, &before, &d->err), &d->err);
	assert_ok(demon_rebuild(d->store, &events, &d->err), &d->err);
	assert_ok(demon_digest(d->store, &after, &d->err), &d->err);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_ok(demon_verify(d->store, &verified, &d->err), &d->err);
}

static void renew(struct desk *d)
{
	close_store(d);
	test_dir_remove(d->dir);
	d->dir = test_dir();
	open_store(d);
}

static void gates_do_as_the_model_says(void **state)
{
	struct desk *d = *state;
	const char *text = getenv("DEMON_GATE_SCENARIOS"); /* NOLINT(concurrency-mt-unsafe) */
	uint64_t count = text ? strtoull(text, NULL, 10) : SCENARIOS;
	uint64_t first = test_seed(1000);

	for (uint64_t i = 0; i < count; i++) {
		if (i % A_STORE == 0)
			renew(d);
		scenario(d, first + i);
		if (i % A_STORE == A_STORE - 1 || i == count - 1)
			audit(d);
	}
	print_message("%llu scenarios, %zu acts\n", (unsigned long long)count, d->acts);
}

static void gates_that_once_did_otherwise_do_not_any_more(void **state)
{
	struct desk *d = *state;

	renew(d);
	for (size_t i = 0; i < demon_count(once_failed); i++)
		scenario(d, once_failed[i]);
	audit(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(gates_that_once_did_otherwise_do_not_any_more, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(gates_do_as_the_model_says, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
