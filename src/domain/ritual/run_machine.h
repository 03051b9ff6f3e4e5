/*
 * Where a run stands: a machine that is moved by the run's events and by nothing else.
 *
 * Whoever executes a run decides what comes next, makes an event of it and applies it here; whoever
 * takes the run up later applies the same events and finds the machine as it was. So nothing in
 * here may look at a clock, at chance or at anything but the definition and the events.
 *
 *	AT_TASK ──┬─ step.skipped, step.evaluated ──────────────────→ follow
 *	          ├─ step.started (a composite) → push → AT_TASK
 *	          └─ step.started (a leaf) → AT_LEAF ─ step.completed → follow
 *	follow ───┬─ the next task of the list → AT_TASK
 *	          ├─ none → AT_LIST_END ─ step.completed → pop → follow
 *	          │                     └ a `for` with items left: AT_TASK, on its first task's
 *event └─ `end` → AT_END ─ ritual.completed → AT_DONE step.failed ─→ FAILING, which pops with each
 *step.failed of a composite until ├─ step.caught: AT_TASK in the handler, AT_LIST_END without one,
 *or AT_PAUSE └─ ritual.failed → AT_DONE AT_PAUSE ── timer.fired → AT_TASK at the beginning of the
 *list
 */
#ifndef DEMON_RUN_MACHINE_H
#define DEMON_RUN_MACHINE_H

#include "definition.h"

#include <demon/env.h>

enum demon_control {
	DEMON_AT_START, /* the workflow's own step has not started */
	DEMON_AT_TASK,  /* the top frame's task is next, with `value` as what comes in */
	DEMON_AT_LEAF,  /* the leaf has started and not ended; it may have its answer */
	DEMON_AT_LIST_END,
	DEMON_AT_PAUSE,
	DEMON_AT_END,
	DEMON_FAILING,
	DEMON_AT_DONE,
};

/** A composite task under way. */
struct demon_frame {
	const struct demon_task *task;
	const struct demon_task *list; /* its tasks, or its handler's */
	size_t count;
	size_t index;
	int64_t step_id;     /* 0: the workflow, where it has no step of its own */
	json_t *data;        /* the task's input */
	json_t *items;       /* FOR: what is iterated; COMPENSATE: references; else NULL */
	size_t iteration;    /* FOR, COMPENSATE: from 0 */
	json_t *error;       /* TRY: what was caught last; NULL: nothing */
	bool handling;       /* TRY: the list is the handler's */
	int64_t retries;     /* TRY: how often its list was run again */
	demon_time failed;   /* TRY: when its list failed for the first time; 0: never */
	demon_time wake;     /* AT_PAUSE: until then */
	demon_time began;    /* TRY: when its list began this time */
	demon_time deadline; /* 0: none */
};

/** A leaf under way: a call or a wait. */
struct demon_leaf {
	const struct demon_task *task;
	int64_t step_id; /* 0: there was none yet */
	int64_t attempt;
	char key[2 * DEMON_HASH_LEN + 1];
	bool idempotent;
	json_t *with;    /* CALL: arguments as journalled; NULL: those of the definition */
	json_t *secrets; /* CALL: where secrets go; or NULL */
	json_t *data;    /* the task's input */
	json_t *answer;  /* CALL: its envelope, once it has returned and the step has not ended */
	json_t *decided; /* a gate: what it came to (approval.decided), or NULL */
	json_t *refused; /* CALL: why a policy denies it (policy.evaluated), or NULL */
	int64_t round;   /* a gate: which of its rounds it is; 0: it was not opened */
	demon_time wake; /* WAIT, LISTEN: until then; 0: no end of itself */
	demon_time began;
	demon_time deadline;
};

#define DEMON_FRAMES_MAX 128

/** Zeroed, then begun. Owns the trees that it points to. */
struct demon_machine {
	const struct demon_definition *definition; /* borrowed */
	enum demon_control control;
	struct demon_frame frames[DEMON_FRAMES_MAX];
	size_t depth;
	struct demon_leaf leaf; /* the last one */
	int64_t last_step;      /* the highest step id */
	json_t *value;          /* what flows */
	json_t *context;
	json_t *timers; /* name → when it is due, ms; NULL: none was set */
	json_t *undo;   /* references of compensations of what completed; NULL: none */
	json_t *result; /* `result` of the last step's envelope; NULL: it called nothing */
	json_t *error;  /* FAILING, DONE: what with; NULL: it has not failed */
};

/** Puts the machine before the first task. @p input may be NULL: an empty object. */
enum demon_rc demon_machine_begin(struct demon_machine *m,
				  const struct demon_definition *definition, const json_t *input,
				  struct demon_err *err) demon_must_check;
void demon_machine_done(struct demon_machine *m);

/** The frame on top. */
struct demon_frame *demon_machine_top(struct demon_machine *m);

/** AT_TASK, AT_START: the task that is next. */
const struct demon_task *demon_machine_next(const struct demon_machine *m);

/** True when a workflow has a step of its own: something of it is computed, checked or timed. */
bool demon_machine_root_steps(const struct demon_definition *definition);

/** A FOR at its list's end goes on to the next item; the event that follows shows that it did. */
void demon_machine_iterate(struct demon_machine *m);

/** True when the leaf under way is a gate: a call that people decide. */
bool demon_machine_at_gate(const struct demon_machine *m);

/** True when a FOR at its list's end has an item left, before its `while` is asked. */
bool demon_machine_has_item(const struct demon_machine *m);

/** True for events that move the machine. */
bool demon_machine_knows(const char *type);

/**
 * Moves the machine by an event. DEMON_CORRUPT: the event does not fit where the machine stands.
 */
enum demon_rc demon_machine_apply(struct demon_machine *m, const char *type, const json_t *payload,
				  struct demon_err *err) demon_must_check;

/** The word under which an event says that task @p next of the frame's list follows. */
const char *demon_machine_way(const struct demon_frame *f, size_t next);

/** Reads a member that is an RFC 3339 time; 0: it is absent. */
demon_time demon_machine_time(const json_t *payload, const char *key);

#endif
