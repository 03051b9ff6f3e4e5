/*
 * Why a gate stands as it does, told from the log and from what holds now: how many votes are
 * needed, who may still cast one, who is excluded and why, what happens next and when.
 */
#ifndef DEMON_GATE_WHY_H
#define DEMON_GATE_WHY_H

#include "voter.h"

/**
 * *ret_why is new:
 *
 *	{"runId","gateId","round","state","requester","reason","requestedAt","expiresAt","level",
 *	 "needs":{"grants":{"have","need"},"denials":{"have","need"}},
 *	 "votes":[{"approver","decision","authentication","note","ts"}],
 *	 "mayVote":[{"subject","as","override"}], "anybody":bool,
 *	 "excluded":[{"subject","why"}],
 *	 "next":[{"at","what"}], "frozen":"by whom and why",
 *	 "decided":{"by","authentication","note","at"}}
 *
 * Whoever is named by the gate, its levels, roles, tokens or the allow-list is asked about; at most
 * 1 000 of them.
 */
enum demon_rc demon_gate_why(struct demon_db *db, const struct demon_gate_config *config,
			     const struct demon_gate *gate, demon_time now, json_t **ret_why,
			     struct demon_err *err) demon_must_check;

#endif
