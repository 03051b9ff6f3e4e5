#include "freeze.h"

#include "base/bytes.h"
#include "domain/capsule/output.h"

#include <stdio.h>
#include <string.h>

#define NAME  "freeze"
#define SHOWN 120 /* bytes of who and why in a message */

/* As much of @p text as fits, whole characters. */
static void clip(char *out, size_t cap, const char *text)
{
	const char *from = text ? text : "";

	(void)snprintf(out, cap, "%.*s", demon_output_clip(from, cap - 1), from);
}

static enum demon_rc take(void *ctx, const struct demon_register_row *row, struct demon_err *err)
{
	struct demon_freeze *freeze = ctx;

	(void)err;
	*freeze = (struct demon_freeze){.frozen = true,
					.node = strcmp(row->tenant, DEMON_TENANT_ALL) == 0,
					.auth = row->auth,
					.ts = row->ts};
	clip(freeze->tenant, sizeof(freeze->tenant), row->tenant);
	clip(freeze->by, sizeof(freeze->by), row->by);
	clip(freeze->reason, sizeof(freeze->reason), row->reason);
	return DEMON_OK;
}

static enum demon_rc look(struct demon_db *db, const char *tenant, struct demon_freeze *freeze,
			  struct demon_err *err)
{
	enum demon_rc rc =
	    demon_register_get(db, DEMON_REGISTER_FREEZE, tenant, NAME, take, freeze, err);

	return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
}

enum demon_rc demon_frozen(struct demon_db *db, const char *tenant, struct demon_freeze *ret_freeze,
			   struct demon_err *err)
{
	struct demon_freeze freeze = {0};
	enum demon_rc rc = look(db, DEMON_TENANT_ALL, &freeze, err);

	if (!rc && !freeze.frozen && strcmp(tenant, DEMON_TENANT_ALL) != 0)
		rc = look(db, tenant, &freeze, err);
	if (!rc)
		*ret_freeze = freeze;
	return rc;
}

enum demon_rc demon_freeze_denied(const struct demon_freeze *freeze, struct demon_err *err)
{
	char since[DEMON_RFC3339_LEN + 1];
	char by[SHOWN];
	char reason[SHOWN];

	demon_rfc3339(freeze->ts, since);
	clip(by, sizeof(by), freeze->by);
	clip(reason, sizeof(reason), freeze->reason);
	return demon_err_set(err, DEMON_DENIED, "%s%s%s is frozen by '%s' since %s%s%s",
			     freeze->node ? "the node" : "tenant '",
			     freeze->node ? "" : freeze->tenant, freeze->node ? "" : "'", by, since,
			     *reason ? ": " : "", reason);
}

enum demon_rc demon_frozen_refuse(struct demon_db *db, const char *tenant, struct demon_err *err)
{
	struct demon_freeze freeze;
	enum demon_rc rc = demon_frozen(db, tenant, &freeze, err);

	return rc || !freeze.frozen ? rc : demon_freeze_denied(&freeze, err);
}

static struct demon_register_write write_of(const struct demon_freeze_request *request)
{
	return (struct demon_register_write){.kind = DEMON_REGISTER_FREEZE,
					     .tenant = request->tenant,
					     .name = NAME,
					     .actor = request->actor,
					     .reason = request->reason};
}

enum demon_rc demon_freeze(struct demon_store *store, const struct demon_freeze_request *request,
			   bool *ret_new, struct demon_err *err)
{
	struct demon_register_write write = write_of(request);
	json_auto_t *value = json_pack("{s:b}", "frozen", 1);

	if (!value)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a freeze");
	write.value = value;
	return demon_register_set(store, &write, ret_new, err);
}

enum demon_rc demon_thaw(struct demon_store *store, const struct demon_freeze_request *request,
			 bool *ret_new, struct demon_err *err)
{
	const struct demon_register_write write = write_of(request);
	enum demon_rc rc = demon_register_set(store, &write, ret_new, err);

	if (rc != DEMON_NOTFOUND)
		return rc;
	*ret_new = false;
	return DEMON_OK;
}

enum demon_rc demon_freeze_list(struct demon_db *db, demon_register_fn *fn, void *ctx,
				struct demon_err *err)
{
	return demon_register_list(db, DEMON_REGISTER_FREEZE, NULL, fn, ctx, err);
}
