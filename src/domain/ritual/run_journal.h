/*
 * Appending the events of a run while it is executed.
 *
 * Every append checks, in its transaction, that the run still is Running and that its last step
 * is the one that the executor knows: a cancellation that came first wins, and an executor that
 * has lost the run writes nothing.
 */
#ifndef DEMON_RUN_JOURNAL_H
#define DEMON_RUN_JOURNAL_H

#include "run_state.h"

/** An executor's pen. Everything is borrowed. */
struct demon_run_journal {
	struct demon_store *store;
	const struct demon_run_state *state;
	demon_run_listener_fn *listener; /* or NULL */
	void *ctx;
	bool overtaken; /* an append found that the run is not Running any more */
};

/** Begins a group at the present, or at the time of the run's last event if that is later. */
void demon_run_journal_begin(const struct demon_run_journal *journal, struct demon_run_group *g);

/**
 * Appends a group and tells the listener. DEMON_CONFLICT: the run is not Running any more
 * (journal->overtaken), or another executor has taken it further.
 */
enum demon_rc demon_run_journal_append(struct demon_run_journal *journal, struct demon_run_group *g,
				       struct demon_err *err) demon_must_check;

#endif
