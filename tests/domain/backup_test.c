/*
 * examples/rituals/verify-backup.yaml, step by step, against backups that make-backup.sh made.
 */
#include "support/test.h"

#include "domain/capsule/capsule.h"
#include "domain/ritual/definition.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RITUALS DEMON_SOURCE_DIR "/examples/rituals"

struct fixture {
	char *dir;
	const char *backup; /* a name that a careless script would trip over */
	struct demon_definition *definition;
	json_t *input;
	json_t *envelope;
	struct demon_err err;
};

/* Runs a program of the machine; fails the test when it fails. */
static void shell(const struct fixture *f, const char *script)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(f->dir) == 0)
			(void)execl("/bin/sh", "sh", "-euc", script, "sh", RITUALS, f->backup,
				    (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("status %d: %s", status, script);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = test_dir();
	f->backup = test_path(f->dir, "it's 100% of #1.db");
	*state = f;
	shell(f, "sqlite3 live.db \"PRAGMA journal_mode = wal; CREATE TABLE a(x);"
		 "INSERT INTO a VALUES (1), (2), (3); CREATE TABLE \\\"b's\\\\c\\\"(y);\" >out\n"
		 "\"$1/make-backup.sh\" live.db \"$2\"");
	assert_ok(demon_definition_load_file(RITUALS "/verify-backup.yaml", &f->definition, NULL,
					     &f->err),
		  &f->err);
	f->input = json_pack("{s:s}", "backup", f->backup);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	demon_definition_free(f->definition);
	json_decref(f->input);
	json_decref(f->envelope);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

/* Runs the steps in order: the name of the one that fails, or NULL. */
static const char *run(struct fixture *f)
{
	size_t i = 0;

	while (i != DEMON_NEXT_END) {
		const struct demon_task *task = &f->definition->root.tasks[i];
		const struct demon_call call = {.env = demon_env_real(),
						.with = task->with.json,
						.input = f->input,
						.tenant_id = "default",
						.ritual_id = f->definition->ritual_id,
						.run_id = "r",
						.step_name = task->name,
						.idempotency_key = "00",
						.attempt = 1};

		json_decref(f->envelope);
		f->envelope = NULL;
		assert_ok(task->capsule->run(&call, &f->envelope, &f->err), &f->err);
		if (!json_is_true(
			json_object_get(json_object_get(f->envelope, "result"), "success")))
			return task->name;
		i = task->next;
	}
	return NULL;
}

static void assert_fails(struct fixture *f, const char *step, const char *message)
{
	const char *failed = run(f);

	if (!failed || strcmp(failed, step) != 0)
		fail_msg("expected '%s' to fail, got '%s'", step, failed ? failed : "no failure");
	assert_contains(
	    json_string_value(json_object_get(
		json_object_get(json_object_get(f->envelope, "result"), "error"), "message")),
	    message);
}

static void a_sound_backup_passes(void **state)
{
	struct fixture *f = *state;
	const char *failed = run(f);
	char *counts;

	if (failed)
		fail_msg("%s: %s", failed, json_dumps(f->envelope, 0));
	counts = test_read(test_path(f->dir, "it's 100% of #1.db.counts"), NULL);
	assert_string_equal(counts, "a 3\nb's\\c 0\n");
	free(counts);
	/* looking at it has left nothing beside it */
	shell(f, "[ \"$(ls | wc -l)\" -eq 5 ]");
}

static void every_step_may_be_repeated(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->definition->root.count; i++) {
		const struct demon_task *task = &f->definition->root.tasks[i];

		assert_true(task->capsule->idempotent(task->with.json));
	}
}

static void a_changed_byte_fails_the_checksum(void **state)
{
	struct fixture *f = *state;

	shell(f, "printf x | dd of=\"$2\" bs=1 seek=5000 conv=notrunc status=none");
	assert_fails(f, "Compare the checksum", "1 computed checksum did NOT match");
}

static void a_damaged_file_fails_the_integrity_check(void **state)
{
	struct fixture *f = *state;

	shell(f, "head -c 100 /dev/zero | dd of=\"$2\" bs=1 seek=4096 conv=notrunc status=none\n"
		 "sha256sum \"$2\" >\"$2.sha256\"");
	assert_fails(f, "Check the integrity", "malformed");
}

static void a_missing_row_fails_the_counts(void **state)
{
	struct fixture *f = *state;

	shell(f, "sqlite3 \"$2\" 'DELETE FROM a WHERE x = 2'; sha256sum \"$2\" >\"$2.sha256\"");
	assert_fails(f, "Count the rows", "row counts are not those of");
}

static void a_missing_table_fails_the_counts(void **state)
{
	struct fixture *f = *state;

	shell(f, "sqlite3 \"$2\" 'DROP TABLE a'; sha256sum \"$2\" >\"$2.sha256\"");
	assert_fails(f, "Count the rows", "row counts are not those of");
}

static void an_old_backup_is_not_last_nights(void **state)
{
	struct fixture *f = *state;

	shell(f, "touch -d '27 hours ago' \"$2\"");
	assert_fails(f, "Find the backup", "is older than 26 hours");
	assert_int_equal(json_object_set_new(f->input, "max_age", json_integer(28)), 0);
	assert_null(run(f));
}

static void a_backup_that_is_not_there_is_said_to_be_missing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlink(f->backup), 0);
	assert_fails(f, "Find the backup", "does not exist");
	assert_int_equal(json_object_clear(f->input), 0);
	assert_fails(f, "Find the backup", "give it with --param backup=FILE");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_sound_backup_passes),
	    TEST(every_step_may_be_repeated),
	    TEST(a_changed_byte_fails_the_checksum),
	    TEST(a_damaged_file_fails_the_integrity_check),
	    TEST(a_missing_row_fails_the_counts),
	    TEST(a_missing_table_fails_the_counts),
	    TEST(an_old_backup_is_not_last_nights),
	    TEST(a_backup_that_is_not_there_is_said_to_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
