/*
 * A run whose process is killed at every point where it touches the world, for rituals of one to
 * five steps by seed. DEMON_CRASH_SEEDS sets how many rituals (default 3), DEMON_SEED the first.
 */
#include "support/test.h"

#include "base/fault.h"
#include "base/json_member.h"
#include "store/readers.h"
#include "support/runs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX 5
#define RUN       "r-1"

static const enum demon_fault points[] = {
    DEMON_FAULT_LOCK_TAKEN,     DEMON_FAULT_TXN_BEGUN,         DEMON_FAULT_APPEND_EVENT,
    DEMON_FAULT_APPEND_APPLIED, DEMON_FAULT_JOB_DONE,          DEMON_FAULT_COMMIT_BEFORE,
    DEMON_FAULT_COMMIT_AFTER,   DEMON_FAULT_CHECKPOINT_BEFORE, DEMON_FAULT_CHECKPOINT_AFTER,
    DEMON_FAULT_RUN_STARTED,    DEMON_FAULT_STEP_STARTED,      DEMON_FAULT_STEP_RAN,
    DEMON_FAULT_STEP_COMPLETED, DEMON_FAULT_RUN_ENDED,
};

/** A generated ritual. */
struct shape {
	unsigned count;
	bool idempotent[STEPS_MAX];
	bool fails; /* the last step */
};

/** A line that a step wrote, or what is known of it from the log. */
struct trace {
	unsigned count;
	struct {
		char key[65];
		long attempt;
	} lines[64];
};

struct fixture {
	char *dir;
	struct shape shape;
	struct demon_definition *definition;
	struct demon_store *store;
	struct run_events events;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return 0;
}

static void done(struct fixture *f)
{
	run_events_done(&f->events);
	demon_definition_free(f->definition);
	demon_close(f->store);
	test_dir_remove(f->dir);
	*f = (struct fixture){0};
}

static int tear_down(void **state)
{
	done(*state);
	free(*state);
	return 0;
}

static struct shape make_shape(uint64_t seed)
{
	uint64_t random = seed;
	struct shape shape = {.count = 1 + (unsigned)(seed % STEPS_MAX)};

	for (unsigned i = 0; i < shape.count; i++)
		shape.idempotent[i] = test_random(&random) % 2;
	shape.fails = test_random(&random) % 4 == 0;
	return shape;
}

/* Every step writes its key and attempt behind the others' lines. */
static void make_definition(struct fixture *f)
{
	DEMON_BUF(text, 0);

	demon_buf_str(&text, "{'id':'crash','version':'1','states':[");
	for (unsigned i = 0; i < f->shape.count; i++) {
		bool last = i + 1 == f->shape.count;

		demon_buf_fmt(&text,
			      "%s{'name':'Step%u','type':'task','action':{'functionRef':{"
			      "'refName':'exec','arguments':{'command':['/bin/sh','-c',"
			      "'echo $DEMON_IDEMPOTENCY_KEY $DEMON_ATTEMPT >> %s/ran%s'],"
			      "'idempotent':%s}}},'end':%s}",
			      i ? "," : "", i, f->dir, last && f->shape.fails ? "; exit 3" : "",
			      f->shape.idempotent[i] ? "true" : "false", last ? "true" : "false");
	}
	demon_buf_str(&text, "]}");
	f->definition = run_definition(text.data);
	demon_buf_done(&text);
}

static void open_store(struct fixture *f, bool create)
{
	const struct demon_options options = {.create = create, .node_id = "n"};
	struct demon_err err;

	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
}

/* Tells the parent, beyond the death of this process, that an event was acknowledged. */
static void acknowledge(void *ctx, const char *type, const char *payload, size_t len)
{
	const int *fd = ctx;

	(void)payload;
	(void)len;
	if (dprintf(*fd, "%s\n", type) < 0)
		_exit(9);
}

/* The life of a process that starts (or only goes on with) the run. Ends without a return. */
static void live(struct fixture *f, bool start, enum demon_fault point, unsigned nth)
{
	const struct demon_options options = {.node_id = "n"};
	const struct demon_run_options run_options = {.run_id = RUN};
	int fd = open(test_path(f->dir, "acked"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct demon_run_outcome outcome = {0};
	struct demon_store *store;
	struct demon_run_id run;
	struct demon_err err;

	if (fd < 0 || demon_open(test_path(f->dir, "demon.db"), &options, &store, &err))
		_exit(2);
	demon_fault_arm(point, nth, true);
	if (start) {
		if (demon_run_start(store, f->definition, &run_options, &run, &err))
			_exit(3);
		acknowledge(&fd, "ritual.started:v1", NULL, 0);
		acknowledge(&fd, "ritual.opened:v1", NULL, 0);
	} else if (demon_run_find(store, NULL, RUN, &run, &err)) {
		_exit(4);
	}
	if (demon_run_execute(store, &run, acknowledge, &fd, &outcome, &err))
		_exit(5);
	demon_close(store);
	_exit(0);
}

/* True when the process was killed at the point; false when it came to its end before. */
static bool killed(struct fixture *f, bool start, enum demon_fault point, unsigned nth)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0)
		live(f, start, point, nth);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return false;
	}
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	return true;
}

static void read_trace(struct fixture *f, struct trace *trace)
{
	FILE *file = fopen(test_path(f->dir, "ran"), "r");
	char attempt[8];

	*trace = (struct trace){0};
	if (!file)
		return;
	while (trace->count < demon_count(trace->lines) &&
	       fscanf(file, "%64s %7s", trace->lines[trace->count].key, attempt) == 2)
		trace->lines[trace->count++].attempt = strtol(attempt, NULL, 10);
	(void)fclose(file);
}

static unsigned times_run(const struct trace *trace, const char *key)
{
	unsigned n = 0;

	for (unsigned i = 0; i < trace->count; i++)
		n += strcmp(trace->lines[i].key, key) == 0;
	return n;
}

/* Reads the log. Nothing that was acknowledged may be missing from it. */
static void read_log(struct fixture *f)
{
	FILE *file = fopen(test_path(f->dir, "acked"), "r");
	char type[128];
	size_t n = 0;

	run_events_done(&f->events);
	run_events_read(f->store, RUN, &f->events);
	while (file && fscanf(file, "%127s", type) == 1) {
		/* of a process that went on: what it appended stands behind, not beside */
		while (n < f->events.count && strcmp(f->events.items[n].type, type) != 0)
			n++;
		if (n++ >= f->events.count)
			fail_msg("acknowledged event %s is gone", type);
	}
	if (file)
		(void)fclose(file);
}

static void verify(struct fixture *f)
{
	struct demon_verified verified;
	struct demon_err err;

	assert_ok(demon_verify(f->store, &verified, &err), &err);
}

static int64_t number_of(const struct run_events *events, size_t i, const char *key)
{
	const char *payload = events->items[i].payload;
	int64_t n;

	assert_true(demon_json_span_i64(demon_json_member(payload, strlen(payload), key), &n));
	return n;
}

/* The step that the log shows in flight, or 0. */
static unsigned in_flight(const struct run_events *events)
{
	unsigned step = 0;

	for (size_t i = 0; i < events->count; i++) {
		if (strcmp(events->items[i].type, "step.started:v1") == 0)
			step = (unsigned)number_of(events, i, "stepId");
		else if (strncmp(events->items[i].type, "step.", 5) == 0)
			step = 0;
	}
	return step;
}

static const char *last_type(const struct run_events *events)
{
	return events->count ? events->items[events->count - 1].type : "";
}

/* How the run must end, given what its log holds now. */
static const char *expected(const struct fixture *f)
{
	unsigned step = in_flight(&f->events);

	if (strcmp(last_type(&f->events), "ritual.suspended:v1") == 0 ||
	    (step && !f->shape.idempotent[step - 1]))
		return "Suspended";
	return f->shape.fails ? "Failed" : "Completed";
}

/* Steps whose result is in the log were not run again by what was done since @p before. */
static void assert_finished_steps_ran_once(const struct run_events *log, const struct trace *before,
					   const struct trace *after)
{
	char keys[STEPS_MAX + 1][65] = {""};

	for (size_t i = 0; i < log->count; i++) {
		const char *type = log->items[i].type;

		if (strcmp(type, "step.started:v1") == 0)
			(void)snprintf(keys[number_of(log, i, "stepId")], sizeof(keys[0]), "%s",
				       run_events_text(log, i, "idempotencyKey"));
		if (strcmp(type, "step.completed:v1") == 0 || strcmp(type, "step.failed:v1") == 0) {
			const char *key = keys[number_of(log, i, "stepId")];

			assert_true(times_run(before, key) >= 1);
			assert_int_equal(times_run(before, key), times_run(after, key));
		}
	}
}

static void assert_no_attempt_ran_twice(const struct fixture *f, const struct trace *trace)
{
	for (unsigned i = 0; i < trace->count; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(trace->lines[i].key, trace->lines[k].key) == 0)
				assert_true(trace->lines[i].attempt > trace->lines[k].attempt);
	for (size_t i = 0; i < f->events.count; i++) {
		unsigned step;

		if (strcmp(f->events.items[i].type, "step.started:v1") != 0)
			continue;
		step = (unsigned)number_of(&f->events, i, "stepId");
		if (!f->shape.idempotent[step - 1])
			assert_true(times_run(trace, run_events_text(&f->events, i,
								     "idempotencyKey")) <= 1);
	}
}

/* Goes on with the run in this process and checks where it comes to. */
static void resume(struct fixture *f)
{
	const struct demon_run_options options = {.run_id = RUN};
	struct demon_run_outcome outcome = {0};
	struct demon_run_id run;
	struct demon_err err;
	struct trace before;
	struct trace after;
	const char *want;

	open_store(f, false);
	verify(f);
	read_log(f);
	read_trace(f, &before);
	want = expected(f);
	if (f->events.count == 0)
		assert_ok(demon_run_start(f->store, f->definition, &options, &run, &err), &err);
	else
		assert_ok(demon_run_find(f->store, NULL, RUN, &run, &err), &err);
	assert_ok(demon_run_execute(f->store, &run, NULL, NULL, &outcome, &err), &err);
	free(outcome.terminal);
	assert_string_equal(outcome.status, want);
	read_trace(f, &after);
	assert_finished_steps_ran_once(&f->events, &before, &after);
	read_log(f);
	assert_no_attempt_ran_twice(f, &after);
	if (strcmp(want, "Suspended") != 0)
		assert_true(after.count >= f->shape.count);
	verify(f);
}

/* One life that ends at the point, perhaps a second one that does too, then the check. */
static bool survive(struct fixture *f, uint64_t seed, enum demon_fault point, unsigned nth)
{
	uint64_t random = seed ^ ((uint64_t)point << 32) ^ nth;
	struct shape shape = make_shape(seed);
	bool hit;

	done(f);
	f->shape = shape;
	f->dir = test_dir();
	make_definition(f);
	open_store(f, true);
	demon_close(f->store);
	f->store = NULL;
	hit = killed(f, true, point, nth);
	if (hit && test_random(&random) % 3 == 0) {
		open_store(f, false);
		read_log(f);
		demon_close(f->store);
		f->store = NULL;
		if (f->events.count)
			(void)killed(f, false, points[test_random(&random) % demon_count(points)],
				     1 + (unsigned)(test_random(&random) % 3));
	}
	resume(f);
	return hit;
}

static void a_killed_run_goes_on_where_it_stood(void **state)
{
	struct fixture *f = *state;
	const char *seeds = getenv("DEMON_CRASH_SEEDS"); /* NOLINT(concurrency-mt-unsafe) */
	uint64_t first = test_seed(4);
	unsigned count = seeds ? (unsigned)strtoul(seeds, NULL, 10) : 3;
	unsigned kills = 0;

	for (uint64_t seed = first; seed < first + count; seed++) {
		for (size_t i = 0; i < demon_count(points); i++) {
			unsigned nth = 1;

			print_message("seed %llu, %s\n", (unsigned long long)seed,
				      demon_fault_name(points[i]));
			while (survive(f, seed, points[i], nth))
				nth++;
			kills += nth - 1;
		}
	}
	print_message("%u kills\n", kills);
	assert_true(kills > 10 * count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_killed_run_goes_on_where_it_stood, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
