#include "support/test.h"

#include "replica/memory.h"
#include "replica/quarantine.h"
#include "replica/replica.h"

#define ROUNDS 5

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_memory *memory;
	struct demon_memory_node *node;
	struct demon_transport transport;
	struct demon_replica *replica;
	int64_t rows;
	int64_t bytes;
	size_t kept;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .node_id = "n"};

	assert_non_null(f);
	f->dir = test_dir();
	fake_env_init(&f->clock, 5);
	options.env = &f->clock.env;
	assert_ok(demon_open(test_path(f->dir, "n.db"), &options, &f->store, &f->err), &f->err);
	assert_ok(demon_memory_new(1, &f->memory, &f->err), &f->err);
	assert_ok(demon_memory_join(f->memory, &f->node, &f->transport, &f->err), &f->err);
	assert_ok(demon_replica_open(&(struct demon_replica_options){.store = f->store,
								     .transport = &f->transport},
				     &f->replica, &f->err),
		  &f->err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_replica_close(f->replica);
	demon_memory_leave(f->node);
	demon_memory_free(f->memory);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static enum demon_rc look(void *ctx, const struct demon_quarantined *row, struct demon_err *err)
{
	struct fixture *f = ctx;

	(void)err;
	f->rows++;
	f->bytes = row->bytes;
	f->kept = row->payload ? row->payload_len : 0;
	assert_string_equal(row->kind, "foreign");
	assert_string_equal(row->subject, "demon.ritual.v1.default.r.events");
	return DEMON_OK;
}

/* A message of @p len bytes that is nobody's event. A new link takes some calls to be read from. */
static void come(struct fixture *f, size_t len)
{
	struct demon_message message = {.subject = "demon.ritual.v1.default.r.events"};
	char *payload = malloc(len);
	int64_t events;

	assert_non_null(payload);
	memset(payload, 'x', len);
	message.payload = payload;
	message.payload_len = len;
	assert_ok(demon_memory_inject(f->memory, &message, &f->err), &f->err);
	free(payload);
	for (int i = 0; i < ROUNDS; i++) {
		assert_ok(demon_replica_in(f->replica, 0, &events, &f->err), &f->err);
		assert_int_equal(events, 0);
	}
	f->rows = 0;
	assert_ok(demon_quarantine_list(f->store, 0, 100, look, f, &f->err), &f->err);
}

static void a_foreign_message_is_set_aside_with_its_payload(void **state)
{
	struct fixture *f = *state;

	come(f, 100);
	assert_int_equal(f->rows, 1);
	assert_int_equal(f->bytes, 100);
	assert_int_equal(f->kept, 100);
}

static void of_a_large_foreign_message_the_payload_stays_in_the_stream(void **state)
{
	struct fixture *f = *state;

	come(f, (size_t)8 << 20);
	assert_int_equal(f->rows, 1);
	assert_int_equal(f->bytes, (int64_t)8 << 20);
	assert_int_equal(f->kept, 0);
	/* and it is known again: it stands there once, however often it is read */
	demon_memory_partition(f->node, true);
	demon_memory_partition(f->node, false);
	come(f, 10);
	assert_int_equal(f->rows, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_foreign_message_is_set_aside_with_its_payload, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(
		of_a_large_foreign_message_the_payload_stays_in_the_stream, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
