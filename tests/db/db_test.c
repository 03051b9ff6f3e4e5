#include "fixture.h"

#include "db/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define NOBODY 65534

static enum demon_rc open_as(struct fixture *f, const char *path, enum demon_db_role role,
			     bool create)
{
	demon_db_close(f->db);
	f->db = NULL;
	return demon_db_open(path, role, create, &f->db, &f->err);
}

static int64_t pragma(struct fixture *f, const struct demon_sql *sql)
{
	int64_t n = -1;

	assert_ok(read_number(f->db, sql, &n, &f->err), &f->err);
	return n;
}

DEMON_SQL(sql_foreign_keys, "PRAGMA foreign_keys");
DEMON_SQL(sql_recursive, "PRAGMA recursive_triggers");
DEMON_SQL(sql_trusted, "PRAGMA trusted_schema");
DEMON_SQL(sql_cells, "PRAGMA cell_size_check");
DEMON_SQL(sql_synchronous, "PRAGMA synchronous");
DEMON_SQL(sql_query_only, "PRAGMA query_only");
DEMON_SQL(sql_busy, "PRAGMA busy_timeout");
DEMON_SQL(sql_autocheckpoint, "PRAGMA wal_autocheckpoint");

static void every_connection_is_set_up_the_same_way(void **state)
{
	struct fixture *f = *state;

	make_database(f);
	shut(f);
	for (int role = DEMON_DB_WRITER; role <= DEMON_DB_MEMORY; role++) {
		assert_ok(open_as(f, f->path, (enum demon_db_role)role, false), &f->err);
		assert_int_equal(pragma(f, &sql_foreign_keys), 1);
		assert_int_equal(pragma(f, &sql_recursive), 1);
		assert_int_equal(pragma(f, &sql_trusted), 0);
		assert_int_equal(pragma(f, &sql_cells), 1);
		assert_int_equal(pragma(f, &sql_synchronous), 2);
		assert_int_equal(pragma(f, &sql_busy), 5000);
		assert_int_equal(pragma(f, &sql_autocheckpoint), 0);
		assert_int_equal(pragma(f, &sql_query_only), role == DEMON_DB_READER);
		assert_rc(demon_db_script(f->db, "SELECT \"text\"", &f->err), DEMON_INTERNAL,
			  &f->err);
	}
}

static void a_missing_file_is_made_only_when_asked(void **state)
{
	struct fixture *f = *state;

	assert_rc(open_as(f, f->path, DEMON_DB_WRITER, false), DEMON_NOTFOUND, &f->err);
	assert_contains(f->err.msg, f->path);
	assert_contains(f->err.msg, "No such file");
	assert_rc(open_as(f, f->path, DEMON_DB_READER, true), DEMON_NOTFOUND, &f->err);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_ok(open_as(f, f->path, DEMON_DB_WRITER, true), &f->err);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void a_path_that_cannot_be_a_database_is_named(void **state)
{
	struct fixture *f = *state;
	const char *pipe_path = test_path(f->dir, "pipe");

	assert_rc(open_as(f, test_path(f->dir, "no/demon.db"), DEMON_DB_WRITER, true),
		  DEMON_NOTFOUND, &f->err);
	assert_contains(f->err.msg, "no/demon.db");
	assert_contains(f->err.msg, "No such file or directory");
	assert_rc(open_as(f, f->dir, DEMON_DB_WRITER, true), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "Is a directory");
	test_write(f->path, "x", 1);
	assert_rc(open_as(f, test_path(f->dir, "demon.db/x"), DEMON_DB_READER, false),
		  DEMON_NOTFOUND, &f->err);
	assert_contains(f->err.msg, "Not a directory");
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	assert_rc(open_as(f, pipe_path, DEMON_DB_WRITER, true), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "not a regular file");
	assert_rc(open_as(f, "", DEMON_DB_WRITER, true), DEMON_INVALID, &f->err);
}

static void special_names_are_plain_files(void **state)
{
	static const char *const names[] = {":memory:", "file:x?mode=memory", "a%41#b?immutable=1",
					    "-journal", "'; DROP"};
	struct fixture *f = *state;
	char *cwd = getcwd(NULL, 0);
	bool made = true;

	assert_int_equal(chdir(f->dir), 0);
	for (size_t i = 0; i < demon_count(names); i++) {
		made = made && open_as(f, names[i], DEMON_DB_WRITER, true) == DEMON_OK &&
		       demon_db_script(f->db, "PRAGMA application_id = 0x44656d6e", &f->err) ==
			   DEMON_OK &&
		       access(names[i], F_OK) == 0 &&
		       open_as(f, names[i], DEMON_DB_WRITER, false) == DEMON_OK;
	}
	assert_int_equal(chdir(cwd), 0);
	free(cwd);
	assert_true(made);
}

/* The names in the folder; a file beside the database would show. */
static int64_t entries(const char *dir)
{
	struct stat st;
	int64_t n = 0;

	for (const char *const *name = (const char *const[]){"x.db", "x.db-wal", "x.db-shm",
							     "x.db-journal", "x.db.lock", NULL};
	     *name; name++)
		n += stat(test_path(dir, *name), &st) == 0;
	return n;
}

static void assert_refused_unchanged(struct fixture *f, const char *path, const char *why)
{
	size_t before_len;
	size_t after_len;
	char *before = test_read(path, &before_len);
	char *after;
	int64_t files = entries(f->dir);

	for (int role = DEMON_DB_WRITER; role <= DEMON_DB_READER; role++) {
		assert_rc(open_as(f, path, (enum demon_db_role)role, true), DEMON_CORRUPT, &f->err);
		assert_contains(f->err.msg, path);
		assert_contains(f->err.msg, why);
	}
	after = test_read(path, &after_len);
	assert_int_equal(after_len, before_len);
	assert_memory_equal(after, before, before_len);
	assert_int_equal(entries(f->dir), files);
	free(before);
	free(after);
}

static void make_stranger(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_file_that_is_not_ours_is_refused_and_not_touched(void **state)
{
	struct fixture *f = *state;
	char *path = strdup(test_path(f->dir, "x.db"));
	char text[8192];

	memset(text, 'x', sizeof(text));
	test_write(path, text, sizeof(text));
	assert_refused_unchanged(f, path, "is not a Demon database");
	test_write(path, "short", 5);
	assert_refused_unchanged(f, path, "is not a Demon database");
	assert_int_equal(unlink(path), 0);
	make_stranger(path, "CREATE TABLE a (b); INSERT INTO a VALUES (1)");
	assert_refused_unchanged(f, path, "is not a Demon database");
	make_stranger(path, "PRAGMA application_id = 77");
	assert_refused_unchanged(f, path, "is not a Demon database");
	make_stranger(path, "PRAGMA journal_mode = WAL; INSERT INTO a VALUES (2)");
	assert_refused_unchanged(f, path, "is not a Demon database");
	free(path);
}

static int leave_a_hot_journal(void *arg)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(arg, &db) ||
	    sqlite3_exec(
		db,
		"CREATE TABLE a (b); PRAGMA cache_size = 1; BEGIN;"
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)"
		"INSERT INTO a SELECT zeroblob(4000) FROM n",
		NULL, NULL, NULL))
		return 1;
	return kill(getpid(), SIGKILL);
}

static void the_journal_of_a_stranger_is_not_played_back(void **state)
{
	struct fixture *f = *state;
	char *path = strdup(test_path(f->dir, "x.db"));
	size_t before;
	size_t after;

	assert_true(WIFSIGNALED(test_fork(leave_a_hot_journal, path)));
	assert_int_equal(entries(f->dir), 2);
	free(test_read(test_path(f->dir, "x.db-journal"), &before));
	assert_true(before > 0);
	assert_refused_unchanged(f, path, "is not a Demon database");
	free(test_read(test_path(f->dir, "x.db-journal"), &after));
	assert_int_equal(after, before);
	free(path);
}

static void an_empty_file_is_a_new_database(void **state)
{
	struct fixture *f = *state;

	test_write(f->path, "", 0);
	assert_ok(open_as(f, f->path, DEMON_DB_WRITER, false), &f->err);
	assert_ok(open_as(f, f->path, DEMON_DB_READER, false), &f->err);
}

/* A database of many pages, all of them in the file. */
static void make_large(struct fixture *f)
{
	make_database(f);
	assert_ok(demon_db_script(f->db,
				  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
				  " WHERE i < 500) INSERT INTO t SELECT i, hex(zeroblob(200)), i"
				  " FROM n",
				  &f->err),
		  &f->err);
	assert_ok(demon_db_checkpoint(f->db, &f->err), &f->err);
	shut(f);
	(void)unlink(test_path(f->dir, "demon.db-shm"));
	(void)unlink(test_path(f->dir, "demon.db-wal"));
}

static void a_truncated_file_is_damage(void **state)
{
	struct fixture *f = *state;
	size_t len;
	char *bytes;
	static const size_t lengths[] = {1, 99, 100, 511, 512, 4095, 4096, 8192, 20480, 65536};

	make_large(f);
	bytes = test_read(f->path, &len);
	for (size_t i = 0; i < demon_count(lengths); i++) {
		enum demon_rc rc;

		assert_true(lengths[i] < len);
		test_write(f->path, bytes, lengths[i]);
		rc = open_as(f, f->path, DEMON_DB_READER, false);
		if (rc == DEMON_OK)
			rc = demon_db_integrity(f->db, false, &f->err);
		assert_int_equal(rc, DEMON_CORRUPT);
		assert_contains(f->err.msg, "demon.db'");
		assert_rc(open_as(f, f->path, DEMON_DB_WRITER, false), DEMON_CORRUPT, &f->err);
	}
	free(bytes);
}

static void a_flipped_byte_never_crashes(void **state)
{
	struct fixture *f = *state;
	uint64_t random = test_seed(7);
	size_t len;
	size_t found = 0;
	char *bytes;

	make_large(f);
	bytes = test_read(f->path, &len);
	for (int i = 0; i < 200; i++) {
		/* half of them in the first page, with header and schema */
		size_t at = test_random(&random) % (i % 2 ? len : 4096);
		char old = bytes[at];
		int64_t n = -1;

		bytes[at] = (char)(old ^ (1 << test_random(&random) % 8));
		test_write(f->path, bytes, len);
		bytes[at] = old;
		if (open_as(f, f->path, DEMON_DB_READER, false) ||
		    demon_db_integrity(f->db, false, &f->err) || count_rows(f->db, &n, &f->err)) {
			assert_true(f->err.rc == DEMON_CORRUPT || f->err.rc == DEMON_INTERNAL ||
				    f->err.rc == DEMON_IO);
			found++;
		}
		demon_db_close(f->db);
		f->db = NULL;
		(void)unlink(test_path(f->dir, "demon.db-shm"));
		(void)unlink(test_path(f->dir, "demon.db-wal"));
	}
	assert_true(found > 5);
	free(bytes);
}

static void the_integrity_check_names_what_it_found(void **state)
{
	struct fixture *f = *state;
	size_t len;
	char *bytes;

	make_large(f);
	assert_ok(open_as(f, f->path, DEMON_DB_READER, false), &f->err);
	assert_ok(demon_db_integrity(f->db, false, &f->err), &f->err);
	assert_ok(demon_db_integrity(f->db, true, &f->err), &f->err);
	shut(f);
	bytes = test_read(f->path, &len);
	memset(bytes + (size_t)5 * 4096, 0x55, 4096);
	test_write(f->path, bytes, len);
	free(bytes);
	assert_ok(open_as(f, f->path, DEMON_DB_READER, false), &f->err);
	assert_rc(demon_db_integrity(f->db, false, &f->err), DEMON_CORRUPT, &f->err);
	assert_contains(f->err.msg, f->path);
	assert_rc(demon_db_integrity(f->db, true, &f->err), DEMON_CORRUPT, &f->err);
}

struct attempt {
	struct fixture *f;
	enum demon_db_role role;
	bool read; /* also read a row */
};

/* In a child without privileges: opens, and tells how it went. */
static int attempt_as_nobody(void *arg)
{
	struct attempt *a = arg;
	struct fixture *f = a->f;
	int64_t n = -1;
	enum demon_rc rc;

	if (getuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	f->db = NULL;
	rc = demon_db_open(f->path, a->role, true, &f->db, &f->err);
	if (rc == DEMON_OK && a->read)
		rc = count_rows(f->db, &n, &f->err);
	f->report->rc = rc;
	f->report->err = f->err;
	demon_db_close(f->db);
	return 0;
}

static enum demon_rc as_nobody(struct fixture *f, enum demon_db_role role, bool read)
{
	struct attempt a = {f, role, read};

	shut(f);
	assert_int_equal(test_fork(attempt_as_nobody, &a), 0);
	f->err = f->report->err;
	return f->report->rc;
}

static void what_may_not_be_written_is_read_only_to_a_writer(void **state)
{
	struct fixture *f = *state;

	make_database(f);
	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_int_equal(chmod(f->path, 0444), 0);
	assert_rc(as_nobody(f, DEMON_DB_WRITER, false), DEMON_READONLY, &f->err);
	assert_contains(f->err.msg, f->path);
	/* the file may be written, its folder not */
	assert_int_equal(chmod(f->path, 0666), 0);
	(void)unlink(test_path(f->dir, "demon.db-wal"));
	(void)unlink(test_path(f->dir, "demon.db-shm"));
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_rc(as_nobody(f, DEMON_DB_WRITER, false), DEMON_READONLY, &f->err);
	assert_contains(f->err.msg, "its folder cannot be written");
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_rc(as_nobody(f, DEMON_DB_WRITER, false), DEMON_READONLY, &f->err);
	assert_contains(f->err.msg, "Permission denied");
	assert_int_equal(chmod(f->dir, 0700), 0);
}

static void a_reader_needs_no_right_to_write(void **state)
{
	struct fixture *f = *state;

	make_database(f);
	assert_ok(demon_db_script(f->db, "INSERT INTO t (id) VALUES (1)", &f->err), &f->err);
	shut(f);
	assert_int_equal(chmod(f->path, 0444), 0);
	assert_int_equal(chmod(test_path(f->dir, "demon.db-wal"), 0444), 0);
	assert_int_equal(chmod(test_path(f->dir, "demon.db-shm"), 0444), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_ok(as_nobody(f, DEMON_DB_READER, true), &f->err);
	assert_int_equal(chmod(f->path, 0), 0);
	assert_rc(as_nobody(f, DEMON_DB_READER, true), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "Permission denied");
	assert_int_equal(chmod(f->dir, 0), 0);
	assert_rc(as_nobody(f, DEMON_DB_READER, true), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "Permission denied");
	assert_rc(as_nobody(f, DEMON_DB_WRITER, true), DEMON_READONLY, &f->err);
	assert_int_equal(chmod(f->dir, 0700), 0);
}

static void a_reader_writes_nothing(void **state)
{
	struct fixture *f = *state;

	make_database(f);
	shut(f);
	assert_ok(open_as(f, f->path, DEMON_DB_READER, false), &f->err);
	assert_rc(demon_db_script(f->db, "INSERT INTO t (id) VALUES (1)", &f->err), DEMON_READONLY,
		  &f->err);
	assert_rows(f, 0);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

static void the_wal_stays_when_the_last_connection_closes(void **state)
{
	struct fixture *f = *state;
	off_t before;

	make_database(f);
	assert_ok(write_row(f, 1, "x"), &f->err);
	before = size_of(f->path);
	shut(f);
	assert_true(size_of(test_path(f->dir, "demon.db-wal")) > 0);
	assert_int_equal(size_of(f->path), before);
	assert_ok(open_as(f, f->path, DEMON_DB_READER, false), &f->err);
	assert_rows(f, 1);
	shut(f);
	assert_true(size_of(test_path(f->dir, "demon.db-wal")) > 0);
}

static void a_checkpoint_empties_the_wal(void **state)
{
	struct fixture *f = *state;

	make_database(f);
	assert_ok(write_row(f, 1, "x"), &f->err);
	assert_ok(demon_db_checkpoint(f->db, &f->err), &f->err);
	assert_int_equal(size_of(test_path(f->dir, "demon.db-wal")), 0);
	assert_rows(f, 1);
}

static void a_checkpoint_that_a_reader_holds_up_is_no_failure(void **state)
{
	struct fixture *f = *state;
	struct demon_db *reader = NULL;
	struct demon_txn tx = {0};
	int64_t n = -1;

	make_database(f);
	assert_ok(write_row(f, 1, "x"), &f->err);
	assert_ok(demon_db_open(f->path, DEMON_DB_READER, false, &reader, &f->err), &f->err);
	assert_ok(demon_txn_read(&tx, reader, &f->err), &f->err);
	assert_ok(write_row(f, 2, "x"), &f->err);
	assert_ok(demon_db_checkpoint(f->db, &f->err), &f->err);
	assert_true(size_of(test_path(f->dir, "demon.db-wal")) > 0);
	assert_ok(count_rows(reader, &n, &f->err), &f->err);
	assert_int_equal(n, 1);
	demon_txn_done(&tx);
	demon_db_close(reader);
	assert_ok(demon_db_checkpoint(f->db, &f->err), &f->err);
	assert_int_equal(size_of(test_path(f->dir, "demon.db-wal")), 0);
	assert_rows(f, 2);
}

static int read_as_a_stranger_would(void *arg)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(arg, &db) ||
	    sqlite3_exec(db, "SELECT count(*) FROM t", NULL, NULL, NULL) || sqlite3_close(db))
		return 1;
	return 0;
}

static void opening_and_closing_again_keeps_the_locks_of_the_first(void **state)
{
	struct fixture *f = *state;
	struct demon_db *second = NULL;
	struct stat before;
	struct stat after;

	make_database(f);
	assert_ok(write_row(f, 1, "x"), &f->err);
	assert_int_equal(stat(test_path(f->dir, "demon.db-wal"), &before), 0);
	for (int role = DEMON_DB_WRITER; role <= DEMON_DB_READER; role++) {
		assert_ok(demon_db_open(f->path, (enum demon_db_role)role, false, &second, &f->err),
			  &f->err);
		demon_db_close(second);
	}
	/* its sqlite3_close would delete the WAL if ours had lost their locks */
	assert_int_equal(test_fork(read_as_a_stranger_would, f->path), 0);
	assert_int_equal(stat(test_path(f->dir, "demon.db-wal"), &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_ok(write_row(f, 2, "x"), &f->err);
	shut(f);
	assert_ok(open_as(f, f->path, DEMON_DB_READER, false), &f->err);
	assert_rows(f, 2);
}

static void the_data_version_tells_of_other_connections(void **state)
{
	struct fixture *f = *state;
	struct demon_db *reader = NULL;
	int64_t first = 0;
	int64_t second = 0;
	int64_t third = 0;

	make_database(f);
	assert_ok(demon_db_open(f->path, DEMON_DB_READER, false, &reader, &f->err), &f->err);
	assert_ok(demon_db_data_version(reader, &first, &f->err), &f->err);
	assert_ok(demon_db_data_version(reader, &second, &f->err), &f->err);
	assert_ok(write_row(f, 1, "x"), &f->err);
	assert_ok(demon_db_data_version(reader, &third, &f->err), &f->err);
	demon_db_close(reader);
	assert_int_equal(first, second);
	assert_int_not_equal(second, third);
}

static void foreign_codes_become_ours(void **state)
{
	static const struct {
		const char *sql;
		enum demon_rc rc;
		const char *text;
	} cases[] = {
	    {"INSERT INTO t (id, u) VALUES (2, 'a')", DEMON_CONFLICT, "UNIQUE"},
	    {"INSERT INTO t (id) VALUES (1)", DEMON_CONFLICT, "UNIQUE"},
	    {"INSERT INTO t (id) VALUES (9000000)", DEMON_INVALID, "CHECK"},
	    {"INSERT INTO t (id, u) VALUES (3, x'00')", DEMON_INVALID, "cannot store"},
	    {"INSERT INTO c (t) VALUES (77)", DEMON_INVALID, "FOREIGN KEY"},
	    {"UPDATE c SET t = 1", DEMON_INVALID, "append-only"},
	    {"INSERT OR REPLACE INTO c (id, t) VALUES (1, NULL)", DEMON_INVALID, "append-only"},
	    {"SELECT zeroblob(2000000000)", DEMON_TOOBIG, "too big"},
	    {"SELECT absent", DEMON_INTERNAL, "no such column"},
	};
	struct fixture *f = *state;

	make_database(f);
	assert_ok(
	    demon_db_script(f->db,
			    "CREATE TABLE c (id INTEGER PRIMARY KEY, t REFERENCES t);"
			    "CREATE TRIGGER c_update BEFORE UPDATE ON c BEGIN"
			    " SELECT raise(ABORT, 'append-only'); END;"
			    "CREATE TRIGGER c_delete BEFORE DELETE ON c BEGIN"
			    " SELECT raise(ABORT, 'append-only'); END;"
			    "INSERT INTO t (id, u) VALUES (1, 'a'); INSERT INTO c VALUES (1, 1)",
			    &f->err),
	    &f->err);
	for (size_t i = 0; i < demon_count(cases); i++) {
		assert_rc(demon_db_script(f->db, cases[i].sql, &f->err), cases[i].rc, &f->err);
		assert_contains(f->err.msg, cases[i].text);
		assert_contains(f->err.msg, f->path);
		assert_int_not_equal(f->err.sys, 0);
	}
	assert_rows(f, 1);
}

static void lost_memory_at_any_allocation_is_an_error(void **state)
{
	struct fixture *f = *state;
	bool done = false;

	make_database(f);
	shut(f);
	for (unsigned n = 1; !done; n++) {
		enum demon_rc rc;
		int64_t rows;

		demon_fault_arm(DEMON_FAULT_ALLOC, n, false);
		rc = open_as(f, f->path, DEMON_DB_READER, false);
		if (rc == DEMON_OK)
			rc = count_rows(f->db, &rows, &f->err);
		done = demon_fault_disarm() == 0;
		assert_int_equal(rc, done ? DEMON_OK : DEMON_NOMEM);
		if (f->db)
			assert_rows(f, 0);
	}
}

static void versions_with_the_wal_reset_defect_are_known(void **state)
{
	(void)state;
	assert_string_equal(demon_db_library_version(), sqlite3_libversion());
	assert_int_equal(demon_db_library_number(), sqlite3_libversion_number());
	assert_false(demon_db_library_has_wal_reset_defect(3006023));
	assert_true(demon_db_library_has_wal_reset_defect(3007000));
	assert_true(demon_db_library_has_wal_reset_defect(3040001));
	assert_true(demon_db_library_has_wal_reset_defect(3051002));
	assert_false(demon_db_library_has_wal_reset_defect(3051003));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_connection_is_set_up_the_same_way),
	    TEST(a_missing_file_is_made_only_when_asked),
	    TEST(a_path_that_cannot_be_a_database_is_named),
	    TEST(special_names_are_plain_files),
	    TEST(a_file_that_is_not_ours_is_refused_and_not_touched),
	    TEST(the_journal_of_a_stranger_is_not_played_back),
	    TEST(an_empty_file_is_a_new_database),
	    TEST(a_truncated_file_is_damage),
	    TEST(a_flipped_byte_never_crashes),
	    TEST(the_integrity_check_names_what_it_found),
	    TEST(what_may_not_be_written_is_read_only_to_a_writer),
	    TEST(a_reader_needs_no_right_to_write),
	    TEST(a_reader_writes_nothing),
	    TEST(the_wal_stays_when_the_last_connection_closes),
	    TEST(a_checkpoint_empties_the_wal),
	    TEST(a_checkpoint_that_a_reader_holds_up_is_no_failure),
	    TEST(opening_and_closing_again_keeps_the_locks_of_the_first),
	    TEST(the_data_version_tells_of_other_connections),
	    TEST(foreign_codes_become_ours),
	    TEST(lost_memory_at_any_allocation_is_an_error),
	    TEST(versions_with_the_wal_reset_defect_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
