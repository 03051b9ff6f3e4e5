#include "process_start.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE 4     /* descriptors of a child: 0 to 2, and 3 until it is started */
#define MANY_FDS   65536 /* closed one by one where the kernel has no close_range */

enum { STAGE_SETUP, STAGE_LIMITS, STAGE_WORKDIR, STAGE_EXEC, STAGE_STARTED };
static const char *const stages[] = {"set up", "limit", DEMON_PROCESS_ENTER, "start"};

/* Where the descriptors of a start are; -1: none. */
struct wires {
	int input;
	int read[DEMON_PIPES];
	int write[DEMON_PIPES];
	pid_t parent; /* whose death is the child's; 0: it is left alone */
	unsigned fd_limit;
};

const char *demon_process_stage(int stage)
{
	return stages[stage];
}

void demon_process_close(int *fd)
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
	demon_process_close(&fd);
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
			demon_process_close(&fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0)
		demon_process_close(&fd);
	return fd;
}

static void wires_close(struct wires *w)
{
	demon_process_close(&w->input);
	for (int i = 0; i < DEMON_PIPES; i++) {
		demon_process_close(&w->read[i]);
		demon_process_close(&w->write[i]);
	}
}

static bool open_pipe(struct wires *w, int which)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	w->read[which] = lift(ends[0]);
	w->write[which] = lift(ends[1]);
	return w->read[which] >= 0 && w->write[which] >= 0;
}

static bool open_null(struct wires *w, int which)
{
	w->write[which] = lift(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return w->write[which] >= 0;
}

static bool wires_open(struct wires *w, const struct demon_process_plan *plan, bool detached)
{
	bool (*open_output)(struct wires *, int) = detached ? open_null : open_pipe;
	struct rlimit files;

	*w = (struct wires){.read = {-1, -1, -1}, .write = {-1, -1, -1}};
	w->parent = detached ? 0 : getpid();
	w->input = open_input(plan);
	w->fd_limit = MANY_FDS;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < MANY_FDS)
		w->fd_limit = (unsigned)files.rlim_cur;
	return w->input >= 0 && open_output(w, DEMON_PIPE_OUT) && open_output(w, DEMON_PIPE_ERR) &&
	       open_pipe(w, DEMON_PIPE_STATUS);
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
	if (dup2(w->input, STDIN_FILENO) < 0 || dup2(w->write[DEMON_PIPE_OUT], STDOUT_FILENO) < 0 ||
	    dup2(w->write[DEMON_PIPE_ERR], STDERR_FILENO) < 0 ||
	    dup3(w->write[DEMON_PIPE_STATUS], 3, O_CLOEXEC) < 0)
		return false;
	if (close_range(FIRST_FREE, ~0U, 0) != 0)
		for (unsigned fd = FIRST_FREE; fd < w->fd_limit; fd++)
			(void)close((int)fd);
	return true;
}

/* The soft limit of processor time is a signal that can be caught; the hard one is a kill. */
static bool set_limit(const struct demon_process_limit *limit)
{
	struct rlimit own;
	struct rlimit wanted = {limit->value, limit->value};

	if (limit->resource == RLIMIT_CPU)
		wanted.rlim_max++;
	if (getrlimit(limit->resource, &own) != 0)
		return false;
	if (own.rlim_max < wanted.rlim_max)
		wanted.rlim_max = own.rlim_max;
	if (own.rlim_max < wanted.rlim_cur)
		wanted.rlim_cur = own.rlim_max;
	return setrlimit(limit->resource, &wanted) == 0;
}

static bool set_limits(const struct demon_process_plan *plan)
{
	for (size_t i = 0; i < plan->limit_count; i++)
		if (!set_limit(&plan->limits[i]))
			return false;
	return true;
}

static _Noreturn void give_up(int status, int stage)
{
	struct demon_process_failure failure = {stage, errno};

	(void)!write(status, &failure, sizeof(failure));
	_exit(127);
}

/* Becomes the program; the descriptors are where they belong. */
static _Noreturn void become(const struct demon_process_plan *plan)
{
	sigset_t none;

	if (!set_limits(plan))
		give_up(3, STAGE_LIMITS);
	if (plan->workdir && chdir(plan->workdir) != 0)
		give_up(3, STAGE_WORKDIR);
	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	(void)execve(plan->program, plan->argv, plan->envp);
	give_up(3, STAGE_EXEC);
}

/* The child of a child that is left alone: it says its number and goes on as the program. */
static _Noreturn void leave(const struct demon_process_plan *plan)
{
	struct demon_process_failure started = {STAGE_STARTED, 0};
	pid_t pid = fork();

	if (pid < 0)
		give_up(3, STAGE_SETUP);
	if (pid > 0) {
		started.sys = (int)pid;
		(void)!write(3, &started, sizeof(started));
		_exit(0);
	}
	if (setsid() < 0)
		give_up(3, STAGE_SETUP);
	become(plan);
}

static _Noreturn void be_child(const struct demon_process_plan *plan, const struct wires *w)
{
	default_signals();
	/* a parent that died before the request would never be noticed */
	if (setsid() < 0 || (w->parent && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) || !arrange(w))
		give_up(w->write[DEMON_PIPE_STATUS], STAGE_SETUP);
	if (!w->parent)
		leave(plan);
	if (getppid() != w->parent)
		_exit(127);
	become(plan);
}

/* errno, or 0. Signals wait until the child has its defaults. */
static int start(const struct demon_process_plan *plan, const struct wires *w, pid_t *ret_pid)
{
	sigset_t every;
	sigset_t old;
	pid_t pid;
	int sys;

	(void)sigfillset(&every);
	(void)pthread_sigmask(SIG_BLOCK, &every, &old);
	pid = fork();
	sys = errno;
	if (pid == 0)
		be_child(plan, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	*ret_pid = pid;
	return pid < 0 ? sys : 0;
}

int demon_process_start(const struct demon_process_plan *plan,
			struct demon_process_child *ret_child)
{
	struct wires w;
	int sys = wires_open(&w, plan, false) ? 0 : errno;

	for (int i = 0; !sys && i < DEMON_PIPES; i++)
		if (fcntl(w.read[i], F_SETFL, O_NONBLOCK) != 0)
			sys = errno;
	if (!sys)
		sys = start(plan, &w, &ret_child->pid);
	for (int i = 0; !sys && i < DEMON_PIPES; i++)
		ret_child->fds[i] = take_fd(&w.read[i]);
	wires_close(&w);
	return sys;
}

/* What the child of a detached start says until it has become the program. */
static void listen_to(int fd, pid_t *ret_pid, struct demon_process_failure *failure)
{
	struct demon_process_failure said;
	ssize_t n;

	while ((n = read(fd, &said, sizeof(said))) != 0) {
		if (n < 0 && errno != EINTR)
			return;
		if (n == sizeof(said) && said.stage == STAGE_STARTED)
			*ret_pid = (pid_t)said.sys;
		else if (n == sizeof(said))
			*failure = said;
	}
}

int demon_process_detach(const struct demon_process_plan *plan, pid_t *ret_pid,
			 const char **ret_stage)
{
	struct demon_process_failure failure = {STAGE_SETUP, 0};
	struct wires w;
	pid_t pid = 0;
	int sys = wires_open(&w, plan, true) ? 0 : errno;

	if (!sys)
		sys = start(plan, &w, &pid);
	demon_process_close(&w.write[DEMON_PIPE_STATUS]);
	if (!sys) {
		listen_to(w.read[DEMON_PIPE_STATUS], ret_pid, &failure);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		sys = failure.sys;
	}
	wires_close(&w);
	*ret_stage = stages[failure.stage];
	return sys;
}
