/*
 * The start of a child process; see process.h.
 */
#ifndef DEMON_PROCESS_START_H
#define DEMON_PROCESS_START_H

#include "process.h"

#include <sys/types.h>

enum { DEMON_PIPE_OUT, DEMON_PIPE_ERR, DEMON_PIPE_STATUS, DEMON_PIPES };

/** What a child says when it could not become the program; one of them, then the end of the pipe.
 */
struct demon_process_failure {
	int stage;
	int sys;
};

/** A child that was started. */
struct demon_process_child {
	pid_t pid;
	int fds[DEMON_PIPES]; /* our ends, which do not block; owned */
};

/** errno, or 0 and *ret_child. */
int demon_process_start(const struct demon_process_plan *plan,
			struct demon_process_child *ret_child);

/** The words of a stage, in static storage; 0: the first. */
const char *demon_process_stage(int stage);

/** Closes a descriptor and forgets it; -1: there is none. */
void demon_process_close(int *fd);

#endif
