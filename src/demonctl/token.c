/*
 * demonctl token create, list, rotate, revoke.
 */
#include "admin_commands.h"
#include "out.h"
#include "store/readers.h"
#include "when.h"

#include <string.h>

#define EXPIRES_DEFAULT "90d"
#define OVERLAP_DEFAULT "24h"

static enum demon_rc read_expires(const struct demon_ctl *ctl, const char *fallback,
				  demon_time *ret_t, struct demon_err *err)
{
	const char *text = demon_args_get(&ctl->args, "expires");

	*ret_t = 0;
	if (!text)
		text = fallback;
	if (!text || strcmp(text, "never") == 0)
		return DEMON_OK;
	return demon_when(text, "expires", 1, ret_t, err);
}

static enum demon_rc needed(const struct demon_ctl *ctl, const char *option, const char **ret,
			    struct demon_err *err)
{
	*ret = demon_args_get(&ctl->args, option);
	if (*ret)
		return DEMON_OK;
	return demon_err_set(err, DEMON_USAGE, "%s: option '--%s' is needed", ctl->path, option);
}

/* The token alone on stdout, what it is on stderr. */
static enum demon_rc print_secret(const struct demon_ctl *ctl,
				  const struct demon_token_secret *secret, json_t *details_new,
				  const char *note, struct demon_err *err)
{
	json_auto_t *details = details_new;

	if (!details)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a token");
	if (ctl->settings.json) {
		if (json_object_set_new(details, "id", json_string(secret->id)) ||
		    json_object_set_new(details, "token", json_string(secret->text)))
			return demon_err_set(err, DEMON_NOMEM, "no memory for a token");
		return demon_out_json(&ctl->settings, json_incref(details), err);
	}
	demon_out_line(secret->text);
	demon_out_note(&ctl->settings, "%s; it is not shown again", note);
	return DEMON_OK;
}

enum demon_rc demon_command_token_create(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_token_request request = {.tenant = demon_args_get(&ctl->args, "tenant"),
					      .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_token_secret secret;
	struct demon_actor actor;
	const char *role;
	json_t *details;
	enum demon_rc rc;
	DEMON_BUF(note, 0);

	if ((rc = needed(ctl, "subject", &request.subject, err)) ||
	    (rc = needed(ctl, "role", &role, err)) ||
	    (rc = read_expires(ctl, EXPIRES_DEFAULT, &request.expires_at, err)))
		return rc;
	if (demon_role_find(role, &request.role, err)) {
		err->rc = DEMON_USAGE;
		return demon_err_wrap(err, "option '--role'");
	}
	if ((rc = demon_ctl_open(ctl, true, err)) || (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	request.actor = &actor;
	if ((rc = demon_token_create(ctl->store, &request, &secret, err)))
		return rc;
	demon_buf_fmt(&note, "token %s of %s, %s of %s%s, expires %s", secret.id, request.subject,
		      role, request.tenant ? "tenant " : "all tenants",
		      request.tenant ? request.tenant : "",
		      request.expires_at ? demon_out_time(request.expires_at) : "never");
	details =
	    json_pack("{s:o,s:s,s:s,s:s*}", "expiresAt", demon_out_time_json(request.expires_at),
		      "role", role, "subject", request.subject, "tenant", request.tenant);
	return print_secret(ctl, &secret, details, note.data, err);
}

enum demon_rc demon_command_token_rotate(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_token_change change = {.id = ctl->words[0],
					    .reason = demon_args_get(&ctl->args, "reason")};
	const char *overlap = demon_args_get(&ctl->args, "overlap");
	const struct demon_env *env = demon_env_real();
	struct demon_token_secret secret;
	struct demon_actor actor;
	demon_time until;
	enum demon_rc rc;
	DEMON_BUF(note, 0);

	if ((rc = demon_when_length(overlap ? overlap : OVERLAP_DEFAULT, "overlap",
				    &change.overlap_ms, err)) ||
	    (rc = read_expires(ctl, NULL, &change.expires_at, err)) ||
	    (rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	change.actor = &actor;
	until = change.overlap_ms ? env->now(env->ctx) + change.overlap_ms : 0;
	if ((rc = demon_token_rotate(ctl->store, &change, &secret, err)))
		return rc;
	if (until)
		demon_buf_fmt(&note, "token %s: the one before is good until %s", secret.id,
			      demon_out_time(until));
	else
		demon_buf_fmt(&note, "token %s: the one before is of no use any more", secret.id);
	return print_secret(ctl, &secret,
			    json_pack("{s:o}", "previousUntil", demon_out_time_json(until)),
			    note.data, err);
}

enum demon_rc demon_command_token_revoke(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_token_change change = {.id = ctl->words[0],
					    .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_actor actor;
	bool new;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	change.actor = &actor;
	if ((rc = demon_token_revoke(ctl->store, &change, &new, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s,s:b}", "id", change.id, "noop", !new), err);
	demon_out_note(&ctl->settings, new ? "token %s is revoked" : "token %s was revoked before",
		       change.id);
	return DEMON_OK;
}

struct list {
	const struct demon_settings *settings;
	struct demon_table table;
	demon_time now;
};

static const char *state_of(const struct demon_token *token, demon_time now)
{
	if (token->revoked)
		return "revoked";
	return token->expires_at && token->expires_at <= now ? "expired" : "active";
}

static enum demon_rc list_token(void *ctx, const struct demon_token *token, struct demon_err *err)
{
	struct list *list = ctx;
	const char *state = state_of(token, list->now);
	/* when it was revoked nothing but that is known for sure */
	const char *role = *token->subject ? demon_role_name(token->role) : "";

	if (list->settings->json)
		return demon_out_json(
		    list->settings,
		    json_pack("{s:s,s:o,s:o,s:s,s:o,s:s,s:s,s:s,s:s*}", "by", token->by,
			      "createdAt", demon_out_time_json(token->created_at), "expiresAt",
			      demon_out_time_json(token->expires_at), "id", token->id,
			      "previousUntil", demon_out_time_json(token->previous_until), "role",
			      role, "state", state, "subject", token->subject, "tenant",
			      *token->tenant ? token->tenant : NULL),
		    err);
	demon_table_cell(&list->table, token->id);
	demon_table_cell(&list->table, token->subject);
	demon_table_cell(&list->table, role);
	demon_table_cell(&list->table, *token->tenant ? token->tenant : "all");
	demon_table_cell(&list->table, state);
	demon_table_cell(&list->table, demon_out_time(token->expires_at));
	demon_table_cell(&list->table, demon_out_time(token->previous_until));
	return DEMON_OK;
}

enum demon_rc demon_command_token_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"ID",    "SUBJECT", "ROLE",           "TENANT",
					    "STATE", "EXPIRES", "PREVIOUS UNTIL", NULL};
	const struct demon_env *env = demon_env_real();
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, (size_t)-1),
			    .now = env->now(env->ctx)};
	enum demon_rc rc;
	DEMON_READ(loan);

	if (!(rc = demon_ctl_open(ctl, false, err)) &&
	    !(rc = demon_store_borrow(ctl->store, &loan, err)) &&
	    !(rc = demon_token_list(loan.db, list_token, &list, err)))
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	return rc;
}
