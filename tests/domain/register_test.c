#include "support/test.h"

#include "domain/admin/register.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/write.h"
#include "support/exchange.h"

#include <stdio.h>

#define NODES   3
#define CHANGES 60
#define ORDERS  12

static const struct demon_actor kim = {.subject = "kim@corp.test"};

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	char rows[8192];
	struct demon_err err;
};

static struct demon_store *open_store(struct fixture *f, const char *name)
{
	const struct demon_options options = {
	    .create = true, .env = &f->clock.env, .node_id = name};
	struct demon_store *store = NULL;

	assert_ok(demon_open(test_path(f->dir, name), &options, &store, &f->err), &f->err);
	return store;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->store = open_store(f, "a.db");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static enum demon_rc put(struct fixture *f, struct demon_store *store, const char *tenant,
			 const char *name, const char *level, bool *ret_new)
{
	json_t *value = level ? json_pack("{s:s}", "level", level) : NULL;
	const struct demon_register_write write = {.kind = DEMON_REGISTER_ESCALATION,
						   .tenant = tenant,
						   .name = name,
						   .value = value,
						   .actor = &kim,
						   .reason = "as agreed"};
	enum demon_rc rc = demon_register_set(store, &write, ret_new, &f->err);

	json_decref(value);
	return rc;
}

static void set(struct fixture *f, const char *name, const char *level)
{
	bool new = false;

	assert_ok(put(f, f->store, "blue", name, level, &new), &f->err);
	assert_true(new);
}

static int64_t last_seq(struct fixture *f, struct demon_store *store)
{
	int64_t seq;

	assert_ok(demon_last_seq(store, &seq, &f->err), &f->err);
	return seq;
}

/* "blue/prod={...}" a row, joined by "; " */
static enum demon_rc add_row(void *ctx, const struct demon_register_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s%s/%s=%s", len ? "; " : "",
		       row->tenant, row->name, row->value ? row->value : "-");
	return DEMON_OK;
}

static const char *get(struct fixture *f, struct demon_store *store, const char *tenant,
		       const char *name)
{
	enum demon_rc rc;
	DEMON_READ(loan);

	f->rows[0] = '\0';
	assert_ok(demon_store_borrow(store, &loan, &f->err), &f->err);
	rc = demon_register_get(loan.db, DEMON_REGISTER_ESCALATION, tenant, name, add_row, f,
				&f->err);
	return rc ? demon_rc_text(rc) : f->rows;
}

static const char *list(struct fixture *f, struct demon_store *store, const char *tenant)
{
	DEMON_READ(loan);

	f->rows[0] = '\0';
	assert_ok(demon_store_borrow(store, &loan, &f->err), &f->err);
	assert_ok(
	    demon_register_list(loan.db, DEMON_REGISTER_ESCALATION, tenant, add_row, f, &f->err),
	    &f->err);
	return f->rows;
}

static const char *writes(struct fixture *f, struct demon_store *store, const char *tenant,
			  const char *name)
{
	enum demon_rc rc;
	DEMON_READ(loan);

	f->rows[0] = '\0';
	assert_ok(demon_store_borrow(store, &loan, &f->err), &f->err);
	rc = demon_register_writes(loan.db, DEMON_REGISTER_ESCALATION, tenant, name, add_row, f,
				   &f->err);
	return rc ? demon_rc_text(rc) : f->rows;
}

static void what_was_written_last_holds_and_losers_are_listed(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(get(f, f->store, "blue", "prod"), "not found");
	set(f, "prod", "one");
	set(f, "prod", "two");
	assert_string_equal(get(f, f->store, "blue", "prod"), "blue/prod={\"level\":\"two\"}");
	assert_string_equal(get(f, f->store, "*", "prod"), "not found");
	assert_contains(f->err.msg, "there is no escalation 'prod'");
	assert_string_equal(get(f, f->store, "red", "prod"), "not found");
	assert_contains(f->err.msg, "there is no escalation 'prod' of tenant 'red'");
	assert_string_equal(writes(f, f->store, "blue", "prod"),
			    "blue/prod={\"level\":\"two\"}; blue/prod={\"level\":\"one\"}");
	assert_string_equal(writes(f, f->store, "red", "prod"), "not found");
}

static void the_same_value_again_is_not_written(void **state)
{
	struct fixture *f = *state;
	bool new = true;

	set(f, "prod", "one");
	fake_env_advance(&f->clock, 5000);
	assert_ok(put(f, f->store, "blue", "prod", "one", &new), &f->err);
	assert_false(new);
	assert_int_equal(last_seq(f, f->store), 1);
	assert_string_equal(writes(f, f->store, "blue", "prod"), "blue/prod={\"level\":\"one\"}");
}

static void what_is_taken_away_is_gone_once_and_can_come_back(void **state)
{
	struct fixture *f = *state;

	assert_rc(put(f, f->store, "blue", "prod", NULL, NULL), DEMON_NOTFOUND, &f->err);
	set(f, "prod", "one");
	set(f, "prod", NULL);
	assert_string_equal(get(f, f->store, "blue", "prod"), "not found");
	assert_string_equal(list(f, f->store, NULL), "");
	assert_rc(put(f, f->store, "blue", "prod", NULL, NULL), DEMON_NOTFOUND, &f->err);
	assert_int_equal(last_seq(f, f->store), 2);
	set(f, "prod", "one");
	assert_string_equal(writes(f, f->store, "blue", "prod"),
			    "blue/prod={\"level\":\"one\"}; blue/prod=-; "
			    "blue/prod={\"level\":\"one\"}");
}

static void registers_are_listed_in_order_and_by_tenant(void **state)
{
	struct fixture *f = *state;

	set(f, "b", "1");
	set(f, "a", "1");
	set(f, "c", "1");
	set(f, "c", NULL);
	assert_ok(put(f, f->store, "*", "z", "1", NULL), &f->err);
	assert_ok(put(f, f->store, "red", "a b", "1", NULL), &f->err);
	assert_string_equal(list(f, f->store, "blue"),
			    "blue/a={\"level\":\"1\"}; blue/b={\"level\":\"1\"}");
	assert_string_equal(list(f, f->store, NULL),
			    "*/z={\"level\":\"1\"}; blue/a={\"level\":\"1\"}; "
			    "blue/b={\"level\":\"1\"}; red/a b={\"level\":\"1\"}");
	assert_string_equal(list(f, f->store, "*"), "*/z={\"level\":\"1\"}");
	assert_string_equal(list(f, f->store, "none"), "");
}

static enum demon_rc check_row(void *ctx, const struct demon_register_row *row,
			       struct demon_err *err)
{
	struct fixture *f = ctx;

	(void)err;
	assert_int_equal(row->kind, DEMON_REGISTER_ESCALATION);
	assert_string_equal(row->by, "kim@corp.test");
	assert_int_equal(row->auth, DEMON_AUTH_DECLARED);
	assert_string_equal(row->reason, "as agreed");
	assert_int_equal(row->ts, f->clock.now);
	assert_int_equal(row->clock, (uint64_t)f->clock.now << 16);
	assert_int_equal(row->value_len, strlen(row->value));
	assert_memory_equal(row->origin, demon_store_origin(f->store), sizeof(row->origin));
	f->rows[0] = 'x';
	return DEMON_OK;
}

static void a_write_says_who_and_how_and_when_and_why(void **state)
{
	struct fixture *f = *state;
	DEMON_READ(loan);

	set(f, "prod", "one");
	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	assert_ok(demon_register_get(loan.db, DEMON_REGISTER_ESCALATION, "blue", "prod", check_row,
				     f, &f->err),
		  &f->err);
	assert_int_equal(f->rows[0], 'x');
}

static void what_cannot_be_written_is_refused_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	static const char *const tenants[] = {"", "a.b", "**", "a b", "a:b"};
	char long_name[256];
	char long_reason[DEMON_REASON_MAX + 2];
	struct demon_actor actor = kim;
	struct demon_register_write write = {
	    .kind = DEMON_REGISTER_POLICY, .tenant = "*", .name = "n", .actor = &actor};
	json_t *list_value = json_array();
	json_t *value = json_object();

	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	memset(long_reason, 'r', sizeof(long_reason) - 1);
	long_reason[sizeof(long_reason) - 1] = '\0';
	for (size_t i = 0; i < demon_count(tenants); i++)
		assert_rc(put(f, f->store, tenants[i], "prod", "1", NULL), DEMON_INVALID, &f->err);
	assert_rc(put(f, f->store, "blue", "", "1", NULL), DEMON_INVALID, &f->err);
	assert_rc(put(f, f->store, "blue", "a\nb", "1", NULL), DEMON_INVALID, &f->err);
	assert_rc(put(f, f->store, "blue", long_name, "1", NULL), DEMON_INVALID, &f->err);
	write.value = list_value;
	assert_rc(demon_register_set(f->store, &write, NULL, &f->err), DEMON_INVALID, &f->err);
	write.value = value;
	write.reason = long_reason;
	assert_rc(demon_register_set(f->store, &write, NULL, &f->err), DEMON_INVALID, &f->err);
	write.reason = "";
	assert_rc(demon_register_set(f->store, &write, NULL, &f->err), DEMON_INVALID, &f->err);
	write.reason = NULL;
	actor.subject = "system";
	assert_rc(demon_register_set(f->store, &write, NULL, &f->err), DEMON_INVALID, &f->err);
	actor.subject = "kim\x1b[2J";
	assert_rc(demon_register_set(f->store, &write, NULL, &f->err), DEMON_INVALID, &f->err);
	json_decref(list_value);
	json_decref(value);
	assert_int_equal(last_seq(f, f->store), 0);
}

static void a_value_that_fits_into_no_event_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t len = (size_t)600 * 1024;
	char *text = malloc(len + 1);
	json_t *deep = json_object();
	struct demon_register_write write = {.kind = DEMON_REGISTER_POLICY,
					     .tenant = "*",
					     .name = "n",
					     .value = deep,
					     .actor = &kim};

	memset(text, 'x', len);
	text[len] = '\0';
	assert_rc(put(f, f->store, "blue", "prod", text, NULL), DEMON_TOOBIG, &f->err);
	free(text);
	for (int i = 0; i < 63; i++) {
		json_t *outer = json_object();

		assert_int_equal(json_object_set_new(outer, "a", deep), 0);
		write.value = deep = outer;
	}
	assert_rc(demon_register_set(f->store, &write, NULL, &f->err), DEMON_TOOBIG, &f->err);
	json_decref(deep);
	assert_int_equal(last_seq(f, f->store), 0);
}

/* Appends what a careless or hostile node could write. */
static enum demon_rc write_raw(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const char *payload = ctx;
	const struct demon_record record = {
	    .type = "freeze.written:v1", .payload = payload, .payload_len = strlen(payload)};
	const struct demon_group group = {
	    .stream = DEMON_STREAM_NODE, .ts = 1000, .records = &record, .count = 1};

	return demon_write_append(w, &group, NULL, err);
}

static enum demon_rc raw(struct fixture *f, const char *before, const char *between,
			 const char *after)
{
	char payload[512];
	enum demon_rc rc;

	(void)snprintf(
	    payload, sizeof(payload),
	    "{%s\"event\":\"freeze.written:v1\",%s\"ts\":\"1970-01-01T00:00:01.000Z\"%s}", before,
	    between, after);
	test_sink_close();
	rc = demon_store_write(f->store, write_raw, payload, &f->err);
	test_sink_open();
	return rc;
}

static void an_event_without_what_a_row_needs_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char good[] = "\"authentication\":\"token\",\"by\":\"kim\",";
	static const char name[] = "\"name\":\"freeze\",\"tenant\":\"*\",";
	static const char *const cases[][4] = {
	    {"", "\"name\":\"freeze\",\"tenant\":\"*\",", "", "'authentication'"},
	    {"\"authentication\":\"root\",\"by\":\"kim\",", name, "", "'authentication'"},
	    {"\"authentication\":\"token\",\"by\":7,", name, "", "'by'"},
	    {"\"authentication\":\"token\",\"by\":\"\",", name, "", "'by'"},
	    {good, "\"tenant\":\"*\",", "", "'name'"},
	    {good, "\"name\":\"freeze\",", "", "'tenant'"},
	    {good, "\"name\":\"freeze\",\"reason\":[],\"tenant\":\"*\",", "", "'reason'"},
	    {good, name, ",\"value\":null", "'value'"},
	    {good, name, ",\"value\":\"{\"", "'value'"},
	};

	for (size_t i = 0; i < demon_count(cases); i++) {
		assert_rc(raw(f, cases[i][0], cases[i][1], cases[i][2]), DEMON_CORRUPT, &f->err);
		assert_contains(f->err.msg, cases[i][3]);
	}
	assert_int_equal(last_seq(f, f->store), 0);
	assert_ok(raw(f, good, name, ",\"value\":{}"), &f->err);
}

/* One random change at one of the nodes, or what one of them knows told to another. */
static void change(struct fixture *f, struct demon_store **nodes, uint64_t *random)
{
	static const char *const tenants[] = {"*", "blue"};
	static const char *const names[] = {"a", "b"};
	static const char *const levels[] = {"1", "2", "3", NULL};
	struct demon_store *node = nodes[test_random(random) % NODES];
	struct demon_store *other = nodes[test_random(random) % NODES];

	/* the clock often stands still, so that writes of several nodes are of one instant */
	if (test_random(random) % 4 == 0)
		fake_env_advance(&f->clock, 1);
	if (test_random(random) % 6) {
		enum demon_rc rc =
		    put(f, node, tenants[test_random(random) % 2], names[test_random(random) % 2],
			levels[test_random(random) % 4], NULL);

		assert_true(rc == DEMON_OK || rc == DEMON_NOTFOUND);
	} else if (node != other) {
		char *text = exchange_export(node);

		exchange_import(other, text);
		free(text);
	}
}

static void describe(struct fixture *f, struct demon_store *store, char out[16384])
{
	size_t len = 0;

	len += (size_t)snprintf(out, 8000, "%s\n", list(f, store, NULL));
	(void)snprintf(out + len, 8000, "%s", writes(f, store, "blue", "a"));
}

static void the_order_of_arrival_changes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t random = test_seed(20260103);
	struct demon_store *nodes[NODES] = {f->store, open_store(f, "b.db"), open_store(f, "c.db")};
	static struct exchange_lines all[NODES];
	static char want_rows[16384];
	static char rows[16384];
	char want[65] = "";
	char got[65];

	for (size_t n = 0; n < NODES; n++)
		for (size_t m = 0; m < NODES; m++)
			if (n != m)
				exchange_trust(nodes[n], nodes[m]);
	for (int i = 0; i < CHANGES; i++)
		change(f, nodes, &random);
	for (size_t n = 0; n < NODES; n++)
		exchange_own_lines(nodes[n], &all[n]);
	for (int order = 0; order < ORDERS; order++) {
		char *text = exchange_shuffle(all, NODES, &random);
		char name[16];
		int64_t replayed;
		struct demon_store *store;

		(void)snprintf(name, sizeof(name), "%d.db", order);
		store = open_store(f, name);
		exchange_import(store, text);
		exchange_digest(store, got);
		if (!order)
			memcpy(want, got, sizeof(want));
		assert_string_equal(got, want);
		assert_ok(demon_rebuild(store, &replayed, &f->err), &f->err);
		exchange_digest(store, got);
		assert_string_equal(got, want);
		for (size_t n = 0; n < NODES; n++)
			exchange_trust(store, nodes[n]);
		describe(f, store, rows);
		if (!order)
			memcpy(want_rows, rows, sizeof(rows));
		assert_string_equal(rows, want_rows);
		demon_close(store);
		free(text);
	}
	for (size_t n = 0; n < NODES; n++) {
		char *text = exchange_shuffle(all, NODES, &random);

		exchange_import(nodes[n], text);
		exchange_digest(nodes[n], got);
		assert_string_equal(got, want);
		free(text);
	}
	for (size_t n = 0; n < NODES; n++)
		free(all[n].text);
	demon_close(nodes[1]);
	demon_close(nodes[2]);
}

static void of_one_instant_the_greater_origin_holds(void **state)
{
	struct fixture *f = *state;
	struct demon_store *b = open_store(f, "b.db");
	bool own =
	    memcmp(demon_store_origin(f->store), demon_store_origin(b), DEMON_ORIGIN_LEN) > 0;
	char *text;

	assert_ok(put(f, f->store, "*", "a", "1", NULL), &f->err);
	assert_ok(put(f, b, "*", "a", "2", NULL), &f->err);
	text = exchange_export(b);
	exchange_import(f->store, text);
	free(text);
	exchange_trust(f->store, b);
	assert_string_equal(get(f, f->store, "*", "a"),
			    own ? "*/a={\"level\":\"1\"}" : "*/a={\"level\":\"2\"}");
	assert_string_equal(writes(f, f->store, "*", "a"),
			    own ? "*/a={\"level\":\"1\"}; */a={\"level\":\"2\"}"
				: "*/a={\"level\":\"2\"}; */a={\"level\":\"1\"}");
	demon_close(b);
}

int main(void)
{
#define REGISTER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    REGISTER_TEST(what_was_written_last_holds_and_losers_are_listed),
	    REGISTER_TEST(the_same_value_again_is_not_written),
	    REGISTER_TEST(what_is_taken_away_is_gone_once_and_can_come_back),
	    REGISTER_TEST(registers_are_listed_in_order_and_by_tenant),
	    REGISTER_TEST(a_write_says_who_and_how_and_when_and_why),
	    REGISTER_TEST(what_cannot_be_written_is_refused_and_leaves_nothing),
	    REGISTER_TEST(a_value_that_fits_into_no_event_is_refused),
	    REGISTER_TEST(an_event_without_what_a_row_needs_is_refused),
	    REGISTER_TEST(of_one_instant_the_greater_origin_holds),
	    REGISTER_TEST(the_order_of_arrival_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
