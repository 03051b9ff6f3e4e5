#include "lock.h"

#include "base/buf.h"
#include "base/fault.h"
#include "holder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BYTE_WRITE    0
#define BYTE_WAITER   1
#define BYTE_ALIVE    ((off_t)1 << 32)

#define SLEEP_MIN_NS  50000
#define SLEEP_MAX_NS  2000000
#define STAND_BACK_NS 3000000

struct demon_lock {
	int fd;
	bool held;     /* the write lock is ours */
	bool released; /* we had it once: others may be waiting for us to stand back */
	char path[];
};

static int set_lock(const struct demon_lock *lock, short type, off_t at)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
	int rc;

	do
		rc = fcntl(lock->fd, F_OFD_SETLK, &fl);
	while (rc && errno == EINTR);
	return rc ? errno : 0;
}

static bool is_held_by_other(int sys)
{
	return sys == EAGAIN || sys == EACCES;
}

/* True when another handle has byte @p at in a way that an exclusive lock would have to wait. */
static bool other_has(const struct demon_lock *lock, off_t at)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(lock->fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

static int64_t clock_ns(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts))
		abort();
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void sleep_ns(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	/* waking early by a signal is harmless: the caller looks again */
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/*
 * The folder of the database with its links resolved, then its name, then ".lock": two ways to
 * name one database lead to one lock, as they lead SQLite to one WAL.
 */
static enum demon_rc add_lock_path(struct demon_buf *b, const char *db_path, struct demon_err *err)
{
	demon_auto_free char *real = realpath(db_path, NULL);
	const char *slash = strrchr(db_path, '/');
	int sys = errno;

	if (!real && sys == ENOENT) {
		demon_auto_free char *folder =
		    slash ? demon_strndup(db_path, (size_t)(slash - db_path) + 1) : NULL;

		real = realpath(folder ? folder : ".", NULL);
		sys = errno;
		if (real)
			demon_buf_fmt(b, "%s/%s.lock", real, slash ? slash + 1 : db_path);
	} else if (real) {
		demon_buf_fmt(b, "%s.lock", real);
	}
	if (!real)
		return demon_err_sys(err,
				     sys == ENOENT || sys == ENOTDIR ? DEMON_NOTFOUND : DEMON_IO,
				     sys, "cannot lock '%s'", db_path);
	return demon_buf_rc(b, err);
}

static enum demon_rc open_error(const char *path, int sys, struct demon_err *err)
{
	enum demon_rc rc = DEMON_IO;

	if (sys == ENOENT || sys == ENOTDIR)
		rc = DEMON_NOTFOUND;
	else if (sys == EACCES || sys == EPERM || sys == EROFS)
		rc = DEMON_READONLY;
	else if (sys == ENOSPC || sys == EDQUOT)
		rc = DEMON_FULL;
	return demon_err_sys(err, rc, sys, "cannot open the lock file '%s'", path);
}

enum demon_rc demon_lock_open(const char *db_path, struct demon_lock **ret_lock,
			      struct demon_err *err)
{
	DEMON_BUF(path, PATH_MAX);
	demon_cleanup(demon_lock_close_p) struct demon_lock *lock = NULL;
	enum demon_rc rc;

	if ((rc = add_lock_path(&path, db_path, err)))
		return rc;
	lock = demon_calloc(1, sizeof(*lock) + path.len + 1);
	if (!lock)
		return demon_err_set(err, DEMON_NOMEM, "cannot lock '%s': out of memory", db_path);
	memcpy(lock->path, path.data, path.len + 1);
	lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (lock->fd < 0)
		return open_error(lock->path, errno, err);
	/* the byte that demon_lock_touch reads; writing it again does no harm */
	if (lseek(lock->fd, 0, SEEK_END) == 0 && pwrite(lock->fd, "\n", 1, 0) != 1)
		return open_error(lock->path, errno, err);
	*ret_lock = demon_take(lock);
	return DEMON_OK;
}

void demon_lock_close(struct demon_lock *lock)
{
	if (!lock)
		return;
	if (lock->fd >= 0)
		(void)close(lock->fd);
	free(lock);
}

void demon_lock_close_p(struct demon_lock **lock)
{
	demon_lock_close(*lock);
}

/*
 * A busy writer that asks again at once would win against everyone who sleeps between two looks.
 * So when somebody waits it lets the lock lie until another has taken it, or has had the time to.
 */
static void stand_back(const struct demon_lock *lock)
{
	int64_t until;

	if (!lock->released || !other_has(lock, BYTE_WAITER))
		return;
	until = clock_ns() + STAND_BACK_NS;
	while (!other_has(lock, BYTE_WRITE) && other_has(lock, BYTE_WAITER) && clock_ns() < until)
		sleep_ns(SLEEP_MIN_NS);
}

/* 0, or the errno of the last attempt. The waiter's byte is held while this waits. */
static int wait_for_write(const struct demon_lock *lock, int64_t timeout_ms)
{
	int64_t until = clock_ns() + timeout_ms * 1000000;
	int64_t pause = SLEEP_MIN_NS;
	int sys = set_lock(lock, F_RDLCK, BYTE_WAITER);

	if (sys)
		return sys;
	while (is_held_by_other(sys = set_lock(lock, F_WRLCK, BYTE_WRITE))) {
		int64_t left = until - clock_ns();

		if (left <= 0)
			break;
		sleep_ns(pause < left ? pause : left);
		pause = pause * 2 < SLEEP_MAX_NS ? pause * 2 : SLEEP_MAX_NS;
	}
	(void)set_lock(lock, F_UNLCK, BYTE_WAITER);
	return sys;
}

/* Only after waiting: who just tries wants his answer at once. */
static enum demon_rc busy(const struct demon_lock *lock, bool waited, struct demon_err *err)
{
	int pid = waited ? demon_lock_holder(lock->fd) : 0;

	if (pid)
		return demon_err_set(err, DEMON_BUSY, "the write lock '%s' is held by process %d",
				     lock->path, pid);
	return demon_err_set(err, DEMON_BUSY, "the write lock '%s' is held by another", lock->path);
}

enum demon_rc demon_lock_write(struct demon_lock *lock, int64_t timeout_ms, struct demon_err *err)
{
	int sys;

	assert(!lock->held && timeout_ms >= 0);
	stand_back(lock);
	sys = set_lock(lock, F_WRLCK, BYTE_WRITE);
	if (is_held_by_other(sys) && timeout_ms > 0)
		sys = wait_for_write(lock, timeout_ms);
	if (is_held_by_other(sys))
		return busy(lock, timeout_ms > 0, err);
	if (sys)
		return demon_err_sys(err, DEMON_IO, sys, "cannot take the write lock '%s'",
				     lock->path);
	lock->held = true;
	if (DEMON_FAULT(LOCK_TAKEN)) {
		demon_lock_write_release(lock);
		return demon_err_set(err, DEMON_IO, "the write lock '%s' was refused", lock->path);
	}
	return DEMON_OK;
}

void demon_lock_write_release(struct demon_lock *lock)
{
	assert(lock->held);
	lock->held = false;
	lock->released = true;
	(void)set_lock(lock, F_UNLCK, BYTE_WRITE);
}

void demon_lock_touch(struct demon_lock *lock)
{
	char byte;

	if (pread(lock->fd, &byte, 1, 0) != 1)
		byte = '\n'; /* a watcher that is not woken looks again by itself */
}

bool demon_lock_write_held(const struct demon_lock *lock)
{
	return lock->held;
}

enum demon_rc demon_lock_alive(struct demon_lock *lock, int64_t n, struct demon_err *err)
{
	int sys;

	assert(n >= 0 && n < INT64_MAX - BYTE_ALIVE);
	sys = set_lock(lock, F_WRLCK, BYTE_ALIVE + n);
	if (is_held_by_other(sys))
		return demon_err_set(err, DEMON_BUSY,
				     "liveness lock %lld is held by another process", (long long)n);
	if (sys)
		return demon_err_sys(err, DEMON_IO, sys, "cannot take a liveness lock in '%s'",
				     lock->path);
	return DEMON_OK;
}

void demon_lock_alive_release(struct demon_lock *lock, int64_t n)
{
	(void)set_lock(lock, F_UNLCK, BYTE_ALIVE + n);
}

bool demon_lock_alive_elsewhere(struct demon_lock *lock, int64_t n)
{
	return other_has(lock, BYTE_ALIVE + n);
}
