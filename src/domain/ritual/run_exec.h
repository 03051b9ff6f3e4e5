/*
 * The interpreter's own parts: what an execution has at hand, and what its parts do for each other.
 *
 *	run_execute   takes a run up, and turns the wheel: what comes next is decided by where the
 *	              machine stands
 *	run_task      enters tasks and ends lists
 *	run_leaf      calls capsules, waits
 *	run_gate      waits for people
 *	run_ward      asks what the policy says of a call
 *	run_fail      errors: how they are made, caught, and end a run
 *	run_value     values: terms, variables, checks
 *	run_journal   what becomes of it all
 */
#ifndef DEMON_RUN_EXEC_H
#define DEMON_RUN_EXEC_H

#include "domain/approval/escalation.h"
#include "domain/approval/gate.h"
#include "domain/capsule/capsule.h"
#include "domain/schema.h"
#include "run_error.h"
#include "run_journal.h"
#include "run_state.h"

struct demon_exec {
	struct demon_run_state *state;
	struct demon_machine *machine; /* of the state */
	struct demon_run_journal journal;
	const struct demon_env *env;
	const struct demon_run_watch *watch;
	bool ours;      /* the leaf was started by this execution */
	bool completed; /* a step's end is kept back */
	bool reload;    /* others have moved the run: its events are to be read anew */
	char nonce[17]; /* marks secrets that the definition names, in values on their way */
};

/* run_execute */

/** Puts what is kept back on disk; fault points of what that was. */
enum demon_rc demon_exec_flush(struct demon_exec *x, struct demon_err *err) demon_must_check;

/* run_value */

/** What an expression sees. Borrowed; NULL: null. */
struct demon_scope {
	const json_t *dot;
	const json_t *input;  /* $input */
	const json_t *output; /* $output */
	const json_t *error;  /* what `catch` is asked about, under its name; else NULL */
	const struct demon_task *task;
};

/**
 * The value of a term. *ret_value is new (NULL where the term is absent).
 *
 * What is wrong with the expression is no failure of this function: it fails with DEMON_FAILED and
 * *error says what is to be raised. Every other code is this program's.
 */
enum demon_rc demon_exec_value(struct demon_exec *x, const struct demon_term *term,
			       const struct demon_scope *scope, json_t **ret_value,
			       struct demon_run_error *error, struct demon_err *err)
    demon_must_check;

/** The same, as a condition: only false and null are not true. Absent: true. */
enum demon_rc demon_exec_condition(struct demon_exec *x, const struct demon_term *term,
				   const struct demon_scope *scope, bool *ret_true,
				   struct demon_run_error *error, struct demon_err *err)
    demon_must_check;

/** The same, as a length of time; 0: absent. */
enum demon_rc demon_exec_duration(struct demon_exec *x, const struct demon_duration *duration,
				  const struct demon_scope *scope, int64_t *ret_ms,
				  struct demon_run_error *error, struct demon_err *err)
    demon_must_check;

/** Holds a value against a schema, if there is one. */
enum demon_rc demon_exec_check(const struct demon_schema *schema, const json_t *value,
			       const char *what, struct demon_run_error *error,
			       struct demon_err *err) demon_must_check;

/** The output of @p raw->task made of what came out of it (`dot`; `input` is the task's), and the
 * context: members `value` and `context` of @p payload. */
enum demon_rc demon_exec_output(struct demon_exec *x, const struct demon_scope *raw,
				json_t *payload, struct demon_run_error *error,
				struct demon_err *err) demon_must_check;

/* run_task */

/** A task that is about to begin. */
struct demon_entry {
	const struct demon_task *task;
	json_t *made;        /* owned: what input.from made, or NULL */
	const json_t *data;  /* the task's input */
	demon_time deadline; /* 0: none */
};

/** A new step.started:v1 with what every step that starts has. */
json_t *demon_exec_start(struct demon_exec *x, const struct demon_entry *e);

/** Enters the task that is next. */
enum demon_rc demon_exec_enter(struct demon_exec *x, struct demon_err *err) demon_must_check;
/** The top frame's list is at its end. */
enum demon_rc demon_exec_list_end(struct demon_exec *x, struct demon_err *err) demon_must_check;
/** The run is at its end. */
enum demon_rc demon_exec_end(struct demon_exec *x, struct demon_err *err) demon_must_check;

/** A new step event about @p task: its name, reference and step id. */
json_t *demon_exec_step(struct demon_exec *x, const char *type, const struct demon_task *task,
			int64_t step_id);
/** The same for a step that begins: also call, parent, iteration. */
json_t *demon_exec_new_step(struct demon_exec *x, const char *type, const struct demon_task *task);

/** After task @p from has ended: tells of the state that is next, when it is one. */
enum demon_rc demon_exec_transition(struct demon_exec *x, const struct demon_task *from,
				    struct demon_err *err) demon_must_check;

/* run_leaf */

/** Begins a call: its start is durable afterwards. */
enum demon_rc demon_exec_call(struct demon_exec *x, const struct demon_entry *e,
			      struct demon_run_error *error, struct demon_err *err)
    demon_must_check;
/** Goes on with the leaf: makes the call, or sees whether its time has come. *ret_wait: the run
 * has to wait, until demon_exec_wake(). */
enum demon_rc demon_exec_leaf(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
    demon_must_check;
/** True when a call was in flight when its process ended, and may not be repeated: whatever time it
 * is, an operator is to say what becomes of it before anything else does. */
bool demon_exec_is_unknown(const struct demon_exec *x);
/** Goes on with a try that pauses. */
enum demon_rc demon_exec_pause(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
    demon_must_check;
/** False: the run was ended by somebody else. *ret_moved (may be NULL): it waits at a gate, and
 * that was decided. */
bool demon_exec_is_open(const struct demon_exec *x, bool *ret_moved);
/** When the run that waits is to go on; 0: it does not wait for a time. */
demon_time demon_exec_wake(struct demon_exec *x);
/** Adds timer.scheduled:v1 or, with @p fired, timer.fired:v1. */
enum demon_rc demon_exec_timer(struct demon_exec *x, const char *what, const char *name,
			       demon_time due, bool fired, struct demon_err *err) demon_must_check;

/* run_within */

/** Makes a call within the transaction that makes its result durable. *ret_envelope is new. */
enum demon_rc demon_exec_within(struct demon_exec *x, const struct demon_call *call,
				json_t **ret_envelope, struct demon_err *err) demon_must_check;

/* run_gate */

/** A gate that is about to be opened. Zeroed, planned, then done. */
struct demon_gate_plan {
	struct demon_gate gate;
	struct demon_escalation escalation;
	const char *reason;
	const char *requester;
};
void demon_gate_plan_done(struct demon_gate_plan *plan);

/** Holds the arguments of a gate against what they must be, and finds what holds for it. Nothing is
 * written. */
enum demon_rc demon_exec_gate_plan(struct demon_exec *x, const struct demon_entry *e,
				   const json_t *with, struct demon_gate_plan *plan,
				   struct demon_run_error *error, struct demon_err *err)
    demon_must_check;
/** Opens it: its step has started. */
enum demon_rc demon_exec_gate_open(struct demon_exec *x, struct demon_gate_plan *plan,
				   const json_t *with, struct demon_err *err) demon_must_check;
/** Waits at a gate, or does what is due about it. */
enum demon_rc demon_exec_gate(struct demon_exec *x, bool *ret_wait, struct demon_err *err)
    demon_must_check;
/** What it came to, as the envelope of a call (new). */
enum demon_rc demon_exec_gate_envelope(struct demon_exec *x, json_t **ret_envelope,
				       struct demon_err *err) demon_must_check;
/** The leaf fails: denies the gate that it is, if it is one that nobody has decided. */
enum demon_rc demon_exec_gate_close(struct demon_exec *x, struct demon_err *err) demon_must_check;

/* run_ward */

/** Flushes the start of a call; within the same transaction the wards decide about it. What they
 * deny is machine->leaf.refused afterwards. */
enum demon_rc demon_exec_ward(struct demon_exec *x, struct demon_err *err) demon_must_check;
/** The error of a call that they have denied. Returns DEMON_FAILED, or DEMON_NOMEM. */
enum demon_rc demon_exec_ward_error(const struct demon_exec *x, struct demon_run_error *error,
				    struct demon_err *err) demon_must_check;

/* run_fail */

/** Fails a task that has not started: it starts and fails at once. */
enum demon_rc demon_exec_fail_new(struct demon_exec *x, const struct demon_task *task,
				  const struct demon_run_error *error, struct demon_err *err)
    demon_must_check;
/** Fails the leaf or the top frame. @p output: the leaf's envelope, or NULL; borrowed. */
enum demon_rc demon_exec_fail(struct demon_exec *x, const struct demon_run_error *error,
			      const json_t *output, struct demon_err *err) demon_must_check;
/** The machine is FAILING: finds who catches it, or ends the run. */
enum demon_rc demon_exec_unwind(struct demon_exec *x, struct demon_err *err) demon_must_check;
/** Ends the run with an error that nobody catches. */
enum demon_rc demon_exec_end_failed(struct demon_exec *x, const struct demon_run_error *error,
				    struct demon_err *err) demon_must_check;
/** The time of a composite is up: raises that there. *ret_raised: it was. */
enum demon_rc demon_exec_deadline(struct demon_exec *x, bool *ret_raised, struct demon_err *err)
    demon_must_check;
/** The earliest deadline of what is under way, and of what begins or pauses in it; 0: none. */
demon_time demon_exec_deadline_of(const struct demon_exec *x);
/** Sets when somebody is to look at the run: when what it waits for is due, or already @p until (0:
 * never). */
bool demon_exec_set_wake(json_t *payload, demon_time due, demon_time until);

#endif
