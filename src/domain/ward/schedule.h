/*
 * Schedules: when a capability may be used, by the clock on the wall of a place.
 *
 * A document of schedules belongs to one tenant or to the whole node and maps capabilities to rules
 * in order:
 *
 *	{"capsule.deploy":[{"action":"deny","timezone":"Europe/Oslo","days":["Fri"],
 *	                    "start":"15:00","end":"23:59"}]}
 *
 * The tenant's rules are asked first, then the node's; the first that matches decides. When none
 * does, nothing is denied: what allows at certain times needs a rule behind it that denies at all
 * others. Times are minutes, both inclusive: "17:00" ends with 17:00:59. A start behind the end
 * reaches over midnight, and what lies behind midnight is of the new day. No `days`: every day; an
 * empty list: never.
 */
#ifndef DEMON_SCHEDULE_H
#define DEMON_SCHEDULE_H

#include "quota.h"
#include "zone.h"

/** Most rules of a capability. */
#define DEMON_SCHEDULE_RULES 256

/** A folder of zones in which none is looked up: names are held against their form alone. */
#define DEMON_ZONES_LATER    ""

/** Holds a document against what it must be, and its zones against @p zones (a folder; NULL: the
 * default). *ret_document (new) has the full names. DEMON_INVALID; DEMON_NOTFOUND: this machine
 * has no zones. */
enum demon_rc demon_schedules_check(const json_t *document, const char *zones,
				    const struct demon_policy_place *place, json_t **ret_document,
				    struct demon_err *err) demon_must_check;

enum demon_schedule_result {
	DEMON_SCHEDULE_NONE,    /* there is no rule about the capability */
	DEMON_SCHEDULE_NOMATCH, /* none of them is about this time */
	DEMON_SCHEDULE_ALLOW,
	DEMON_SCHEDULE_DENY,
};

/** What schedules say. Of ALLOW and DENY: by which rule. */
struct demon_schedule_verdict {
	enum demon_schedule_result result;
	bool of_tenant;
	size_t index;
	const json_t *rule; /* borrowed from the document */
	struct demon_local local;
};

/** Documents that were checked; NULL: there is none. */
struct demon_schedules {
	const json_t *of_tenant;
	const json_t *of_node;
	const char *zones; /* a folder; NULL: the default */
};

/** Asks about a capability by its full name. Fails as demon_zone_open() does: whoever asks then may
 * not allow anything. */
enum demon_rc demon_schedule_judge(const struct demon_schedules *schedules, const char *capability,
				   demon_time t, struct demon_schedule_verdict *ret_verdict,
				   struct demon_err *err) demon_must_check;

/**
 * Reads what a process is given (WARDS_SCHEDULES; NULL or blank: nothing) into documents by tenant
 * (*ret_documents, new): {tenant: document}, "*" the node's; NULL: nothing is configured. In the
 * text the node goes by "global" or "*".
 */
enum demon_rc demon_schedules_read(const char *text, const char *zones, json_t **ret_documents,
				   struct demon_err *err) demon_must_check;

#endif
