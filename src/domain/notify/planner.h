/*
 * The planner: reads the log and makes a delivery of every event that a route takes.
 *
 * Only events that this node has written about runs are looked at: the run's owner notifies, and
 * nobody else. A route takes what was appended after it came to be (by logical clock, so that no
 * wall clock has a say), whether or not a daemon ran then. The cursor and the deliveries are
 * committed together: nothing is left out, and nothing is planned twice.
 *
 * One planner a database, of one thread at a time.
 */
#ifndef DEMON_PLANNER_H
#define DEMON_PLANNER_H

#include "base/base.h"

#include <demon/store.h>

struct demon_planner;

enum demon_rc demon_planner_open(struct demon_store *store, struct demon_planner **ret_planner,
				 struct demon_err *err) demon_must_check;
void demon_planner_close(struct demon_planner *planner);

/**
 * Plans what has been appended since the last time, a bounded piece of it. *ret_planned:
 * deliveries made; *ret_more: there is more to read.
 */
enum demon_rc demon_planner_look(struct demon_planner *planner, size_t *ret_planned, bool *ret_more,
				 struct demon_err *err) demon_must_check;

/** The idempotency key of a delivery, 32 digits and a NUL. */
enum demon_rc demon_delivery_key(const struct demon_event *event, const char *route_tenant,
				 const char *route, const char *recipient, char *out,
				 struct demon_err *err) demon_must_check;

#endif
