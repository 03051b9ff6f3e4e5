/*
 * The check of a route's value, member by member. For src/domain/notify only.
 */
#ifndef DEMON_ROUTE_CHECK_H
#define DEMON_ROUTE_CHECK_H

#include "route.h"

/** Checks the members of an object whose kind is known, each for itself. DEMON_INVALID with the
 * JSON pointer of what is wrong. */
enum demon_rc demon_route_check(const json_t *value, enum demon_route_kind kind,
				struct demon_err *err) demon_must_check;

#endif
