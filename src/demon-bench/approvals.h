/*
 * Gates: from a decision to the next step, and how late gates expire among many that are pending.
 */
#ifndef DEMON_BENCH_APPROVALS_H
#define DEMON_BENCH_APPROVALS_H

#include "rituals.h"

#define APPROVAL_COUNT 2

/** Measures in databases below @p dir; results are in the order of their names. */
void approvals_measure(const char *dir, bool quick, struct ritual_result results[APPROVAL_COUNT]);

#endif
