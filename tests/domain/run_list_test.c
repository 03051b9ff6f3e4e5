#include "support/test.h"

#include "domain/ritual/run_row.h"
#include "store/store.h"
#include "store/write.h"
#include "support/runs.h"

#include <stdio.h>

struct fixture {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	char rows[4096];
	unsigned count;
	char *cursor;
};

/* What demon_run_start() needs of a definition. */
static const struct demon_definition small = {
    .ritual_id = "small", .version = "1", .canonical = "{}", .canonical_len = 2};
static const struct demon_definition large = {
    .ritual_id = "large", .version = "2", .canonical = "{}", .canonical_len = 2};

static struct demon_run_id start(struct fixture *f, const struct demon_definition *definition,
				 const char *id)
{
	const struct demon_run_options options = {.run_id = id};
	struct demon_run_id run;
	struct demon_err err;

	assert_ok(demon_run_start(f->store, definition, &options, &run, &err), &err);
	return run;
}

/* Ten runs, a second between them, r-0 to r-9: odd ones are canceled, from r-5 on large. */
static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct demon_options options = {.create = true, .env = &f->clock.env, .node_id = "n"};
	struct demon_err err;

	f->dir = test_dir();
	fake_env_init(&f->clock, 7);
	assert_ok(demon_open(test_path(f->dir, "demon.db"), &options, &f->store, &err), &err);
	for (int i = 0; i < 10; i++) {
		const struct demon_definition *definition = i < 5 ? &small : &large;
		char id[8];
		struct demon_run_id run;

		(void)snprintf(id, sizeof(id), "r-%d", i);
		run = start(f, definition, id);
		if (i % 2)
			run_cancel(f->store, &run, definition->ritual_id, f->clock.now + 500);
		fake_env_advance(&f->clock, 1000);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->cursor);
	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static enum demon_rc add(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->rows);

	(void)err;
	assert_int_equal(row->ended_at ? row->ended_at - row->started_at : 500, 500);
	(void)snprintf(f->rows + len, sizeof(f->rows) - len, "%s%s", f->count++ ? " " : "",
		       row->run_id);
	return DEMON_OK;
}

static void assert_list(struct fixture *f, const struct demon_run_filter *filter, const char *want)
{
	struct demon_err err;

	free(f->cursor);
	f->cursor = NULL;
	f->rows[0] = '\0';
	f->count = 0;
	assert_ok(demon_run_list(f->store, filter, add, f, &f->cursor, &err), &err);
	assert_string_equal(f->rows, want);
}

static void the_newest_run_comes_first(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_filter all = {0};
	const struct demon_run_filter other = {.tenant_id = "blue"};

	assert_list(f, &all, "r-9 r-8 r-7 r-6 r-5 r-4 r-3 r-2 r-1 r-0");
	assert_null(f->cursor);
	assert_list(f, &other, "");
	assert_null(f->cursor);
}

static void filters_restrict_together(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_filter by_status = {.status = "canceled"};
	const struct demon_run_filter by_ritual = {.ritual_id = "large"};
	const struct demon_run_filter by_both = {.ritual_id = "small", .status = "Running"};
	const struct demon_run_filter since = {.since = 1767323045000 + 7000};
	const struct demon_run_filter none = {.status = "awaiting_approval"};

	assert_list(f, &by_status, "r-9 r-7 r-5 r-3 r-1");
	assert_list(f, &by_ritual, "r-9 r-8 r-7 r-6 r-5");
	assert_list(f, &by_both, "r-4 r-2 r-0");
	assert_list(f, &since, "r-9 r-8 r-7");
	assert_list(f, &none, "");
}

static void a_cursor_continues_behind_the_last_row(void **state)
{
	struct fixture *f = *state;
	struct demon_run_filter filter = {.limit = 4};
	char cursor[256];

	assert_list(f, &filter, "r-9 r-8 r-7 r-6");
	(void)snprintf(cursor, sizeof(cursor), "%s", f->cursor);
	filter.cursor = cursor;
	(void)start(f, &small, "newer");
	assert_list(f, &filter, "r-5 r-4 r-3 r-2");
	(void)snprintf(cursor, sizeof(cursor), "%s", f->cursor);
	assert_list(f, &filter, "r-1 r-0");
	assert_null(f->cursor);
}

static void a_page_that_ends_with_the_last_run_has_no_cursor(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_filter exact = {.limit = 10};
	const struct demon_run_filter short_of_it = {.limit = 9};

	assert_list(f, &exact, "r-9 r-8 r-7 r-6 r-5 r-4 r-3 r-2 r-1 r-0");
	assert_null(f->cursor);
	assert_list(f, &short_of_it, "r-9 r-8 r-7 r-6 r-5 r-4 r-3 r-2 r-1");
	assert_non_null(f->cursor);
}

/* Puts a row of another node beside the own runs; the projection is not asked. */
static enum demon_rc insert_foreign(struct demon_write *w, void *ctx, struct demon_err *err)
{
	return demon_db_script(demon_write_db(w), ctx, err);
}

static void add_foreign(struct fixture *f, const char *sql)
{
	char text[2048];
	struct demon_err err;

	(void)snprintf(text, sizeof(text), "%s", sql);
	assert_ok(demon_store_write(f->store, insert_foreign, text, &err), &err);
}

#define FOREIGN(id, digit)                                                                    \
	"INSERT INTO runs (tenant_id, run_id, run_origin, ritual_id, status, started_at) "    \
	"VALUES ('default', '" id "', x'" digit "0000000000000000000000000000000', 'small', " \
	"'Running', 1767323045000)"

static void runs_of_one_instant_are_split_by_a_cursor_exactly_once(void **state)
{
	struct fixture *f = *state;
	struct demon_run_filter filter = {.limit = 1};
	char cursor[256];
	DEMON_BUF(seen, 0);

	add_foreign(f, FOREIGN("r-0", "1") ";" FOREIGN("r-0", "f") ";" FOREIGN("q", "1"));
	for (;;) {
		struct demon_err err;

		free(f->cursor);
		f->rows[0] = '\0';
		f->count = 0;
		assert_ok(demon_run_list(f->store, &filter, add, f, &f->cursor, &err), &err);
		demon_buf_fmt(&seen, "%s ", f->rows);
		if (!f->cursor)
			break;
		(void)snprintf(cursor, sizeof(cursor), "%s", f->cursor);
		filter.cursor = cursor;
	}
	assert_string_equal(seen.data, "r-9 r-8 r-7 r-6 r-5 r-4 r-3 r-2 r-1 r-0 r-0 r-0 q ");
}

static void what_is_no_filter_is_refused(void **state)
{
	struct fixture *f = *state;
	static const struct demon_run_filter cases[] = {
	    {.status = "Sleeping"},
	    {.status = ""},
	    {.limit = 1001},
	    {.cursor = ""},
	    {.cursor = "zz"},
	    {.cursor = "0000000000000000"},
	    {.cursor = "000000000000000000000000000000000000000000000000"},
	    {.cursor = "ffffffffffffffff00000000000000000000000000000000722d31"},
	    {.cursor = "0000000000000000000000000000000000000000000000002e2e"},
	};
	struct demon_err err;

	for (size_t i = 0; i < demon_count(cases); i++)
		assert_rc(demon_run_list(f->store, &cases[i], add, f, NULL, &err), DEMON_INVALID,
			  &err);
	assert_int_equal(f->count, 0);
}

static enum demon_rc refuse(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	(void)ctx;
	return demon_err_set(err, DEMON_CANCELED, "enough after %s", row->run_id);
}

static void a_reader_may_stop_the_list(void **state)
{
	struct fixture *f = *state;
	const struct demon_run_filter all = {0};
	struct demon_err err;

	assert_rc(demon_run_list(f->store, &all, refuse, f, &f->cursor, &err), DEMON_CANCELED,
		  &err);
	assert_string_equal(err.msg, "enough after r-9");
	assert_null(f->cursor);
	assert_list(f, &all, "r-9 r-8 r-7 r-6 r-5 r-4 r-3 r-2 r-1 r-0");
}

static void a_run_id_means_the_own_run_first(void **state)
{
	struct fixture *f = *state;
	struct demon_run_id run;
	struct demon_err err;

	add_foreign(f, FOREIGN("r-0", "0") ";" FOREIGN("r-0", "f") ";" FOREIGN(
			   "one", "1") ";" FOREIGN("two", "1") ";" FOREIGN("two", "2"));
	assert_ok(demon_run_find(f->store, NULL, "r-0", &run, &err), &err);
	assert_memory_equal(run.origin, demon_store_origin(f->store), sizeof(run.origin));
	assert_string_equal(run.tenant_id, "default");
	assert_ok(demon_run_find(f->store, "default", "one", &run, &err), &err);
	assert_int_equal(run.origin[0], 0x10);
	assert_rc(demon_run_find(f->store, NULL, "two", &run, &err), DEMON_CONFLICT, &err);
	assert_contains(err.msg, "10000000000000000000000000000000");
	assert_contains(err.msg, "20000000000000000000000000000000");
	assert_rc(demon_run_find(f->store, NULL, "none", &run, &err), DEMON_NOTFOUND, &err);
	assert_rc(demon_run_find(f->store, "blue", "r-0", &run, &err), DEMON_NOTFOUND, &err);
}

int main(void)
{
#define LIST_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    LIST_TEST(the_newest_run_comes_first),
	    LIST_TEST(filters_restrict_together),
	    LIST_TEST(a_cursor_continues_behind_the_last_row),
	    LIST_TEST(a_page_that_ends_with_the_last_run_has_no_cursor),
	    LIST_TEST(runs_of_one_instant_are_split_by_a_cursor_exactly_once),
	    LIST_TEST(what_is_no_filter_is_refused),
	    LIST_TEST(a_reader_may_stop_the_list),
	    LIST_TEST(a_run_id_means_the_own_run_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
