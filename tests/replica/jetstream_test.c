#include "support/test.h"

#include "base/base.h"
#include "replica/jetstream.h"
#include "replica/replica.h"
#include "support/exchange.h"
#include "support/nats.h"

#include <stdio.h>
#include <time.h>

#define NODES   2
#define MOST_MS 60000

/* Two nodes at a real server. */
struct field {
	char *dir;
	struct nats_server server;
	struct demon_store *stores[NODES];
	struct demon_jetstream *lines[NODES];
	struct demon_transport transports[NODES];
	struct demon_replica *replicas[NODES];
	bool ensured[NODES];
	int64_t written;
};

static void open_node(struct field *f, size_t i)
{
	char name[16];
	struct demon_options options = {.create = true, .node_id = name};
	struct demon_jetstream_options line = {.server = {.urls = f->server.url}};
	struct demon_err err;

	(void)snprintf(name, sizeof(name), "n%zu", i);
	assert_ok(demon_open(test_path(f->dir, name), &options, &f->stores[i], &err), &err);
	assert_ok(demon_jetstream_open(&line, &f->lines[i], &f->transports[i], &err), &err);
	assert_ok(
	    demon_replica_open(&(struct demon_replica_options){.store = f->stores[i],
							       .transport = &f->transports[i]},
			       &f->replicas[i], &err),
	    &err);
}

static void close_node(struct field *f, size_t i)
{
	demon_replica_close(demon_take(f->replicas[i]));
	demon_jetstream_close(demon_take(f->lines[i]));
	demon_close(demon_take(f->stores[i]));
	f->ensured[i] = false;
}

static int setup(void **state)
{
	struct field *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = test_dir();
	nats_start(&f->server, f->dir);
	for (size_t i = 0; i < NODES; i++)
		open_node(f, i);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct field *f = *state;

	for (size_t i = 0; i < NODES; i++)
		close_node(f, i);
	nats_kill(&f->server);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void write_events(struct field *f, size_t i, int count)
{
	struct demon_draft draft = {
	    .type = "app.thing.done:v1", .ritual_id = "r", .run_id = "run", .data = "{\"n\":1}"};
	struct demon_err err;

	for (int n = 0; n < count; n++)
		assert_ok(demon_append(f->stores[i], &draft, 1, NULL, &err), &err);
	f->written += count;
}

static void step(struct field *f, size_t i)
{
	struct demon_link link;
	struct demon_err err;
	int64_t events;
	int64_t wait;

	f->transports[i].ops->link(f->transports[i].ctx, &link);
	if (!link.up)
		f->ensured[i] = false;
	else if (!f->ensured[i])
		f->ensured[i] =
		    !f->transports[i].ops->ensure(f->transports[i].ctx, false, NULL, NULL, &err);
	/* what goes wrong meanwhile is what the test does; what counts is where it ends */
	(void)!demon_replica_out(f->replicas[i], &wait, &err);
	(void)!demon_replica_in(f->replicas[i], 5, &events, &err);
}

static int64_t events_of(struct demon_store *store)
{
	struct demon_err err;
	int64_t seq;

	assert_ok(demon_last_seq(store, &seq, &err), &err);
	return seq;
}

/* Both nodes hold all that was written, and the announcements of @p keys. */
static void become_equal(struct field *f, int64_t keys)
{
	struct timespec begun;
	struct timespec now;
	char digests[NODES][65];

	(void)clock_gettime(CLOCK_MONOTONIC, &begun);
	do {
		bool all = true;

		for (size_t i = 0; i < NODES; i++)
			step(f, i);
		for (size_t i = 0; i < NODES; i++)
			all &= events_of(f->stores[i]) == f->written + keys;
		if (all)
			break;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - begun.tv_sec) * 1000 > MOST_MS)
			fail_msg("%lld and %lld of %lld events", (long long)events_of(f->stores[0]),
				 (long long)events_of(f->stores[1]),
				 (long long)(f->written + keys));
	} while (true);
	for (size_t i = 0; i < NODES; i++)
		exchange_digest(f->stores[i], digests[i]);
	assert_string_equal(digests[0], digests[1]);
}

static void what_one_node_writes_the_other_holds(void **state)
{
	struct field *f = *state;

	write_events(f, 0, 300);
	become_equal(f, 1);
	write_events(f, 1, 20);
	become_equal(f, 2);
}

static void a_server_that_is_killed_and_started_again_costs_nothing(void **state)
{
	struct field *f = *state;

	write_events(f, 0, 50);
	become_equal(f, 1);
	nats_kill(&f->server);
	write_events(f, 0, 50);
	write_events(f, 1, 50);
	nats_start(&f->server, f->dir);
	become_equal(f, 2);
}

static void streams_that_were_wiped_are_filled_again(void **state)
{
	struct field *f = *state;
	struct demon_stream_state held = {0};
	struct demon_err err;

	write_events(f, 0, 50);
	become_equal(f, 1);
	close_node(f, 1);
	nats_kill(&f->server);
	nats_wipe(&f->server);
	write_events(f, 0, 1);
	nats_start(&f->server, f->dir);
	open_node(f, 1);
	become_equal(f, 1);
	/* and what is missing there comes back, though nobody needs it now */
	for (int i = 0; i < 4000 && held.messages < 51; i++) {
		step(f, 0);
		(void)!f->transports[0].ops->state(f->transports[0].ctx, DEMON_STREAM_RITUAL, &held,
						   &err);
	}
	assert_true(held.messages >= 51);
}

static void a_server_that_hangs_holds_no_writer_up(void **state)
{
	struct field *f = *state;

	write_events(f, 0, 10);
	become_equal(f, 1);
	nats_pause(&f->server, true);
	write_events(f, 0, 200);
	nats_pause(&f->server, false);
	become_equal(f, 1);
}

static void a_new_node_is_rebuilt_from_the_streams(void **state)
{
	struct field *f = *state;
	char before[65];
	char after[65];

	write_events(f, 0, 120);
	become_equal(f, 1);
	exchange_digest(f->stores[0], before);
	close_node(f, 1);
	assert_int_equal(remove(test_path(f->dir, "n1")), 0);
	open_node(f, 1);
	become_equal(f, 1);
	exchange_digest(f->stores[1], after);
	assert_string_equal(before, after);
}

static void count_drift(void *ctx, demon_unused enum demon_stream stream,
			demon_unused bool repaired, demon_unused const char *text)
{
	++*(int *)ctx;
}

static void streams_are_made_as_they_have_to_be(void **state)
{
	struct field *f = *state;
	struct demon_err err;
	int drift = 0;

	write_events(f, 0, 1);
	become_equal(f, 1);
	assert_ok(
	    f->transports[0].ops->ensure(f->transports[0].ctx, false, count_drift, &drift, &err),
	    &err);
	assert_int_equal(drift, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_one_node_writes_the_other_holds, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_server_that_is_killed_and_started_again_costs_nothing,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(streams_that_were_wiped_are_filled_again, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_server_that_hangs_holds_no_writer_up, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_new_node_is_rebuilt_from_the_streams, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(streams_are_made_as_they_have_to_be, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
