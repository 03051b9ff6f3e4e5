#include "support/test.h"

#include "domain/ritual/registry.h"
#include "store/store.h"
#include "store/write.h"
#include "support/exchange.h"
#include "support/runs.h"

#include <stdio.h>

#define NODES   3
#define CHANGES 40
#define ORDERS  12

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_definition *one;
	struct demon_definition *two;
	char rows[4096];
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

#define DEPLOY(version, message)             \
	"{'id':'deploy','version':'" version \
	"','name':'Deploy','states':[" ECHO("A", message, "true") "]}"

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->store = open_store(f, "a.db");
	f->one = run_definition(DEPLOY("1.0", "one"));
	f->two = run_definition(DEPLOY("2.0", "two"));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_definition_free(f->one);
	demon_definition_free(f->two);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static bool put(struct fixture *f, struct demon_store *store,
		const struct demon_definition *definition)
{
	const struct demon_ritual_options options = {.source = "deploy.yaml", .by = "kim"};
	bool new = false;

	assert_ok(demon_ritual_register(store, definition, &options, &new, &f->err), &f->err);
	return new;
}

static int64_t last_seq(struct fixture *f, struct demon_store *store)
{
	int64_t seq;

	assert_ok(demon_last_seq(store, &seq, &f->err), &f->err);
	return seq;
}

/* "deploy 2.0" a row, joined by "; " */
static enum demon_rc add_row(void *ctx, const struct demon_ritual_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s%s %s", len ? "; " : "",
		       row->ritual_id, row->registered ? row->version : "-");
	return DEMON_OK;
}

static void assert_list(struct fixture *f, const char *tenant, const char *after, size_t limit,
			const char *want)
{
	const struct demon_ritual_filter filter = {tenant, after, limit};

	f->rows[0] = '\0';
	assert_ok(demon_ritual_list(f->store, &filter, add_row, f, &f->err), &f->err);
	assert_string_equal(f->rows, want);
}

static void assert_writes(struct fixture *f, const char *want)
{
	f->rows[0] = '\0';
	assert_ok(demon_ritual_writes(f->store, NULL, "deploy", add_row, f, &f->err), &f->err);
	assert_string_equal(f->rows, want);
}

static void assert_means(struct fixture *f, const char *name,
			 const struct demon_definition *definition)
{
	struct demon_definition *found = NULL;

	if (!definition) {
		assert_rc(demon_ritual_find(f->store, NULL, name, &found, &f->err), DEMON_NOTFOUND,
			  &f->err);
		assert_contains(f->err.msg, name);
		return;
	}
	assert_ok(demon_ritual_find(f->store, NULL, name, &found, &f->err), &f->err);
	assert_memory_equal(found->digest, definition->digest, sizeof(found->digest));
	assert_string_equal(found->canonical, definition->canonical);
	demon_definition_free(found);
}

static void a_name_means_what_was_registered_last(void **state)
{
	struct fixture *f = *state;

	assert_means(f, "deploy", NULL);
	assert_true(put(f, f->store, f->one));
	assert_means(f, "deploy", f->one);
	assert_true(put(f, f->store, f->two));
	assert_means(f, "deploy", f->two);
	assert_true(put(f, f->store, f->one));
	assert_means(f, "deploy", f->one);
	assert_writes(f, "deploy 1.0; deploy 2.0; deploy 1.0");
}

static void what_is_registered_already_is_left_as_it_is(void **state)
{
	struct fixture *f = *state;

	assert_true(put(f, f->store, f->one));
	fake_env_advance(&f->clock, 5000);
	assert_false(put(f, f->store, f->one));
	assert_int_equal(last_seq(f, f->store), 1);
	assert_writes(f, "deploy 1.0");
}

static void a_version_means_the_newest_write_of_it(void **state)
{
	struct fixture *f = *state;
	struct demon_definition *other = run_definition(DEPLOY("1.0", "another one"));

	(void)put(f, f->store, f->one);
	(void)put(f, f->store, other);
	(void)put(f, f->store, f->two);
	assert_means(f, "deploy@1.0", other);
	assert_means(f, "deploy@2.0", f->two);
	assert_means(f, "deploy@3.0", NULL);
	assert_means(f, "deploy@", NULL);
	assert_means(f, "@1.0", NULL);
	demon_definition_free(other);
}

static void a_name_that_was_given_up_means_nothing_in_any_version(void **state)
{
	struct fixture *f = *state;
	const struct demon_ritual_options options = {.by = "kim", .reason = "replaced"};

	(void)put(f, f->store, f->one);
	assert_ok(demon_ritual_unregister(f->store, "deploy", &options, &f->err), &f->err);
	assert_means(f, "deploy", NULL);
	assert_means(f, "deploy@1.0", NULL);
	assert_list(f, NULL, NULL, 0, "");
	assert_rc(demon_ritual_unregister(f->store, "deploy", &options, &f->err), DEMON_NOTFOUND,
		  &f->err);
	assert_int_equal(last_seq(f, f->store), 2);
	(void)put(f, f->store, f->two);
	assert_means(f, "deploy", f->two);
	assert_means(f, "deploy@1.0", NULL);
	assert_writes(f, "deploy 2.0; deploy -; deploy 1.0");
}

static enum demon_rc check_row(void *ctx, const struct demon_ritual_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;

	(void)err;
	assert_string_equal(row->tenant_id, "default");
	assert_string_equal(row->ritual_id, "deploy");
	assert_true(row->registered);
	assert_memory_equal(row->definition, f->one->digest, sizeof(row->definition));
	assert_string_equal(row->version, "1.0");
	assert_string_equal(row->notation, "seed");
	assert_string_equal(row->title, "Deploy");
	assert_string_equal(row->source, "deploy.yaml");
	assert_string_equal(row->by, "kim");
	assert_int_equal(row->ts, f->clock.now);
	assert_memory_equal(row->origin, demon_store_origin(f->store), sizeof(row->origin));
	f->rows[0] = 'x';
	return DEMON_OK;
}

static void a_write_says_who_and_what_and_when(void **state)
{
	struct fixture *f = *state;
	DEMON_BUF(spec, 0);

	(void)put(f, f->store, f->one);
	assert_ok(demon_ritual_get(f->store, NULL, "deploy", check_row, f, &f->err), &f->err);
	assert_int_equal(f->rows[0], 'x');
	assert_ok(demon_ritual_spec(f->store, f->one->digest, &spec, &f->err), &f->err);
	assert_string_equal(spec.data, f->one->canonical);
	assert_rc(demon_ritual_spec(f->store, f->two->digest, &spec, &f->err), DEMON_NOTFOUND,
		  &f->err);
}

static void names_are_listed_in_order_page_by_page_and_by_tenant(void **state)
{
	struct fixture *f = *state;
	const struct demon_ritual_options blue = {.tenant_id = "blue"};
	const struct demon_ritual_options none = {0};
	char text[256];

	for (int i = 0; i < 5; i++) {
		struct demon_definition *definition;

		(void)snprintf(text, sizeof(text), "{'id':'r-%d','version':'%d','states':[%s]}", i,
			       i, ECHO("A", "x", "true"));
		definition = run_definition(text);
		assert_true(put(f, f->store, definition));
		demon_definition_free(definition);
	}
	assert_ok(demon_ritual_unregister(f->store, "r-1", &none, &f->err), &f->err);
	assert_ok(demon_ritual_register(f->store, f->one, &blue, NULL, &f->err), &f->err);
	assert_list(f, NULL, NULL, 0, "r-0 0; r-2 2; r-3 3; r-4 4");
	assert_list(f, NULL, NULL, 2, "r-0 0; r-2 2");
	assert_list(f, NULL, "r-2", 2, "r-3 3; r-4 4");
	assert_list(f, NULL, "r-4", 2, "");
	assert_list(f, "blue", NULL, 0, "deploy 1.0");
	assert_list(f, "red", NULL, 0, "");
}

static void what_is_no_id_or_too_large_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"", "a.b", "a b", "a/b"};
	const struct demon_ritual_options none = {0};
	struct demon_definition large = *f->one;
	DEMON_BUF(text, 0);

	for (size_t i = 0; i < demon_count(bad); i++) {
		const struct demon_ritual_options tenant = {.tenant_id = bad[i]};

		assert_rc(demon_ritual_register(f->store, f->one, &tenant, NULL, &f->err),
			  DEMON_INVALID, &f->err);
		assert_rc(demon_ritual_unregister(f->store, bad[i], &none, &f->err), DEMON_INVALID,
			  &f->err);
	}
	demon_buf_str(&text, "{\"a\":\"");
	for (int i = 0; i < 60 * 1024; i++)
		demon_buf_str(&text, "0123456789");
	demon_buf_str(&text, "\"}");
	large.canonical = text.data;
	large.canonical_len = text.len;
	assert_rc(demon_ritual_register(f->store, &large, &none, NULL, &f->err), DEMON_TOOBIG,
		  &f->err);
	assert_int_equal(last_seq(f, f->store), 0);
}

static void a_run_that_waits_keeps_the_definition_it_was_started_with(void **state)
{
	struct fixture *f = *state;
	static const char waits[] =
	    "{'document':{'dsl':'1.0.3','namespace':'default','name':'deploy','version':'1.0.0'},"
	    "'do':[{'pause':{'wait':{'seconds':60}}},{'say':{'set':{'said':'one'}}}]}";
	const struct demon_run_options options = {.run_id = "r-1"};
	struct demon_definition *first = run_definition(waits);
	struct demon_definition *registered = NULL;
	struct demon_run_outcome outcome = {0};
	struct demon_run_id run;

	(void)put(f, f->store, first);
	assert_ok(demon_ritual_find(f->store, NULL, "deploy", &registered, &f->err), &f->err);
	assert_ok(demon_run_start(f->store, registered, &options, &run, &f->err), &f->err);
	assert_ok(demon_run_execute(f->store, &run, NULL, NULL, &outcome, &f->err), &f->err);
	assert_string_equal(outcome.status, "Waiting");
	demon_definition_free(registered);
	demon_definition_free(first);
	(void)put(f, f->store, f->two);
	fake_env_advance(&f->clock, 61000);
	assert_ok(demon_run_execute(f->store, &run, NULL, NULL, &outcome, &f->err), &f->err);
	assert_string_equal(outcome.status, "Completed");
	assert_contains(outcome.terminal, "\"said\":\"one\"");
	free(outcome.terminal);
	assert_means(f, "deploy", f->two);
}

/* Appends what a careless or hostile node could write. */
static enum demon_rc write_raw(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const char *payload = ctx;
	const struct demon_record record = {.type = "ritual.registered:v1",
					    .tenant_id = "default",
					    .ritual_id = "deploy",
					    .payload = payload,
					    .payload_len = strlen(payload)};
	const struct demon_group group = {
	    .stream = DEMON_STREAM_RITUAL, .ts = 1000, .records = &record, .count = 1};

	return demon_write_append(w, &group, NULL, err);
}

/* @p digest is what the event says of its definition; NULL: nothing. What is written holds to no
 * contract, so it is kept from those that are held to theirs. */
static enum demon_rc raw(struct fixture *f, const char *digest, const char *members)
{
	enum demon_rc rc;
	DEMON_BUF(payload, 0);

	demon_buf_fmt(&payload, "{%s%s%s\"event\":\"ritual.registered:v1\",%s",
		      digest ? "\"definitionDigest\":\"" : "", digest ? digest : "",
		      digest ? "\"," : "", members);
	demon_buf_str(&payload, "\"ts\":\"1970-01-01T00:00:01.000Z\",\"version\":\"9\"}");
	test_sink_close();
	rc = demon_store_write(f->store, write_raw, payload.data, &f->err);
	test_sink_open();
	return rc;
}

static void a_digest_that_is_not_that_of_the_definition_has_no_say(void **state)
{
	struct fixture *f = *state;
	char digest[2 * DEMON_HASH_LEN + 1];
	struct demon_definition *found;
	DEMON_BUF(spec, 0);

	(void)put(f, f->store, f->one);
	demon_hex(f->one->digest, DEMON_HASH_LEN, digest);
	assert_ok(raw(f, digest, "\"notation\":\"seed\",\"spec\":{\"id\":\"x\"},"), &f->err);
	assert_rc(demon_ritual_find(f->store, NULL, "deploy", &found, &f->err), DEMON_INVALID,
		  &f->err);
	assert_contains(f->err.msg, "ritual 'deploy'");
	assert_means(f, "deploy@1.0", f->one);
	assert_ok(demon_ritual_spec(f->store, f->one->digest, &spec, &f->err), &f->err);
	assert_string_equal(spec.data, f->one->canonical);
}

static void a_definition_of_another_ritual_is_not_run(void **state)
{
	struct fixture *f = *state;
	struct demon_definition *other =
	    run_definition("{'id':'backup','version':'9','states':[" ECHO("A", "x", "true") "]}");
	struct demon_definition *found;
	DEMON_BUF(members, 0);

	demon_buf_fmt(&members, "\"notation\":\"seed\",\"spec\":%s,", other->canonical);
	demon_definition_free(other);
	assert_ok(raw(f, NULL, members.data), &f->err);
	assert_rc(demon_ritual_find(f->store, NULL, "deploy", &found, &f->err), DEMON_INVALID,
		  &f->err);
	assert_contains(f->err.msg, "is one of ritual 'backup'");
}

static void an_event_without_what_a_row_needs_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const cases[][2] = {
	    {"", "'notation'"},
	    {"\"notation\":\"seed\",", "'spec'"},
	    {"\"notation\":\"seed\",\"spec\":[],", "'spec'"},
	    {"\"notation\":1,\"spec\":{},", "'notation'"},
	    {"\"notation\":\"seed\",\"spec\":{},\"title\":7,", "'title'"},
	};

	for (size_t i = 0; i < demon_count(cases); i++) {
		assert_rc(raw(f, NULL, cases[i][0]), DEMON_CORRUPT, &f->err);
		assert_contains(f->err.msg, cases[i][1]);
	}
	assert_int_equal(last_seq(f, f->store), 0);
	assert_list(f, NULL, NULL, 0, "");
}

/* One random change at one of the nodes, or what one of them knows told to another. */
static void change(struct fixture *f, struct demon_store **nodes,
		   const struct demon_definition *const *definitions, uint64_t *random)
{
	const struct demon_ritual_options none = {0};
	struct demon_store *node = nodes[test_random(random) % NODES];
	uint64_t what = test_random(random) % 8;
	struct demon_store *other = nodes[test_random(random) % NODES];

	/* the clock often stands still, so that writes of several nodes are of one instant */
	if (test_random(random) % 4 == 0)
		fake_env_advance(&f->clock, 1);
	if (what < 5) {
		(void)put(f, node, definitions[what % 4]);
	} else if (what == 5) {
		enum demon_rc rc = demon_ritual_unregister(node, "deploy", &none, &f->err);

		assert_true(rc == DEMON_OK || rc == DEMON_NOTFOUND);
	} else if (node != other) {
		char *text = exchange_export(node);

		exchange_import(other, text);
		free(text);
	}
}

static void check_order(struct fixture *f, struct demon_store *const nodes[NODES], const char *text,
			int order, char *want_digest, char *want_rows)
{
	const struct demon_ritual_filter all = {0};
	char name[16];
	char got[65];
	int64_t replayed;
	struct demon_store *store;

	(void)snprintf(name, sizeof(name), "%d.db", order);
	store = open_store(f, name);
	exchange_import(store, text);
	exchange_digest(store, got);
	if (!*want_digest)
		memcpy(want_digest, got, sizeof(got));
	assert_string_equal(got, want_digest);
	assert_ok(demon_rebuild(store, &replayed, &f->err), &f->err);
	exchange_digest(store, got);
	assert_string_equal(got, want_digest);
	for (size_t n = 0; n < NODES; n++)
		exchange_trust(store, nodes[n]);
	f->rows[0] = '\0';
	assert_ok(demon_ritual_writes(store, NULL, "deploy", add_row, f, &f->err), &f->err);
	assert_ok(demon_ritual_list(store, &all, add_row, f, &f->err), &f->err);
	if (!*want_rows)
		memcpy(want_rows, f->rows, sizeof(f->rows));
	assert_string_equal(f->rows, want_rows);
	demon_close(store);
}

static void the_order_of_arrival_changes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t random = test_seed(20260102);
	struct demon_definition *other =
	    run_definition("{'id':'backup','version':'1','states':[" ECHO("A", "x", "true") "]}");
	struct demon_definition *three = run_definition(DEPLOY("2.0", "three"));
	const struct demon_definition *const definitions[] = {f->one, f->two, three, other};
	struct demon_store *nodes[NODES] = {f->store, open_store(f, "b.db"), open_store(f, "c.db")};
	static struct exchange_lines all[NODES];
	char want_digest[65] = "";
	char want_rows[sizeof(f->rows)] = "";

	for (size_t n = 0; n < NODES; n++)
		for (size_t m = 0; m < NODES; m++)
			if (n != m)
				exchange_trust(nodes[n], nodes[m]);
	for (int i = 0; i < CHANGES; i++)
		change(f, nodes, definitions, &random);
	for (size_t n = 0; n < NODES; n++) {
		exchange_own_lines(nodes[n], &all[n]);
		print_message("node %zu wrote %zu events\n", n, all[n].count);
	}
	for (int order = 0; order < ORDERS; order++) {
		char *text = exchange_shuffle(all, NODES, &random);

		check_order(f, nodes, text, order, want_digest, want_rows);
		free(text);
	}
	/* the nodes themselves agree as soon as they hold the same events */
	for (size_t n = 0; n < NODES; n++) {
		char *text = exchange_shuffle(all, NODES, &random);
		char got[65];

		exchange_import(nodes[n], text);
		exchange_digest(nodes[n], got);
		assert_string_equal(got, want_digest);
		free(text);
	}
	for (size_t n = 0; n < NODES; n++)
		free(all[n].text);
	demon_close(nodes[1]);
	demon_close(nodes[2]);
	demon_definition_free(other);
	demon_definition_free(three);
}

static void of_one_instant_the_greater_origin_holds(void **state)
{
	struct fixture *f = *state;
	struct demon_store *b = open_store(f, "b.db");
	bool own =
	    memcmp(demon_store_origin(f->store), demon_store_origin(b), DEMON_ORIGIN_LEN) > 0;
	char *text;

	(void)put(f, f->store, f->one);
	(void)put(f, b, f->two);
	text = exchange_export(b);
	exchange_import(f->store, text);
	free(text);
	exchange_trust(f->store, b);
	assert_means(f, "deploy", own ? f->one : f->two);
	assert_writes(f, own ? "deploy 1.0; deploy 2.0" : "deploy 2.0; deploy 1.0");
	demon_close(b);
}

int main(void)
{
#define REGISTRY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    REGISTRY_TEST(a_name_means_what_was_registered_last),
	    REGISTRY_TEST(what_is_registered_already_is_left_as_it_is),
	    REGISTRY_TEST(a_version_means_the_newest_write_of_it),
	    REGISTRY_TEST(a_name_that_was_given_up_means_nothing_in_any_version),
	    REGISTRY_TEST(a_write_says_who_and_what_and_when),
	    REGISTRY_TEST(names_are_listed_in_order_page_by_page_and_by_tenant),
	    REGISTRY_TEST(what_is_no_id_or_too_large_is_refused),
	    REGISTRY_TEST(a_run_that_waits_keeps_the_definition_it_was_started_with),
	    REGISTRY_TEST(a_digest_that_is_not_that_of_the_definition_has_no_say),
	    REGISTRY_TEST(a_definition_of_another_ritual_is_not_run),
	    REGISTRY_TEST(an_event_without_what_a_row_needs_is_refused),
	    REGISTRY_TEST(of_one_instant_the_greater_origin_holds),
	    REGISTRY_TEST(the_order_of_arrival_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
