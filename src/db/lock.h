/*
 * The advisory lock file beside a database, FILE.lock.
 *
 * Every write transaction, with the checkpoint that may follow it, happens under its write lock:
 * before SQLite 3.51.3 two connections that write and checkpoint at once can corrupt a WAL, and
 * without it one of two busy processes starves. Locks are of the open file description (OFD),
 * never of the process: those are lost when any descriptor of the file is closed.
 *
 * Byte 0 is the write lock; byte 1 is held shared by whoever waits for it, so that a busy writer
 * can see them and stand back; bytes from 2^32 on are liveness locks: byte 2^32 + n is held by
 * whoever executes the thing with local number n (a run). The file holds one byte and is never
 * removed. A lock handle may be shared by threads for liveness locks; the write lock is taken by
 * one thread at a time (the store's leader).
 *
 * The links in the path of the database are followed, so that all its names lead to one lock, as
 * they lead SQLite to one WAL; a second hard link does not, and must not be used.
 */
#ifndef DEMON_LOCK_H
#define DEMON_LOCK_H

#include "base/base.h"

#include <demon/env.h>

struct demon_lock;

/**
 * Opens, and makes if missing (0600 less the umask), the lock file of database @p db_path. Fails:
 * DEMON_NOTFOUND no such folder; DEMON_READONLY the folder or the lock file cannot be written;
 * DEMON_FULL, DEMON_IO, DEMON_NOMEM.
 */
enum demon_rc demon_lock_open(const char *db_path, struct demon_lock **ret_lock,
			      struct demon_err *err) demon_must_check;

/** Closes, which releases everything held. NULL is allowed. */
void demon_lock_close(struct demon_lock *lock);
void demon_lock_close_p(struct demon_lock **lock);

/**
 * Takes the write lock; waits at most @p timeout_ms (0: does not wait). A waiter is served though
 * the holder asks again at once. DEMON_BUSY: still held by another, with its process id if known
 * (looked for only after waiting).
 */
enum demon_rc demon_lock_write(struct demon_lock *lock, int64_t timeout_ms, struct demon_err *err)
    demon_must_check;
void demon_lock_write_release(struct demon_lock *lock);

/**
 * Wakes whoever watches the lock file with inotify (IN_ACCESS): something was committed. It reads
 * the file's byte: changing the file or its times would add a block of the journal to every fsync.
 */
void demon_lock_touch(struct demon_lock *lock);
bool demon_lock_write_held(const struct demon_lock *lock);

/** Takes the liveness lock @p n without waiting; DEMON_BUSY when another process holds it. Within
 * one handle the caller keeps account: taking a lock twice succeeds. */
enum demon_rc demon_lock_alive(struct demon_lock *lock, int64_t n, struct demon_err *err)
    demon_must_check;
void demon_lock_alive_release(struct demon_lock *lock, int64_t n);

/** True when somebody with another handle holds liveness lock @p n. */
bool demon_lock_alive_elsewhere(struct demon_lock *lock, int64_t n);

#endif
