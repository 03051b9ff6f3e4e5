/*
 * The journal of a run under way: events that have moved the machine, and their way to the log.
 *
 * Events are collected and go to the log as one group, so that what is only computed costs no
 * transaction of its own. Whoever is about to do something that cannot be taken back (call, wait,
 * answer) flushes first. Every flush checks, in its transaction, that the run still is open and
 * that its last step is the one that was flushed last: a cancellation that came first wins, and an
 * executor that has lost the run writes nothing.
 */
#ifndef DEMON_RUN_JOURNAL_H
#define DEMON_RUN_JOURNAL_H

#include "base/buf.h"
#include "db/stmt.h"
#include "run.h"
#include "run_machine.h"
#include "store/write.h"

/** Events that are kept back, at most, and their bytes. */
#define DEMON_JOURNAL_EVENTS 1024
#define DEMON_JOURNAL_BYTES  ((size_t)4 * 1024 * 1024)

struct demon_journal_item {
	const char *type; /* static storage */
	char *payload;    /* owned: canonical */
	char *gate_id;    /* owned: of an event about a gate; else NULL */
	size_t len;
};

struct demon_run_journal;

/**
 * Decides something within the transaction of a flush, with what its events are when they are
 * appended; adds events to the group by demon_run_journal_amend(). May be called more than once:
 * the last time counts.
 */
typedef enum demon_rc demon_run_decide_fn(void *ctx, struct demon_run_journal *j,
					  struct demon_write *w, struct demon_err *err);

/** An executor's pen. Zeroed, set up, then done. */
struct demon_run_journal {
	struct demon_store *store; /* borrowed, as all of these */
	const struct demon_run_id *run;
	const char *ritual_id;
	struct demon_machine *machine;
	demon_run_listener_fn *listener; /* or NULL */
	void *ctx;
	/* known of the log */
	demon_time last;      /* the latest ts of the run's events */
	int64_t flushed_step; /* the last step there, and its attempt; 0: none */
	int64_t flushed_attempt;
	bool overtaken; /* a flush found that the run is not open any more, or has moved on */
	bool at_gate;   /* what is kept back decides the gate at which the run waits */
	demon_run_decide_fn *decide; /* asked by the next flush; NULL: nothing is to be decided */
	void *decide_ctx;
	const struct demon_event_ref *cause; /* of what the next flush decides; NULL: none */
	/* kept back */
	struct demon_journal_item *items;
	size_t count;
	size_t size;
	size_t bytes;
	demon_time ts;     /* of all that is kept back */
	demon_ticks since; /* when the first of it came */
	char *terminal;    /* payload of the terminal event, once there is one; owned */
};
void demon_run_journal_done(struct demon_run_journal *j);

/** The time of what happens now: the present, or that of what is kept back, and never earlier than
 * an event before it. */
demon_time demon_run_journal_now(struct demon_run_journal *j);

/** A new payload with event, ts, tenantId, ritualId and runId; NULL: out of memory. */
json_t *demon_run_event_new(struct demon_run_journal *j, const char *type);

/** Sets a member; @p value is stolen. False, and nothing is leaked: out of memory. */
bool demon_run_event_set(json_t *payload, const char *key, json_t *value_new);
bool demon_run_event_time(json_t *payload, const char *key, demon_time t);

/**
 * Applies an event to the machine and keeps it. @p type is static; @p payload is stolen, NULL:
 * memory ran out. DEMON_TOOBIG, DEMON_INVALID: no event can hold it, nothing has changed.
 */
enum demon_rc demon_run_journal_add(struct demon_run_journal *j, const char *type,
				    json_t *payload_new, struct demon_err *err) demon_must_check;

/** Adds an event to the group that is being appended, from within a demon_run_decide_fn. It moves
 * the machine when the group is on disk. */
enum demon_rc demon_run_journal_amend(struct demon_run_journal *j, const char *type,
				      json_t *payload_new, struct demon_err *err) demon_must_check;

/** True when so much or for so long is kept back that it is time to flush. */
bool demon_run_journal_full(const struct demon_run_journal *j);

/**
 * Appends what is kept back, as one group, and tells the listener. DEMON_CONFLICT: the run is not
 * open any more (j->overtaken), or another executor has taken it further.
 */
enum demon_rc demon_run_journal_flush(struct demon_run_journal *j, struct demon_err *err)
    demon_must_check;

#endif
