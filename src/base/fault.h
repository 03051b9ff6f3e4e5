/*
 * Numbered fault points, compiled into test builds only.
 *
 * A point stands where the program touches the world. A test arms one point to trigger at its
 * n-th passing: it fails there, or the process ends there as by SIGKILL. Numbers are stable:
 * names may be added at the end of the list, never moved or reused.
 *
 * The environment variable DEMON_FAULT="name:n:fail" or "name:n:kill" arms a point in a program
 * that a test starts. Release builds contain no trace of any of this.
 */
#ifndef DEMON_FAULT_H
#define DEMON_FAULT_H

#include <stdbool.h>

#define DEMON_FAULT_LIST(X)                                                                    \
	X(ALLOC, "alloc")                   /* an allocation of ours returns NULL */           \
	X(LOCK_TAKEN, "lock.taken")         /* the write lock is held, nothing begun */        \
	X(TXN_BEGUN, "txn.begun")           /* after BEGIN IMMEDIATE */                        \
	X(APPEND_EVENT, "append.event")     /* before an event row is inserted */              \
	X(APPEND_APPLIED, "append.applied") /* after its projections were updated */           \
	X(JOB_DONE, "job.done")             /* after a job of several succeeded */             \
	X(COMMIT_BEFORE, "commit.before")   /* before COMMIT */                                \
	X(COMMIT_AFTER, "commit.after")     /* after COMMIT, before anyone was told */         \
	X(CHECKPOINT_BEFORE, "checkpoint.before")                                              \
	X(CHECKPOINT_AFTER, "checkpoint.after")                                                \
	X(MIGRATE_STEP, "migrate.step")     /* between two migrations */                       \
	X(MIGRATE_COMMIT, "migrate.commit") /* before the migrations are committed */          \
	X(MIGRATE_DONE, "migrate.done")     /* after they were */                              \
	X(REBUILD_BATCH, "rebuild.batch")   /* between two batches of a rebuild */             \
	X(KEY_WRITTEN, "key.written")       /* key file written, not yet renamed */            \
	X(RUN_STARTED, "run.started")       /* the run's first group is durable */             \
	X(STEP_STARTED, "step.started")     /* a step's start is durable, it has not run */    \
	X(STEP_RAN, "step.ran")             /* the step has run, its result is not durable */  \
	X(STEP_COMPLETED, "step.completed") /* its result is durable */                        \
	X(RUN_ENDED, "run.ended")           /* the terminal event is durable */                \
	X(STEP_RETURNED, "step.returned")   /* a call's answer is durable, its step goes on */ \
	X(NOTICE_SENT, "notice.sent")       /* the other side has it, that is not durable */

#define DEMON_FAULT_ENUM(name, text) DEMON_FAULT_##name,
enum demon_fault { DEMON_FAULT_LIST(DEMON_FAULT_ENUM) DEMON_FAULT_COUNT };
#undef DEMON_FAULT_ENUM

#ifdef DEMON_FAULTS

/** True when the armed point says: fail here. Does not return when it says: die here. */
bool demon_fault_hit(enum demon_fault point);
#define DEMON_FAULT(point) demon_fault_hit(DEMON_FAULT_##point)

/** Arms @p point to trigger once, at its @p nth passing from now (1: the next). Any thread. */
void demon_fault_arm(enum demon_fault point, unsigned nth, bool die);

/** Disarms everything; returns how often the armed point has triggered since it was armed. */
unsigned demon_fault_disarm(void);

/** The point's name in static storage, and back; DEMON_FAULT_COUNT for an unknown name. */
const char *demon_fault_name(enum demon_fault point);
enum demon_fault demon_fault_find(const char *name);

#else
#define DEMON_FAULT(point) false
#endif

#endif
