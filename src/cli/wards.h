/*
 * What the environment says of policies: WARDS_CAP_QUOTAS, WARDS_QUOTAS, WARDS_GLOBAL_QUOTA,
 * WARDS_SCHEDULES, TENANTING_ENABLED (domain/ward/policy.h).
 */
#ifndef DEMON_CLI_WARDS_H
#define DEMON_CLI_WARDS_H

#include "domain/ward/policy.h"

/** Reads the environment. *ret_wards is new (demon_wards_close). DEMON_USAGE: a variable that is
 * malformed, or one that this version would have to ignore; DEMON_NOTFOUND: no time zones. */
enum demon_rc demon_ward_settings_read(struct demon_wards **ret_wards, struct demon_err *err)
    demon_must_check;

#endif
