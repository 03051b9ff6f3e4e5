/*
 * Who gives a command, and whether a token allows it.
 *
 * Who can write the file may do anything: a token only ever takes away. Where one is given, its
 * subject is who acts, whatever else is said, and its role and tenant are what is allowed.
 */
#include "command.h"
#include "store/readers.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum demon_rc check_role(const struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_bearer *b = &ctl->bearer;
	enum demon_role least = ctl->command->role ? ctl->command->role : DEMON_ROLE_ADMIN;

	if (b->role >= least)
		return DEMON_OK;
	return demon_err_set(err, DEMON_DENIED,
			     "the token of '%.100s' has the role %s: '%s' needs %s", b->subject,
			     demon_role_name(b->role), ctl->path, demon_role_name(least));
}

enum demon_rc demon_ctl_whole(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_bearer *b = &ctl->bearer;

	if (!ctl->has_bearer || !*b->tenant)
		return DEMON_OK;
	if (ctl->command->of_tenant)
		demon_ctl_hint(ctl, "say --tenant %s", b->tenant);
	return demon_err_set(err, DEMON_DENIED,
			     "the token of '%.100s' is for tenant '%s' alone: '%s' is about the "
			     "whole node",
			     b->subject, b->tenant, ctl->path);
}

static enum demon_rc check_tenant(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_bearer *b = &ctl->bearer;

	if (!*b->tenant)
		return DEMON_OK;
	if (!ctl->command->of_tenant)
		return demon_ctl_whole(ctl, err);
	if (strcmp(b->tenant, ctl->settings.tenant.value) == 0)
		return DEMON_OK;
	demon_ctl_hint(ctl, "say --tenant %s, or set DEMON_TENANT", b->tenant);
	return demon_err_set(err, DEMON_DENIED,
			     "the token of '%.100s' is for tenant '%s' alone, not for '%s'",
			     b->subject, b->tenant, ctl->settings.tenant.value);
}

enum demon_rc demon_ctl_admit(struct demon_ctl *ctl, struct demon_err *err)
{
	const struct demon_setting *token = &ctl->settings.token;
	const struct demon_env *env = demon_env_real();
	enum demon_rc rc;
	DEMON_READ(loan);

	if (!token->value)
		return DEMON_OK;
	if ((rc = demon_store_borrow(ctl->store, &loan, err)))
		return rc;
	if (demon_token_check(loan.db, token->value, env->now(env->ctx), &ctl->bearer, err))
		return demon_err_wrap(err, "%s", token->from);
	ctl->has_bearer = true;
	if ((rc = check_role(ctl, err)))
		return rc;
	return check_tenant(ctl, err);
}

/* Who runs this program, as far as it can be told: no names are asked for over a network. */
static const char *user(struct demon_ctl *ctl)
{
	const char *name = demon_settings_env("USER");
	struct demon_actor actor = {.subject = name};
	struct passwd entry;
	struct passwd *found = NULL;
	struct demon_err unused;
	char text[4096];

	if (name && demon_actor_check(&actor, &unused) == DEMON_OK)
		return name;
	if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) == 0 && found) {
		(void)snprintf(ctl->user, sizeof(ctl->user), "%s", found->pw_name);
		actor.subject = ctl->user;
		if (demon_actor_check(&actor, &unused) == DEMON_OK)
			return ctl->user;
	}
	(void)snprintf(ctl->user, sizeof(ctl->user), "uid %u", (unsigned)geteuid());
	return ctl->user;
}

enum demon_rc demon_ctl_actor(struct demon_ctl *ctl, const char *option,
			      struct demon_actor *ret_actor, struct demon_err *err)
{
	const char *name = option ? demon_args_get(&ctl->args, option) : NULL;
	struct demon_actor actor = {.subject = name, .auth = DEMON_AUTH_DECLARED};

	if (ctl->has_bearer) {
		*ret_actor = demon_bearer_actor(&ctl->bearer);
		return DEMON_OK;
	}
	if (!name)
		actor.subject = user(ctl);
	if (demon_actor_check(&actor, err)) {
		err->rc = DEMON_USAGE;
		return demon_err_wrap(err, "option '--%s'", option ? option : "by");
	}
	*ret_actor = actor;
	return DEMON_OK;
}
