#include "test.h"

#include "fork.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t test_fork_start(int (*fn)(void *), void *arg)
{
	pid_t child;

	(void)fflush(NULL);
	child = fork();
	if (child < 0)
		fail_msg("cannot fork: error %d", errno);
	if (child == 0)
		_exit(fn(arg));
	return child;
}

int test_fork_wait(pid_t child)
{
	int status = 0;
	pid_t got;

	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != child)
		fail_msg("cannot wait for a child: error %d", errno);
	return status;
}

int test_fork(int (*fn)(void *), void *arg)
{
	return test_fork_wait(test_fork_start(fn, arg));
}
