#include "process.h"

#include "kin.h"
#include "process_start.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLIND_MS 10  /* between looks at a child where the kernel has no pidfd */
#define ASK_MS   200 /* between two questions whether the child is still wanted */
#define CHUNK    ((size_t)16 * 1024)

/* LINGERING: the child has ended by itself. ENDING: SIGTERM was sent. */
enum phase { RUNNING, LINGERING, ENDING, KILLED };

struct child {
	const struct demon_env *env;
	const struct demon_process_plan *plan;
	struct demon_process_child started;
	int pidfd;
	enum phase phase;
	enum demon_process_end why; /* it is to be ended; EXITED: it is not */
	bool exited; /* but not yet reaped: its number and its group's cannot be used again */
	bool lost;   /* reaped by someone else (SIGCHLD is ignored): its number may be another's */
	bool over;   /* what holds the outputs is waited for no longer */
	demon_ticks deadline; /* of the phase */
	demon_ticks ask;      /* when to ask again */
	struct demon_process_failure failure;
	struct demon_kin kin;
	struct demon_process_result *result;
};

/* The group, and the child itself while it has not made its group yet. */
static void send_signal(const struct child *c, int sig)
{
	if (c->lost)
		return;
	(void)kill(-c->started.pid, sig);
	if (!c->exited)
		(void)kill(c->started.pid, sig);
}

static void kill_all(struct child *c)
{
	bool with_child = !c->exited;
	unsigned killed;

	/* at one stroke: what is stopped neither forks nor loses its parent */
	send_signal(c, SIGSTOP);
	c->kin.leader = c->lost ? 0 : c->started.pid;
	killed = demon_kin_kill(&c->kin);
	c->result->left += killed - (killed && with_child);
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

static void keep(const struct child *c, struct demon_process_output *o, const char *bytes, size_t n)
{
	size_t room = c->plan->keep - o->len;
	size_t kept = n < room ? n : room;

	if (kept)
		memcpy(o->bytes + o->len, bytes, kept);
	o->len += kept;
	o->total += n;
}

static void hear(struct child *c, int which, const char *bytes, size_t n)
{
	bool out = which == DEMON_PIPE_OUT;

	keep(c, out ? &c->result->out : &c->result->err, bytes, n);
	if (c->plan->output)
		c->plan->output(c->plan->ctx, out ? "stdout" : "stderr", bytes, n);
}

static void drain(struct child *c, int which)
{
	char chunk[CHUNK];
	ssize_t n = read(c->started.fds[which], chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		demon_process_close(&c->started.fds[which]);
	else if (which != DEMON_PIPE_STATUS)
		hear(c, which, chunk, (size_t)n);
	else if ((size_t)n == sizeof(c->failure))
		memcpy(&c->failure, chunk, sizeof(c->failure));
}

/* Milliseconds to a point in time, rounded up, not below 0. */
static int64_t ms_to(const struct child *c, demon_ticks when)
{
	int64_t left = (when - mono(c) + 999) / 1000;

	return left > 0 ? left : 0;
}

/* How long to wait; -1: for ever. *ret_whole: a wait without an event means that it is over. */
static int poll_ms(const struct child *c, bool *ret_whole)
{
	int64_t most = c->pidfd < 0 && !c->exited ? BLIND_MS : INT_MAX;
	int64_t left;

	*ret_whole = false;
	if (c->plan->canceled && (left = ms_to(c, c->ask)) < most)
		most = left;
	if (c->phase == KILLED)
		return most == INT_MAX ? -1 : (int)most;
	left = ms_to(c, c->deadline);
	*ret_whole = left <= most;
	return (int)(*ret_whole ? left : most);
}

/* Waits for something to happen, reads what there is. True: the phase's time is up. */
static bool wait_for_event(struct child *c)
{
	struct pollfd fds[DEMON_PIPES + 1];
	bool whole;
	int ms = poll_ms(c, &whole);
	int n;

	for (int i = 0; i < DEMON_PIPES; i++)
		fds[i] = (struct pollfd){.fd = c->started.fds[i], .events = POLLIN};
	fds[DEMON_PIPES] = (struct pollfd){.fd = c->exited ? -1 : c->pidfd, .events = POLLIN};
	n = poll(fds, demon_count(fds), ms);
	for (int i = 0; n > 0 && i < DEMON_PIPES; i++)
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
	if (waitid(P_PID, (id_t)c->started.pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0)
		c->lost = errno == ECHILD;
	if (!c->lost && info.si_pid == 0)
		return;
	c->exited = true;
	/* the rest of its group has what is left of its grace */
	if (c->phase != ENDING)
		enter(c, LINGERING, DEMON_PROCESS_LINGER_MS);
}

static void end(struct child *c, enum demon_process_end why)
{
	c->why = why;
	c->kin.leader = c->lost ? 0 : c->started.pid;
	demon_kin_look(&c->kin);
	send_signal(c, SIGTERM);
	enter(c, ENDING, DEMON_PROCESS_GRACE_MS);
}

static void time_is_up(struct child *c)
{
	const struct demon_process_plan *plan = c->plan;
	bool limited = plan->limit_ms && plan->limit_ms <= plan->timeout_ms;

	if (c->phase == RUNNING) {
		end(c, limited ? DEMON_PROCESS_LIMITED : DEMON_PROCESS_TIMED_OUT);
	} else if (c->phase == ENDING && !c->exited) {
		kill_all(c);
		enter(c, KILLED, 0);
	} else {
		c->result->held = c->why == DEMON_PROCESS_EXITED;
		c->over = true;
	}
}

/* The question is asked to the end: whoever answers may have something to do meanwhile. */
static void ask(struct child *c)
{
	bool canceled;

	if (!c->plan->canceled || mono(c) < c->ask)
		return;
	canceled = c->plan->canceled(c->plan->ctx);
	c->ask = mono(c) + (demon_ticks)ASK_MS * 1000;
	if (canceled && c->phase == RUNNING)
		end(c, DEMON_PROCESS_CANCELED);
}

static bool is_over(const struct child *c)
{
	const int *fds = c->started.fds;

	return c->exited && (c->over || (fds[DEMON_PIPE_OUT] < 0 && fds[DEMON_PIPE_ERR] < 0 &&
					 fds[DEMON_PIPE_STATUS] < 0));
}

static enum demon_rc reap(struct child *c, struct demon_err *err)
{
	struct demon_process_result *r = c->result;
	siginfo_t info = {.si_pid = 0};
	int rc;

	do
		rc = waitid(P_PID, (id_t)c->started.pid, &info, WEXITED);
	while (rc != 0 && errno == EINTR);
	if (rc != 0)
		return demon_err_sys(err, DEMON_IO, errno, "status of process %ld",
				     (long)c->started.pid);
	if (c->failure.sys) {
		r->end = DEMON_PROCESS_NOT_STARTED;
		r->code = c->failure.sys;
		r->stage = demon_process_stage(c->failure.stage);
	} else if (c->why != DEMON_PROCESS_EXITED) {
		r->end = c->why;
	} else {
		r->end = info.si_code == CLD_EXITED ? DEMON_PROCESS_EXITED : DEMON_PROCESS_SIGNALED;
		r->code = info.si_status;
	}
	return DEMON_OK;
}

/* What has left the session meant to live on. */
static unsigned kill_session(const struct child *c)
{
	struct demon_kin kin = {.leader = c->started.pid};

	return demon_kin_kill(&kin);
}

/* Ends what the child has left behind, and takes its status. */
static enum demon_rc clear_up(struct child *c, struct demon_err *err)
{
	bool thoroughly = c->why != DEMON_PROCESS_EXITED || c->result->held;
	enum demon_rc rc;

	if (thoroughly)
		kill_all(c);
	rc = reap(c, err);
	if (!rc && !thoroughly && demon_kin_may_live(c->started.pid, c->pidfd))
		c->result->left = kill_session(c);
	demon_kin_done(&c->kin);
	demon_process_close(&c->pidfd);
	for (int i = 0; i < DEMON_PIPES; i++)
		demon_process_close(&c->started.fds[i]);
	return rc;
}

static void watch(struct child *c)
{
	const struct demon_process_plan *plan = c->plan;
	bool limited = plan->limit_ms && plan->limit_ms < plan->timeout_ms;

	enter(c, RUNNING, limited ? plan->limit_ms : plan->timeout_ms);
	c->ask = mono(c);
	while (!is_over(c)) {
		enum phase before = c->phase;
		bool up = wait_for_event(c);

		look_for_exit(c);
		ask(c);
		if (up && c->phase == before)
			time_is_up(c);
	}
}

enum demon_rc demon_process_run(const struct demon_env *env, const struct demon_process_plan *plan,
				struct demon_process_result *result, struct demon_err *err)
{
	struct child c = {
	    .env = env, .plan = plan, .pidfd = -1, .kin = {.mark = plan->mark}, .result = result};
	int sys;

	result->out.bytes = demon_calloc(plan->keep, 1);
	result->err.bytes = demon_calloc(plan->keep, 1);
	if (!result->out.bytes || !result->err.bytes)
		return demon_err_set(err, DEMON_NOMEM, "output of a process: out of memory");
	sys = demon_process_start(plan, &c.started);
	if (sys) {
		result->end = DEMON_PROCESS_NOT_STARTED;
		result->code = sys;
		result->stage = demon_process_stage(0);
		return DEMON_OK;
	}
	c.pidfd = pidfd_open(c.started.pid, 0);
	watch(&c);
	return clear_up(&c, err);
}

void demon_process_done(struct demon_process_result *result)
{
	free(result->out.bytes);
	free(result->err.bytes);
	result->out.bytes = NULL;
	result->err.bytes = NULL;
}
