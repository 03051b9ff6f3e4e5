/*
 * Histories against git's: all merge bases, what a commit descends from, and the order of parents
 * and children, on the same random history. DEMON_SEED chooses it, DEMON_GRAPH_COMMITS (1 500) its
 * length.
 */
#include "support/test.h"

#include "domain/graph/history.h"

#include <stdio.h>
#include <sys/wait.h>

#define PARENTS 4
#define PAIRS   150
#define WALKS   12

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	uint64_t random;
	size_t count;
	struct demon_graph_id *ids; /* [count] */
	size_t (*parents)[PARENTS];
	size_t *parent_count;
	char (*git)[41]; /* what git calls it */
	struct demon_err err;
};

static const struct demon_graph_scope scope = {"t", "p", "n", "g"};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct demon_options options = {.create = true, .node_id = "a"};
	const char *count = getenv("DEMON_GRAPH_COMMITS"); /* NOLINT(concurrency-mt-unsafe) */

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	f->random = test_seed(20261124);
	f->count = count ? strtoul(count, NULL, 10) : 1500;
	f->ids = calloc(f->count, sizeof(*f->ids));
	f->parents = calloc(f->count, sizeof(*f->parents));
	f->parent_count = calloc(f->count, sizeof(*f->parent_count));
	f->git = calloc(f->count, sizeof(*f->git));
	options.env = &f->clock.env;
	assert_ok(demon_open(test_path(f->dir, "a.db"), &options, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->ids);
	free(f->parents);
	free(f->parent_count);
	free(f->git);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static size_t pick(struct fixture *f, size_t n)
{
	return (size_t)(test_random(&f->random) % n);
}

/* Branches that run side by side, criss-cross merges, a few roots. */
static void choose_parents(struct fixture *f, size_t i)
{
	size_t wanted = i == 0 || pick(f, 200) == 0
			    ? 0
			    : 1 + (size_t)(pick(f, 4) == 0) + (size_t)(pick(f, 40) == 0);
	size_t window = i < 25 ? i : 25;

	for (size_t n = 0; n < wanted; n++) {
		size_t parent = i - 1 - pick(f, window);
		bool known = false;

		for (size_t k = 0; k < f->parent_count[i]; k++)
			known |= f->parents[i][k] == parent;
		if (!known)
			f->parents[i][f->parent_count[i]++] = parent;
	}
}

static void make_commit(struct fixture *f, size_t i)
{
	struct demon_graph_id parents[PARENTS];
	struct demon_graph_mutations *list;
	struct demon_graph_committed made;
	struct demon_graph_change change = {.scope = scope,
					    .parents = parents,
					    .parent_count = f->parent_count[i],
					    .force = true,
					    .ts = f->clock.now + (demon_time)i * 1000};
	char text[128];

	(void)snprintf(text, sizeof(text),
		       "[{\"op\":\"add-node\",\"nodeId\":\"n%zu\",\"properties\":{\"v\":%zu}}]",
		       i % 50, i);
	assert_ok(demon_graph_mutations_parse(text, strlen(text), &list, &f->err), &f->err);
	for (size_t k = 0; k < f->parent_count[i]; k++)
		parents[k] = f->ids[f->parents[i][k]];
	change.mutations = list;
	assert_ok(demon_graph_commit(f->store, &change, &made, &f->err), &f->err);
	demon_graph_mutations_free(list);
	f->ids[i] = made.id;
}

static FILE *run_git(struct fixture *f, const char *mode, const char *arguments)
{
	char command[1024];
	FILE *pipe;

	(void)snprintf(command, sizeof(command), "git -C '%s' %s", f->dir, arguments);
	pipe = popen(command, mode); /* NOLINT(cert-env33-c) */
	assert_non_null(pipe);
	return pipe;
}

static void import_into_git(struct fixture *f)
{
	FILE *git = run_git(f, "r", "init -q --bare .");
	FILE *marks;
	size_t mark;
	char id[41];

	assert_int_equal(pclose(git), 0);
	git = run_git(f, "w", "fast-import --quiet --export-marks=marks");
	for (size_t i = 0; i < f->count; i++) {
		(void)fprintf(git,
			      "commit refs/heads/b%zu\nmark :%zu\ncommitter x <x> %lld +0000\n"
			      "data 0\n",
			      i, i + 1, (long long)(f->clock.now / 1000) + (long long)i);
		for (size_t k = 0; k < f->parent_count[i]; k++)
			(void)fprintf(git, "%s :%zu\n", k ? "merge" : "from", f->parents[i][k] + 1);
		(void)fprintf(git, "\n");
	}
	assert_int_equal(pclose(git), 0);
	marks = fopen(test_path(f->dir, "marks"), "r");
	assert_non_null(marks);
	while (fscanf(marks, ":%zu %40s\n", &mark, id) == 2)
		memcpy(f->git[mark - 1], id, sizeof(id));
	(void)fclose(marks);
}

static size_t index_of(struct fixture *f, const struct demon_graph_id *id)
{
	for (size_t i = 0; i < f->count; i++)
		if (memcmp(&f->ids[i], id, sizeof(*id)) == 0)
			return i;
	fail_msg("a commit that was never made");
	return 0;
}

static size_t index_of_git(struct fixture *f, const char *id)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->git[i], id) == 0)
			return i;
	fail_msg("git has a commit '%s' that was never made", id);
	return 0;
}

/* A set of commits, by number. */
struct set {
	struct fixture *f;
	bool *has;
	size_t count;
};

static void add(struct set *s, size_t i)
{
	assert_false(s->has[i]);
	s->has[i] = true;
	s->count++;
}

static enum demon_rc add_id(void *ctx, const struct demon_graph_id *id, struct demon_err *err)
{
	struct set *s = ctx;

	(void)err;
	add(s, index_of(s->f, id));
	return DEMON_OK;
}

static void read_git(struct fixture *f, const char *arguments, struct set *s)
{
	FILE *git = run_git(f, "r", arguments);
	char id[64];
	int status;

	while (fscanf(git, "%63s", id) == 1)
		add(s, index_of_git(f, id));
	status = pclose(git);
	/* 1: there is no common ancestor */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
}

static const char *hex_of(const struct demon_graph_id *id)
{
	static char hex[4][DEMON_GRAPH_HEX_LEN + 1];
	static unsigned turn;
	char *out = hex[turn++ % 4];

	demon_hex(id->bytes, DEMON_HASH_LEN, out);
	return out;
}

static void assert_same(const struct set *ours, const struct set *gits)
{
	assert_int_equal(ours->count, gits->count);
	assert_memory_equal(ours->has, gits->has, ours->f->count);
}

static void check_bases(struct fixture *f, size_t a, size_t b)
{
	struct set ours = {f, calloc(f->count, 1), 0};
	struct set gits = {f, calloc(f->count, 1), 0};
	char arguments[128];

	(void)snprintf(arguments, sizeof(arguments), "merge-base --all %s %s", f->git[a],
		       f->git[b]);
	read_git(f, arguments, &gits);
	assert_ok(demon_graph_merge_bases(f->store, &scope, hex_of(&f->ids[a]), hex_of(&f->ids[b]),
					  add_id, &ours, &f->err),
		  &f->err);
	assert_same(&ours, &gits);
	free(ours.has);
	free(gits.has);
}

/* A walk from a commit: no parent before any of its children. */
struct walk {
	struct set set;
	bool *done; /* was handed out */
};

static enum demon_rc walk_row(void *ctx, const struct demon_graph_log_row *row,
			      struct demon_err *err)
{
	struct walk *w = ctx;
	struct fixture *f = w->set.f;
	size_t i = index_of(f, &row->id);

	(void)err;
	assert_int_equal(row->parent_count, f->parent_count[i]);
	for (size_t k = 0; k < row->parent_count; k++) {
		assert_int_equal(index_of(f, &row->parents[k]), f->parents[i][k]);
		assert_false(w->done[f->parents[i][k]]);
	}
	w->done[i] = true;
	add(&w->set, i);
	return DEMON_OK;
}

static void check_walk(struct fixture *f, size_t from)
{
	struct walk ours = {{f, calloc(f->count, 1), 0}, calloc(f->count, 1)};
	struct set gits = {f, calloc(f->count, 1), 0};
	struct demon_graph_log_filter filter = {.from = hex_of(&f->ids[from]),
						.order = DEMON_GRAPH_TOPOLOGICAL};
	char arguments[128];

	(void)snprintf(arguments, sizeof(arguments), "rev-list %s", f->git[from]);
	read_git(f, arguments, &gits);
	assert_ok(demon_graph_log(f->store, &scope, &filter, walk_row, &ours, &f->err), &f->err);
	assert_same(&ours.set, &gits);
	for (size_t n = 0; n < 20; n++) {
		size_t other = pick(f, f->count);
		bool is;

		assert_ok(demon_graph_is_ancestor(f->store, &scope, hex_of(&f->ids[other]),
						  hex_of(&f->ids[from]), &is, &f->err),
			  &f->err);
		assert_int_equal(is, gits.has[other]);
	}
	free(ours.set.has);
	free(ours.done);
	free(gits.has);
}

static void histories_are_what_git_makes_of_them(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->count; i++) {
		choose_parents(f, i);
		make_commit(f, i);
	}
	import_into_git(f);
	for (size_t i = 0; i < PAIRS; i++) {
		size_t a = pick(f, f->count);
		size_t near = a < 40 ? pick(f, f->count) : a - pick(f, 40);

		check_bases(f, a, i % 2 ? near : pick(f, f->count));
	}
	for (size_t i = 0; i < WALKS; i++)
		check_walk(f, i ? pick(f, f->count) : f->count - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(histories_are_what_git_makes_of_them, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
