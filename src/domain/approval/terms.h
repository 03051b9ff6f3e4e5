/*
 * Terms of a gate: what a step that asks for approval says of it, and the arguments of the capsule
 * `approval`.
 *
 *	gate            id; absent: the task's name
 *	reason          what is asked for; absent: the task's name
 *	requester       absent: who started the run
 *	ttl             ISO 8601 duration or seconds, 1 ms to 3 650 days; absent: as configured,
 *PT24H approvers       subjects that may decide; absent or empty: no list of them roles roles that
 *may decide, in the same way quorum          grants that it takes, from 1; absent: 1 denials
 *denials that it takes, from 1; absent: 1 allowRequester  whether the requester may decide; absent:
 *false authentication  least level that a voter needs: declared, link or token confirm         a
 *text that whoever decides is shown
 */
#ifndef DEMON_GATE_TERMS_H
#define DEMON_GATE_TERMS_H

#include "domain/admin/actor.h"
#include "domain/capsule/capsule.h"

#define DEMON_GATE_TTL_MAX     ((int64_t)3650 * 24 * 3600 * 1000)
#define DEMON_GATE_TTL_DEFAULT ((int64_t)24 * 3600 * 1000)
#define DEMON_GATE_NAMES_MAX   256 /* approvers, or roles, of one gate */
#define DEMON_GATE_VOTES_MAX   100 /* quorum, or denials */

/** Borrowed from the arguments; NULL: absent. */
struct demon_gate_terms {
	const char *gate;
	const char *reason;
	const char *requester;
	int64_t ttl_ms; /* 0: absent */
	const json_t *approvers;
	const json_t *roles;
	int64_t quorum;
	int64_t denials;
	bool allow_requester;
	enum demon_auth auth;
	const char *confirm;
};

/** Reads arguments that demon_capsule_approval's check finds nothing wrong with; NULL: none. */
struct demon_gate_terms demon_gate_terms_read(const json_t *with);

/** Asks for approval. Its `run` is NULL: the run's interpreter opens a gate and waits. */
extern const struct demon_capsule demon_capsule_approval;

#endif
