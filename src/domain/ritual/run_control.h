/*
 * What an operator may do with a run: end it, let it go on, try it again.
 *
 * Only the run's own node does these things; runs of others are DEMON_DENIED.
 */
#ifndef DEMON_RUN_CONTROL_H
#define DEMON_RUN_CONTROL_H

#include "run.h"

/** Who says so, and why. NULL: not recorded. */
struct demon_run_request {
	const char *by;
	const char *reason;
};

/**
 * Ends a run, whatever it is at: ritual.canceled:v1. A step under way is ended within a second by
 * who executes it. *ret_changed: false when it was canceled already. DEMON_CONFLICT: it has ended
 * otherwise.
 */
enum demon_rc demon_run_cancel(struct demon_store *store, const struct demon_run_id *run,
			       const struct demon_run_request *request, bool *ret_changed,
			       struct demon_err *err) demon_must_check;

/**
 * Lets a Suspended run go on (ritual.resumed:v1): the step that was in flight runs again, with its
 * key. DEMON_CONFLICT: it is not suspended.
 */
enum demon_rc demon_run_resume(struct demon_store *store, const struct demon_run_id *run,
			       const struct demon_run_request *request, struct demon_err *err)
    demon_must_check;

/**
 * Starts a new run of the same definition and input where @p run stood before one of its steps
 * (ritual.restored:v1). @p step is a step id, a name or a reference; NULL: the step that ended it,
 * or where it was canceled. @p options as in demon_run_start(), which this calls; definition, input
 * and tenant are those of @p run.
 *
 * DEMON_NOTFOUND: no such step. DEMON_CONFLICT: several have that name (the message lists their
 * ids); the run has not ended. DEMON_TOOBIG: where it stood does not fit into an event.
 */
enum demon_rc demon_run_retry(struct demon_store *store, const struct demon_run_id *run,
			      const char *step, const struct demon_run_options *options,
			      struct demon_run_id *ret_run, struct demon_err *err) demon_must_check;

#endif
