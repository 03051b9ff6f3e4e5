/*
 * Random rituals, left and canceled somewhere and tried again from some step of theirs, again and
 * again: they come to what they come to undisturbed. DEMON_SEED is the first of the rituals,
 * DEMON_AGAIN_SEEDS how many there are.
 */
#include "support/test.h"

#include "base/base.h"
#include "base/buf.h"
#include "base/json_member.h"
#include "domain/ritual/run_control.h"
#include "support/expr.h"
#include "support/runs.h"

#include <stdio.h>

#define TRIES 12 /* runs of a ritual that are disturbed */

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_expr *expr;
	struct demon_definition *definition;
	uint64_t random;
	unsigned names;
	unsigned depth;
	int left; /* turns until the run is left; below zero: it is not */
	unsigned retries;
};

static unsigned pick(struct fixture *f, unsigned n)
{
	return (unsigned)(test_random(&f->random) % n);
}

#define TRAIL "${ . + {trail: ((.trail // []) + [\\\"t%u\\\"])} }"

static void make_list(struct fixture *f, struct demon_buf *out);

static void make_call(struct fixture *f, unsigned name, struct demon_buf *out)
{
	demon_buf_fmt(out,
		      "{\"t%u\":{\"call\":\"echo\",\"with\":{\"message\":\"${ .trail | tojson }\"},"
		      "\"output\":{\"as\":\"${ {trail: ((.echoed_message | fromjson // []) + "
		      "[\\\"t%u\\\"])} }\"}}}",
		      name, name);
	(void)f;
}

static void make_for(struct fixture *f, unsigned name, struct demon_buf *out)
{
	demon_buf_fmt(out,
		      "{\"t%u\":{\"for\":{\"each\":\"x\",\"at\":\"i\",\"in\":\"[range(%u)]\"},"
		      "\"while\":\"$x < 3\",\"do\":[{\"t%ux\":{\"set\":\"${ . + {trail: "
		      "((.trail // []) + [$x, $i])} }\"}},",
		      name, pick(f, 5), name);
	make_list(f, out);
	demon_buf_str(out, "]}}");
}

static void make_try(struct fixture *f, unsigned name, struct demon_buf *out)
{
	demon_buf_fmt(out, "{\"t%u\":{\"try\":[", name);
	make_list(f, out);
	demon_buf_fmt(out,
		      ",{\"t%ur\":{\"if\":\"%s\",\"raise\":{\"error\":{\"type\":\"odd\","
		      "\"status\":4%02u,\"title\":\"t\"}}}}],\"catch\":{\"as\":\"e\",",
		      name, pick(f, 3) ? "true" : "false", name % 100);
	if (pick(f, 2))
		demon_buf_fmt(out,
			      "\"retry\":{\"delay\":{\"seconds\":%u},\"limit\":{\"attempt\":{"
			      "\"count\":%u}}},",
			      1 + pick(f, 9), 1 + pick(f, 2));
	demon_buf_fmt(out,
		      "\"do\":[{\"t%uc\":{\"set\":\"${ . + {trail: ((.trail // []) + "
		      "[$e.status])} }\"}},",
		      name);
	make_list(f, out);
	demon_buf_str(out, "]}}}");
}

static void make_task(struct fixture *f, struct demon_buf *out)
{
	unsigned name = ++f->names;

	switch (pick(f, f->depth < 3 ? 8 : 4)) {
	case 0:
		make_call(f, name, out);
		break;
	case 1:
		demon_buf_fmt(out, "{\"t%u\":{\"wait\":{\"seconds\":%u}}}", name, 1 + pick(f, 9));
		break;
	case 2:
		demon_buf_fmt(
		    out,
		    "{\"t%u\":{\"set\":\"" TRAIL "\",\"if\":\"(.trail | length) %% 2 == "
		    "0\",\"export\":{\"as\":\"${ {seen: (($context.seen // 0) + 1)} }\"}}}",
		    name, name);
		break;
	case 3:
		demon_buf_fmt(out,
			      "{\"t%u\":{\"set\":\"${ . + {trail: ((.trail // []) + "
			      "[$context.seen])} }\"}}",
			      name);
		break;
	case 4:
	case 5:
		make_for(f, name, out);
		break;
	case 6:
		make_try(f, name, out);
		break;
	default:
		demon_buf_fmt(out, "{\"t%u\":{\"timeout\":{\"after\":\"PT9H\"},\"do\":[", name);
		make_list(f, out);
		demon_buf_str(out, "]}}");
	}
}

static void make_list(struct fixture *f, struct demon_buf *out)
{
	unsigned count = 1 + pick(f, 3);

	f->depth++;
	for (unsigned i = 0; i < count; i++) {
		demon_buf_str(out, i ? "," : "");
		make_task(f, out);
	}
	f->depth--;
}

static void make_ritual(struct fixture *f)
{
	DEMON_BUF(text, 0);
	struct demon_err err;

	demon_buf_str(&text, "{\"document\":{\"dsl\":\"1.0.3\",\"namespace\":\"default\","
			     "\"name\":\"random\",\"version\":\"1\"},");
	if (pick(f, 2))
		demon_buf_str(&text, "\"input\":{\"from\":\"${ {trail: [.n]} }\"},"
				     "\"output\":{\"as\":\"${ .trail }\"},");
	demon_buf_str(&text, "\"do\":[");
	f->names = f->depth = 0;
	make_list(f, &text);
	demon_buf_char(&text, ',');
	make_list(f, &text);
	demon_buf_str(&text, "]}");
	assert_int_equal(text.rc, DEMON_OK);
	demon_definition_free(f->definition);
	f->definition = NULL;
	if (demon_definition_load("random", text.data, text.len, &f->definition, NULL, &err))
		fail_msg("%s: %s", err.msg, text.data);
}

static bool stop(void *ctx)
{
	struct fixture *f = ctx;

	return f->left >= 0 && f->left-- == 0;
}

/* Moves the clock to when something is due. */
static void await(struct fixture *f)
{
	struct demon_run_due due;
	struct demon_err err;

	assert_ok(demon_run_due(f->store, &(struct demon_run_sought){.limit = 10}, &due, &err),
		  &err);
	free(due.runs);
	if (due.count == 0)
		fake_env_advance(&f->clock, due.next - f->clock.now);
}

/* Executes a run for @p turns; below zero: to its end. The data it came to, new; NULL: it was left.
 */
static char *play(struct fixture *f, const struct demon_run_id *run, int turns)
{
	const struct demon_run_watch watch = {.stop = stop, .ctx = f, .expr = f->expr};
	struct demon_run_outcome outcome = {0};
	struct demon_json_span part;
	struct demon_err err;
	enum demon_rc rc;
	char *data;

	f->left = turns;
	for (;;) {
		rc = demon_run_execute_watched(f->store, run, &watch, &outcome, &err);
		if (rc == DEMON_CANCELED)
			return NULL;
		assert_ok(rc, &err);
		if (strcmp(outcome.status, "Waiting") != 0)
			break;
		if (f->left >= 0 && pick(f, 3) == 0)
			return NULL;
		await(f);
	}
	assert_string_equal(outcome.status, "Completed");
	part = demon_json_member(outcome.terminal, strlen(outcome.terminal), "outputs");
	data = demon_strndup(part.at, part.len);
	free(outcome.terminal);
	return data;
}

static enum demon_rc count_step(void *ctx, const struct demon_step_row *row, struct demon_err *err)
{
	int64_t *last = ctx;

	(void)err;
	*last = row->step_id;
	return DEMON_OK;
}

/* Cancels a run that was left, and tries it again: from where it was, or from some step of it. */
static void again(struct fixture *f, struct demon_run_id *run)
{
	const struct demon_run_request request = {.by = NULL};
	const struct demon_run_options options = {.run_id = NULL};
	struct demon_run_id old = *run;
	char step[24] = "";
	int64_t last = 0;
	struct demon_err err;
	bool changed;
	enum demon_rc rc;

	assert_ok(demon_run_cancel(f->store, &old, &request, &changed, &err), &err);
	assert_ok(demon_run_steps(f->store, &old, count_step, &last, &err), &err);
	fake_env_advance(&f->clock, (int64_t)pick(f, 9) * 3600 * 1000);
	if (last && pick(f, 2))
		(void)snprintf(step, sizeof(step), "%u", 1 + pick(f, (unsigned)last));
	rc = demon_run_retry(f->store, &old, *step ? step : NULL, &options, run, &err);
	/* what holds the task where a run began is none of its own steps */
	if (rc == DEMON_CONFLICT && *step)
		rc = demon_run_retry(f->store, &old, NULL, &options, run, &err);
	assert_ok(rc, &err);
	f->retries++;
}

static void disturb(struct fixture *f, const json_t *input, const char *want)
{
	const struct demon_run_options options = {.input = input};
	struct demon_run_id run;
	struct demon_err err;
	char *got;

	assert_ok(demon_run_start(f->store, f->definition, &options, &run, &err), &err);
	for (unsigned i = 0; !(got = play(f, &run, i < 6 ? (int)pick(f, 20) : -1)); i++)
		again(f, &run);
	if (strcmp(got, want) != 0)
		print_message("%s\n", f->definition->canonical);
	assert_string_equal(got, want);
	free(got);
}

static void try_seed(struct fixture *f, uint64_t seed)
{
	const struct demon_run_options options = {.run_id = NULL};
	json_t *input = json_pack("{s:i, s:[s]}", "n", 7, "trail", "in");
	struct demon_run_options first = options;
	struct demon_run_id run;
	struct demon_err err;
	char *want;

	print_message("seed %llu\n", (unsigned long long)seed);
	f->random = seed;
	make_ritual(f);
	first.input = input;
	assert_ok(demon_run_start(f->store, f->definition, &first, &run, &err), &err);
	want = play(f, &run, -1);
	for (unsigned i = 0; i < TRIES; i++)
		disturb(f, input, want);
	free(want);
	json_decref(input);
}

static void a_ritual_that_is_tried_again_ends_as_it_would_have(void **state)
{
	const char *seeds = getenv("DEMON_AGAIN_SEEDS"); /* NOLINT(concurrency-mt-unsafe) */
	const struct demon_expr_options expr = {.workers = 1, .output_max = DEMON_EXPR_LIST_MAX};
	struct fixture f = {0};
	const struct demon_options options = {.create = true, .env = &f.clock.env, .node_id = "n"};
	uint64_t first = test_seed(1);
	unsigned count = seeds ? (unsigned)strtoul(seeds, NULL, 10) : 6;
	struct demon_verified verified;
	struct demon_err err;

	(void)state;
	f.dir = test_dir();
	fake_env_init(&f.clock, 7);
	assert_ok(demon_open(test_path(f.dir, "demon.db"), &options, &f.store, &err), &err);
	assert_ok(demon_expr_open(&expr, &f.expr, &err), &err);
	for (uint64_t seed = first; seed < first + count; seed++)
		try_seed(&f, seed);
	print_message("%u retries\n", f.retries);
	assert_true(f.retries > count);
	assert_ok(demon_verify(f.store, &verified, &err), &err);
	demon_definition_free(f.definition);
	demon_expr_close(f.expr);
	demon_close(f.store);
	test_dir_remove(f.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ritual_that_is_tried_again_ends_as_it_would_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
