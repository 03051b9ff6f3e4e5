/*
 * Child processes of a test: for what one process cannot show (locks, kill -9, two at once).
 *
 * The child runs a function and leaves by _exit with what it returned. It must not assert (that
 * would go on with the parent's tests in the child): it returns non-zero, and says why on stderr.
 * Fork before threads are started.
 */
#ifndef DEMON_TEST_FORK_H
#define DEMON_TEST_FORK_H

#include <sys/types.h>

/** Runs @p fn(@p arg) in a child and waits for it. Returns the wait status (WIFEXITED, ...). */
int test_fork(int (*fn)(void *), void *arg);

/** The two halves of it. */
pid_t test_fork_start(int (*fn)(void *), void *arg);
int test_fork_wait(pid_t child);

#endif
