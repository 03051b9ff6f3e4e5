/*
 * What comes of a child: its group, its session, the descendants that can be traced, and those that
 * carry its mark.
 *
 * A process belongs to a child (the leader of its session and group) when it is in that group or
 * session, when its line of parents leads to such a process, or when the environment that it was
 * started with holds the mark. Not found: one that has left group and session, whose parent has
 * ended, and that was started with another environment, or as another user; and what a service
 * (at, cron, systemd, a container engine) was asked to start.
 *
 * Reads /proc; where there is none, nothing is found.
 */
#ifndef DEMON_KIN_H
#define DEMON_KIN_H

#include "base/buf.h"

#include <sys/types.h>

/** Whose it is. Zeroed but for leader and mark, then done. */
struct demon_kin {
	pid_t leader;           /* 0: none, only the mark counts */
	const char *mark;       /* a whole variable, "NAME=VALUE"; NULL: only the leader's group and
				 * session count */
	struct demon_buf known; /* who was found by _look */
};
void demon_kin_done(struct demon_kin *k);

/** Whether group or session of @p leader may have members, after it was reaped. Cheap: calls of the
 * kernel that take no time. @p fd: any descriptor of this process. */
bool demon_kin_may_live(pid_t leader, int fd);

/** Remembers who belongs to it now: whose parents end before _kill could not be traced then. */
void demon_kin_look(struct demon_kin *k);

/**
 * Kills what belongs to it, the leader too unless that has ended. All are stopped first, so that
 * none can get away by forking. Returns how many there were. Waits until they are dead, at most
 * some four seconds.
 */
unsigned demon_kin_kill(struct demon_kin *k);

#endif
