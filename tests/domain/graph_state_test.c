/*
 * States against a model, and roots that know nothing of history.
 */
#include "support/test.h"

#include "domain/graph/query.h"

#include <stdio.h>

#define NODES   60
#define EDGES   80
#define COMMITS 150

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_buf list;
	struct demon_buf out;
	uint64_t random;
	int node[NODES]; /* value, 0: not there */
	struct {
		int value; /* 0: not there */
		int from;
		int to;
	} edge[EDGES];
	struct demon_err err;
};

static const struct demon_graph_scope scope = {"t", "p", "n", "g"};
static const struct demon_graph_scope other = {"t", "p", "n", "other.one"};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .node_id = "a"};

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->random = test_seed(20261123);
	options.env = &f->clock.env;
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_buf_done(&f->list);
	demon_buf_done(&f->out);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static int pick(struct fixture *f, int n)
{
	return (int)(test_random(&f->random) % (uint64_t)n);
}

static void add(struct fixture *f, const char *fmt, ...) demon_printf_like(2, 3);

static void add(struct fixture *f, const char *fmt, ...)
{
	va_list args;

	demon_buf_char(&f->list, f->list.len ? ',' : '[');
	va_start(args, fmt);
	demon_buf_vfmt(&f->list, fmt, args);
	va_end(args);
}

static void put_node(struct fixture *f, const char *op, int i, int value)
{
	add(f, "{\"op\":\"%s\",\"nodeId\":\"n%d\",\"labels\":[\"L%d\"],\"properties\":{\"v\":%d}}",
	    op, i, value % 3, value);
}

static void put_edge(struct fixture *f, const char *op, int i, int value)
{
	add(f,
	    "{\"op\":\"%s\",\"edgeId\":\"e%d\",\"from\":\"n%d\",\"to\":\"n%d\",\"label\":\"k%d\","
	    "\"properties\":{\"w\":%d}}",
	    op, i, f->edge[i].from, f->edge[i].to, value % 2, value);
}

static void change_node(struct fixture *f)
{
	int i = pick(f, NODES);
	int value = 1 + pick(f, 1000);

	if (f->node[i] && pick(f, 3) == 0) {
		add(f, "{\"op\":\"remove-node\",\"nodeId\":\"n%d\"}", i);
		f->node[i] = 0;
		for (int e = 0; e < EDGES; e++)
			if (f->edge[e].from == i || f->edge[e].to == i)
				f->edge[e].value = 0;
		return;
	}
	put_node(f, f->node[i] ? "update-node" : "add-node", i, value);
	f->node[i] = value;
}

static void change_edge(struct fixture *f)
{
	int i = pick(f, EDGES);
	/* the first few nodes have many edges */
	int from = pick(f, pick(f, 2) ? 3 : NODES);
	int to = pick(f, pick(f, 2) ? 3 : NODES);
	bool was = f->edge[i].value != 0;

	if (was && pick(f, 3) == 0) {
		add(f, "{\"op\":\"remove-edge\",\"edgeId\":\"e%d\"}", i);
		f->edge[i].value = 0;
		return;
	}
	if (!f->node[from] || !f->node[to])
		return;
	f->edge[i].from = from;
	f->edge[i].to = to;
	f->edge[i].value = 1 + pick(f, 1000);
	put_edge(f, was ? "update-edge" : "add-edge", i, f->edge[i].value);
}

static void commit(struct fixture *f, const struct demon_graph_scope *where,
		   const struct demon_graph_committed *parent, struct demon_graph_committed *ret)
{
	struct demon_graph_mutations *list = NULL;
	struct demon_graph_change change = {.scope = *where,
					    .parents = parent ? &parent->id : NULL,
					    .parent_count = parent != NULL};

	demon_buf_char(&f->list, ']');
	assert_ok(demon_graph_mutations_parse(f->list.data, f->list.len, &list, &f->err), &f->err);
	change.mutations = list;
	assert_ok(demon_graph_commit(f->store, &change, ret, &f->err), &f->err);
	demon_graph_mutations_free(list);
	demon_buf_clear(&f->list);
	fake_env_advance(&f->clock, 1);
}

/* The model in another graph, in one go and in another order. */
static void build_anew(struct fixture *f, struct demon_graph_committed *ret)
{
	int first = pick(f, NODES);

	put_node(f, "add-node", NODES, 1);
	for (int i = 0; i < NODES; i++) {
		int n = (first + i * 7) % NODES;

		if (f->node[n])
			put_node(f, "add-node", n, f->node[n]);
	}
	for (int e = EDGES; e-- > 0;)
		if (f->edge[e].value)
			put_edge(f, "add-edge", e, f->edge[e].value);
	add(f, "{\"op\":\"remove-node\",\"nodeId\":\"n%d\"}", NODES);
	commit(f, &other, NULL, ret);
}

static void the_root_depends_on_the_state_alone(void **state)
{
	struct fixture *f = *state;
	struct demon_graph_committed last;
	struct demon_graph_committed anew;

	put_node(f, "add-node", 0, f->node[0] = 1);
	commit(f, &scope, NULL, &last);
	for (int i = 0; i < COMMITS; i++) {
		for (int n = pick(f, 12); n >= 0; n--)
			pick(f, 2) ? change_node(f) : change_edge(f);
		if (!f->list.len)
			continue;
		commit(f, &scope, &last, &last);
		build_anew(f, &anew);
		assert_memory_equal(last.root, anew.root, sizeof(anew.root));
	}
}

static void a_rebuild_arranges_anew_and_leaves_the_digest(void **state)
{
	struct fixture *f = *state;
	struct demon_graph_committed last;
	struct demon_verified verified;
	char *before = NULL;
	char *after = NULL;
	int64_t events;

	put_node(f, "add-node", 0, f->node[0] = 1);
	commit(f, &scope, NULL, &last);
	for (int i = 0; i < 50; i++) {
		change_node(f);
		change_node(f);
		change_edge(f);
		commit(f, &scope, &last, &last);
	}
	assert_ok(demon_digest(f->store, &before, &f->err), &f->err);
	assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	assert_ok(demon_rebuild(f->store, &events, &f->err), &f->err);
	assert_ok(demon_digest(f->store, &after, &f->err), &f->err);
	assert_string_equal(before, after);
	assert_contains(after, "\"graph_commits\":{\"hash\":");
	assert_null(strstr(after, "graph_packs"));
	free(before);
	free(after);
}

/* More mutations than an event holds, some of them with long values. */
static void a_large_commit_is_cut_and_put_together_again(void **state)
{
	struct fixture *f = *state;
	struct demon_graph_committed last;
	struct demon_graph_counts counts;
	struct demon_verified verified;
	char hex[DEMON_GRAPH_HEX_LEN + 1];
	int64_t events;

	for (int i = 0; i < 12000; i++)
		add(f,
		    "{\"op\":\"add-node\",\"nodeId\":\"n%d\",\"properties\":{\"text\":\"%0*d\"}}",
		    i, i % 1000 ? 30 : 20000, i);
	commit(f, &scope, NULL, &last);
	demon_hex(last.id.bytes, DEMON_HASH_LEN, hex);
	assert_ok(demon_graph_count(f->store, &scope, hex, &counts, &f->err), &f->err);
	assert_int_equal(counts.nodes, 12000);
	assert_ok(demon_last_seq(f->store, &events, &f->err), &f->err);
	assert_true(events > 2);
	assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	assert_ok(demon_rebuild(f->store, &events, &f->err), &f->err);
	assert_ok(demon_graph_get_node(f->store, &scope, hex, "n11000", &f->out, &f->err), &f->err);
	assert_true(f->out.len > 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_root_depends_on_the_state_alone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_rebuild_arranges_anew_and_leaves_the_digest, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_large_commit_is_cut_and_put_together_again, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
