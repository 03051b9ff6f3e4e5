/*
 * Freeze: for an incident, new runs are refused and gates do not proceed, of a tenant or of the
 * whole node.
 *
 * It is a register: any node that shares its log with this one is frozen with it, and who did it,
 * when and why is on record. Whatever value the register has means frozen; only taking it away
 * thaws.
 */
#ifndef DEMON_FREEZE_H
#define DEMON_FREEZE_H

#include "register.h"

/** Who froze, when and why. */
struct demon_freeze {
	bool frozen;     /* false: the rest is empty */
	bool node;       /* the whole node, not the tenant alone */
	char tenant[65]; /* DEMON_TENANT_ALL, or the tenant */
	char by[DEMON_ACTOR_MAX + 1];
	char reason[257]; /* as much of it as fits; "": none was given */
	enum demon_auth auth;
	demon_time ts;
};

/** Whether the node or @p tenant is frozen; the node's freeze is told first. @p db is that of a
 * loan or of a job, so that a command can decide on it. @p tenant DEMON_TENANT_ALL: the node. */
enum demon_rc demon_frozen(struct demon_db *db, const char *tenant, struct demon_freeze *ret_freeze,
			   struct demon_err *err) demon_must_check;

/** DEMON_DENIED when frozen, with who, when and why; else DEMON_OK. */
enum demon_rc demon_frozen_refuse(struct demon_db *db, const char *tenant, struct demon_err *err)
    demon_must_check;

/** Sets that message: "tenant 'blue' is frozen by 'kim' since ...: reason"; returns DEMON_DENIED.
 */
enum demon_rc demon_freeze_denied(const struct demon_freeze *freeze, struct demon_err *err);

/** What to freeze or thaw, and who says so. Borrowed. */
struct demon_freeze_request {
	const char *tenant; /* DEMON_TENANT_ALL: the node */
	const struct demon_actor *actor;
	const char *reason;
};

/** Freezes. *ret_new is false, and nothing is written, when it is frozen already. */
enum demon_rc demon_freeze(struct demon_store *store, const struct demon_freeze_request *request,
			   bool *ret_new, struct demon_err *err) demon_must_check;

/** Thaws. *ret_new is false, and nothing is written, when it is not frozen. A tenant stays frozen
 * as long as the node is. */
enum demon_rc demon_thaw(struct demon_store *store, const struct demon_freeze_request *request,
			 bool *ret_new, struct demon_err *err) demon_must_check;

/** Calls @p fn for every freeze that holds. */
enum demon_rc demon_freeze_list(struct demon_db *db, demon_register_fn *fn, void *ctx,
				struct demon_err *err) demon_must_check;

#endif
