#include "support/test.h"

#include "base/fault.h"
#include "cli/file.h"

#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char *dir;
	struct demon_buf text;
	struct demon_new_file file;
	struct demon_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	f->text = (struct demon_buf){.data = demon_buf_empty, .max = 10};
	f->file = (struct demon_new_file){.fd = -1};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_buf_done(&f->text);
	demon_new_file_done(&f->file);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void a_file_is_read_whole_up_to_the_limit(void **state)
{
	struct fixture *f = *state;
	const char *path = test_path(f->dir, "x");

	test_write(path, "0123456789", 10);
	assert_ok(demon_file_read(path, &f->text, &f->err), &f->err);
	assert_string_equal(f->text.data, "0123456789");
	demon_buf_clear(&f->text);
	test_write(path, "0123456789a", 11);
	assert_rc(demon_file_read(path, &f->text, &f->err), DEMON_TOOBIG, &f->err);
	assert_contains(f->err.msg, "more than 10 bytes");
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
	struct fixture *f = *state;
	const char *fifo = test_path(f->dir, "fifo");

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_rc(demon_file_read(fifo, &f->text, &f->err), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "FIFO");
	assert_rc(demon_file_read(f->dir, &f->text, &f->err), DEMON_INVALID, &f->err);
	assert_contains(f->err.msg, "folder");
	assert_rc(demon_file_read("/dev/zero", &f->text, &f->err), DEMON_INVALID, &f->err);
	assert_rc(demon_file_read(test_path(f->dir, "none"), &f->text, &f->err), DEMON_NOTFOUND,
		  &f->err);
	assert_int_equal(f->text.len, 0);
}

static void a_file_that_lies_about_its_size_still_meets_the_limit(void **state)
{
	struct fixture *f = *state;

	assert_rc(demon_file_read("/proc/self/maps", &f->text, &f->err), DEMON_TOOBIG, &f->err);
}

static void a_new_file_appears_whole_with_its_commit(void **state)
{
	struct fixture *f = *state;
	const char *path = test_path(f->dir, "out");
	char *text;

	test_write(path, "old", 3);
	assert_ok(demon_new_file_begin(&f->file, path, &f->err), &f->err);
	assert_ok(demon_new_file_add(&f->file, "new", 3, &f->err), &f->err);
	assert_ok(demon_new_file_add(&f->file, "er", 2, &f->err), &f->err);
	text = test_read(path, NULL);
	assert_string_equal(text, "old");
	free(text);
	assert_ok(demon_new_file_commit(&f->file, &f->err), &f->err);
	demon_new_file_done(&f->file);
	text = test_read(path, NULL);
	assert_string_equal(text, "newer");
	free(text);
}

static void a_new_file_that_is_not_committed_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	const char *path = test_path(f->dir, "out");

	assert_ok(demon_new_file_begin(&f->file, path, &f->err), &f->err);
	demon_new_file_done(&f->file);
	assert_int_equal(rmdir(f->dir), 0);
	assert_rc(demon_new_file_begin(&f->file, path, &f->err), DEMON_NOTFOUND, &f->err);
	demon_new_file_done(&f->file);
	assert_int_equal(mkdir(f->dir, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_file_is_read_whole_up_to_the_limit, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(what_is_no_file_is_refused_without_waiting, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_file_that_lies_about_its_size_still_meets_the_limit,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_new_file_appears_whole_with_its_commit, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_new_file_that_is_not_committed_leaves_nothing, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
