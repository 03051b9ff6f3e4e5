/*
 * Random three-way merges against a model that knows only fields, and merges that are told.
 */
#include "support/test.h"

#include "base/json.h"
#include "domain/graph/history.h"
#include "domain/graph/merge.h"
#include "domain/graph/transfer.h"

#include <stdio.h>

#define NODES  12
#define EDGES  14
#define FIELDS 3
#define ROUNDS 120

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	uint64_t random;
	json_t *conflicts; /* of the last merge */
	struct demon_err err;
};

static const struct demon_graph_scope scope = {"t", "p", "n", "g"};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .node_id = "a"};

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->random = test_seed(20261124);
	options.env = &f->clock.env;
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	json_decref(f->conflicts);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static int pick(struct fixture *f, int n)
{
	return (int)(test_random(&f->random) % (uint64_t)n);
}

/* A state: node or edge → fields, or 0: not there. Field 0 says that it is there. */
struct model {
	int node[NODES][FIELDS + 1];
	struct {
		int there;
		int from;
		int to;
		int v;
	} edge[EDGES];
};

static void drop_edges(struct model *m)
{
	for (int e = 0; e < EDGES; e++)
		if (!m->node[m->edge[e].from][0] || !m->node[m->edge[e].to][0])
			m->edge[e].there = 0;
}

static void change(struct fixture *f, struct model *m)
{
	for (int n = 1 + pick(f, 6); n > 0; n--) {
		int i = pick(f, NODES);
		int e = pick(f, EDGES);

		if (pick(f, 3) == 0 && m->node[i][0]) {
			m->node[i][0] = pick(f, 2);
			drop_edges(m);
		} else if (!m->node[i][0]) {
			memset(m->node[i], 0, sizeof(m->node[i]));
			m->node[i][0] = 1;
		}
		if (m->node[i][0])
			m->node[i][1 + pick(f, FIELDS)] = pick(f, 4);
		if (!m->edge[e].there) {
			m->edge[e].from = pick(f, NODES);
			m->edge[e].to = pick(f, NODES);
		}
		m->edge[e].v = pick(f, 3);
		m->edge[e].there = pick(f, 4) != 0;
		drop_edges(m);
	}
}

/* A model as an export. */
static json_t *export_of(const struct model *m)
{
	json_t *nodes = json_array();
	json_t *edges = json_array();
	char id[8];
	char to[8];
	char from[8];

	for (int i = 0; i < NODES; i++) {
		json_t *properties = json_object();

		for (int k = 1; k <= FIELDS; k++) {
			(void)snprintf(id, sizeof(id), "f%d", k);
			if (m->node[i][k])
				json_object_set_new(properties, id, json_integer(m->node[i][k]));
		}
		(void)snprintf(id, sizeof(id), "n%02d", i);
		if (m->node[i][0])
			json_array_append_new(
			    nodes, json_pack("{s:s,s:O}", "nodeId", id, "properties", properties));
		json_decref(properties);
	}
	for (int e = 0; e < EDGES; e++) {
		(void)snprintf(id, sizeof(id), "e%02d", e);
		(void)snprintf(from, sizeof(from), "n%02d", m->edge[e].from);
		(void)snprintf(to, sizeof(to), "n%02d", m->edge[e].to);
		if (m->edge[e].there)
			json_array_append_new(edges, json_pack("{s:s,s:s,s:s,s:{s:i}}", "edgeId",
							       id, "from", from, "to", to,
							       "properties", "v", m->edge[e].v));
	}
	return json_pack("{s:o,s:o}", "nodes", nodes, "edges", edges);
}

static enum demon_rc commit(struct fixture *f, const struct demon_graph_mutations *list,
			    const struct demon_graph_id *parent, struct demon_graph_committed *ret)
{
	const struct demon_graph_change given = {.scope = scope,
						 .parents = parent,
						 .parent_count = parent ? 1 : 0,
						 .mutations = list,
						 .ts = ++f->clock.now};

	return demon_graph_commit(f->store, &given, ret, &f->err);
}

/* A root commit with the state of a model. */
static struct demon_graph_id make_root(struct fixture *f, const struct model *m)
{
	struct demon_graph_mutations *list = NULL;
	struct demon_graph_committed made;
	json_t *whole = export_of(m);
	char *text = json_dumps(whole, 0);

	assert_ok(demon_graph_import(text, strlen(text), &list, &f->err), &f->err);
	assert_ok(commit(f, list, NULL, &made), &f->err);
	demon_graph_mutations_free(list);
	json_decref(whole);
	free(text);
	return made.id;
}

static const char *hex_of(const struct demon_graph_id *id)
{
	static char hex[8][DEMON_GRAPH_HEX_LEN + 1];
	static unsigned turn;
	char *out = hex[turn++ % 8];

	demon_hex(id->bytes, DEMON_HASH_LEN, out);
	return out;
}

/* A commit on @p parent whose state is that of a model; the parent, where nothing differs. */
static struct demon_graph_id make_child(struct fixture *f, const struct demon_graph_id *parent,
					const struct model *m)
{
	struct demon_graph_id other = make_root(f, m);
	struct demon_graph_mutations *list = NULL;
	struct demon_graph_committed made = {.id = *parent};

	assert_ok(demon_graph_diff_mutations(f->store, &scope, hex_of(parent), hex_of(&other),
					     &list, &f->err),
		  &f->err);
	if (demon_graph_mutations_count(list))
		assert_ok(commit(f, list, parent, &made), &f->err);
	demon_graph_mutations_free(list);
	return made.id;
}

static enum demon_rc add_text(void *ctx, const char *text, size_t len, struct demon_err *err)
{
	(void)err;
	demon_buf_add(ctx, text, len);
	return DEMON_OK;
}

/* Reads the state of a commit into a model; fails at an edge without its ends. */
static void read_model(struct fixture *f, const struct demon_graph_id *id, struct model *m)
{
	DEMON_BUF(text, 0);
	json_t *whole;
	size_t i;
	json_t *item;

	memset(m, 0, sizeof(*m));
	assert_ok(demon_graph_export(f->store, &scope, hex_of(id), DEMON_GRAPH_JSON, add_text,
				     &text, &f->err),
		  &f->err);
	whole = json_loads(text.data, 0, NULL);
	assert_non_null(whole);
	json_array_foreach(json_object_get(whole, "nodes"), i, item)
	{
		int n = atoi(json_string_value(json_object_get(item, "nodeId")) + 1);

		m->node[n][0] = 1;
		for (int k = 1; k <= FIELDS; k++) {
			char key[8];

			(void)snprintf(key, sizeof(key), "f%d", k);
			m->node[n][k] = (int)json_integer_value(
			    json_object_get(json_object_get(item, "properties"), key));
		}
	}
	json_array_foreach(json_object_get(whole, "edges"), i, item)
	{
		int e = atoi(json_string_value(json_object_get(item, "edgeId")) + 1);

		m->edge[e].there = 1;
		m->edge[e].from = atoi(json_string_value(json_object_get(item, "from")) + 1);
		m->edge[e].to = atoi(json_string_value(json_object_get(item, "to")) + 1);
		m->edge[e].v = (int)json_integer_value(
		    json_object_get(json_object_get(item, "properties"), "v"));
		assert_true(m->node[m->edge[e].from][0]);
		assert_true(m->node[m->edge[e].to][0]);
	}
	json_decref(whole);
	demon_buf_done(&text);
}

static enum demon_rc note(void *ctx, const char *json, size_t len, struct demon_err *err)
{
	(void)err;
	json_array_append_new(ctx, json_loadb(json, len, 0, NULL));
	return DEMON_OK;
}

static enum demon_rc merge(struct fixture *f, const struct demon_graph_id *ours,
			   const struct demon_graph_id *theirs, enum demon_graph_strategy strategy,
			   const char *resolutions, struct demon_graph_merged *ret)
{
	const struct demon_graph_merge given = {.scope = scope,
						.ours = hex_of(ours),
						.theirs = hex_of(theirs),
						.strategy = strategy,
						.resolutions = resolutions,
						.ts = ++f->clock.now};

	json_decref(f->conflicts);
	f->conflicts = json_array();
	return demon_graph_merge(f->store, &given, note, f->conflicts, ret, &f->err);
}

/* Whether a conflict about that node, of any kind, was told. */
static bool in_conflict(struct fixture *f, char kind, int number)
{
	char id[8];
	size_t i;
	json_t *c;

	(void)snprintf(id, sizeof(id), "%c%02d", kind, number);
	json_array_foreach(f->conflicts, i,
			   c) if (strcmp(json_string_value(json_object_get(c, "id")), id) ==
				  0) return true;
	return false;
}

/* What three-way merging makes of one field. */
static int expected(int base, int ours, int theirs, bool take_theirs)
{
	if (ours == theirs || theirs == base)
		return ours;
	if (ours == base)
		return theirs;
	return take_theirs ? theirs : ours;
}

static void check_nodes(struct fixture *f, const struct model *b, const struct model *o,
			const struct model *t, const struct model *got, bool theirs)
{
	for (int i = 0; i < NODES; i++) {
		bool all = b->node[i][0] && o->node[i][0] && t->node[i][0];

		if (all)
			assert_true(got->node[i][0]);
		for (int k = 1; all && k <= FIELDS; k++)
			assert_int_equal(got->node[i][k], expected(b->node[i][k], o->node[i][k],
								   t->node[i][k], theirs));
		if (!all && !in_conflict(f, 'n', i) && json_array_size(f->conflicts) == 0)
			assert_int_equal(got->node[i][0], expected(b->node[i][0], o->node[i][0],
								   t->node[i][0], theirs));
	}
}

static void random_merges_are_what_a_model_says(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct model b = {0};
		struct model o;
		struct model t;
		struct model got;
		struct demon_graph_id ids[3];
		struct demon_graph_merged merged;
		bool theirs = pick(f, 2);

		for (int i = 0; i < 5; i++)
			change(f, &b);
		b.node[0][0] = 1;
		o = t = b;
		change(f, &o);
		change(f, &t);
		ids[0] = make_root(f, &b);
		ids[1] = make_child(f, &ids[0], &o);
		ids[2] = make_child(f, &ids[0], &t);
		assert_ok(merge(f, &ids[1], &ids[2],
				theirs ? DEMON_GRAPH_STRATEGY_THEIRS : DEMON_GRAPH_STRATEGY_OURS,
				NULL, &merged),
			  &f->err);
		assert_int_equal(merged.unresolved, 0);
		read_model(f, &merged.id, &got);
		check_nodes(f, &b, &o, &t, &got, theirs);
		if (merged.conflicts)
			assert_rc(
			    merge(f, &ids[1], &ids[2], DEMON_GRAPH_STRATEGY_NONE, NULL, &merged),
			    DEMON_CONFLICT, &f->err);
	}
}

static void diff_then_apply_gives_the_other_state(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < ROUNDS; round++) {
		struct model a = {0};
		struct model b = {0};
		struct demon_graph_id first;
		struct demon_graph_id second;
		struct demon_graph_id child;
		struct model got;

		for (int i = 0; i < 6; i++)
			change(f, &a);
		for (int i = 0; i < 6; i++)
			change(f, &b);
		a.node[1][0] = b.node[2][0] = 1;
		first = make_root(f, &a);
		second = make_root(f, &b);
		child = make_child(f, &first, &b);
		read_model(f, &child, &got);
		/* what is not there has no fields */
		for (int i = 0; i < NODES; i++)
			if (!b.node[i][0])
				memset(b.node[i], 0, sizeof(b.node[i]));
		for (int e = 0; e < EDGES; e++)
			if (!b.edge[e].there)
				memset(&b.edge[e], 0, sizeof(b.edge[e]));
		assert_memory_equal(&got, &b, sizeof(got));
		(void)second;
	}
}

static void one_side_that_has_all_needs_no_merge(void **state)
{
	struct fixture *f = *state;
	struct model m = {.node = {{1}}};
	struct demon_graph_id first = make_root(f, &m);
	struct demon_graph_id second;
	struct demon_graph_merged merged;

	m.node[1][0] = 1;
	second = make_child(f, &first, &m);
	assert_ok(merge(f, &first, &second, DEMON_GRAPH_STRATEGY_NONE, NULL, &merged), &f->err);
	assert_int_equal(merged.kind, DEMON_GRAPH_MERGE_FORWARD);
	assert_memory_equal(&merged.id, &second, sizeof(second));
	assert_ok(merge(f, &second, &first, DEMON_GRAPH_STRATEGY_NONE, NULL, &merged), &f->err);
	assert_int_equal(merged.kind, DEMON_GRAPH_MERGE_NOTHING);
	assert_memory_equal(&merged.id, &second, sizeof(second));
}

static void a_resolution_says_what_becomes_of_a_property(void **state)
{
	struct fixture *f = *state;
	struct model b = {.node = {{1, 1}}};
	struct model o = {.node = {{1, 2}}};
	struct model t = {.node = {{1, 3}}};
	struct demon_graph_id ids[3] = {make_root(f, &b)};
	struct demon_graph_merged merged;
	struct model got;

	ids[1] = make_child(f, &ids[0], &o);
	ids[2] = make_child(f, &ids[0], &t);
	assert_rc(merge(f, &ids[1], &ids[2], DEMON_GRAPH_STRATEGY_NONE, NULL, &merged),
		  DEMON_CONFLICT, &f->err);
	assert_int_equal(json_array_size(f->conflicts), 1);
	assert_ok(merge(f, &ids[1], &ids[2], DEMON_GRAPH_STRATEGY_NONE,
			"[{\"kind\":\"node\",\"id\":\"n00\",\"property\":\"f1\",\"value\":7}]",
			&merged),
		  &f->err);
	read_model(f, &merged.id, &got);
	assert_int_equal(got.node[0][1], 7);
	assert_ok(
	    merge(f, &ids[1], &ids[2], DEMON_GRAPH_STRATEGY_NONE,
		  "[{\"kind\":\"node\",\"id\":\"n00\",\"property\":\"f1\",\"take\":\"base\"}]",
		  &merged),
	    &f->err);
	read_model(f, &merged.id, &got);
	assert_int_equal(got.node[0][1], 1);
	assert_rc(
	    merge(f, &ids[1], &ids[2], DEMON_GRAPH_STRATEGY_NONE, "[{\"kind\":\"x\"}]", &merged),
	    DEMON_INVALID, &f->err);
}

#define MERGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    MERGE_TEST(random_merges_are_what_a_model_says),
	    MERGE_TEST(diff_then_apply_gives_the_other_state),
	    MERGE_TEST(one_side_that_has_all_needs_no_merge),
	    MERGE_TEST(a_resolution_says_what_becomes_of_a_property),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
