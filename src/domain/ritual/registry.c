/*
 * Writing the register: decide on what holds, append one event.
 */
#include "registry.h"
#include "domain/admin/trust.h"

#include "store/store.h"
#include "store/subject.h"
#include "store/write.h"

#include <string.h>

/* The greatest write: what the name stands for. */
DEMON_SQL(sql_holds,
	  "SELECT definition FROM named_rituals WHERE tenant_id = :tenant "
	  "AND ritual_id = :ritual AND " DEMON_TRUSTED(
	      "named_rituals.origin") "ORDER BY clock DESC, origin DESC, hash DESC LIMIT 1");

struct change {
	struct demon_record record;
	const struct demon_group *group;
	const unsigned char *digest; /* NULL: the name is given up */
	bool written;
};

static enum demon_rc change(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct change *c = ctx;
	bool holds = false;
	bool row;
	enum demon_rc rc;

	c->written = false;
	{
		DEMON_STMT(q, demon_write_db(w), &sql_holds);

		demon_bind_str(&q, ":tenant", c->record.tenant_id);
		demon_bind_str(&q, ":ritual", c->record.ritual_id);
		if ((rc = demon_step(&q, &row, err)))
			return rc;
		if (row && demon_col_len(&q, 0) == DEMON_HASH_LEN)
			holds = !c->digest ||
				memcmp(demon_col_blob(&q, 0), c->digest, DEMON_HASH_LEN) == 0;
	}
	if (!c->digest && !holds)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no ritual '%s'",
				     c->record.ritual_id);
	if (c->digest && holds)
		return DEMON_OK;
	if ((rc = demon_write_append(w, c->group, NULL, err)))
		return rc;
	c->written = true;
	return DEMON_OK;
}

static enum demon_rc submit(struct demon_store *store, struct change *c, demon_time ts,
			    const struct demon_buf *payload, struct demon_err *err)
{
	const struct demon_group group = {
	    .stream = DEMON_STREAM_RITUAL, .ts = ts, .records = &c->record, .count = 1};
	enum demon_rc rc;

	if (demon_buf_rc(payload, err))
		return demon_err_wrap(err, "the definition");
	if ((rc = demon_id_check("tenant", c->record.tenant_id, err)) ||
	    (rc = demon_id_check("ritual", c->record.ritual_id, err)))
		return rc;
	c->record.payload = payload->data;
	c->record.payload_len = payload->len;
	c->group = &group;
	return demon_store_write_repeatable(store, change, c, err);
}

static const char *tenant_of(const struct demon_ritual_options *options)
{
	return options->tenant_id ? options->tenant_id : "default";
}

enum demon_rc demon_ritual_register(struct demon_store *store,
				    const struct demon_definition *definition,
				    const struct demon_ritual_options *options, bool *ret_new,
				    struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct change c = {.record = {.type = "ritual.registered:v1",
				      .tenant_id = tenant_of(options),
				      .ritual_id = definition->ritual_id},
			   .digest = definition->digest};
	demon_time ts = env->now(env->ctx);
	char digest[2 * DEMON_HASH_LEN + 1];
	DEMON_BUF(payload, demon_json_payload_limits.max_bytes);
	struct demon_jw w = demon_jw_begin(&payload);
	enum demon_rc rc;

	demon_hex(definition->digest, sizeof(definition->digest), digest);
	demon_jw_str(&w, "by", options->by);
	demon_jw_str(&w, "definitionDigest", digest);
	demon_jw_str(&w, "event", c.record.type);
	demon_jw_str(&w, "notation", demon_notation_name(definition->notation));
	demon_jw_str(&w, "ritualId", c.record.ritual_id);
	demon_jw_str(&w, "source", options->source);
	demon_jw_raw(&w, "spec", definition->canonical, definition->canonical_len);
	demon_jw_str(&w, "tenantId", c.record.tenant_id);
	demon_jw_str(&w, "title", definition->title);
	demon_jw_time(&w, "ts", ts);
	demon_jw_str(&w, "version", definition->version);
	demon_jw_end(&w);
	if (!payload.rc &&
	    !demon_json_is_canonical(payload.data, payload.len, &demon_json_payload_limits))
		return demon_err_set(err, DEMON_TOOBIG,
				     "the definition is nested deeper than %u levels",
				     demon_json_payload_limits.depth - 1);
	rc = submit(store, &c, ts, &payload, err);
	if (!rc && ret_new)
		*ret_new = c.written;
	return rc;
}

enum demon_rc demon_ritual_unregister(struct demon_store *store, const char *ritual_id,
				      const struct demon_ritual_options *options,
				      struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct change c = {.record = {.type = "ritual.unregistered:v1",
				      .tenant_id = tenant_of(options),
				      .ritual_id = ritual_id}};
	demon_time ts = env->now(env->ctx);
	DEMON_BUF(payload, demon_json_payload_limits.max_bytes);
	struct demon_jw w = demon_jw_begin(&payload);

	demon_jw_str(&w, "by", options->by);
	demon_jw_str(&w, "event", c.record.type);
	demon_jw_str(&w, "reason", options->reason);
	demon_jw_str(&w, "ritualId", ritual_id);
	demon_jw_str(&w, "tenantId", c.record.tenant_id);
	demon_jw_time(&w, "ts", ts);
	demon_jw_end(&w);
	return submit(store, &c, ts, &payload, err);
}
