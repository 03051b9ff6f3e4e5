/*
 * A child process: started from an argument vector, watched, its output kept, and ended in time.
 *
 * The child is the leader of a session and so of a process group of its own, has no terminal, all
 * signals at their defaults, the umask and user of this process and no descriptors but 0 to 2. It
 * is killed when the thread that started it dies. Safe in a process with threads: between fork
 * and exec only async-signal-safe calls are made.
 *
 * When it is to be ended the group gets SIGTERM. Five seconds later, or as soon as the child has
 * ended and both outputs are closed, everything that comes of it (kin.h) gets SIGKILL.
 *
 * When it ends by itself, its output is read until both pipes are closed, but at most one second
 * longer; a descendant that still holds them is then killed with everything that comes of the
 * child. Otherwise what is left of its group and session is killed.
 */
#ifndef DEMON_PROCESS_H
#define DEMON_PROCESS_H

#include "base/base.h"

#include <demon/env.h>
#include <sys/resource.h>

#define DEMON_PROCESS_GRACE_MS  5000               /* between SIGTERM and SIGKILL */
#define DEMON_PROCESS_LINGER_MS 1000               /* for open pipes after the child's end */
#define DEMON_PROCESS_ENTER     "enter the folder" /* a stage: workdir is at fault */

/** A limit of the child and of each of its descendants, at most that of this process. */
struct demon_process_limit {
	__rlimit_resource_t resource;
	rlim_t value;
};

/** What to start. Everything is borrowed. */
struct demon_process_plan {
	const char *program; /* a path; relative ones are looked up in workdir */
	char *const *argv;   /* ends with NULL */
	char *const *envp;   /* ends with NULL */
	const char *workdir; /* NULL: that of this process */
	const char *input;   /* its standard input; NULL: /dev/null */
	size_t input_len;
	const struct demon_process_limit *limits;
	size_t limit_count;
	/* from here on not for _detach */
	size_t keep;      /* bytes of each output that are kept; above 0 */
	const char *mark; /* a variable in envp, "NAME=VALUE", that no other program has (kin.h) */
	int64_t timeout_ms; /* above 0 */
	/* The caller's own limit, told apart from timeout_ms when it comes first; 0: none. */
	int64_t limit_ms;
	/* as in struct demon_call */
	void (*output)(void *ctx, const char *stream, const char *bytes, size_t len);
	bool (*canceled)(void *ctx);
	void *ctx;
};

enum demon_process_end {
	DEMON_PROCESS_EXITED,      /* code: exit status */
	DEMON_PROCESS_SIGNALED,    /* code: number of the signal */
	DEMON_PROCESS_TIMED_OUT,   /* code: 0 */
	DEMON_PROCESS_LIMITED,     /* code: 0; limit_ms was up */
	DEMON_PROCESS_CANCELED,    /* code: 0 */
	DEMON_PROCESS_NOT_STARTED, /* code: errno, stage: what could not be done */
};

/** One output. The first plan->keep bytes are kept. */
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
	unsigned left;     /* descendants that had to be killed */
	struct demon_process_output out;
	struct demon_process_output err;
};

/** Runs a child to its end. @p result is zeroed by the caller, and freed with _done also after a
 * failure. DEMON_NOMEM; DEMON_IO when the child's status was taken by someone else. */
enum demon_rc demon_process_run(const struct demon_env *env, const struct demon_process_plan *plan,
				struct demon_process_result *result, struct demon_err *err)
    demon_must_check;
void demon_process_done(struct demon_process_result *result);

/**
 * Starts a child and leaves it alone: it is nobody's child here, lives on when this process ends,
 * and its output goes to /dev/null. 0 and its number in *ret_pid, or errno and what could not be
 * done (static storage) in *ret_stage.
 */
int demon_process_detach(const struct demon_process_plan *plan, pid_t *ret_pid,
			 const char **ret_stage);

#endif
