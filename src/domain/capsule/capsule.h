/*
 * Capsules: what a step calls.
 *
 * A capsule gets its arguments and answers with a result envelope (schema/contracts/
 * result-envelope.json): {"result":{"success":true,"data":…}, diagnostics, metrics, provenance}.
 * A capsule that fails answers {"result":{"success":false,"error":{code,message,details}}}; only a
 * failure of this program is an enum demon_rc.
 */
#ifndef DEMON_CAPSULE_H
#define DEMON_CAPSULE_H

#include "base/buf.h"
#include "base/json.h"
#include "store/header.h"

#include <demon/env.h>

struct demon_write; /* store/write.h */

/** One call. Everything is borrowed for its length. */
struct demon_call {
	const struct demon_env *env;
	struct demon_store *store; /* of the run */
	const json_t *with;        /* arguments, as checked; NULL: none */
	const json_t *input;       /* the run's input; NULL: none */
	const char *tenant_id;
	const char *ritual_id;
	const char *run_id;
	const char *step_name;
	const char *idempotency_key; /* 64 hex digits; the same in every attempt of this step */
	unsigned attempt;            /* from 1 */
	/* The call is over after so long, whatever its own arguments say; the answer then is an
	 * error with the code TIMEOUT. 0: no such limit. */
	int64_t limit_ms;
	/* Given what the call writes while it runs, as it comes; @stream is "stdout" or "stderr".
	 * NULL: nobody listens. Called on the calling thread. */
	void (*output)(void *ctx, const char *stream, const char *bytes, size_t len);
	/* Asked at least every 250 ms while the call runs; true: it is given up, everything that it
	 * has started is ended, and the answer is an error with the code CANCELED. NULL: never. */
	bool (*canceled)(void *ctx);
	void *ctx; /* of output and canceled */
};

/**
 * How a check reports: @p pointer is relative to the arguments ("/command/0"); @p at_key: the key
 * of that member is at fault, not its value.
 */
typedef void demon_argument_problem_fn(void *ctx, const char *pointer, bool at_key,
				       const char *text);

/** What a call that was made within a transaction came to. */
struct demon_capsule_result {
	json_t *envelope;             /* new */
	bool has_cause;               /* another stream has an event that the result needs */
	struct demon_event_ref cause; /* that event */
};

struct demon_capsule {
	const char *name;
	/* Looks at arguments before anything runs; reports every problem. @p with may be NULL. */
	void (*check)(const json_t *with, demon_argument_problem_fn *report, void *ctx);
	/* Whether a call that was cut off may be made again. */
	bool (*idempotent)(const json_t *with);
	/* *ret_envelope is new. NULL: it has run_in, or is approval, which the interpreter itself
	 * sees to. */
	enum demon_rc (*run)(const struct demon_call *call, json_t **ret_envelope,
			     struct demon_err *err);
	/* The same within the transaction that also makes the result durable; NULL: run. May be
	 * called more than once: the last time counts. DEMON_NOTFOUND, DEMON_CONFLICT,
	 * DEMON_EXISTS, DEMON_INVALID and DEMON_TOOBIG are errors of the step: nothing was done. */
	enum demon_rc (*run_in)(const struct demon_call *call, struct demon_write *w,
				struct demon_capsule_result *ret, struct demon_err *err);
};

/** A capsule by name, or NULL. Static storage. */
const struct demon_capsule *demon_capsule_find(const char *name);

/** Names of all capsules, NULL-terminated, and their number; for messages. */
const char *const *demon_capsule_names(size_t *ret_count);

extern const struct demon_capsule demon_capsule_echo;
extern const struct demon_capsule demon_capsule_exec;
extern const struct demon_capsule demon_capsule_http;

#endif
