/*
 * Quotas: how often a capability may be used within a window of time.
 *
 * A document of quotas belongs to one tenant or to the whole node and maps capabilities to quotas;
 * "*" stands for every capability that the document does not name:
 *
 *	{"capsule.http":{"limit":9,"windowSeconds":30},"*":{"limit":100,"windowSeconds":3600}}
 *
 * The first of these that there is holds: of the tenant the capability, then "*"; of the node the
 * capability, then "*"; then none: 0 within 60 seconds. Windows do not slide: they begin at
 * multiples of their length since the Epoch. A quota of a tenant is the tenant's alone. One of the
 * node is shared by all tenants, or with "perTenant" each has its own of it. It is never shared by
 * capabilities.
 */
#ifndef DEMON_QUOTA_H
#define DEMON_QUOTA_H

#include "base/json.h"

/** Longest name of a capability. */
#define DEMON_CAPABILITY_MAX       128

/** Every capability that is not named. */
#define DEMON_CAPABILITY_ANY       "*"

/** What is denied when there are quotas and none of them is meant. */
#define DEMON_QUOTA_WINDOW_DEFAULT 60

#define DEMON_QUOTA_LIMIT_MAX      ((int64_t)4294967295)
#define DEMON_QUOTA_WINDOW_MAX     ((int64_t)3650 * 86400)

/** Writes the full name: "capsule.http" of "http" and of itself. DEMON_INVALID: it is no name,
 * which is 1 to 128 of A-Z a-z 0-9 . _ -. */
enum demon_rc demon_capability_name(const char *name, char out[DEMON_CAPABILITY_MAX + 1],
				    struct demon_err *err) demon_must_check;

/** What every error of a document begins with: which text, and where in it. */
struct demon_policy_place {
	const char *what;    /* "WARDS_CAP_QUOTAS" */
	const char *pointer; /* of the document, JSON pointer; "": all of it */
};

/** Sets "WHAT: at 'POINTER': why" and returns DEMON_INVALID. */
enum demon_rc demon_policy_wrong(const struct demon_policy_place *place, const char *why,
				 struct demon_err *err);

/** Parses a text of at most 256 KiB. */
enum demon_rc demon_policy_parse(const char *what, const char *text, json_t **ret_json,
				 struct demon_err *err) demon_must_check;

/** DEMON_INVALID: @p quota is none. @p of_node: it may have perTenant. */
enum demon_rc demon_quota_check(const json_t *quota, bool of_node,
				const struct demon_policy_place *place, struct demon_err *err)
    demon_must_check;

/** Holds a document against what it must be. *ret_document (new) has the full names. */
enum demon_rc demon_quotas_check(const json_t *document, bool of_node,
				 const struct demon_policy_place *place, json_t **ret_document,
				 struct demon_err *err) demon_must_check;

/** A quota that holds. */
struct demon_quota {
	int64_t limit;
	int64_t window_s;
	bool of_tenant;  /* it is the tenant's own; else the node's */
	bool per_tenant; /* its uses are counted for each tenant */
	const char *key; /* borrowed: the capability's name, or DEMON_CAPABILITY_ANY */
};

/** Finds the quota of a capability by its full name, in documents that were checked; NULL: there
 * is none. False: none holds. */
bool demon_quota_find(const json_t *of_tenant, const json_t *of_node, const char *capability,
		      struct demon_quota *ret_quota);

/*
 * What a process is given.
 */

/** Texts of variables; NULL or blank: absent. */
struct demon_quota_texts {
	const char *capabilities; /* WARDS_CAP_QUOTAS: JSON, or compact */
	const char *tenants;      /* WARDS_QUOTAS */
	const char *global;       /* WARDS_GLOBAL_QUOTA */
	bool per_tenant;          /* TENANTING_ENABLED */
};

/**
 * Reads them into documents by tenant (*ret_documents, new): {tenant: document}, "*" the node's;
 * NULL: nothing is configured. *ret_rules (new) has at the same places where each is from:
 * "WARDS_CAP_QUOTAS entry 2", "WARDS_QUOTAS at '/blue'". DEMON_INVALID.
 */
enum demon_rc demon_quotas_read(const struct demon_quota_texts *texts, json_t **ret_documents,
				json_t **ret_rules, struct demon_err *err) demon_must_check;

#endif
