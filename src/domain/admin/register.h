/*
 * Registers: what administrators set, and what holds.
 *
 * A register is (kind, tenant, name). A write gives it a value or takes it away; what holds is the
 * greatest write by (clock, origin, hash) of an origin that this node trusts (trust.h), whatever
 * the order in which writes arrived, and those that lost can be listed. Every write is one event of
 * the node's own stream, whose type is that of the kind, so that the log says who changed what, and
 * each kind has its contract.
 */
#ifndef DEMON_REGISTER_H
#define DEMON_REGISTER_H

#include "actor.h"
#include "base/json.h"
#include "store/projection.h"
#include "store/write.h"

enum demon_register_kind {
	DEMON_REGISTER_ESCALATION, /* escalation.written:v1; name: gate id */
	DEMON_REGISTER_FREEZE,     /* freeze.written:v1;     name: "freeze" */
	DEMON_REGISTER_POLICY,     /* policy.written:v1;     name: "quotas", "schedules", … */
	DEMON_REGISTER_ROLES,      /* roles.written:v1;      name: subject */
	DEMON_REGISTER_ROUTE,      /* route.written:v1;      name: of the route */
	DEMON_REGISTER_TOKEN,      /* token.written:v1;      name: id of the token */
};
#define DEMON_REGISTER_KINDS 6

/** "escalation", "freeze", …, in static storage. */
const char *demon_register_kind_name(enum demon_register_kind kind);

/** The tenant of what holds for the whole node. It is the id of no tenant. */
#define DEMON_TENANT_ALL "*"

/** A write that is to be made. Borrowed. */
struct demon_register_write {
	enum demon_register_kind kind;
	const char *tenant;  /* DEMON_TENANT_ALL, or a tenant id */
	const char *name;    /* 1 to 254 bytes, as a subject (actor.h) */
	const json_t *value; /* an object; NULL: taken away */
	const struct demon_actor *actor;
	const char *reason; /* at most 4 KiB; NULL: none was given */
};

/** Longest reason, in bytes. */
#define DEMON_REASON_MAX 4096

/** A write that was made. Borrowed during the callback; NULL: absent. */
struct demon_register_row {
	enum demon_register_kind kind;
	const char *tenant;
	const char *name;
	const char *value; /* canonical JSON object; NULL: taken away */
	size_t value_len;
	const char *by;
	enum demon_auth auth;
	const char *reason;
	demon_time ts;
	uint64_t clock;
	unsigned char origin[DEMON_ORIGIN_LEN]; /* of the node that wrote it */
	unsigned char hash[DEMON_SHA256_LEN];   /* of the event */
	bool trusted; /* that node's word counts here: without, it never holds (trust.h) */
};
typedef enum demon_rc demon_register_fn(void *ctx, const struct demon_register_row *row,
					struct demon_err *err);

/**
 * Writes a register. *ret_new (may be NULL) is false, and nothing is written, when it has that
 * value already. DEMON_INVALID: an id, the name, the actor. DEMON_NOTFOUND: what is to be taken
 * away is not there. DEMON_TOOBIG: the value does not fit into an event.
 */
enum demon_rc demon_register_set(struct demon_store *store,
				 const struct demon_register_write *write, bool *ret_new,
				 struct demon_err *err) demon_must_check;

/** The same within a job that decides more than this; @p now is the time of the command. */
enum demon_rc demon_register_put(struct demon_write *w, const struct demon_register_write *write,
				 demon_time now, bool *ret_new, struct demon_err *err)
    demon_must_check;

/*
 * Reading: @p db is that of a loan or of a job. @p fn may read registers through the other
 * functions here, not through the one that calls it.
 */

/** Calls @p fn with the write that holds, unless it took the value away. DEMON_NOTFOUND: nothing
 * holds. */
enum demon_rc demon_register_get(struct demon_db *db, enum demon_register_kind kind,
				 const char *tenant, const char *name, demon_register_fn *fn,
				 void *ctx, struct demon_err *err) demon_must_check;

/** Calls @p fn for every register of a kind that has a value, in order of tenant and name.
 * @p tenant NULL: of all. */
enum demon_rc demon_register_list(struct demon_db *db, enum demon_register_kind kind,
				  const char *tenant, demon_register_fn *fn, void *ctx,
				  struct demon_err *err) demon_must_check;

/** All writes to a register, the one that holds first, those of origins that are not trusted last.
 */
enum demon_rc demon_register_writes(struct demon_db *db, enum demon_register_kind kind,
				    const char *tenant, const char *name, demon_register_fn *fn,
				    void *ctx, struct demon_err *err) demon_must_check;

/** The projection of all kinds: table registers. */
extern const struct demon_projection demon_register_projection;

#endif
