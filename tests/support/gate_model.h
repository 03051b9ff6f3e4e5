/*
 * A model of gates, to hold the real ones against: what may be decided by whom, what time brings,
 * and where the run stands. Written from docs/approvals.md and knows nothing of events.
 */
#ifndef DEMON_TEST_GATE_MODEL_H
#define DEMON_TEST_GATE_MODEL_H

#include "domain/admin/actor.h"
#include "domain/approval/gate.h"

#define MODEL_PEOPLE 6
#define MODEL_ROLES  2
#define MODEL_LEVELS 3
#define MODEL_ROUNDS 3
#define MODEL_NONCES 4

struct model_level {
	unsigned roles; /* bits */
	int64_t ms;     /* 0: no end */
	bool override;
};

/** What the ritual and the process say. */
struct model_terms {
	unsigned rounds;
	bool caught;        /* the ritual goes on after a denial */
	int64_t ttl;        /* ms */
	int64_t limit;      /* time of the step, ms; 0: none */
	unsigned quorum;    /* of grants */
	unsigned denials;   /* of those */
	unsigned approvers; /* bits of people; 0: no list */
	unsigned roles;     /* bits; 0: no list */
	bool self;          /* the requester may decide */
	int requester;      /* person, -1: nobody that votes */
	int starter;        /* the same */
	enum demon_auth auth;
	size_t levels;
	struct model_level level[MODEL_LEVELS];
	int64_t repeat;
};

struct model_gate {
	enum demon_gate_state state;
	demon_time requested;
	demon_time expires;
	demon_time until; /* when the step's time is up; 0: never */
	demon_time since;
	demon_time decided;
	int64_t level;
	int64_t repeats;
	int64_t warned;
	unsigned granted; /* bits of people */
	unsigned denied;
	bool by_system;
};

enum model_end { MODEL_OPEN, MODEL_COMPLETED, MODEL_DENIED, MODEL_CANCELED, MODEL_FAILED };

struct model {
	struct model_terms terms;
	unsigned allowed;            /* bits of people that the allow-list has */
	unsigned held[MODEL_PEOPLE]; /* bits of roles */
	bool frozen;
	bool nonces[MODEL_NONCES]; /* used */
	demon_time now;
	demon_time last; /* of the run's events */
	unsigned opened; /* rounds */
	struct model_gate gate[MODEL_ROUNDS];
	unsigned fired; /* timers */
	enum model_end end;
	bool wrote; /* the last act has written something */
};

struct model_vote {
	int person;
	bool upper; /* the name in capitals */
	enum demon_auth auth;
	enum demon_role role;
	int tenant; /* of the token: 0 none, 1 the gate's, 2 another */
	enum demon_gate_state want;
	int64_t round; /* 0: the last one */
	bool note;
	int seen;  /* 0: not said, 1: what is asked, 2: something else */
	int nonce; /* -1: none */
};

struct model_answer {
	enum demon_rc rc;
	bool told; /* of the gate, as follows */
	bool noop;
	bool decided;
	unsigned have;
	unsigned need;
	enum demon_gate_state state;
	int64_t round;
};

struct model_answer model_vote(struct model *m, const struct model_vote *vote);
void model_tick(struct model *m);
enum demon_rc model_escalate(struct model *m);
enum demon_rc model_cancel(struct model *m, bool *ret_changed);
/** The interpreter goes on as far as it can. */
void model_execute(struct model *m);

/** When the gate is to be looked at next; it is pending. */
demon_time model_next(const struct model *m, const struct model_gate *gate);

/** The run's. Static. */
const char *model_status(struct model *m);

/** The last round, or NULL. */
struct model_gate *model_last(struct model *m);

#endif
