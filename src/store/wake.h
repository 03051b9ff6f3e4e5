/*
 * Learning that somebody has committed, in this process or another.
 *
 * Every commit reads a byte of the lock file beside the database; a waiter watches that file with
 * inotify.
 * Where no watch can be had, and behind each watch, a waiter looks again every second.
 */
#ifndef DEMON_WAKE_H
#define DEMON_WAKE_H

#include "base/base.h"

struct demon_wake {
	int watch;     /* inotify descriptor, or -1 */
	bool watching; /* demon_wake_watch was called */
	int cancel;    /* eventfd that ends all waiting, or -1 */
};

/** Makes a waiter that can be canceled. It does not watch yet. */
enum demon_rc demon_wake_open(struct demon_wake *ret_wake, struct demon_err *err) demon_must_check;

/**
 * Starts watching for commits to database @p db_path, once. Whoever waits looks for news between
 * this and the first wait. Left until somebody waits, because ending a watch takes the kernel
 * milliseconds.
 */
enum demon_rc demon_wake_watch(struct demon_wake *wake, const char *db_path, struct demon_err *err)
    demon_must_check;
void demon_wake_close(struct demon_wake *wake);

/**
 * Waits until a commit since the last call, a cancel, or @p ms (at most 1 000 at a time).
 * DEMON_OK: look again. DEMON_CANCELED: for ever.
 */
enum demon_rc demon_wake_wait(struct demon_wake *wake, int64_t ms, struct demon_err *err)
    demon_must_check;

/** Ends the waiting of another thread, now and for ever. */
void demon_wake_cancel(struct demon_wake *wake);

#endif
