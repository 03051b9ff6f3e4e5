/*
 * demonctl roles set, roles list, audit, freeze, thaw.
 */
#include "admin_commands.h"
#include "base/bytes.h"
#include "domain/admin/audit.h"
#include "domain/admin/freeze.h"
#include "domain/admin/roles.h"
#include "out.h"
#include "store/readers.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AUDIT_MAX 1000000

static const char *tenant_name(const char *tenant)
{
	return strcmp(tenant, DEMON_TENANT_ALL) == 0 ? "all tenants" : tenant;
}

enum demon_rc demon_command_roles_set(struct demon_ctl *ctl, struct demon_err *err)
{
	bool all = demon_args_has(&ctl->args, "all-tenants");
	struct demon_roles_request request = {.tenant = all ? DEMON_TENANT_ALL
							    : ctl->settings.tenant.value,
					      .subject = ctl->words[0],
					      .roles = ctl->words + 1,
					      .count = ctl->word_count - 1,
					      .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_actor actor;
	json_t *roles;
	bool new;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, true, err)) || (all && (rc = demon_ctl_whole(ctl, err))) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	request.actor = &actor;
	if ((rc = demon_roles_set(ctl->store, &request, &new, err)))
		return rc;
	if (!ctl->settings.json) {
		demon_out_note(&ctl->settings, "%s has %zu role%s in %s%s", request.subject,
			       request.count, request.count == 1 ? "" : "s",
			       tenant_name(request.tenant), new ? "" : ", as before");
		return DEMON_OK;
	}
	roles = json_array();
	for (size_t i = 0; i < request.count; i++)
		(void)json_array_append_new(roles, json_string(request.roles[i]));
	return demon_out_json(&ctl->settings,
			      json_pack("{s:b,s:o,s:s,s:s}", "noop", !new, "roles", roles,
					"subject", request.subject, "tenant", request.tenant),
			      err);
}

struct list {
	const struct demon_settings *settings;
	struct demon_table table;
};

/* "a, b" */
static void join(const json_t *roles, struct demon_buf *out)
{
	const json_t *role;
	size_t i;

	json_array_foreach(demon_json_iterable(roles), i, role)
	{
		if (!json_is_string(role))
			continue;
		if (out->len)
			demon_buf_str(out, ", ");
		demon_buf_str(out, json_string_value(role));
	}
}

static enum demon_rc list_roles(void *ctx, const struct demon_roles_row *row, struct demon_err *err)
{
	struct list *list = ctx;
	DEMON_BUF(text, 0);

	if (list->settings->json)
		return demon_out_json(list->settings,
				      json_pack("{s:s,s:O,s:s,s:s,s:o}", "by", row->row->by,
						"roles", row->roles, "subject", row->row->name,
						"tenant", row->row->tenant, "ts",
						demon_out_time_json(row->row->ts)),
				      err);
	join(row->roles, &text);
	demon_table_cell(&list->table, row->row->name);
	demon_table_cell(&list->table, row->row->tenant);
	demon_table_cell(&list->table, text.data);
	demon_table_cell(&list->table, row->row->by);
	demon_table_cell(&list->table, demon_out_time(row->row->ts));
	return demon_buf_rc(&text, err);
}

enum demon_rc demon_command_roles_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"SUBJECT", "TENANT", "ROLES", "BY", "SET", NULL};
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, (size_t)-1)};
	bool all = demon_args_has(&ctl->args, "all-tenants");
	enum demon_rc rc;
	DEMON_READ(loan);

	if (!(rc = demon_ctl_open(ctl, false, err)) && !(all && (rc = demon_ctl_whole(ctl, err))) &&
	    !(rc = demon_store_borrow(ctl->store, &loan, err)) &&
	    !(rc = demon_roles_list(loan.db, all ? NULL : DEMON_TENANT_ALL, list_roles, &list,
				    err)) &&
	    (all ||
	     !(rc = demon_roles_list(loan.db, ctl->settings.tenant.value, list_roles, &list, err))))
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	return rc;
}

static enum demon_rc audit_json(const struct list *list, const struct demon_audit_row *row,
				struct demon_err *err)
{
	char origin[2 * DEMON_ORIGIN_LEN + 1];
	json_t *value = NULL;

	demon_hex(row->origin, sizeof(row->origin), origin);
	if (row->value &&
	    demon_json_parse(row->value, row->value_len, &demon_json_payload_limits, &value, err))
		return err->rc;
	return demon_out_json(
	    list->settings,
	    json_pack("{s:s*,s:s*,s:s*,s:s*,s:s,s:s*,s:s*,s:I,s:s*,s:o,s:s,s:o*}", "authentication",
		      row->authentication, "by", row->by, "gateId", row->gate_id, "name", row->name,
		      "origin", origin, "reason", row->reason, "runId", row->run_id, "seq",
		      (json_int_t)row->seq, "tenant", row->tenant, "ts",
		      demon_out_time_json(row->ts), "type", row->type, "value", value),
	    err);
}

/* "freeze set", "token removed", "ritual.canceled". */
static void add_act(const struct demon_audit_row *row, struct demon_buf *out)
{
	static const char written[] = ".written:v1";
	size_t len = strlen(row->type);
	size_t end = sizeof(written) - 1;

	if (len > end && strcmp(row->type + len - end, written) == 0)
		demon_buf_fmt(out, "%.*s %s", (int)(len - end), row->type,
			      row->value ? "set" : "removed");
	else
		demon_buf_fmt(out, "%.*s", (int)strcspn(row->type, ":"), row->type);
}

static enum demon_rc list_act(void *ctx, const struct demon_audit_row *row, struct demon_err *err)
{
	struct list *list = ctx;
	const char *what = row->run_id ? row->run_id : row->name;
	DEMON_BUF(act, 0);
	DEMON_BUF(by, 0);

	if (list->settings->json)
		return audit_json(list, row, err);
	add_act(row, &act);
	demon_buf_str(&by, row->by ? row->by : "-");
	if (row->authentication)
		demon_buf_fmt(&by, " (%s)", row->authentication);
	demon_table_cell(&list->table, demon_out_time(row->ts));
	demon_table_cell(&list->table, act.data);
	demon_table_cell(&list->table, row->tenant ? row->tenant : "-");
	demon_table_cell(&list->table, what ? what : "-");
	demon_table_cell(&list->table, by.data);
	demon_table_cell(&list->table, row->reason ? row->reason : "");
	return demon_buf_rc(&act, err) ? err->rc : demon_buf_rc(&by, err);
}

enum demon_rc demon_command_audit(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"TIME", "ACT", "TENANT", "WHAT", "BY", "REASON", NULL};
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, (size_t)-1)};
	const char *text = demon_args_get(&ctl->args, "since");
	demon_time since = 0;
	int64_t limit = 100;
	enum demon_rc rc;
	DEMON_READ(loan);

	if (!(rc = demon_args_number(&ctl->args, "limit", 1, AUDIT_MAX, &limit, err)) &&
	    !(text && (rc = demon_when(text, "since", -1, &since, err))) &&
	    !(rc = demon_ctl_open(ctl, false, err)) &&
	    !(rc = demon_store_borrow(ctl->store, &loan, err)) &&
	    !(rc = demon_audit_list(loan.db, since, limit, list_act, &list, err)))
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	return rc;
}

static enum demon_rc print_freeze(const struct demon_ctl *ctl, const char *tenant, bool new,
				  struct demon_err *err)
{
	struct demon_freeze freeze;
	bool node = strcmp(tenant, DEMON_TENANT_ALL) == 0;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(ctl->store, &loan, err)) ||
	    (rc = demon_frozen(loan.db, tenant, &freeze, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s*,s:b,s:b,s:s*,s:o,s:s}", "by",
						freeze.frozen ? freeze.by : NULL, "frozen",
						freeze.frozen, "noop", !new, "reason",
						freeze.frozen ? freeze.reason : NULL, "since",
						demon_out_time_json(freeze.ts), "tenant", tenant),
				      err);
	demon_out_note(&ctl->settings, "%s%s is %sfrozen%s%s", node ? "the node" : "tenant ",
		       node ? "" : tenant, freeze.frozen ? "" : "not ", new ? "" : ", as before",
		       freeze.node && !node ? ", with the node" : "");
	return DEMON_OK;
}

/* The flag alone says that one tenant is meant: what is set once and for all must not narrow what
 * is done in an incident. */
static enum demon_rc freeze_or_thaw(struct demon_ctl *ctl, bool freeze, struct demon_err *err)
{
	const char *tenant = demon_args_get(&ctl->args, "tenant");
	struct demon_freeze_request request = {.tenant = tenant ? tenant : DEMON_TENANT_ALL,
					       .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_actor actor;
	bool new = false;
	enum demon_rc rc;

	if (!request.reason || !*request.reason)
		return demon_err_set(err, DEMON_USAGE, "%s: option '--reason' is needed",
				     ctl->path);
	if ((rc = demon_ctl_open(ctl, false, err)) ||
	    (!tenant && (rc = demon_ctl_whole(ctl, err))) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	request.actor = &actor;
	rc = freeze ? demon_freeze(ctl->store, &request, &new, err)
		    : demon_thaw(ctl->store, &request, &new, err);
	return rc ? rc : print_freeze(ctl, request.tenant, new, err);
}

enum demon_rc demon_command_freeze(struct demon_ctl *ctl, struct demon_err *err)
{
	return freeze_or_thaw(ctl, true, err);
}

enum demon_rc demon_command_thaw(struct demon_ctl *ctl, struct demon_err *err)
{
	return freeze_or_thaw(ctl, false, err);
}
