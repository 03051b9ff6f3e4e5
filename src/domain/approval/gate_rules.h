/*
 * What becomes of a pending gate as time goes by: a function of the gate and of the time.
 */
#ifndef DEMON_GATE_RULES_H
#define DEMON_GATE_RULES_H

#include "gate.h"

/** What a gate's owner is to do about it. */
enum demon_gate_due {
	DEMON_GATE_WAITS,
	DEMON_GATE_WARNS,
	DEMON_GATE_ESCALATES, /* to the next level, or to the first one again */
	DEMON_GATE_EXPIRES,   /* its deadline, or its chain's end */
};
enum demon_gate_due demon_gate_due(const struct demon_gate *gate, demon_time now);

/** When something is next to be done about it. */
demon_time demon_gate_next(const struct demon_gate *gate);

/** Levels of its chain; 0: it has none. */
size_t demon_gate_levels(const struct demon_gate *gate);

/** A level by its number, from 1, or NULL. */
const json_t *demon_gate_level(const struct demon_gate *gate, int64_t number);

/** The level that follows the current one; 0: none does. */
int64_t demon_gate_next_level(const struct demon_gate *gate);

/** When its current level is over; 0: never. */
demon_time demon_gate_level_end(const struct demon_gate *gate);

/** When its step's time is up, which its run sees to; 0: never. */
demon_time demon_gate_until(const struct demon_gate *gate);

/** Members of what was opened. */
int64_t demon_gate_count(const struct demon_gate *gate, const char *key); /* 0: absent */
const char *demon_gate_text(const struct demon_gate *gate, const char *key);

/** True when @p names, a list of strings, has @p name in any case of its ASCII letters. */
bool demon_gate_lists(const json_t *names, const char *name);

#endif
