#include "support/test.h"

#include "domain/graph/query.h"
#include "store/store.h"
#include "store/write.h"

#include <stdio.h>

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_buf out;
	struct demon_err err;
};

static const struct demon_graph_scope scope = {"t", "p", "n", "g"};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .node_id = "a"};

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	options.env = &f->clock.env;
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_buf_done(&f->out);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static struct demon_graph_mutations *read_list(struct fixture *f, const char *text)
{
	struct demon_graph_mutations *list = NULL;
	char *json = strdup(text);

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	assert_ok(demon_graph_mutations_parse(json, strlen(json), &list, &f->err), &f->err);
	free(json);
	return list;
}

static enum demon_rc commit(struct fixture *f, const char *text,
			    const struct demon_graph_id *parent, struct demon_graph_committed *ret)
{
	struct demon_graph_mutations *list = read_list(f, text);
	const struct demon_graph_change change = {
	    .scope = scope,
	    .parents = parent,
	    .parent_count = parent ? 1 : 0,
	    .mutations = list,
	    .author = "kim",
	};
	enum demon_rc rc = demon_graph_commit(f->store, &change, ret, &f->err);

	demon_graph_mutations_free(list);
	return rc;
}

static const char *at(const struct demon_graph_committed *c)
{
	static char hex[4][DEMON_GRAPH_HEX_LEN + 1];
	static unsigned turn;
	char *out = hex[turn++ % 4];

	demon_hex(c->id.bytes, DEMON_HASH_LEN, out);
	return out;
}

static void assert_node(struct fixture *f, const struct demon_graph_committed *c, const char *id,
			const char *want)
{
	demon_buf_clear(&f->out);
	if (!want) {
		assert_rc(demon_graph_get_node(f->store, &scope, at(c), id, &f->out, &f->err),
			  DEMON_NOTFOUND, &f->err);
		return;
	}
	assert_ok(demon_graph_get_node(f->store, &scope, at(c), id, &f->out, &f->err), &f->err);
	assert_string_equal(f->out.data, want);
}

static void a_node_is_what_it_was_at_each_commit(void **state)
{
	struct fixture *f = *state;
	struct demon_graph_committed a;
	struct demon_graph_committed b;
	struct demon_graph_committed c;

	assert_ok(commit(f, "[{'op':'add-node','nodeId':'x','labels':['L'],'properties':{'v':1}}]",
			 NULL, &a),
		  &f->err);
	assert_ok(commit(f,
			 "[{'op':'update-node','nodeId':'x','properties':[{'key':'v','value':2}]}]",
			 &a.id, &b),
		  &f->err);
	assert_ok(commit(f, "[{'op':'remove-node','nodeId':'x'}]", &b.id, &c), &f->err);
	assert_node(f, &a, "x", "{\"labels\":[\"L\"],\"nodeId\":\"x\",\"properties\":{\"v\":1}}");
	assert_node(f, &b, "x", "{\"labels\":[],\"nodeId\":\"x\",\"properties\":{\"v\":2}}");
	assert_node(f, &c, "x", NULL);
	assert_contains(f->err.msg, "node 'x' not found");
}

static void a_commit_that_does_not_fit_writes_nothing_and_says_which_mutation(void **state)
{
	static const char *const lists[] = {
	    "[{'op':'add-node','nodeId':'y'},{'op':'add-node','nodeId':'x'}]",
	    "[{'op':'add-node','nodeId':'y'},{'op':'update-node','nodeId':'z'}]",
	    "[{'op':'add-node','nodeId':'y'},{'op':'remove-edge','edgeId':'e'}]",
	    "[{'op':'add-node','nodeId':'y'},{'op':'add-edge','edgeId':'e','from':'x','to':'z'}]",
	};
	struct fixture *f = *state;
	struct demon_graph_committed a;
	struct demon_graph_committed b;
	int64_t before;
	int64_t after;

	assert_ok(commit(f, "[{'op':'add-node','nodeId':'x'}]", NULL, &a), &f->err);
	assert_ok(demon_last_seq(f->store, &before, &f->err), &f->err);
	for (size_t i = 0; i < 4; i++) {
		assert_rc(commit(f, lists[i], &a.id, &b), DEMON_CONFLICT, &f->err);
		assert_contains(f->err.msg, "mutation 1: ");
	}
	assert_ok(demon_last_seq(f->store, &after, &f->err), &f->err);
	assert_int_equal(before, after);
	assert_node(f, &a, "y", NULL);
}

static void assert_last_event_has_mutations(struct fixture *f)
{
	struct demon_filter filter = {.type = "graph.commit.created:v1"};
	struct demon_reader *reader;
	const struct demon_event *ev;

	assert_ok(demon_last_seq(f->store, &filter.after_seq, &f->err), &f->err);
	filter.after_seq--;
	assert_ok(demon_reader_open(f->store, &filter, &reader, &f->err), &f->err);
	assert_ok(demon_reader_next(reader, 0, &ev, &f->err), &f->err);
	assert_contains(ev->payload, "\"mutations\":[{");
	demon_reader_close(reader);
}

/* Around the sizes at which a list is cut, no event is left without mutations. */
static void a_list_of_any_length_leaves_some_for_the_commit(void **state)
{
	struct fixture *f = *state;

	for (size_t count = 560; count < 760; count += 7) {
		struct demon_graph_change change = {.scope = scope, .ts = ++f->clock.now};
		struct demon_graph_mutations *list = NULL;
		struct demon_graph_committed made;
		struct demon_buf text = {.data = demon_buf_empty};

		for (size_t i = 0; i < count; i++)
			demon_buf_fmt(&text,
				      "%s{\"op\":\"add-node\",\"nodeId\":\"n%zu\",\"properties\":"
				      "{\"v\":\"%0600d\"}}",
				      i ? "," : "[", i, 0);
		demon_buf_char(&text, ']');
		assert_ok(demon_graph_mutations_parse(text.data, text.len, &list, &f->err),
			  &f->err);
		change.mutations = list;
		assert_ok(demon_graph_commit(f->store, &change, &made, &f->err), &f->err);
		demon_graph_mutations_free(list);
		demon_buf_done(&text);
		assert_last_event_has_mutations(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_node_is_what_it_was_at_each_commit, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(
		a_commit_that_does_not_fit_writes_nothing_and_says_which_mutation, set_up,
		tear_down),
	    cmocka_unit_test_setup_teardown(a_list_of_any_length_leaves_some_for_the_commit, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
