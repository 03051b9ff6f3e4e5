/*
 * A run's machine is what its events make of it: at any point, the one that an execution has moved
 * and one that is folded from the log are the same. DEMON_MACHINE_SEEDS sets how many random
 * rituals (default 40), DEMON_SEED the first.
 */
#include "support/test.h"

#include "base/bytes.h"
#include "domain/expr/expr.h"
#include "domain/ritual/run_exec.h"
#include "domain/ritual/run_status.h"
#include "store/readers.h"
#include "store/store.h"
#include "support/random_ritual.h"
#include "support/runs.h"

#include <stdio.h>

struct fixture {
	char *dir;
	char *text;
	struct fake_env clock;
	uint64_t random;
	struct demon_expr *expr;
	struct demon_store *store;
	struct demon_definition *definition;
	struct demon_run_id run;
	struct demon_run_state live;
	struct demon_run_state folded;
	struct demon_exec exec;
	struct demon_run_watch watch;
	unsigned compared;
};

static unsigned pick(struct fixture *f, unsigned n)
{
	return (unsigned)(test_random(&f->random) % n);
}

static void fold(struct fixture *f, struct demon_run_state *state)
{
	struct demon_err err;
	DEMON_READ(loan);

	demon_run_state_done(state);
	assert_ok(demon_store_borrow(f->store, &loan, &err), &err);
	assert_ok(demon_run_state_find(loan.db, &f->run, state, &err), &err);
	if (demon_run_fold(loan.db, state, &err))
		fail_msg("%s: %s", err.msg, f->text);
}

/* Values of one kind are compared as the text that an event has. */
static void same_value(const struct fixture *f, const char *what, const json_t *a, const json_t *b)
{
	DEMON_BUF(x, 0);
	DEMON_BUF(y, 0);
	struct demon_err err;

	if (a)
		assert_ok(demon_json_canonical(a, &x, &err), &err);
	if (b)
		assert_ok(demon_json_canonical(b, &y, &err), &err);
	if (!a != !b || strcmp(x.data, y.data) != 0)
		fail_msg("%s: live %s, folded %s: %s", what, x.data, y.data, f->text);
}

static void same_number(const struct fixture *f, const char *what, int64_t a, int64_t b)
{
	if (a != b)
		fail_msg("%s: live %lld, folded %lld: %s", what, (long long)a, (long long)b,
			 f->text);
}

static void same_frame(const struct fixture *f, const struct demon_frame *a,
		       const struct demon_frame *b)
{
	assert_string_equal(a->task->reference, b->task->reference);
	same_number(f, "handling", a->handling, b->handling);
	same_number(f, "count", (int64_t)a->count, (int64_t)b->count);
	same_number(f, "index", (int64_t)a->index, (int64_t)b->index);
	same_number(f, "iteration", (int64_t)a->iteration, (int64_t)b->iteration);
	same_number(f, "stepId", a->step_id, b->step_id);
	same_number(f, "retries", a->retries, b->retries);
	same_number(f, "failed", a->failed, b->failed);
	same_number(f, "wake", a->wake, b->wake);
	same_number(f, "began", a->began, b->began);
	same_number(f, "deadline", a->deadline, b->deadline);
	same_value(f, "data", a->data, b->data);
	same_value(f, "items", a->items, b->items);
	same_value(f, "error", a->error, b->error);
}

static void same_leaf(const struct fixture *f, const struct demon_leaf *a,
		      const struct demon_leaf *b)
{
	assert_string_equal(a->task->reference, b->task->reference);
	assert_string_equal(a->key, b->key);
	same_number(f, "step", a->step_id, b->step_id);
	same_number(f, "attempt", a->attempt, b->attempt);
	same_number(f, "idempotent", a->idempotent, b->idempotent);
	same_number(f, "due", a->wake, b->wake);
	same_number(f, "leaf began", a->began, b->began);
	same_number(f, "leaf deadline", a->deadline, b->deadline);
	same_value(f, "with", a->with, b->with);
	same_value(f, "secrets", a->secrets, b->secrets);
	same_value(f, "input", a->data, b->data);
}

static void compare(struct fixture *f)
{
	const struct demon_machine *a = &f->live.machine;
	struct demon_machine *b = &f->folded.machine;

	fold(f, &f->folded);
	f->compared++;
	/* the event that shows that the loop goes on is still to come */
	if (b->control == DEMON_AT_LIST_END && a->control == DEMON_AT_TASK &&
	    demon_machine_has_item(b))
		demon_machine_iterate(b);
	same_number(f, "control", a->control, b->control);
	same_number(f, "depth", (int64_t)a->depth, (int64_t)b->depth);
	for (size_t i = 0; i < a->depth; i++)
		same_frame(f, &a->frames[i], &b->frames[i]);
	if (a->control == DEMON_AT_LEAF)
		same_leaf(f, &a->leaf, &b->leaf);
	same_number(f, "last step", a->last_step, b->last_step);
	same_value(f, "value", a->value, b->value);
	same_value(f, "context", a->context, b->context);
	same_value(f, "timers", a->timers, b->timers);
	same_value(f, "undo", a->undo, b->undo);
	same_value(f, "result", a->result, b->result);
	same_value(f, "raised", a->error, b->error);
	same_number(f, "last", f->exec.journal.last, f->folded.last);
}

static void begin(struct fixture *f)
{
	const struct demon_machine *m = &f->live.machine;

	fold(f, &f->live);
	f->watch = (struct demon_run_watch){.expr = f->expr};
	f->exec = (struct demon_exec){.state = &f->live,
				      .machine = &f->live.machine,
				      .env = &f->clock.env,
				      .watch = &f->watch,
				      .nonce = "0123456789abcdef"};
	f->exec.journal = (struct demon_run_journal){
	    .store = f->store,
	    .run = &f->live.id,
	    .ritual_id = f->live.ritual_id,
	    .machine = &f->live.machine,
	    .last = f->live.last,
	    .flushed_step = m->last_step,
	    .flushed_attempt = m->last_step == m->leaf.step_id ? m->leaf.attempt : 1,
	};
}

static enum demon_rc turn(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
{
	bool raised = false;
	enum demon_rc rc;

	*ret_wait = false;
	if (x->machine->control != DEMON_FAILING &&
	    !(x->machine->control == DEMON_AT_LEAF && x->ours) &&
	    ((rc = demon_exec_deadline(x, &raised, err)) || raised))
		return rc;
	switch (x->machine->control) {
	case DEMON_AT_START:
	case DEMON_AT_TASK:
		return demon_exec_enter(x, err);
	case DEMON_AT_LEAF:
		return demon_exec_leaf(x, ret_wait, err);
	case DEMON_AT_LIST_END:
		return demon_exec_list_end(x, err);
	case DEMON_AT_PAUSE:
		return demon_exec_pause(x, ret_wait, err);
	case DEMON_AT_END:
		return demon_exec_end(x, err);
	case DEMON_FAILING:
		return demon_exec_unwind(x, err);
	case DEMON_AT_DONE:
		break;
	}
	return DEMON_OK;
}

/* Another executor takes the run up, with nothing but what is in the log. */
static void hand_over(struct fixture *f)
{
	demon_run_journal_done(&f->exec.journal);
	begin(f);
}

static void execute(struct fixture *f)
{
	struct demon_exec *x = &f->exec;
	unsigned turns = 0;
	struct demon_err err;
	bool wait;

	begin(f);
	while (x->machine->control != DEMON_AT_DONE) {
		if (turn(x, &wait, &err))
			fail_msg("%s: %s", err.msg, f->text);
		assert_true(turns++ < 5000);
		if (pick(f, 3) == 0)
			fake_env_advance(&f->clock, (int64_t)pick(f, 400) - 50);
		if (wait)
			fake_env_advance(&f->clock, 1 + (int64_t)pick(f, 2500));
		if (!x->ours && pick(f, 2))
			continue;
		assert_ok(demon_exec_flush(x, &err), &err);
		compare(f);
		/* also at any other point, but for a call under way that may not be repeated */
		if (pick(f, 4) == 0 && !(x->machine->control == DEMON_AT_LEAF && x->ours))
			hand_over(f);
	}
	assert_ok(demon_exec_flush(x, &err), &err);
	compare(f);
	demon_run_journal_done(&f->exec.journal);
}

static void try_seed(struct fixture *f, uint64_t seed)
{
	const struct demon_run_options options = {.run_id = "r"};
	struct demon_options how = {.create = true, .node_id = "n", .env = &f->clock.env};
	struct demon_verified verified;
	struct demon_err err;

	f->random = seed;
	f->dir = test_dir();
	f->text = random_ritual(f->dir, seed, true);
	if (demon_definition_load("random", f->text, strlen(f->text), &f->definition, NULL, &err)) {
		if (!strstr(err.msg, "reached") && !strstr(err.msg, "circle"))
			fail_msg("seed %llu: %s: %s", (unsigned long long)seed, err.msg, f->text);
	} else {
		assert_ok(demon_open(test_path(f->dir, "demon.db"), &how, &f->store, &err), &err);
		assert_ok(demon_run_start(f->store, f->definition, &options, &f->run, &err), &err);
		execute(f);
		demon_run_state_done(&f->live);
		demon_run_state_done(&f->folded);
		assert_ok(demon_verify(f->store, &verified, &err), &err);
		demon_close(f->store);
	}
	demon_definition_free(f->definition);
	f->definition = NULL;
	free(f->text);
	test_dir_remove(f->dir);
}

static void what_is_folded_is_what_was_executed(void **state)
{
	struct fixture f = {0};
	const char *seeds = getenv("DEMON_MACHINE_SEEDS"); /* NOLINT(concurrency-mt-unsafe) */
	const struct demon_expr_options options = {.workers = 1};
	uint64_t first = test_seed(1);
	unsigned count = seeds ? (unsigned)strtoul(seeds, NULL, 10) : 40;
	struct demon_err err;

	(void)state;
	fake_env_init(&f.clock, 7);
	assert_ok(demon_expr_open(&options, &f.expr, &err), &err);
	for (uint64_t seed = first; seed < first + count; seed++)
		try_seed(&f, seed);
	print_message("%u comparisons\n", f.compared);
	assert_true(f.compared > count);
	demon_expr_close(f.expr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_folded_is_what_was_executed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
