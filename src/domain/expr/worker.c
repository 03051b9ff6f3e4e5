#include "worker.h"

#include <demon/env.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 15000 /* a machine may be busy; a program that is none fails at once */
#define MANY_FDS 65536 /* closed one by one where the kernel has no close_range */

static demon_ticks mono(void)
{
	const struct demon_env *env = demon_env_real();

	return env->mono(env->ctx);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

/* Moves a descriptor out of the way of 0 to 2, which a child arranges anew. */
static int lift(int fd)
{
	int higher;

	if (fd < 0 || fd > 2)
		return fd;
	higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close_fd(fd);
	return higher;
}

/* In the child: async-signal-safe calls only, from here to exec. */
static void default_signals(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &standard, NULL); /* fails for those that have no handler */
}

static bool arrange(int socket, int null, unsigned fd_limit)
{
	if (dup2(socket, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return false;
	if (close_range(3, ~0U, 0) != 0)
		for (unsigned fd = 3; fd < fd_limit; fd++)
			(void)close((int)fd);
	return true;
}

struct plan {
	int socket;
	int null;
	unsigned fd_limit;
	const char *program;
	char *const *argv;
	char *const *envp;
};

static _Noreturn void become(const struct plan *plan)
{
	struct demon_expr_answer failure = {.magic = DEMON_EXPR_MAGIC,
					    .say = DEMON_EXPR_NOT_STARTED};
	sigset_t none;

	default_signals();
	if (setsid() >= 0 && arrange(plan->socket, plan->null, plan->fd_limit) && chdir("/") == 0) {
		(void)sigemptyset(&none);
		(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
		(void)execve(plan->program, plan->argv, plan->envp);
	}
	failure.sys = errno;
	(void)!write(0, &failure, sizeof(failure));
	_exit(127);
}

/* errno, or 0. Signals wait until the child has its defaults. */
static int fork_child(const struct plan *plan, pid_t *ret_pid)
{
	sigset_t all;
	sigset_t old;
	pid_t pid;
	int sys;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	pid = fork();
	sys = errno;
	if (pid == 0)
		become(plan);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	*ret_pid = pid;
	return pid < 0 ? sys : 0;
}

static int spawn(struct demon_expr_worker *w, const char *program, size_t memory)
{
	char name[] = "demon-expr";
	char zone[] = "TZ=UTC0";
	char bytes[24];
	char *argv[] = {name, bytes, NULL};
	char *envp[] = {zone, NULL};
	struct plan plan = {
	    .null = -1, .fd_limit = MANY_FDS, .program = program, .argv = argv, .envp = envp};
	struct rlimit files;
	int ends[2];
	int sys;

	(void)snprintf(bytes, sizeof(bytes), "%zu", memory);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < MANY_FDS)
		plan.fd_limit = (unsigned)files.rlim_cur;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return errno;
	ends[0] = lift(ends[0]);
	plan.socket = lift(ends[1]);
	plan.null = lift(open("/dev/null", O_RDWR | O_CLOEXEC));
	sys = ends[0] < 0 || plan.socket < 0 || plan.null < 0 ||
		      fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0
		  ? errno
		  : fork_child(&plan, &w->pid);
	close_fd(plan.socket);
	close_fd(plan.null);
	if (sys) {
		close_fd(ends[0]);
		w->pid = 0;
		return sys;
	}
	w->fd = ends[0];
	w->pidfd = pidfd_open(w->pid, 0);
	return 0;
}

/* Ends it; returns the signal that it died of, which is its own when it was dead already, or -1. */
static int reap(struct demon_expr_worker *w)
{
	siginfo_t info = {.si_pid = 0};
	int rc;

	if (w->pidfd < 0 || pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0) != 0)
		(void)kill(w->pid, SIGKILL);
	do
		rc = waitid(P_PID, (id_t)w->pid, &info, WEXITED);
	while (rc != 0 && errno == EINTR);
	close_fd(w->pidfd);
	close_fd(w->fd);
	*w = (struct demon_expr_worker){.pid = 0, .pidfd = -1, .fd = -1};
	return rc == 0 && info.si_code != CLD_EXITED ? info.si_status : -1;
}

void demon_expr_worker_stop(struct demon_expr_worker *w)
{
	if (w->pid)
		(void)reap(w);
}

/* Waits for the socket. False: the time is up. */
static bool wait_for(const struct demon_expr_worker *w, short events, demon_ticks until)
{
	struct pollfd p = {.fd = w->fd, .events = events};

	for (;;) {
		int64_t left = (until - mono() + 999) / 1000;
		int n = poll(&p, 1, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);

		if (n > 0)
			return true;
		if (n == 0 && mono() >= until)
			return false;
	}
}

/* DEMON_OK, DEMON_TIMEOUT, or DEMON_FAILED: the other end is closed. */
static enum demon_rc send_all(const struct demon_expr_worker *w, const void *bytes, size_t len,
			      demon_ticks until)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = send(w->fd, at, len, MSG_NOSIGNAL);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			return DEMON_FAILED;
		} else if (!wait_for(w, POLLOUT, until)) {
			return DEMON_TIMEOUT;
		}
	}
	return DEMON_OK;
}

static enum demon_rc receive_all(const struct demon_expr_worker *w, void *bytes, size_t len,
				 demon_ticks until)
{
	char *at = bytes;

	while (len) {
		ssize_t n = recv(w->fd, at, len, 0);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			return DEMON_FAILED;
		} else if (!wait_for(w, POLLIN, until)) {
			return DEMON_TIMEOUT;
		}
	}
	return DEMON_OK;
}

static enum demon_rc receive(const struct demon_expr_worker *w, struct demon_expr_answer *answer,
			     struct demon_buf *reply, demon_ticks until, struct demon_err *err)
{
	enum demon_rc rc = receive_all(w, answer, sizeof(*answer), until);
	char *to;

	if (rc)
		return rc;
	if (answer->magic != DEMON_EXPR_MAGIC || (reply->max && answer->len > reply->max))
		return DEMON_INVALID;
	demon_buf_clear(reply);
	if (answer->len == 0)
		return DEMON_OK;
	to = demon_buf_room(reply, answer->len);
	if (!to)
		return demon_buf_rc(reply, err);
	rc = receive_all(w, to, answer->len, until);
	if (rc == DEMON_OK) {
		to[answer->len] = '\0';
		reply->len = answer->len;
	}
	return rc;
}

enum demon_rc demon_expr_worker_start(struct demon_expr_worker *w, const char *program,
				      size_t memory, struct demon_err *err)
{
	struct demon_expr_answer answer;
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	DEMON_BUF(nothing, 1);
	enum demon_rc rc;
	int sys;

	/* an idle worker says nothing: what can be read is its end */
	if (w->pid && poll(&p, 1, 0) != 0)
		demon_expr_worker_stop(w);
	if (w->pid)
		return DEMON_OK;
	sys = spawn(w, program, memory);
	if (sys)
		return demon_err_sys(err, DEMON_UNAVAIL, sys, "start a worker for expressions");
	rc = receive(w, &answer, &nothing, mono() + (int64_t)START_MS * 1000, err);
	if (rc == DEMON_OK && answer.say == DEMON_EXPR_READY)
		return DEMON_OK;
	sys = rc == DEMON_OK && answer.say == DEMON_EXPR_NOT_STARTED ? answer.sys : 0;
	demon_expr_worker_stop(w);
	if (sys)
		return demon_err_sys(err, DEMON_UNAVAIL, sys, "start '%.256s'", program);
	return demon_err_set(err, DEMON_UNAVAIL, "start '%.256s': %s", program,
			     rc == DEMON_FAILED    ? "it ended at once"
			     : rc == DEMON_TIMEOUT ? "it does not answer"
			     : rc == DEMON_NOMEM   ? "out of memory"
						   : "it is of another version");
}

/* A worker that cannot be used any more, and what is said about it. */
static enum demon_rc give_up(struct demon_expr_worker *w, enum demon_rc rc, struct demon_err *err)
{
	int signal = reap(w);

	if (rc == DEMON_TIMEOUT)
		return demon_err_set(err, rc, "the worker did not answer and was killed");
	if (rc == DEMON_NOMEM)
		return demon_err_set(err, rc, "answer of a worker: out of memory");
	if (rc != DEMON_FAILED)
		return demon_err_set(err, DEMON_FAILED, "the worker's answer is none");
	if (signal < 0)
		return demon_err_set(err, rc, "the worker ended");
	return demon_err_set(err, rc, "the worker died of signal %d", signal);
}

enum demon_rc demon_expr_worker_ask(struct demon_expr_worker *w, struct demon_expr_exchange *x,
				    struct demon_err *err)
{
	demon_ticks until = mono() + x->patience_ms * 1000;
	struct demon_expr_answer answer;
	enum demon_rc rc;

	x->request.magic = DEMON_EXPR_MAGIC;
	x->request.len = (uint32_t)x->body->len;
	if ((rc = send_all(w, &x->request, sizeof(x->request), until)) ||
	    (rc = send_all(w, x->body->data, x->body->len, until))) {
		rc = give_up(w, rc, err);
		return rc == DEMON_FAILED ? demon_err_set(err, DEMON_BUSY, "the worker ended") : rc;
	}
	rc = receive(w, &answer, x->reply, until, err);
	if (rc)
		return give_up(w, rc, err);
	x->say = (enum demon_expr_say)answer.say;
	if (answer.last)
		demon_expr_worker_stop(w);
	return DEMON_OK;
}
