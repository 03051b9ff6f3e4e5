/*
 * Roles of people: names such as "lead", which levels of escalation and gates ask for.
 *
 * They are no permissions of this program: those are the role of a token (token.h). A subject has
 * the roles of the tenant and those of all tenants (DEMON_TENANT_ALL).
 */
#ifndef DEMON_ROLES_H
#define DEMON_ROLES_H

#include "register.h"

/** Most roles of a subject in one register. */
#define DEMON_ROLES_MAX 64

/** [A-Za-z0-9._-]{1,64} */
bool demon_role_name_valid(const char *name);

/** What roles a subject is to have. Borrowed. */
struct demon_roles_request {
	const char *tenant; /* DEMON_TENANT_ALL: in all of them */
	const char *subject;
	const char *const *roles; /* in any order; one that is named twice counts once */
	size_t count;             /* 0: none any more */
	const struct demon_actor *actor;
	const char *reason; /* NULL: none was given */
};

/** Gives a subject these roles instead of those that it had. *ret_new is false, and nothing is
 * written, when it has them already. DEMON_INVALID: subject, tenant, a role; DEMON_TOOBIG. */
enum demon_rc demon_roles_set(struct demon_store *store, const struct demon_roles_request *request,
			      bool *ret_new, struct demon_err *err) demon_must_check;

/** Whether a subject has a role in a tenant. Subjects are compared to the letter. */
enum demon_rc demon_roles_has(struct demon_db *db, const char *tenant, const char *subject,
			      const char *role, bool *ret_has, struct demon_err *err)
    demon_must_check;

/** All roles that a subject has in a tenant, in ascending order: a JSON array (new). */
enum demon_rc demon_roles_get(struct demon_db *db, const char *tenant, const char *subject,
			      json_t **ret_roles, struct demon_err *err) demon_must_check;

/** Roles of a subject as they were set. Borrowed during the callback. */
struct demon_roles_row {
	const struct demon_register_row *row; /* name: the subject */
	const json_t *roles;                  /* array of strings */
};
typedef enum demon_rc demon_roles_fn(void *ctx, const struct demon_roles_row *row,
				     struct demon_err *err);

/** Calls @p fn for every subject that has some, in order of tenant and subject. @p tenant NULL: of
 * all. */
enum demon_rc demon_roles_list(struct demon_db *db, const char *tenant, demon_roles_fn *fn,
			       void *ctx, struct demon_err *err) demon_must_check;

#endif
