/*
 * The policy that holds for a tenant: quotas and schedules.
 *
 * A process is given some at its start (the environment); administrators set others in the database
 * (the register POLICY, names "quotas" and "schedules", of a tenant or of the node). Quotas and
 * schedules are each taken from one source: from the database when it has any for this tenant or
 * for the node, else from what the process was given. What is set in the database of one tenant is
 * about that tenant alone.
 *
 * What cannot be read makes no policy: nothing is allowed then (`fault`).
 */
#ifndef DEMON_POLICY_H
#define DEMON_POLICY_H

#include "base/bytes.h"
#include "db/stmt.h"
#include "schedule.h"

/** Names of the registers. */
#define DEMON_POLICY_QUOTAS    "quotas"
#define DEMON_POLICY_SCHEDULES "schedules"

/** What a process is given. Immutable; any thread. */
struct demon_wards;

/** Texts as they are given; NULL or blank: absent. Borrowed during the call. */
struct demon_wards_options {
	const char *capabilities; /* WARDS_CAP_QUOTAS */
	const char *tenants;      /* WARDS_QUOTAS */
	const char *global;       /* WARDS_GLOBAL_QUOTA */
	const char *schedules;    /* WARDS_SCHEDULES */
	const char *tenanting;    /* TENANTING_ENABLED */
	const char *zones;        /* folder of time zones; NULL: the default */
};

/** *ret_wards is new (demon_wards_close). DEMON_INVALID: what is wrong, in which variable and
 * where; DEMON_NOTFOUND: schedules on a machine without time zones. */
enum demon_rc demon_wards_open(const struct demon_wards_options *options,
			       struct demon_wards **ret_wards, struct demon_err *err)
    demon_must_check;
void demon_wards_close(struct demon_wards *wards);

/** Quotas, or schedules. */
struct demon_policy_part {
	const char *source; /* "database", "environment", "none": static storage */
	bool any;           /* it has some, if only for other tenants of the environment */
	json_t *of_tenant;  /* owned, as of_node: documents; NULL: none */
	json_t *of_node;
};

struct demon_policy {
	struct demon_policy_part quotas;
	struct demon_policy_part schedules;
	const json_t *rules; /* borrowed from the wards: where its quotas are from */
	const char *zones;   /* borrowed from the wards; NULL: the default */
	char digest[2 * DEMON_HASH_LEN + 1]; /* of both, in hex; "": there is a fault */
	char fault[256];                     /* why nothing is allowed; "": there is none */
};
void demon_policy_done(struct demon_policy *policy);
#define DEMON_POLICY(name) demon_cleanup(demon_policy_done) struct demon_policy name = {0}

/**
 * Finds the policy of a tenant (DEMON_TENANT_ALL: of the node alone). @p db is that of a loan or of
 * a job; @p wards may be NULL. *ret_any is false, and *policy untouched, when nothing is
 * configured.
 */
enum demon_rc demon_policy_find(struct demon_db *db, const struct demon_wards *wards,
				const char *tenant, struct demon_policy *policy, bool *ret_any,
				struct demon_err *err) demon_must_check;

/** Holds what is to be set as @p name against what it must be, zones included. *ret_value (new) is
 * what is to be written. DEMON_INVALID: also an unknown @p name. */
enum demon_rc demon_policy_check(const char *name, bool of_node, const json_t *value,
				 json_t **ret_value, struct demon_err *err) demon_must_check;

#endif
