#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE 4     /* descriptors of a child: 0 to 2, and 3 until it is started */
#define MANY_FDS   65536 /* closed one by one where the kernel has no close_range */
#define BLIND_MS   10    /* between looks at a child where the kernel has no pidfd */
#define CHUNK      ((size_t)16 * 1024)

/* What a child says when it could not become the program. */
struct failure {
	int stage;
	int sys;
};
static const char *const stages[] = {"set up", DEMON_PROCESS_ENTER, "start"};
enum { STAGE_SETUP, STAGE_WORKDIR, STAGE_EXEC };

enum { OUT, ERR, STATUS, PIPES };

/* Where the descriptors of a start are; -1: none. */
struct wires {
	int input;
	int read[PIPES];
	int write[PIPES];
	pid_t parent;
	unsigned fd_limit;
};

enum phase { RUNNING, TERMINATING, KILLED, LINGERING };

struct child {
	const struct demon_env *env;
	pid_t pid;
	int pidfd;
	int fds[PIPES]; /* our ends; -1: closed */
	enum phase phase;
	bool exited; /* but not yet reaped: its number and its group's cannot be used again */
	bool lost;   /* reaped by someone else (SIGCHLD is ignored): its number may be another's */
	bool timed_out;
	demon_ticks deadline; /* of the phase */
	struct failure failure;
	struct demon_process_result *result;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Moves a descriptor out of the range that a child arranges anew. */
static int lift(int fd)
{
	int higher;

	if (fd < 0 || fd >= FIRST_FREE)
		return fd;
	higher = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
	close_fd(&fd);
	return higher;
}

static int open_input(const struct demon_process_plan *plan)
{
	size_t done = 0;
	int fd;

	if (!plan->input)
		return lift(open("/dev/null", O_RDONLY | O_CLOEXEC));
	fd = lift(memfd_create("stdin", MFD_CLOEXEC));
	while (fd >= 0 && done < plan->input_len) {
		ssize_t n = write(fd, plan->input + done, plan->input_len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close_fd(&fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0)
		close_fd(&fd);
	return fd;
}

static void wires_close(struct wires *w)
{
	close_fd(&w->input);
	for (int i = 0; i < PIPES; i++) {
		close_fd(&w->read[i]);
		close_fd(&w->write[i]);
	}
}

static bool open_pipe(struct wires *w, int which)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	w->read[which] = lift(ends[0]);
	w->write[which] = lift(ends[1]);
	return w->read[which] >= 0 && w->write[which] >= 0 &&
	       fcntl(w->read[which], F_SETFL, O_NONBLOCK) == 0;
}

static bool wires_open(struct wires *w, const struct demon_process_plan *plan)
{
	struct rlimit files;

	*w = (struct wires){.read = {-1, -1, -1}, .write = {-1, -1, -1}, .parent = getpid()};
	w->input = open_input(plan);
	w->fd_limit = MANY_FDS;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < MANY_FDS)
		w->fd_limit = (unsigned)files.rlim_cur;
	return w->input >= 0 && open_pipe(w, OUT) && open_pipe(w, ERR) && open_pipe(w, STATUS);
}

/* In the child: async-signal-safe calls only, from here to exec. */
static void default_signals(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &standard, NULL); /* fails for those that have no handler */
}

static bool arrange(const struct wires *w)
{
	if (dup2(w->input, STDIN_FILENO) < 0 || dup2(w->write[OUT], STDOUT_FILENO) < 0 ||
	    dup2(w->write[ERR], STDERR_FILENO) < 0 || dup3(w->write[STATUS], 3, O_CLOEXEC) < 0)
		return false;
	if (close_range(FIRST_FREE, ~0U, 0) != 0)
		for (unsigned fd = FIRST_FREE; fd < w->fd_limit; fd++)
			(void)close((int)fd);
	return true;
}

static _Noreturn void become(const struct demon_process_plan *plan, const struct wires *w)
{
	struct failure failure = {.stage = STAGE_SETUP};
	int status = w->write[STATUS];
	sigset_t none;

	default_signals();
	/* a parent that died before the request would never be noticed */
	if (setsid() >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && arrange(w)) {
		status = 3;
		if (getppid() != w->parent)
			_exit(127);
		failure.stage = STAGE_WORKDIR;
		if (!plan->workdir || chdir(plan->workdir) == 0) {
			failure.stage = STAGE_EXEC;
			(void)sigemptyset(&none);
			(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
			(void)execve(plan->program, plan->argv, plan->envp);
		}
	}
	failure.sys = errno;
	(void)!write(status, &failure, sizeof(failure));
	_exit(127);
}

/* errno, or 0. Signals wait until the child has its defaults. */
static int start(const struct demon_process_plan *plan, const struct wires *w, pid_t *ret_pid)
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
		become(plan, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	*ret_pid = pid;
	return pid < 0 ? sys : 0;
}

/* The group, and the child itself while it has not made its group yet. */
static void send_signal(const struct child *c, int sig)
{
	if (c->lost)
		return;
	(void)kill(-c->pid, sig);
	if (!c->exited)
		(void)kill(c->pid, sig);
}

static demon_ticks mono(const struct child *c)
{
	return c->env->mono(c->env->ctx);
}

static void enter(struct child *c, enum phase phase, int64_t ms)
{
	c->phase = phase;
	c->deadline = mono(c) + ms * 1000;
}

static void keep(struct demon_process_output *o, const char *bytes, size_t n)
{
	size_t room = DEMON_PROCESS_KEEP - o->len;
	size_t kept = n < room ? n : room;

	if (kept)
		memcpy(o->bytes + o->len, bytes, kept);
	o->len += kept;
	o->total += n;
}

static void drain(struct child *c, int which)
{
	char chunk[CHUNK];
	ssize_t n = read(c->fds[which], chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		close_fd(&c->fds[which]);
	else if (which != STATUS)
		keep(which == OUT ? &c->result->out : &c->result->err, chunk, (size_t)n);
	else if ((size_t)n == sizeof(c->failure))
		memcpy(&c->failure, chunk, sizeof(c->failure));
}

/* How long to wait; -1: for ever. *ret_whole: a wait without an event means that it is over. */
static int poll_ms(const struct child *c, bool *ret_whole)
{
	int64_t left = (c->deadline - mono(c) + 999) / 1000;
	int most = c->pidfd < 0 && !c->exited ? BLIND_MS : INT_MAX;

	*ret_whole = false;
	if (c->phase == KILLED)
		return most == INT_MAX ? -1 : most;
	if (left < 0)
		left = 0;
	*ret_whole = left <= most;
	return *ret_whole ? (int)left : most;
}

/* Waits for something to happen, reads what there is. True: the phase's time is up. */
static bool wait_for_event(struct child *c)
{
	struct pollfd fds[PIPES + 1];
	bool whole;
	int ms = poll_ms(c, &whole);
	int n;

	for (int i = 0; i < PIPES; i++)
		fds[i] = (struct pollfd){.fd = c->fds[i], .events = POLLIN};
	fds[PIPES] = (struct pollfd){.fd = c->exited ? -1 : c->pidfd, .events = POLLIN};
	n = poll(fds, demon_count(fds), ms);
	for (int i = 0; n > 0 && i < PIPES; i++)
		if (fds[i].revents)
			drain(c, i);
	return c->phase != KILLED && ((n == 0 && whole) || mono(c) >= c->deadline);
}

/* Notices the end of the child without reaping it. */
static void look_for_exit(struct child *c)
{
	siginfo_t info = {.si_pid = 0};

	if (c->exited)
		return;
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0)
		c->lost = errno == ECHILD;
	if (!c->lost && info.si_pid == 0)
		return;
	c->exited = true;
	if (c->timed_out)
		send_signal(c, SIGKILL);
	enter(c, LINGERING, DEMON_PROCESS_LINGER_MS);
}

static void time_is_up(struct child *c)
{
	if (c->phase == RUNNING) {
		c->timed_out = true;
		send_signal(c, SIGTERM);
		enter(c, TERMINATING, DEMON_PROCESS_GRACE_MS);
	} else if (c->phase == TERMINATING) {
		send_signal(c, SIGKILL);
		enter(c, KILLED, 0);
	} else {
		send_signal(c, SIGKILL);
		c->result->held = true;
	}
}

static bool is_over(const struct child *c)
{
	return c->exited &&
	       (c->result->held || (c->fds[OUT] < 0 && c->fds[ERR] < 0 && c->fds[STATUS] < 0));
}

static enum demon_rc reap(struct child *c, struct demon_err *err)
{
	struct demon_process_result *r = c->result;
	siginfo_t info = {.si_pid = 0};
	int rc;

	do
		rc = waitid(P_PID, (id_t)c->pid, &info, WEXITED);
	while (rc != 0 && errno == EINTR);
	if (rc != 0)
		return demon_err_sys(err, DEMON_IO, errno, "status of process %ld", (long)c->pid);
	if (c->failure.sys) {
		r->end = DEMON_PROCESS_NOT_STARTED;
		r->code = c->failure.sys;
		r->stage = stages[c->failure.stage];
	} else if (c->timed_out) {
		r->end = DEMON_PROCESS_TIMED_OUT;
	} else {
		r->end = info.si_code == CLD_EXITED ? DEMON_PROCESS_EXITED : DEMON_PROCESS_SIGNALED;
		r->code = info.si_status;
	}
	return DEMON_OK;
}

static enum demon_rc watch(struct child *c, int64_t timeout_ms, struct demon_err *err)
{
	enum demon_rc rc;

	enter(c, RUNNING, timeout_ms);
	while (!is_over(c)) {
		enum phase before = c->phase;
		bool up = wait_for_event(c);

		look_for_exit(c);
		if (up && c->phase == before)
			time_is_up(c);
	}
	rc = reap(c, err);
	close_fd(&c->pidfd);
	for (int i = 0; i < PIPES; i++)
		close_fd(&c->fds[i]);
	return rc;
}

static void not_started(struct demon_process_result *result, int sys)
{
	result->end = DEMON_PROCESS_NOT_STARTED;
	result->code = sys;
	result->stage = stages[STAGE_SETUP];
}

enum demon_rc demon_process_run(const struct demon_env *env, const struct demon_process_plan *plan,
				struct demon_process_result *result, struct demon_err *err)
{
	struct child c = {.env = env, .pidfd = -1, .result = result};
	struct wires w;
	int sys;

	result->out.bytes = demon_calloc(DEMON_PROCESS_KEEP, 1);
	result->err.bytes = demon_calloc(DEMON_PROCESS_KEEP, 1);
	if (!result->out.bytes || !result->err.bytes)
		return demon_err_set(err, DEMON_NOMEM, "output of a process: out of memory");
	sys = wires_open(&w, plan) ? 0 : errno;
	if (!sys)
		sys = start(plan, &w, &c.pid);
	if (sys) {
		wires_close(&w);
		not_started(result, sys);
		return DEMON_OK;
	}
	for (int i = 0; i < PIPES; i++)
		c.fds[i] = take_fd(&w.read[i]);
	wires_close(&w);
	c.pidfd = pidfd_open(c.pid, 0);
	return watch(&c, plan->timeout_ms, err);
}

void demon_process_done(struct demon_process_result *result)
{
	free(result->out.bytes);
	free(result->err.bytes);
	result->out.bytes = NULL;
	result->err.bytes = NULL;
}
