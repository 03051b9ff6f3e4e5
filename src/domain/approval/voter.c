#include "voter.h"

#include "domain/admin/freeze.h"
#include "domain/admin/roles.h"
#include "gate_rules.h"

#include <string.h>
#include <strings.h>

static enum demon_rc refuse(const struct demon_gate *gate, const char *subject, const char *why,
			    struct demon_err *err)
{
	return demon_err_set(err, DEMON_DENIED, "'%s' may not decide about gate '%s': %s", subject,
			     gate->gate_id, why);
}

/* Whether one of @p roles is held. */
static enum demon_rc holds(struct demon_db *db, const struct demon_gate *gate, const char *subject,
			   const json_t *roles, bool *ret, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	*ret = false;
	for (size_t i = 0; i < json_array_size(roles) && !*ret && !rc; i++)
		rc = demon_roles_has(db, gate->run.tenant_id, subject,
				     json_string_value(json_array_get(roles, i)), ret, err);
	return rc;
}

static enum demon_rc check_known(struct demon_db *db, const struct demon_gate_config *config,
				 const struct demon_gate *gate, const struct demon_actor *actor,
				 struct demon_err *err)
{
	json_auto_t *roles = NULL;
	enum demon_rc rc;

	if (actor->tenant && strcmp(actor->tenant, gate->run.tenant_id) != 0)
		return refuse(gate, actor->subject, "the token is for another tenant", err);
	if (actor->auth == DEMON_AUTH_TOKEN)
		return actor->role >= DEMON_ROLE_APPROVER
			   ? DEMON_OK
			   : refuse(gate, actor->subject, "the token's role is below approver",
				    err);
	if (demon_allowlist_has(config->allowlist, actor->subject))
		return DEMON_OK;
	if (actor->auth == DEMON_AUTH_LINK &&
	    (rc = demon_roles_get(db, gate->run.tenant_id, actor->subject, &roles, err)))
		return rc;
	return json_array_size(roles)
		   ? DEMON_OK
		   : refuse(gate, actor->subject, "the allow-list does not have that name", err);
}

static bool is_requester(const struct demon_gate *gate, const char *subject)
{
	static const char *const keys[] = {"requester", "startedBy"};

	for (size_t i = 0; i < demon_count(keys); i++) {
		const char *name = demon_gate_text(gate, keys[i]);

		if (name && strcasecmp(name, subject) == 0)
			return true;
	}
	return false;
}

static enum demon_rc check_listed(struct demon_db *db, const struct demon_gate *gate,
				  const struct demon_actor *actor, struct demon_err *err)
{
	const json_t *approvers = json_object_get(gate->opened, "approvers");
	const json_t *roles = json_object_get(gate->opened, "roles");
	bool listed = demon_gate_lists(approvers, actor->subject);
	enum demon_rc rc = DEMON_OK;

	if (!json_array_size(approvers) && !json_array_size(roles) && !demon_gate_levels(gate))
		return DEMON_OK;
	if (!listed)
		rc = holds(db, gate, actor->subject, roles, &listed, err);
	/* a chain that is gone through again has been at all of its levels */
	for (int64_t i = 1; !rc && !listed && i <= (int64_t)demon_gate_levels(gate); i++)
		if (i <= gate->level || gate->repeats)
			rc = holds(db, gate, actor->subject,
				   json_object_get(demon_gate_level(gate, i), "roles"), &listed,
				   err);
	if (rc || listed)
		return rc;
	return refuse(gate, actor->subject,
		      "it is none of its approvers, and holds none of the roles that may", err);
}

static enum demon_rc check_override(struct demon_db *db, const struct demon_gate *gate,
				    const struct demon_actor *actor, struct demon_err *err)
{
	const json_t *level = demon_gate_level(gate, gate->level);
	bool held;
	enum demon_rc rc;

	if (!json_is_true(json_object_get(level, "emergencyOverride")))
		return refuse(gate, actor->subject,
			      level ? "its level allows no override"
				    : "it has no level that allows an override",
			      err);
	if ((rc = holds(db, gate, actor->subject, json_object_get(level, "roles"), &held, err)))
		return rc;
	return held ? DEMON_OK : refuse(gate, actor->subject, "it holds no role of the level", err);
}

enum demon_rc demon_voter_check(struct demon_db *db, const struct demon_gate_config *config,
				const struct demon_gate *gate, const struct demon_actor *actor,
				enum demon_gate_state want, struct demon_err *err)
{
	const char *asked = demon_gate_text(gate, "authentication");
	enum demon_auth least = DEMON_AUTH_DECLARED;
	enum demon_rc rc;

	if ((rc = demon_actor_check(actor, err)) ||
	    (asked && (rc = demon_auth_find(asked, &least, err))))
		return rc;
	if (actor->auth == DEMON_AUTH_SYSTEM)
		return refuse(gate, actor->subject, "only people may", err);
	if (actor->auth < least)
		return demon_err_set(err, DEMON_DENIED,
				     "'%s' may not decide about gate '%s': it asks for a %s, and "
				     "the name is %s",
				     actor->subject, gate->gate_id, demon_auth_name(least),
				     actor->auth == DEMON_AUTH_LINK ? "of a link"
								    : "only declared");
	if ((rc = check_known(db, config, gate, actor, err)))
		return rc;
	if (is_requester(gate, actor->subject) &&
	    !json_is_true(json_object_get(gate->opened, "allowRequester")))
		return refuse(gate, actor->subject, "it asks for the approval itself", err);
	rc = want == DEMON_GATE_OVERRIDDEN ? check_override(db, gate, actor, err)
					   : check_listed(db, gate, actor, err);
	if (rc || want == DEMON_GATE_DENIED)
		return rc;
	return demon_frozen_refuse(db, gate->run.tenant_id, err);
}
