#include "support/test.h"

#include "base/base.h"
#include "replica/memory.h"
#include "replica/replica.h"
#include "support/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define NODES     3
#define STEPS     220
#define HEAL_MOST 4000

/* Several nodes at one server, by seed. */
struct world {
	char *dir;
	struct demon_memory *memory;
	struct fake_env env[NODES];
	struct demon_store *stores[NODES];
	struct demon_replica *replicas[NODES];
	struct demon_memory_node *lines[NODES];
	struct demon_transport transports[NODES];
	uint64_t state;
	uint64_t seed;
	int64_t written;
};

static const struct demon_memory_faults rough = {
    .lose_send = 40, .lose_answer = 40, .delay = 200, .refuse = 30, .twice = 60, .cut = 10};

static void open_node(struct world *w, size_t i)
{
	struct demon_err err;
	char name[32];
	struct demon_options options = {.create = true, .env = &w->env[i].env};

	(void)snprintf(name, sizeof(name), "n%zu", i);
	options.node_id = name;
	assert_ok(demon_open(test_path(w->dir, name), &options, &w->stores[i], &err), &err);
}

static void join_node(struct world *w, size_t i)
{
	struct demon_err err;
	struct demon_replica_options options = {.store = w->stores[i],
						.transport = &w->transports[i],
						.window = 1 + test_random(&w->state) % 40};

	assert_ok(demon_memory_join(w->memory, &w->lines[i], &w->transports[i], &err), &err);
	assert_ok(demon_replica_open(&options, &w->replicas[i], &err), &err);
}

static void leave_node(struct world *w, size_t i)
{
	demon_replica_close(w->replicas[i]);
	demon_memory_leave(w->lines[i]);
}

static void restart_node(struct world *w, size_t i)
{
	leave_node(w, i);
	demon_close(w->stores[i]);
	open_node(w, i);
	join_node(w, i);
}

static void begin_world(struct world *w, uint64_t seed)
{
	struct demon_err err;

	*w = (struct world){.seed = seed, .state = seed, .dir = test_dir()};
	assert_ok(demon_memory_new(seed, &w->memory, &err), &err);
	for (size_t i = 0; i < NODES; i++) {
		fake_env_init(&w->env[i], seed * NODES + i);
		open_node(w, i);
		join_node(w, i);
	}
}

static void end_world(struct world *w)
{
	for (size_t i = 0; i < NODES; i++) {
		leave_node(w, i);
		demon_close(w->stores[i]);
	}
	demon_memory_free(w->memory);
	test_dir_remove(w->dir);
}

static void write_some(struct world *w, size_t i)
{
	struct demon_draft drafts[3];
	size_t count = 1 + test_random(&w->state) % 3;
	char run[32];
	struct demon_err err;

	(void)snprintf(run, sizeof(run), "run-%zu", (size_t)(test_random(&w->state) % 4));
	for (size_t k = 0; k < count; k++)
		drafts[k] = (struct demon_draft){.type = "app.thing.done:v1",
						 .ritual_id = "r",
						 .run_id = run,
						 .data = "{\"n\":1}"};
	assert_ok(demon_append(w->stores[i], drafts, count, NULL, &err), &err);
	w->written += (int64_t)count;
}

static void step_node(struct world *w, size_t i)
{
	struct demon_err err;
	int64_t wait;
	int64_t events;

	fake_env_advance(&w->env[i], (int64_t)(test_random(&w->state) % 40));
	/* errors are what the faults cause; what counts is where it ends */
	(void)!demon_replica_out(w->replicas[i], &wait, &err);
	(void)!demon_replica_in(w->replicas[i], 0, &events, &err);
}

static void disturb(struct world *w)
{
	enum demon_stream stream = (enum demon_stream)(test_random(&w->state) % DEMON_STREAM_COUNT);
	size_t i = test_random(&w->state) % NODES;

	switch (test_random(&w->state) % 12) {
	case 0:
		demon_memory_rewind(w->memory, stream, 1 + test_random(&w->state) % 9);
		break;
	case 1:
		if (test_random(&w->state) % 3 == 0)
			demon_memory_recreate(w->memory, stream);
		break;
	case 2:
		if (test_random(&w->state) % 3 == 0)
			demon_memory_purge(w->memory, stream);
		break;
	case 3:
	case 4:
		restart_node(w, i);
		break;
	case 5:
	case 6:
		demon_memory_partition(w->lines[i], true);
		break;
	case 7:
		fake_env_advance(&w->env[i], 60000);
		break;
	case 8:
		w->env[i].now -= 3600 * 1000;
		break;
	default:
		demon_memory_partition(w->lines[i], false);
		break;
	}
}

/* The part of a digest that says what is held. */
static bool all_equal(struct world *w)
{
	char first[65];
	bool equal = true;

	exchange_digest(w->stores[0], first);
	for (size_t i = 1; i < NODES && equal; i++) {
		char other[65];

		exchange_digest(w->stores[i], other);
		equal = strcmp(first, other) == 0;
	}
	return equal;
}

/* For who has to find out why a seed fails. */
static void tell(struct world *w, size_t i)
{
	static const char questions[] =
	    "SELECT hex(c.origin), hex(c.epoch), c.stream, max(e.origin_seq), o.acknowledged, "
	    "o.confirmed FROM log_chains c JOIN log_events e ON e.chain_id = c.id "
	    "LEFT JOIN local_outbox o ON o.chain_id = c.id GROUP BY c.id ORDER BY 1, 2, 3; "
	    "SELECT hex(origin), hex(epoch), stream, sequence, signature IS NOT NULL, waits_for "
	    "FROM local_inbox ORDER BY 1, 2, 3, 4; "
	    "SELECT stream, sequence, first FROM local_positions; "
	    "SELECT kind, reason, count(*) FROM local_quarantine GROUP BY 1, 2";
	char command[1024];

	(void)fprintf(stderr, "-- node %zu\n", i);
	(void)snprintf(command, sizeof(command), "sqlite3 '%s/n%zu' \"%s\" >&2", w->dir, i,
		       questions);
	(void)!system(command); /* NOLINT: a test's own text */
}

static void heal(struct world *w)
{
	demon_memory_set_faults(w->memory, NULL);
	for (size_t i = 0; i < NODES; i++)
		demon_memory_partition(w->lines[i], false);
	for (int n = 0; n < HEAL_MOST; n++) {
		demon_memory_turn(w->memory);
		for (size_t i = 0; i < NODES; i++) {
			fake_env_advance(&w->env[i], 1000);
			step_node(w, i);
		}
		if (n % 50 == 49 && all_equal(w))
			return;
	}
	for (size_t i = 0; i < NODES; i++)
		tell(w, i);
	fail_msg("seed %" PRIu64 ": the nodes do not become equal", w->seed);
}

static void check_world(struct world *w)
{
	struct demon_verified verified;
	struct demon_err err;
	int64_t least = w->written;

	for (size_t i = 0; i < NODES; i++) {
		assert_ok(demon_verify(w->stores[i], &verified, &err), &err);
		/* nothing that was written is missing, nothing is there twice: beside it there are
		 * the announcements of keys, one a node that wrote */
		assert_true(verified.events >= least && verified.events <= least + NODES);
		assert_int_equal(verified.stranded, 0);
	}
}

static void simulate(uint64_t seed)
{
	struct world w;

	begin_world(&w, seed);
	demon_memory_set_faults(w.memory, &rough);
	for (int step = 0; step < STEPS; step++) {
		size_t i = test_random(&w.state) % NODES;

		if (test_random(&w.state) % 3 == 0)
			write_some(&w, i);
		if (test_random(&w.state) % 8 == 0)
			disturb(&w);
		demon_memory_turn(w.memory);
		step_node(&w, test_random(&w.state) % NODES);
	}
	heal(&w);
	check_world(&w);
	end_world(&w);
}

static void nodes_become_equal_whatever_the_line_and_the_server_do(void **state)
{
	const char *many = getenv("DEMON_SIM_SEEDS");
	uint64_t seed = test_seed(1);
	long count = many ? strtol(many, NULL, 10) : 6;

	(void)state;
	for (long n = 0; n < count; n++)
		simulate(seed + (uint64_t)n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nodes_become_equal_whatever_the_line_and_the_server_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
