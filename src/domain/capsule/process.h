/*
 * A child process: started from an argument vector, watched, its output kept, and ended in time.
 *
 * The child is the leader of a session and so of a process group of its own, has no terminal, all
 * signals at their defaults, the umask and user of this process and no descriptors but 0 to 2. It
 * is killed when the thread that started it dies. Safe in a process with threads: between fork
 * and exec only async-signal-safe calls are made.
 *
 * When the time is up the group gets SIGTERM, five seconds later SIGKILL. Output is read until
 * both pipes are closed, but at most one second longer than the child lives; a descendant that
 * still holds them is then killed with the group, or, where it has left the group, left alone.
 */
#ifndef DEMON_PROCESS_H
#define DEMON_PROCESS_H

#include "base/base.h"

#include <demon/env.h>

#define DEMON_PROCESS_KEEP      ((size_t)64 * 1024) /* bytes of each output that are kept */
#define DEMON_PROCESS_GRACE_MS  5000                /* between SIGTERM and SIGKILL */
#define DEMON_PROCESS_LINGER_MS 1000                /* for open pipes after the child's end */
#define DEMON_PROCESS_ENTER     "enter the folder"  /* a stage: workdir is at fault */

/** What to start. Everything is borrowed. */
struct demon_process_plan {
	const char *program; /* a path; relative ones are looked up in workdir */
	char *const *argv;   /* ends with NULL */
	char *const *envp;   /* ends with NULL */
	const char *workdir; /* NULL: that of this process */
	const char *input;   /* its standard input; NULL: /dev/null */
	size_t input_len;
	int64_t timeout_ms; /* above 0 */
};

enum demon_process_end {
	DEMON_PROCESS_EXITED,      /* code: exit status */
	DEMON_PROCESS_SIGNALED,    /* code: number of the signal */
	DEMON_PROCESS_TIMED_OUT,   /* code: 0 */
	DEMON_PROCESS_NOT_STARTED, /* code: errno, stage: what could not be done */
};

/** One output. The first DEMON_PROCESS_KEEP bytes are kept. */
struct demon_process_output {
	char *bytes; /* owned */
	size_t len;
	uint64_t total; /* bytes that were written */
};

struct demon_process_result {
	enum demon_process_end end;
	int code;
	const char *stage; /* static storage */
	bool held;         /* a descendant held an output after the child's end */
	struct demon_process_output out;
	struct demon_process_output err;
};

/** Runs a child to its end. @p result is zeroed by the caller, and freed with _done also after a
 * failure. DEMON_NOMEM; DEMON_IO when the child's status was taken by someone else. */
enum demon_rc demon_process_run(const struct demon_env *env, const struct demon_process_plan *plan,
				struct demon_process_result *result, struct demon_err *err)
    demon_must_check;
void demon_process_done(struct demon_process_result *result);

#endif
