/*
 * The worst trap of SQLite: a process that has a database open, opens the file once more and closes
 * that descriptor, drops the locks it holds. A plain reader in another process that then ends takes
 * itself for the last one and deletes the live WAL, with rows in it that were acknowledged.
 */
#include "support/test.h"

#include "support/notes.h"

#include "db/migrate.h"
#include "store/readers.h"
#include "store/store.h"

#include <stdio.h>
#include <sys/stat.h>

struct fixture {
	char *dir;
	char path[256];
	struct demon_options options;
	struct demon_store *store;
	struct demon_err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = test_dir();
	(void)snprintf(f->path, sizeof(f->path), "%s/demon.db", f->dir);
	f->options = (struct demon_options){.create = true, .node_id = "n1"};
	assert_ok(demon_store_open(f->path, &f->options, NULL, &f->store, &f->err), &f->err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	demon_close(f->store);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/*
 * The number of events that `sqlite3` sees: a program of its own, since a forked child would have a
 * copy of what this process knows about its locks.
 */
static int plain_reader(const struct fixture *f)
{
	char command[400];
	FILE *pipe;
	int n = -1;

	(void)snprintf(command, sizeof(command), "sqlite3 '%s' 'SELECT count(*) FROM events'",
		       f->path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	if (fscanf(pipe, "%d", &n) != 1)
		n = -1;
	assert_int_equal(pclose(pipe), 0);
	return n;
}

/* The same WAL, with what was acknowledged in it, stands after plain readers have come and gone. */
static void assert_wal_survives(struct fixture *f)
{
	struct stat before;
	struct stat after;
	char wal[300];

	(void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
	assert_int_equal(stat(wal, &before), 0);
	assert_true(before.st_size > 0);
	assert_int_equal(plain_reader(f), 1);
	assert_int_equal(stat(wal, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_size, before.st_size);
	assert_ok(note(f->store, "r-1", "two", NULL, &f->err), &f->err);
	assert_int_equal(plain_reader(f), 2);
}

static void another_connection_of_the_process_keeps_the_locks(void **state)
{
	struct fixture *f = *state;
	struct demon_loan loan = {0};

	assert_ok(note(f->store, "r-1", "one", NULL, &f->err), &f->err);
	assert_ok(demon_store_borrow(f->store, &loan, &f->err), &f->err);
	demon_store_return(&loan);
	assert_wal_survives(f);
}

static void another_store_on_the_same_file_keeps_the_locks(void **state)
{
	struct fixture *f = *state;
	struct demon_store *other;

	assert_ok(note(f->store, "r-1", "one", NULL, &f->err), &f->err);
	assert_ok(demon_store_open(f->path, &f->options, NULL, &other, &f->err), &f->err);
	demon_close(other);
	assert_wal_survives(f);
}

static void what_looks_at_the_file_keeps_the_locks(void **state)
{
	struct fixture *f = *state;
	struct demon_filter filter = {0};
	struct demon_verified verified;
	struct demon_reader *reader;
	const struct demon_event *ev;
	char *text;

	assert_ok(note(f->store, "r-1", "one", NULL, &f->err), &f->err);
	assert_ok(demon_verify(f->store, &verified, &f->err), &f->err);
	assert_ok(demon_digest(f->store, &text, &f->err), &f->err);
	free(text);
	assert_ok(demon_reader_open(f->store, &filter, &reader, &f->err), &f->err);
	assert_ok(demon_reader_next(reader, 0, &ev, &f->err), &f->err);
	assert_rc(demon_reader_next(reader, 10, &ev, &f->err), DEMON_NOTFOUND, &f->err);
	demon_reader_close(reader);
	assert_ok(demon_heads(f->store, true, &text, &f->err), &f->err);
	free(text);
	assert_wal_survives(f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(another_connection_of_the_process_keeps_the_locks),
	    T(another_store_on_the_same_file_keeps_the_locks),
	    T(what_looks_at_the_file_keeps_the_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
