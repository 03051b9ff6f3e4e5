#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static int set_up_lock(void **state)
{
	struct fixture *f;

	if (set_up(state))
		return -1;
	f = *state;
	return (int)demon_lock_open(f->path, &f->lock, &f->err);
}

static void the_lock_file_is_private_and_stays(void **state)
{
	struct fixture *f = *state;
	char *path = strdup(test_path(f->dir, "demon.db.lock"));
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_ok(demon_lock_write(f->lock, 0, &f->err), &f->err);
	assert_ok(demon_lock_alive(f->lock, 5, &f->err), &f->err);
	demon_lock_write_release(f->lock);
	shut(f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1);
	free(path);
}

static void a_second_handle_is_kept_out_until_release(void **state)
{
	struct fixture *f = *state;
	struct demon_lock *other = NULL;

	assert_ok(demon_lock_open(f->path, &other, &f->err), &f->err);
	assert_false(demon_lock_write_held(f->lock));
	assert_ok(demon_lock_write(f->lock, 0, &f->err), &f->err);
	assert_true(demon_lock_write_held(f->lock));
	assert_rc(demon_lock_write(other, 0, &f->err), DEMON_BUSY, &f->err);
	assert_contains(f->err.msg, "demon.db.lock");
	assert_false(demon_lock_write_held(other));
	assert_rc(demon_lock_write(other, 3, &f->err), DEMON_BUSY, &f->err);
	demon_lock_write_release(f->lock);
	assert_ok(demon_lock_write(other, 0, &f->err), &f->err);
	assert_rc(demon_lock_write(f->lock, 0, &f->err), DEMON_BUSY, &f->err);
	demon_lock_close(other);
	assert_ok(demon_lock_write(f->lock, 0, &f->err), &f->err);
}

static void closing_another_descriptor_of_the_file_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct demon_lock *other = NULL;

	assert_ok(demon_lock_write(f->lock, 0, &f->err), &f->err);
	free(test_read(test_path(f->dir, "demon.db.lock"), NULL));
	assert_ok(demon_lock_open(f->path, &other, &f->err), &f->err);
	demon_lock_close(other);
	other = NULL;
	assert_ok(demon_lock_open(f->path, &other, &f->err), &f->err);
	assert_rc(demon_lock_write(other, 0, &f->err), DEMON_BUSY, &f->err);
	demon_lock_close(other);
}

static int hold_until_killed(void *arg)
{
	struct fixture *f = arg;
	struct demon_lock *lock = NULL;

	if (demon_lock_open(f->path, &lock, &f->err) || demon_lock_write(lock, 0, &f->err) ||
	    demon_lock_alive(lock, 7, &f->err))
		return 1;
	__atomic_store_n(&f->report->numbers[0], 1, __ATOMIC_RELEASE);
	for (;;)
		(void)pause();
}

static pid_t start_holder(struct fixture *f)
{
	pid_t child = test_fork_start(hold_until_killed, f);

	while (!__atomic_load_n(&f->report->numbers[0], __ATOMIC_ACQUIRE))
		(void)sched_yield();
	return child;
}

static void the_holder_is_named_after_waiting(void **state)
{
	struct fixture *f = *state;
	pid_t child = start_holder(f);
	char text[64];

	(void)snprintf(text, sizeof(text), "is held by process %d", (int)child);
	assert_rc(demon_lock_write(f->lock, 1, &f->err), DEMON_BUSY, &f->err);
	(void)kill(child, SIGKILL);
	assert_true(WIFSIGNALED(test_fork_wait(child)));
	assert_contains(f->err.msg, text);
}

static void death_of_the_holder_frees_everything(void **state)
{
	struct fixture *f = *state;
	pid_t child = start_holder(f);
	enum demon_rc write = demon_lock_write(f->lock, 0, &f->err);
	enum demon_rc alive = demon_lock_alive(f->lock, 7, &f->err);

	(void)kill(child, SIGKILL);
	assert_true(WIFSIGNALED(test_fork_wait(child)));
	assert_int_equal(write, DEMON_BUSY);
	assert_int_equal(alive, DEMON_BUSY);
	assert_ok(demon_lock_write(f->lock, 0, &f->err), &f->err);
	assert_ok(demon_lock_alive(f->lock, 7, &f->err), &f->err);
}

static void liveness_locks_are_one_a_number(void **state)
{
	static const int64_t numbers[] = {0, 1, 4096, (int64_t)1 << 33, INT64_MAX / 2};
	struct fixture *f = *state;
	struct demon_lock *other = NULL;

	assert_ok(demon_lock_open(f->path, &other, &f->err), &f->err);
	assert_ok(demon_lock_write(other, 0, &f->err), &f->err);
	for (size_t i = 0; i < demon_count(numbers); i++) {
		int64_t n = numbers[i];

		assert_false(demon_lock_alive_elsewhere(f->lock, n));
		assert_ok(demon_lock_alive(f->lock, n, &f->err), &f->err);
		assert_ok(demon_lock_alive(f->lock, n, &f->err), &f->err);
		assert_false(demon_lock_alive_elsewhere(f->lock, n));
		assert_true(demon_lock_alive_elsewhere(other, n));
		assert_false(demon_lock_alive_elsewhere(other, n + 1));
		assert_rc(demon_lock_alive(other, n, &f->err), DEMON_BUSY, &f->err);
		demon_lock_alive_release(f->lock, n);
		assert_false(demon_lock_alive_elsewhere(other, n));
		assert_ok(demon_lock_alive(other, n, &f->err), &f->err);
		assert_true(demon_lock_alive_elsewhere(f->lock, n));
	}
	demon_lock_close(other);
	assert_false(demon_lock_alive_elsewhere(f->lock, 0));
}

static void all_names_of_a_database_lead_to_one_lock(void **state)
{
	struct fixture *f = *state;
	struct demon_lock *other = NULL;
	char *folder = strdup(test_path(f->dir, "folder"));

	test_write(f->path, "", 0);
	assert_int_equal(symlink(f->path, test_path(f->dir, "link.db")), 0);
	assert_int_equal(symlink(f->dir, folder), 0);
	assert_ok(demon_lock_write(f->lock, 0, &f->err), &f->err);
	assert_ok(demon_lock_open(test_path(f->dir, "link.db"), &other, &f->err), &f->err);
	assert_rc(demon_lock_write(other, 0, &f->err), DEMON_BUSY, &f->err);
	demon_lock_close(other);
	/* also while there is no database yet */
	assert_int_equal(unlink(f->path), 0);
	assert_ok(demon_lock_open(test_path(folder, "demon.db"), &other, &f->err), &f->err);
	free(folder);
	assert_rc(demon_lock_write(other, 0, &f->err), DEMON_BUSY, &f->err);
	demon_lock_close(other);
	assert_int_equal(access(test_path(f->dir, "link.db.lock"), F_OK), -1);
}

static int open_as_nobody(void *arg)
{
	struct fixture *f = arg;
	struct demon_lock *lock = NULL;

	if (getuid() == 0 && setresuid(65534, 65534, 65534))
		return 1;
	f->report->rc = demon_lock_open(f->path, &lock, &f->report->err);
	demon_lock_close(lock);
	return 0;
}

static void a_lock_file_that_cannot_be_opened_says_why(void **state)
{
	struct fixture *f = *state;
	struct demon_lock *other = NULL;

	assert_rc(demon_lock_open(test_path(f->dir, "no/demon.db"), &other, &f->err),
		  DEMON_NOTFOUND, &f->err);
	assert_contains(f->err.msg, "no/demon.db");
	assert_rc(demon_lock_open(test_path(f->dir, "demon.db.lock/x"), &other, &f->err),
		  DEMON_NOTFOUND, &f->err);
	shut(f);
	assert_int_equal(unlink(test_path(f->dir, "demon.db.lock")), 0);
	assert_int_equal(mkdir(test_path(f->dir, "demon.db.lock"), 0700), 0);
	assert_rc(demon_lock_open(f->path, &other, &f->err), DEMON_IO, &f->err);
	assert_contains(f->err.msg, "Is a directory");
	assert_int_equal(rmdir(test_path(f->dir, "demon.db.lock")), 0);
	assert_int_equal(symlink("elsewhere", test_path(f->dir, "demon.db.lock")), 0);
	assert_rc(demon_lock_open(f->path, &other, &f->err), DEMON_IO, &f->err);
	assert_int_equal(unlink(test_path(f->dir, "demon.db.lock")), 0);
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(test_fork(open_as_nobody, f), 0);
	assert_int_equal(f->report->rc, DEMON_READONLY);
	assert_contains(f->report->err.msg, "Permission denied");
	assert_int_equal(chmod(f->dir, 0700), 0);
}

static void the_lock_is_not_inherited_by_other_programs(void **state)
{
	struct fixture *f = *state;
	bool found = false;

	assert_non_null(f->lock);
	for (int fd = 3; fd < 64; fd++) {
		struct stat st;
		struct stat lock;

		assert_int_equal(stat(test_path(f->dir, "demon.db.lock"), &lock), 0);
		if (fstat(fd, &st) == 0 && st.st_ino == lock.st_ino) {
			found = true;
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		}
	}
	assert_true(found);
}

static void a_touch_wakes_whoever_watches_the_file(void **state)
{
	struct fixture *f = *state;
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char event[4096];

	assert_true(watch >= 0);
	assert_true(inotify_add_watch(watch, test_path(f->dir, "demon.db.lock"), IN_ACCESS) >= 0);
	assert_int_equal(read(watch, event, sizeof(event)), -1);
	demon_lock_touch(f->lock);
	assert_true(read(watch, event, sizeof(event)) > 0);
	assert_int_equal(close(watch), 0);
}

static void a_refusal_after_taking_gives_the_lock_back(void **state)
{
	struct fixture *f = *state;
	struct demon_lock *other = NULL;

	assert_ok(demon_lock_open(f->path, &other, &f->err), &f->err);
	demon_fault_arm(DEMON_FAULT_LOCK_TAKEN, 1, false);
	assert_rc(demon_lock_write(f->lock, 0, &f->err), DEMON_IO, &f->err);
	assert_int_equal(demon_fault_disarm(), 1);
	assert_false(demon_lock_write_held(f->lock));
	assert_ok(demon_lock_write(other, 0, &f->err), &f->err);
	demon_lock_close(other);
}

/* Fairness: what counts is the turns taken while somebody else stood in the queue. */
#define TURNS 300

struct player {
	struct fixture *f;
	int number;
	int players;
	int64_t work; /* how long a turn lasts, in rounds of the generator */
};

static bool somebody_waits(int fd)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

static int64_t contested_turns(const struct player *p)
{
	int64_t sum = 0;

	for (int i = 0; i < p->players; i++)
		sum += __atomic_load_n(&p->f->report->numbers[i], __ATOMIC_RELAXED);
	return sum;
}

static int play(void *arg)
{
	const struct player *p = arg;
	struct demon_lock *lock = NULL;
	struct demon_err err;
	uint64_t random = (uint64_t)p->number;
	char path[4300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s.lock", p->f->path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || demon_lock_open(p->f->path, &lock, &err))
		return 1;
	while (contested_turns(p) < TURNS) {
		if (demon_lock_write(lock, 60000, &err))
			return 2;
		for (int64_t i = 0; i < p->work; i++)
			(void)test_random(&random);
		if (somebody_waits(fd))
			__atomic_add_fetch(&p->f->report->numbers[p->number], 1, __ATOMIC_RELAXED);
		demon_lock_write_release(lock);
	}
	demon_lock_close(lock);
	(void)close(fd);
	return 0;
}

static void play_together(struct fixture *f, int players, int64_t work)
{
	struct player p[4];
	pid_t children[4];

	for (int i = 0; i < players; i++) {
		f->report->numbers[i] = 0;
		p[i] = (struct player){f, i, players, work};
	}
	for (int i = 0; i < players; i++)
		children[i] = test_fork_start(play, &p[i]);
	for (int i = 0; i < players; i++)
		assert_int_equal(test_fork_wait(children[i]), 0);
	for (int i = 0; i < players; i++)
		if (f->report->numbers[i] * 10 * players < (int64_t)TURNS * 4)
			fail_msg("process %d of %d had %lld of %d turns", i, players,
				 (long long)f->report->numbers[i], TURNS);
}

static void a_busy_process_does_not_starve_another(void **state)
{
	play_together(*state, 2, 100000);
	play_together(*state, 2, 1000);
}

static void each_of_four_gets_its_turn(void **state)
{
	play_together(*state, 4, 30000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_lock, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_lock_file_is_private_and_stays),
	    TEST(a_second_handle_is_kept_out_until_release),
	    TEST(closing_another_descriptor_of_the_file_loses_nothing),
	    TEST(the_holder_is_named_after_waiting),
	    TEST(death_of_the_holder_frees_everything),
	    TEST(liveness_locks_are_one_a_number),
	    TEST(all_names_of_a_database_lead_to_one_lock),
	    TEST(a_lock_file_that_cannot_be_opened_says_why),
	    TEST(the_lock_is_not_inherited_by_other_programs),
	    TEST(a_touch_wakes_whoever_watches_the_file),
	    TEST(a_refusal_after_taking_gives_the_lock_back),
	    TEST(a_busy_process_does_not_starve_another),
	    TEST(each_of_four_gets_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
