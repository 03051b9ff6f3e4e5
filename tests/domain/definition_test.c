#include "support/test.h"

#include "base/fault.h"
#include "domain/capsule/capsule.h"
#include "domain/ritual/definition.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TASK "type: task\n    action: { functionRef: { refName: echo } }\n"
#define HEAD "id: greet\nversion: \"1\"\n"

struct fixture {
	char *dir;
	DIR *listing;
	char *text;
	struct demon_definition *definition;
	struct demon_definition *again;
	struct demon_problems problems;
	struct demon_buf buf;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = test_dir();
	*state = f;
	return 0;
}

static void reset(struct fixture *f)
{
	demon_definition_free_p(&f->definition);
	demon_definition_free_p(&f->again);
	f->definition = NULL;
	f->again = NULL;
	demon_problems_done(&f->problems);
	free(f->text);
	f->text = NULL;
	demon_buf_clear(&f->buf);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	reset(f);
	if (f->listing)
		(void)closedir(f->listing);
	demon_buf_done(&f->buf);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static enum demon_rc load(struct fixture *f, const char *text, size_t len)
{
	demon_definition_free_p(&f->definition);
	f->definition = NULL;
	demon_problems_done(&f->problems);
	return demon_definition_load("file", text, len, &f->definition, &f->problems, &f->err);
}

static const struct demon_task *task(const struct fixture *f, size_t i)
{
	assert_int_equal(f->definition->root.kind, DEMON_TASK_DO);
	assert_true(i < f->definition->root.count);
	return &f->definition->root.tasks[i];
}

static void a_file_becomes_tasks(void **state)
{
	static const char text[] = "id: greet-all_1\n"
				   "version: \"1.0\"\n"
				   "name: Greet\n"
				   "description: |\n  Two\n  lines\n"
				   "states:\n"
				   "  - name: One\n"
				   "    type: task\n"
				   "    action:\n"
				   "      functionRef:\n"
				   "        refName: echo\n"
				   "        arguments: { message: hi }\n"
				   "    transition: Three\n"
				   "  - name: Two\n    " TASK "    end: true\n"
				   "  - name: Three\n    " TASK "    transition: Two\n";
	struct fixture *f = *state;

	assert_ok(load(f, text, strlen(text)), &f->err);
	assert_int_equal(f->problems.count, 0);
	assert_string_equal(demon_notation_name(f->definition->notation), "seed");
	assert_string_equal(f->definition->ritual_id, "greet-all_1");
	assert_string_equal(f->definition->version, "1.0");
	assert_string_equal(f->definition->title, "Greet");
	assert_int_equal(f->definition->root.count, 3);
	assert_string_equal(task(f, 0)->name, "One");
	assert_string_equal(task(f, 0)->reference, "/states/0");
	assert_int_equal(task(f, 0)->kind, DEMON_TASK_CALL);
	assert_ptr_equal(task(f, 0)->capsule, &demon_capsule_echo);
	assert_string_equal(json_string_value(json_object_get(task(f, 0)->with.json, "message")),
			    "hi");
	assert_int_equal(task(f, 0)->next, 2);
	assert_string_equal(task(f, 1)->reference, "/states/1");
	assert_null(task(f, 1)->with.json);
	assert_true(task(f, 1)->next == DEMON_NEXT_END);
	assert_int_equal(task(f, 2)->next, 1);
}

static void a_state_goes_on_to_the_next_one_in_the_list(void **state)
{
	static const char text[] = HEAD "states:\n  - name: A\n    " TASK "  - name: B\n    " TASK
					"    end: false\n  - name: C\n    " TASK;
	struct fixture *f = *state;

	assert_ok(load(f, text, strlen(text)), &f->err);
	assert_null(f->definition->title);
	assert_int_equal(task(f, 0)->next, 1);
	assert_int_equal(task(f, 1)->next, 2);
	assert_true(task(f, 2)->next == DEMON_NEXT_END);
}

static void the_digest_is_that_of_the_canonical_value(void **state)
{
	static const char yaml[] = "# a comment\nversion: '1'\nid: greet\nstates:\n- {name: A, "
				   "type: task, action: {functionRef: {refName: echo}}}\n";
	static const char json[] =
	    "{\"id\":\"greet\",\"states\":[{\"action\":{\"functionRef\":{\"refName\":\"echo\"}},"
	    "\"name\":\"A\",\"type\":\"task\"}],\"version\":\"1\"}";
	unsigned char digest[DEMON_HASH_LEN];
	struct fixture *f = *state;

	assert_ok(load(f, yaml, strlen(yaml)), &f->err);
	assert_int_equal(f->definition->canonical_len, strlen(json));
	assert_string_equal(f->definition->canonical, json);
	assert_ok(demon_sha256(json, strlen(json), digest, &f->err), &f->err);
	assert_memory_equal(f->definition->digest, digest, DEMON_HASH_LEN);
	assert_ok(load(f, json, strlen(json)), &f->err);
	assert_memory_equal(f->definition->digest, digest, DEMON_HASH_LEN);
}

static void assert_same(const struct demon_definition *a, const struct demon_definition *b)
{
	assert_memory_equal(a->digest, b->digest, DEMON_HASH_LEN);
	assert_string_equal(a->canonical, b->canonical);
	assert_string_equal(a->ritual_id, b->ritual_id);
	assert_string_equal(a->version, b->version);
	assert_int_equal(a->root.count, b->root.count);
	for (size_t i = 0; i < a->root.count; i++) {
		const struct demon_task *x = &a->root.tasks[i];
		const struct demon_task *y = &b->root.tasks[i];

		assert_string_equal(x->name, y->name);
		assert_string_equal(x->reference, y->reference);
		assert_true(x->next == y->next && x->capsule == y->capsule);
		assert_true((!x->with.json && !y->with.json) ||
			    json_equal(x->with.json, y->with.json));
	}
}

static void the_examples_load_also_from_their_spec(void **state)
{
	static const char *const names[] = {"echo.yaml", "verify-backup.yaml"};
	static const char *const ids[] = {"echo-ritual", "verify-backup"};
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(names); i++) {
		const char *path = test_path(DEMON_SOURCE_DIR "/examples/rituals", names[i]);

		reset(f);
		assert_ok(demon_definition_load_file(path, &f->definition, &f->problems, &f->err),
			  &f->err);
		assert_string_equal(f->definition->ritual_id, ids[i]);
		assert_ok(demon_definition_from_spec(f->definition->canonical,
						     f->definition->canonical_len, &f->again,
						     &f->err),
			  &f->err);
		assert_same(f->definition, f->again);
	}
}

static void what_yaml_can_write_and_json_must_read_again(void **state)
{
	static const char text[] =
	    HEAD "states:\n  - name: A\n    type: task\n    action:\n      functionRef:\n"
		 "        refName: exec\n        arguments:\n          timeout: 1.5e1\n"
		 "          command: [\"\\x01\\x7f\\u0085\\ufeff\\U0001F600\", 'null', '1.0']\n";
	struct fixture *f = *state;

	assert_ok(load(f, text, strlen(text)), &f->err);
	assert_ok(demon_definition_from_spec(f->definition->canonical, f->definition->canonical_len,
					     &f->again, &f->err),
		  &f->err);
	assert_same(f->definition, f->again);
}

static void a_spec_that_does_not_load_is_refused(void **state)
{
	/* NOLINTBEGIN(bugprone-suspicious-missing-comma) */
	static const char *const specs[] = {
	    "",
	    "{",
	    "[]",
	    "{\"id\":\"a\",\"states\":[],\"version\":\"1\"}",
	    ("{\"id\":\"a\",\"states\":[{\"action\":{\"functionRef\":{\"refName\":\"gone\"}},"
	     "\"name\":\"A\",\"type\":\"task\"}],\"version\":\"1\"}"),
	};
	/* NOLINTEND(bugprone-suspicious-missing-comma) */
	struct fixture *f = *state;

	for (size_t i = 0; i < demon_count(specs); i++) {
		assert_rc(
		    demon_definition_from_spec(specs[i], strlen(specs[i]), &f->again, &f->err),
		    DEMON_INVALID, &f->err);
		assert_contains(f->err.msg, "definition of a run: ");
		assert_null(f->again);
	}
}

/* Lines "# expect: LINE:COLUMN: TEXT" at the head of a file: its problems, in order. */
static void check_bad_file(struct fixture *f, const char *name)
{
	const char *path = test_path(DEMON_TEST_DATA "/rituals/bad", name);
	char *text = test_read(path, NULL);
	char *line = text;
	char first[1024];
	size_t n = 0;

	reset(f);
	f->text = text;
	if (!demon_definition_load_file(path, &f->definition, &f->problems, &f->err))
		fail_msg("%s: was loaded", name);
	assert_null(f->definition);
	for (; strncmp(line, "# expect: ", 10) == 0; n++) {
		const char *want = line + 10;
		size_t len = strcspn(want, "\n");
		char found[512] = "nothing";

		if (n < f->problems.count)
			(void)snprintf(found, sizeof(found), "%u:%u: %s", f->problems.items[n].line,
				       f->problems.items[n].column, f->problems.items[n].text);
		if (strncmp(found, want, len) != 0)
			fail_msg("%s: expected '%.*s', found '%s'", name, (int)len, want, found);
		(void)snprintf(first, sizeof(first), "%s:%.*s", path, (int)len, want);
		if (n == 0 && strncmp(f->err.msg, first, strlen(first)) != 0)
			fail_msg("%s: expected '%s', found '%s'", name, first, f->err.msg);
		line = line + 10 + len + 1;
	}
	if (n == 0 || n != f->problems.count)
		fail_msg("%s: expected %zu problems, found %zu", name, n, f->problems.count);
}

static void bad_files_are_refused_as_they_say(void **state)
{
	struct fixture *f = *state;
	const struct dirent *entry;
	unsigned count = 0;

	f->listing = opendir(DEMON_TEST_DATA "/rituals/bad");
	assert_non_null(f->listing);
	while ((entry = readdir(f->listing))) { /* NOLINT(concurrency-mt-unsafe) */
		if (!strstr(entry->d_name, ".yaml"))
			continue;
		check_bad_file(f, entry->d_name);
		count++;
	}
	assert_true(count > 50);
}

static void of_many_problems_a_hundred_are_kept(void **state)
{
	struct fixture *f = *state;

	demon_buf_str(&f->buf, HEAD "states:\n");
	for (int i = 0; i < 130; i++)
		demon_buf_fmt(&f->buf, "  - name: S%d\n    type: tusk\n", i);
	assert_rc(load(f, f->buf.data, f->buf.len), DEMON_INVALID, &f->err);
	assert_int_equal(f->problems.count, 100);
	assert_int_equal(f->problems.dropped, 30);
	assert_int_equal(f->problems.items[99].line, 3 + 2 * 100);
}

static void problems_may_be_left_unasked(void **state)
{
	struct fixture *f = *state;

	assert_rc(demon_definition_load("a.yaml", "id: 1\n", 6, &f->definition, NULL, &f->err),
		  DEMON_INVALID, &f->err);
	assert_string_equal(f->err.msg, "a.yaml:1:1: missing required key 'states'");
}

static void many_states_are_checked_fast(void **state)
{
	struct fixture *f = *state;
	unsigned count = 12000;

	demon_buf_str(&f->buf, HEAD "states:\n");
	for (unsigned i = 0; i < count; i++)
		demon_buf_fmt(&f->buf, "- {name: s%u, type: task, transition: s%u}\n", i, i + 1);
	assert_rc(load(f, f->buf.data, f->buf.len), DEMON_INVALID, &f->err);
	assert_int_equal(f->problems.count, 100);
	assert_int_equal(f->problems.dropped, count + 1 - 100);
}

static void a_definition_that_would_not_fit_into_an_event_is_refused(void **state)
{
	struct fixture *f = *state;

	demon_buf_str(&f->buf, HEAD "description: ");
	for (int i = 0; i < 490 * 1024; i++)
		demon_buf_char(&f->buf, 'x');
	demon_buf_str(&f->buf, "\nstates:\n  - name: A\n    " TASK);
	assert_rc(load(f, f->buf.data, f->buf.len), DEMON_TOOBIG, &f->err);
	assert_contains(f->err.msg, "file:1:1: definition: larger than 480 KiB in canonical form");
	assert_int_equal(f->problems.count, 1);
	assert_null(f->definition);
}

/* A definition whose deepest value is inside @p depth mappings and lists. */
static void nest(struct fixture *f, unsigned depth)
{
	demon_buf_clear(&f->buf);
	demon_buf_str(&f->buf, HEAD "x: ");
	for (unsigned i = 1; i < depth; i++)
		demon_buf_char(&f->buf, '[');
	for (unsigned i = 1; i < depth; i++)
		demon_buf_char(&f->buf, ']');
	demon_buf_str(&f->buf, "\nstates:\n  - name: A\n    " TASK);
}

static void deep_nesting_is_refused(void **state)
{
	struct fixture *f = *state;

	nest(f, 60);
	assert_rc(load(f, f->buf.data, f->buf.len), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "file:3:1: unknown key 'x'");
	nest(f, 61);
	assert_rc(load(f, f->buf.data, f->buf.len), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "file:3:63: nested deeper than 60 levels");
	assert_int_equal(f->problems.count, 1);
}

static enum demon_rc load_file(struct fixture *f, const char *path)
{
	demon_definition_free_p(&f->definition);
	f->definition = NULL;
	demon_problems_done(&f->problems);
	return demon_definition_load_file(path, &f->definition, &f->problems, &f->err);
}

static void only_files_are_read(void **state)
{
	struct fixture *f = *state;

	assert_rc(load_file(f, test_path(f->dir, "absent.yaml")), DEMON_NOTFOUND, &f->err);
	assert_contains(f->err.msg, "absent.yaml': No such file or directory");
	assert_rc(load_file(f, test_path(f->dir, "absent/x.yaml")), DEMON_NOTFOUND, &f->err);
	assert_rc(load_file(f, f->dir), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "expected a file, found a directory");
	assert_int_equal(mkfifo(test_path(f->dir, "fifo"), 0600), 0);
	assert_rc(load_file(f, test_path(f->dir, "fifo")), DEMON_INVALID, &f->err);
	assert_rc(load_file(f, "/dev/zero"), DEMON_INVALID, &f->err);
	assert_int_equal(f->problems.count, 0);
}

static void a_file_of_100_mb_is_refused_unread(void **state)
{
	struct fixture *f = *state;

	test_write(test_path(f->dir, "big"), "", 0);
	assert_int_equal(truncate(test_path(f->dir, "big"), 100000000), 0);
	assert_rc(load_file(f, test_path(f->dir, "big")), DEMON_TOOBIG, &f->err);
	assert_contains(f->err.msg, "larger than 1 MiB");
}

static void a_file_may_fill_the_limit_and_not_exceed_it(void **state)
{
	struct fixture *f = *state;

	demon_buf_str(&f->buf, HEAD "states:\n  - name: A\n    " TASK "#");
	while (f->buf.len < (size_t)1024 * 1024)
		demon_buf_char(&f->buf, f->buf.len % 100 ? '#' : '\n');
	while (f->buf.data[f->buf.len - 1] == '\n')
		f->buf.data[f->buf.len - 1] = '#';
	for (size_t i = 100; i < f->buf.len; i++)
		if (f->buf.data[i - 1] == '\n')
			f->buf.data[i] = '#';
	test_write(test_path(f->dir, "full"), f->buf.data, f->buf.len);
	assert_ok(load_file(f, test_path(f->dir, "full")), &f->err);
	demon_buf_char(&f->buf, '#');
	test_write(test_path(f->dir, "over"), f->buf.data, f->buf.len);
	assert_rc(load_file(f, test_path(f->dir, "over")), DEMON_TOOBIG, &f->err);
}

/* Loads "-" with @p path as standard input. */
static enum demon_rc load_stdin(struct fixture *f, const char *path)
{
	int saved = dup(STDIN_FILENO);
	int fd = open(path, O_RDONLY);
	enum demon_rc rc;

	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	rc = load_file(f, "-");
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	(void)close(fd);
	(void)close(saved);
	return rc;
}

static void a_dash_is_standard_input(void **state)
{
	struct fixture *f = *state;

	assert_ok(load_stdin(f, DEMON_SOURCE_DIR "/examples/rituals/echo.yaml"), &f->err);
	assert_string_equal(f->definition->ritual_id, "echo-ritual");
	test_write(test_path(f->dir, "bad"), "id: 1\n", 6);
	assert_rc(load_stdin(f, test_path(f->dir, "bad")), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "<stdin>:1:1: ");
	assert_rc(load_stdin(f, "/dev/zero"), DEMON_TOOBIG, &f->err);
}

static void lack_of_memory_is_an_error_and_leaks_nothing(void **state)
{
	static const char text[] = HEAD "states:\n  - name: A\n    " TASK "  - name: B\n    " TASK;
	struct fixture *f = *state;
	enum demon_rc rc = DEMON_NOMEM;
	unsigned nth = 0;

	while (rc) {
		demon_fault_arm(DEMON_FAULT_ALLOC, ++nth, false);
		rc = load(f, text, strlen(text));
		(void)demon_fault_disarm();
		assert_true(rc == DEMON_OK || rc == DEMON_NOMEM);
		assert_true(nth < 10000);
	}
	assert_true(nth > 5);
	assert_string_equal(task(f, 1)->name, "B");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_file_becomes_tasks),
	    TEST(a_state_goes_on_to_the_next_one_in_the_list),
	    TEST(the_digest_is_that_of_the_canonical_value),
	    TEST(the_examples_load_also_from_their_spec),
	    TEST(what_yaml_can_write_and_json_must_read_again),
	    TEST(a_spec_that_does_not_load_is_refused),
	    TEST(bad_files_are_refused_as_they_say),
	    TEST(of_many_problems_a_hundred_are_kept),
	    TEST(problems_may_be_left_unasked),
	    TEST(many_states_are_checked_fast),
	    TEST(a_definition_that_would_not_fit_into_an_event_is_refused),
	    TEST(deep_nesting_is_refused),
	    TEST(only_files_are_read),
	    TEST(a_file_of_100_mb_is_refused_unread),
	    TEST(a_file_may_fill_the_limit_and_not_exceed_it),
	    TEST(a_dash_is_standard_input),
	    TEST(lack_of_memory_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
