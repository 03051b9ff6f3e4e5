/*
 * Many processes race for one gate. DEMON_RACE_ROUNDS sets how many gates (default 8; a soak takes
 * 200), DEMON_RACE_CALLERS how many processes (default 64).
 */
#include "support/test.h"

#include "store/readers.h"
#include "support/fork.h"
#include "support/gate_desk.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLERS_MAX 256

struct caller {
	const char *path;
	const struct demon_gate_config *config;
	const struct demon_run_id *run;
	int pipe[2]; /* it ends when all have come to the start */
	unsigned number;
};

/* What a caller says that it came to: its status. */
enum { COUNTED, DECIDED, NOOP, CONFLICT, OTHER };

static unsigned number_of(const char *name, unsigned fallback)
{
	const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe) */

	return text ? (unsigned)strtoul(text, NULL, 10) : fallback;
}

static int other(const struct demon_err *err)
{
	(void)fprintf(stderr, "a caller: %s\n", err->msg);
	return OTHER;
}

/* Every third denies; the race is who is first. */
static int call(void *arg)
{
	static const struct demon_options options = {.node_id = "n"};
	const struct caller *c = arg;
	char name[32];
	const struct demon_actor actor = {.subject = name};
	const struct demon_vote vote = {.run = c->run,
					.gate_id = "prod",
					.want =
					    c->number % 3 ? DEMON_GATE_GRANTED : DEMON_GATE_DENIED,
					.actor = &actor,
					.note = "a reason"};
	struct demon_vote_answer answer;
	struct demon_store *store;
	struct demon_err err;
	enum demon_rc rc;
	char byte;

	(void)snprintf(name, sizeof(name), "caller-%u", c->number);
	if (demon_open(c->path, &options, &store, &err))
		return other(&err);
	(void)close(c->pipe[1]);
	while (read(c->pipe[0], &byte, 1) > 0)
		continue;
	rc = demon_vote_cast(store, c->config, &vote, &answer, &err);
	demon_close(store);
	if (rc == DEMON_CONFLICT)
		return CONFLICT;
	if (rc)
		return other(&err);
	if (answer.noop)
		return NOOP;
	free(answer.event);
	return answer.decided ? DECIDED : COUNTED;
}

/* Lets them go all at once; @p counts: how many came to what. */
static void race(struct gate_desk *d, unsigned callers, unsigned counts[OTHER + 1])
{
	static struct caller c[CALLERS_MAX];
	static pid_t pids[CALLERS_MAX];
	const char *path = test_path(d->play->dir, "demon.db");
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	demon_close(d->play->store); /* it does not survive a fork */
	d->play->store = NULL;
	for (unsigned i = 0; i < callers; i++) {
		c[i] = (struct caller){.path = path,
				       .config = &d->config,
				       .run = &d->play->run,
				       .pipe = {ends[0], ends[1]},
				       .number = i};
		pids[i] = test_fork_start(call, &c[i]);
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	for (unsigned i = 0; i < callers; i++) {
		int status = test_fork_wait(pids[i]);

		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= OTHER);
		counts[WEXITSTATUS(status)]++;
	}
	gate_restart(d);
}

static void execute(struct gate_desk *d, const char *want)
{
	const struct demon_run_watch watch = {.gates = &d->config};
	struct demon_run_outcome outcome = {0};

	assert_ok(
	    demon_run_execute_watched(d->play->store, &d->play->run, &watch, &outcome, &d->err),
	    &d->err);
	assert_string_equal(outcome.status, want);
	free(outcome.terminal);
}

static size_t count_type(struct gate_desk *d, const char *type)
{
	const struct demon_filter filter = {
	    .tenant_id = "default", .run_id = d->play->run.run_id, .type = type};
	const struct demon_event *ev;
	struct demon_reader *reader;
	enum demon_rc rc;
	size_t n = 0;

	assert_ok(demon_reader_open(d->play->store, &filter, &reader, &d->err), &d->err);
	while ((rc = demon_reader_next(reader, 0, &ev, &d->err)) == DEMON_OK)
		n++;
	demon_reader_close(reader);
	assert_rc(rc, DEMON_NOTFOUND, &d->err);
	return n;
}

static bool is_granted(struct gate_desk *d)
{
	DEMON_GATE(gate);
	DEMON_READ(loan);

	assert_ok(demon_store_borrow(d->play->store, &loan, &d->err), &d->err);
	assert_ok(demon_gate_find(loan.db, &d->play->run, "prod", 0, &gate, &d->err), &d->err);
	assert_true(gate.state == DEMON_GATE_GRANTED || gate.state == DEMON_GATE_DENIED);
	return gate.state == DEMON_GATE_GRANTED;
}

/* Each caller was told what is so. */
static void check(struct gate_desk *d, unsigned quorum, unsigned callers, const unsigned *counts)
{
	unsigned denying = (callers + 2) / 3;
	unsigned granting = callers - denying;
	bool granted = is_granted(d);

	assert_int_equal(counts[OTHER], 0);
	assert_int_equal(counts[DECIDED], 1);
	if (granted) {
		assert_int_equal(counts[COUNTED], quorum - 1);
		assert_int_equal(counts[CONFLICT], denying);
	} else {
		assert_true(counts[COUNTED] < quorum);
		assert_int_equal(counts[CONFLICT] + counts[COUNTED], granting);
	}
	assert_int_equal(count_type(d, "approval.granted:v1"), granted);
	assert_int_equal(count_type(d, "approval.denied:v1"), !granted);
	assert_int_equal(count_type(d, "approval.decided:v1"), 1);
	assert_int_equal(count_type(d, "approval.vote:v1"), counts[COUNTED] + 1);
	execute(d, granted ? "Completed" : "Denied");
}

static void many_processes_race_for_one_gate_and_one_of_them_decides(void **state)
{
	struct gate_desk *d = *state;
	unsigned rounds = number_of("DEMON_RACE_ROUNDS", 8);
	unsigned callers = number_of("DEMON_RACE_CALLERS", 64);
	struct demon_verified verified;
	unsigned sum[OTHER + 1] = {0};

	assert_in_range(callers, 1, CALLERS_MAX);
	gate_allow(d, "*");
	for (unsigned i = 0; i < rounds; i++) {
		char id[16];
		const struct demon_run_options options = {.run_id = id};
		unsigned counts[OTHER + 1] = {0};
		unsigned quorum = 1 + i % 3;

		(void)snprintf(id, sizeof(id), "race-%u", i);
		d->play->clock.now = demon_env_real()->now(NULL); /* the callers' */
		demon_definition_free(d->play->definition);
		d->play->definition = run_definition(quorum == 1   ? DSL(GATE(""))
						     : quorum == 2 ? DSL(GATE(",'quorum':2"))
								   : DSL(GATE(",'quorum':3")));
		assert_ok(demon_run_start(d->play->store, d->play->definition, &options,
					  &d->play->run, &d->err),
			  &d->err);
		execute(d, "AwaitingApproval");
		race(d, callers, counts);
		check(d, quorum, callers, counts);
		for (int k = 0; k <= OTHER; k++)
			sum[k] += counts[k];
	}
	assert_ok(demon_verify(d->play->store, &verified, &d->err), &d->err);
	print_message("%u rounds of %u processes: %u counted, %u decided, %u no news, %u "
		      "conflicts\n",
		      rounds, callers, sum[COUNTED], sum[DECIDED], sum[NOOP], sum[CONFLICT]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    GATE_TEST(many_processes_race_for_one_gate_and_one_of_them_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
