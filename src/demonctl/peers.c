/*
 * demonctl peers list, peers trust, peers revoke.
 */
#include "admin_commands.h"
#include "base/bytes.h"
#include "base/json.h"
#include "domain/admin/peer.h"
#include "out.h"
#include "store/readers.h"

struct list {
	const struct demon_settings *settings;
	struct demon_table table;
};

static enum demon_rc list_peer(void *ctx, const struct demon_peer_row *row, struct demon_err *err)
{
	struct list *list = ctx;
	char origin[2 * DEMON_ORIGIN_LEN + 1];

	demon_hex(row->origin, sizeof(row->origin), origin);
	if (list->settings->json)
		return demon_out_json(
		    list->settings,
		    json_pack("{s:s*,s:s*,s:o,s:s,s:s,s:o,s:b}", "changedBy", row->changed_by,
			      "key", row->key, "firstSeen", demon_out_time_json(row->first_seen),
			      "label", row->label, "origin", origin, "lastSeen",
			      demon_out_time_json(row->last_seen), "trusted", row->trusted),
		    err);
	demon_table_cell(&list->table, origin);
	demon_table_cell(&list->table, *row->label ? row->label : "-");
	demon_table_cell(&list->table, row->trusted ? "yes" : "no");
	demon_table_cell(&list->table, row->key ? row->key : "-");
	demon_table_cell(&list->table, demon_out_time(row->last_seen));
	return DEMON_OK;
}

enum demon_rc demon_command_peers_list(struct demon_ctl *ctl, struct demon_err *err)
{
	static const char *const heads[] = {"ORIGIN", "LABEL", "TRUSTED", "KEY", "SEEN", NULL};
	struct list list = {.settings = &ctl->settings,
			    .table = demon_table_begin(&ctl->settings, heads, (size_t)-1)};
	enum demon_rc rc;
	DEMON_READ(loan);

	if (!(rc = demon_ctl_open(ctl, false, err)) &&
	    !(rc = demon_store_borrow(ctl->store, &loan, err)) &&
	    !(rc = demon_peer_list(loan.db, list_peer, &list, err)))
		rc = demon_table_print(&list.table, err);
	demon_table_done(&list.table);
	return rc;
}

static enum demon_rc set_trust(struct demon_ctl *ctl, bool trust, struct demon_err *err)
{
	struct demon_peer_request request = {.peer = ctl->words[0],
					     .key = demon_args_get(&ctl->args, "key"),
					     .reason = demon_args_get(&ctl->args, "reason")};
	struct demon_actor actor;
	bool new = false;
	enum demon_rc rc;

	if ((rc = demon_ctl_open(ctl, false, err)) || (rc = demon_ctl_whole(ctl, err)) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)))
		return rc;
	request.actor = &actor;
	rc = trust ? demon_peer_trust(ctl->store, &request, &new, err)
		   : demon_peer_revoke(ctl->store, &request, &new, err);
	if (rc)
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:b,s:s,s:b}", "noop", !new, "peer", request.peer,
						"trusted", trust),
				      err);
	demon_out_note(&ctl->settings, "peer %s is %strusted%s", request.peer, trust ? "" : "not ",
		       new ? "" : ", as before");
	return DEMON_OK;
}

enum demon_rc demon_command_peers_trust(struct demon_ctl *ctl, struct demon_err *err)
{
	return set_trust(ctl, true, err);
}

enum demon_rc demon_command_peers_revoke(struct demon_ctl *ctl, struct demon_err *err)
{
	return set_trust(ctl, false, err);
}
