/*
 * Gates: where a run waits for people to agree.
 *
 *	                 a sufficient set of votes
 *	(none) ─opened→ Pending ─┬──────────────────→ Granted
 *	                   │ ↑   ├ denials, the deadline, the chain's end, the run's end → Denied
 *	                   └─┘   └ an emergency override ───────────────────────────────→ Overridden
 *	              warned, escalated
 *
 * A gate is (run, gate id, round): every time the step runs it opens a new round, so what was
 * granted once is never used again. It is decided exactly once, by the node that owns the run; what
 * people do is vote. docs/approvals.md tells its events; a gate is what these say, and nothing in
 * here looks at a clock that it is not given.
 */
#ifndef DEMON_GATE_H
#define DEMON_GATE_H

#include "base/json.h"
#include "domain/admin/actor.h"
#include "domain/ritual/run.h"

enum demon_gate_state {
	DEMON_GATE_PENDING,
	DEMON_GATE_GRANTED,
	DEMON_GATE_DENIED,
	DEMON_GATE_OVERRIDDEN,
};

/** "pending", "granted", "denied" or "overridden", in static storage; and back, -1: none. */
const char *demon_gate_state_name(enum demon_gate_state state);
int demon_gate_state_find(const char *name);

/** A gate as it stands. Zeroed, found, then done. Owns what it points to. */
struct demon_gate {
	struct demon_run_id run;
	char ritual_id[65];
	char gate_id[65];
	int64_t round; /* from 1 */
	int64_t step_id;
	enum demon_gate_state state;
	demon_time requested_at;
	demon_time expires_at;
	demon_time next_at;     /* when its owner is to look at it; 0: it is decided */
	int64_t level;          /* of its chain, from 1; 1 without a chain */
	demon_time level_since; /* when that began */
	int64_t repeats;        /* how often the chain was gone through again */
	int64_t warned;         /* warnings that were given */
	demon_time decided_at;  /* 0: it is not */
	json_t *opened;         /* payload of approval.opened */
	json_t *decided;        /* payload of approval.decided, or NULL */
};
#define DEMON_GATE(name) demon_cleanup(demon_gate_done) struct demon_gate name = {.round = 0}
void demon_gate_done(struct demon_gate *gate);

/** Finds a round of a gate; @p round 0: the last one. DEMON_NOTFOUND: it was never opened. */
enum demon_rc demon_gate_find(struct demon_db *db, const struct demon_run_id *run,
			      const char *gate_id, int64_t round, struct demon_gate *ret_gate,
			      struct demon_err *err) demon_must_check;

/** Finds the gate at which a run waits. DEMON_NOTFOUND: at none. */
enum demon_rc demon_gate_pending(struct demon_db *db, const struct demon_run_id *run,
				 struct demon_gate *ret_gate, struct demon_err *err)
    demon_must_check;

typedef enum demon_rc demon_gate_fn(void *ctx, const struct demon_gate *gate,
				    struct demon_err *err);

/** Which gates to list, the oldest request first. Zero members mean the default. */
struct demon_gate_filter {
	const char *tenant_id;          /* NULL: "default" */
	const struct demon_run_id *run; /* gates of this run alone, of its tenant; NULL: of all */
	bool pending;                   /* only those */
	size_t limit;                   /* 0: 1 000 */
};
enum demon_rc demon_gate_list(struct demon_store *store, const struct demon_gate_filter *filter,
			      demon_gate_fn *fn, void *ctx, struct demon_err *err) demon_must_check;

/** A vote. Borrowed during the callback; NULL: absent. */
struct demon_vote_row {
	const char *approver;
	const char *decision; /* "grant", "deny" or "override" */
	enum demon_auth auth;
	const char *note;
	const char *seen; /* hex */
	demon_time ts;
	unsigned char origin[DEMON_ORIGIN_LEN]; /* of the node where it was cast */
	unsigned char hash[DEMON_SHA256_LEN];
};
typedef enum demon_rc demon_vote_fn(void *ctx, const struct demon_vote_row *vote,
				    struct demon_err *err);

/** The votes on a round of a gate, in the order of their clocks. */
enum demon_rc demon_gate_votes(struct demon_db *db, const struct demon_gate *gate,
			       demon_vote_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** The projection of approval.* events: tables gates and votes. */
extern const struct demon_projection demon_gate_projection;

#endif
