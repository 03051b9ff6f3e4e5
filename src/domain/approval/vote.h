/*
 * What is done about gates: votes, and what time brings. The node that owns the run decides, within
 * the transaction that appends the events, so that two callers cannot both win.
 */
#ifndef DEMON_VOTE_H
#define DEMON_VOTE_H

#include "store/write.h"
#include "voter.h"

/** A vote that is to be cast. Borrowed; NULL: absent. */
struct demon_vote {
	const struct demon_run_id *run;
	const char *gate_id;
	int64_t round;              /* 0: the last one */
	enum demon_gate_state want; /* GRANTED, DENIED or OVERRIDDEN */
	const struct demon_actor *actor;
	const char *note;  /* of a denial and of an override: the reason, which they need */
	const char *seen;  /* digest of what the voter was shown, in hex; NULL: what is asked now */
	const char *nonce; /* of the link that is used */
};

/** What came of it. */
struct demon_vote_answer {
	bool noop;    /* the gate, or this voter, had decided so before: nothing was written */
	bool decided; /* the vote decided the gate */
	enum demon_gate_state state;
	int64_t round;
	int64_t have; /* votes for it, this one among them */
	int64_t need;
	char *
	    event; /* payload of the event that decided the gate, or of the vote: new; NULL: noop */
};
void demon_vote_answer_done(struct demon_vote_answer *answer);

/**
 * Casts a vote, and decides the gate where that makes the votes sufficient.
 *
 * DEMON_NOTFOUND: the run never came to that gate. DEMON_CONFLICT: the gate was decided otherwise
 * (ret_answer->state says how), its time is up, the voter voted otherwise or has not seen what is
 * asked. DEMON_DENIED: the voter may not, or the run is another node's. DEMON_INVALID: a name, a
 * note, or a reason that is missing.
 */
enum demon_rc demon_vote_cast(struct demon_store *store, const struct demon_gate_config *config,
			      const struct demon_vote *vote, struct demon_vote_answer *ret_answer,
			      struct demon_err *err) demon_must_check;

/** Does what is due about the gate at which a run of this node waits: warns, escalates, denies. */
enum demon_rc demon_gate_tick(struct demon_store *store, const struct demon_run_id *run,
			      struct demon_err *err) demon_must_check;

/** Escalates by hand; @p reason NULL: "manual". DEMON_CONFLICT: it is decided, or at its last
 * level. DEMON_INVALID: the reason is none. */
enum demon_rc demon_gate_escalate(struct demon_store *store, const struct demon_run_id *run,
				  const char *gate_id, const struct demon_actor *actor,
				  const char *reason, struct demon_err *err) demon_must_check;

/** Denies the gate at which a run waits, if at one, because the run ends: within the job that ends
 * it. @p now is the time of that. */
enum demon_rc demon_gate_close(struct demon_write *w, const struct demon_run_id *run,
			       const char *reason, demon_time now, struct demon_err *err)
    demon_must_check;

#endif
