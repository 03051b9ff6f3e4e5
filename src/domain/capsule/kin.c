#include "kin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define ROUNDS  200
#define WAIT_MS 10
#define CLEAN   4 /* looks that find nothing more to do */

/* A process, from /proc/PID/stat. */
struct process {
	pid_t pid;
	pid_t parent;
	pid_t group;
	pid_t session;
	char state;
	bool alive;
	bool ours;
	unsigned long long started; /* tells two processes of one number apart */
};

/* One look at all processes. */
struct hunt {
	const struct demon_kin *kin;
	int sig;               /* sent to all that are ours; 0: none */
	unsigned found;        /* ours, and alive */
	unsigned missing;      /* of them, those that the signal had yet to reach */
	struct demon_buf list; /* struct process, one after the other */
};

static struct process *all_in(const struct demon_buf *list, size_t *ret_count)
{
	*ret_count = list->len / sizeof(struct process);
	return (struct process *)(void *)list->data;
}

bool demon_kin_may_live(pid_t leader, int fd)
{
	if (kill(leader, 0) == 0 || errno == EPERM)
		return false; /* another process has the number: nobody is in that group */
	/* the kernel looks the number up and does nothing with it: the descriptor has no O_ASYNC */
	return fcntl(fd, F_SETOWN, leader) == 0 || errno != ESRCH;
}

/* Reads what the kernel says about a process. False: it is gone. */
static bool read_file(pid_t pid, const char *name, struct demon_buf *out)
{
	char path[64];
	char *room;
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while ((room = demon_buf_room(out, 4096)) && (n = read(fd, room, 4096)) > 0)
		out->len += (size_t)n;
	(void)close(fd);
	if (n < 0 || !room)
		return false;
	demon_buf_char(out, '\0');
	return out->rc == DEMON_OK;
}

static bool read_stat(pid_t pid, struct process *ret)
{
	DEMON_BUF(text, 0);
	const char *p;
	long fields[20] = {0}; /* from the fourth */
	char *end;

	if (!read_file(pid, "stat", &text))
		return false;
	p = strrchr(text.data, ')'); /* ends the name, which may hold anything */
	if (!p || strlen(p) < 4)
		return false;
	*ret = (struct process){.pid = pid, .state = p[2]};
	p += 3;
	for (size_t i = 0; i < 18; i++, p = end)
		fields[i] = strtol(p, &end, 10);
	ret->parent = (pid_t)fields[0];
	ret->group = (pid_t)fields[1];
	ret->session = (pid_t)fields[2];
	/* a process whose first thread has ended looks like a zombie, and is none */
	ret->alive = (ret->state != 'Z' && ret->state != 'X') || fields[16] > 1;
	ret->started = strtoull(p, NULL, 10);
	return true;
}

static bool has_mark(const char *mark, pid_t pid)
{
	DEMON_BUF(text, 0);
	const char *at;

	if (!read_file(pid, "environ", &text))
		return false;
	at = memmem(text.data, text.len, mark, strlen(mark) + 1);
	return at && (at == text.data || at[-1] == '\0');
}

static bool is_known(const struct demon_kin *k, const struct process *p)
{
	size_t count;
	const struct process *list = all_in(&k->known, &count);

	for (size_t i = 0; i < count; i++)
		if (list[i].pid == p->pid && list[i].started == p->started)
			return true;
	return false;
}

static bool is_own(const struct demon_kin *k, const struct process *p)
{
	if (k->leader && (p->session == k->leader || p->group == k->leader || p->pid == k->leader))
		return true;
	return k->mark && (is_known(k, p) || has_mark(k->mark, p->pid));
}

static void send_signal(const struct process *p, int sig)
{
	int fd = pidfd_open(p->pid, 0);
	struct process now;

	if (fd < 0 && errno == ENOSYS)
		(void)kill(p->pid, sig);
	if (fd < 0)
		return;
	if (read_stat(p->pid, &now) && now.started == p->started)
		(void)pidfd_send_signal(fd, sig, NULL, 0);
	(void)close(fd);
}

static void hit(struct hunt *h, const struct process *p)
{
	bool stopped = p->state == 'T' || p->state == 't';

	if (!p->alive)
		return;
	h->found++;
	if (h->sig == SIGSTOP && stopped)
		return;
	h->missing++;
	if (h->sig)
		send_signal(p, h->sig);
}

/* Lists all processes; what is ours by itself is hit at once, before it has gone on. */
static void list_processes(struct hunt *h)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct process p;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's */
	while (dir && (entry = readdir(dir))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid() || !read_stat((pid_t)pid, &p))
			continue;
		p.ours = is_own(h->kin, &p);
		if (p.ours)
			hit(h, &p);
		demon_buf_add(&h->list, &p, sizeof(p));
	}
	if (dir)
		(void)closedir(dir);
}

static int by_pid(const void *a, const void *b)
{
	pid_t left = ((const struct process *)a)->pid;
	pid_t right = ((const struct process *)b)->pid;

	return (left > right) - (left < right);
}

/* Takes in the children of those that are ours, and theirs. */
static void hit_descendants(struct hunt *h)
{
	size_t count;
	struct process *list = all_in(&h->list, &count);
	bool more = h->found > 0;

	if (more)
		qsort(list, count, sizeof(*list), by_pid);
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			const struct process key = {.pid = list[i].parent};
			const struct process *parent =
			    list[i].ours ? NULL : bsearch(&key, list, count, sizeof(*list), by_pid);

			if (!parent || !parent->ours)
				continue;
			list[i].ours = more = true;
			hit(h, &list[i]);
		}
	}
}

static void look_at_all(struct hunt *h, int sig)
{
	demon_buf_clear(&h->list);
	h->sig = sig;
	h->found = h->missing = 0;
	list_processes(h);
	if (h->kin->mark)
		hit_descendants(h);
}

void demon_kin_look(struct demon_kin *k)
{
	struct hunt h = {.kin = k, .list = {.data = demon_buf_empty}};
	const struct process *list;
	size_t count;

	look_at_all(&h, 0);
	list = all_in(&h.list, &count);
	for (size_t i = 0; i < count; i++)
		if (list[i].ours)
			demon_buf_add(&k->known, &list[i], sizeof(list[i]));
	demon_buf_done(&h.list);
}

/* Signals until nobody is found whom the signal has yet to reach, a few times in a row: one that
 * forks and ends all the time is not there at every look. */
static unsigned signal_all(struct hunt *h, int sig)
{
	unsigned most = 0;
	unsigned clean = 0;

	for (unsigned round = 0; clean < CLEAN && round < ROUNDS; round++) {
		if (round > 0)
			(void)poll(NULL, 0, (int)(round < WAIT_MS ? round : WAIT_MS));
		look_at_all(h, sig);
		most = h->found > most ? h->found : most;
		clean = h->missing ? 0 : clean + 1;
	}
	return most;
}

unsigned demon_kin_kill(struct demon_kin *k)
{
	struct hunt h = {.kin = k, .list = {.data = demon_buf_empty}};
	unsigned stopped = signal_all(&h, SIGSTOP);
	unsigned killed = stopped ? signal_all(&h, SIGKILL) : 0;

	demon_buf_done(&h.list);
	return stopped > killed ? stopped : killed;
}

void demon_kin_done(struct demon_kin *k)
{
	demon_buf_done(&k->known);
}
