/*
 * Reading the register.
 */
#include "registry.h"

#include "domain/admin/trust.h"
#include "store/readers.h"
#include "store/subject.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                                                \
	"tenant_id, ritual_id, definition, version, notation, title, source, written_by, ts, " \
	"origin, hash"
#define OF_NAME        " FROM named_rituals WHERE tenant_id = :tenant AND ritual_id = :ritual "
#define GREATEST_FIRST "ORDER BY clock DESC, origin DESC, hash DESC"

DEMON_SQL(sql_holding,
	  "SELECT " COLUMNS OF_NAME "AND " DEMON_TRUSTED("named_rituals.origin") GREATEST_FIRST);
DEMON_SQL(sql_writes, "SELECT " COLUMNS OF_NAME "ORDER BY " DEMON_TRUSTED(
			  "named_rituals.origin") "DESC, clock DESC, origin DESC, hash DESC");
DEMON_SQL(sql_next_name, "SELECT ritual_id FROM named_rituals WHERE tenant_id = :tenant "
			 "AND ritual_id > :after ORDER BY ritual_id LIMIT 1");
DEMON_SQL(sql_greatest, "SELECT " COLUMNS OF_NAME "AND " DEMON_TRUSTED("named_rituals.origin")
			    GREATEST_FIRST " LIMIT 1");
DEMON_SQL(sql_spec, "SELECT spec FROM definitions WHERE digest = :digest");

static struct demon_ritual_row read_row(const struct demon_stmt *q)
{
	struct demon_ritual_row row = {
	    .tenant_id = demon_col_str(q, 0),
	    .ritual_id = demon_col_str(q, 1),
	    .registered = demon_col_len(q, 2) == DEMON_HASH_LEN,
	    .version = demon_col_str(q, 3),
	    .notation = demon_col_str(q, 4),
	    .title = demon_col_str(q, 5),
	    .source = demon_col_str(q, 6),
	    .by = demon_col_str(q, 7),
	    .ts = demon_col_i64(q, 8),
	};

	if (row.registered)
		memcpy(row.definition, demon_col_blob(q, 2), sizeof(row.definition));
	if (demon_col_len(q, 9) == sizeof(row.origin))
		memcpy(row.origin, demon_col_blob(q, 9), sizeof(row.origin));
	if (demon_col_len(q, 10) == sizeof(row.hash))
		memcpy(row.hash, demon_col_blob(q, 10), sizeof(row.hash));
	return row;
}

static enum demon_rc no_ritual(const char *name, struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOTFOUND, "there is no ritual '%.150s'", name);
}

static const char *or_default(const char *tenant_id)
{
	return tenant_id ? tenant_id : "default";
}

enum demon_rc demon_ritual_get(struct demon_store *store, const char *tenant_id, const char *name,
			       demon_ritual_row_fn *fn, void *ctx, struct demon_err *err)
{
	const char *at = strchr(name, '@');
	size_t len = at ? (size_t)(at - name) : strlen(name);
	char ritual_id[DEMON_ID_MAX + 1] = "";
	enum demon_rc rc;
	bool row;
	DEMON_READ(loan);

	if (len > DEMON_ID_MAX)
		return no_ritual(name, err);
	(void)snprintf(ritual_id, sizeof(ritual_id), "%.*s", (int)len, name);
	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_holding);
	demon_bind_str(&q, ":tenant", or_default(tenant_id));
	demon_bind_str(&q, ":ritual", ritual_id);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		const struct demon_ritual_row found = read_row(&q);

		if (!found.registered)
			break;
		if (!at || strcmp(found.version, at + 1) == 0)
			return fn(ctx, &found, err);
	}
	return rc ? rc : no_ritual(name, err);
}

static enum demon_rc keep_digest(void *ctx, const struct demon_ritual_row *row,
				 struct demon_err *err)
{
	(void)err;
	memcpy(ctx, row->definition, sizeof(row->definition));
	return DEMON_OK;
}

enum demon_rc demon_ritual_find(struct demon_store *store, const char *tenant_id, const char *name,
				struct demon_definition **ret_definition, struct demon_err *err)
{
	unsigned char digest[DEMON_HASH_LEN];
	demon_cleanup(demon_definition_free_p) struct demon_definition *definition = NULL;
	size_t len = strcspn(name, "@");
	DEMON_BUF(spec, 0);
	enum demon_rc rc;

	if ((rc = demon_ritual_get(store, tenant_id, name, keep_digest, digest, err)) ||
	    (rc = demon_ritual_spec(store, digest, &spec, err)))
		return rc;
	if (demon_definition_from_spec(spec.data, spec.len, &definition, err))
		return demon_err_wrap(err, "ritual '%.150s'", name);
	if (strlen(definition->ritual_id) != len || memcmp(definition->ritual_id, name, len) != 0)
		return demon_err_set(err, DEMON_INVALID,
				     "ritual '%.150s': its definition is one of ritual '%s'", name,
				     definition->ritual_id);
	*ret_definition = demon_take(definition);
	return DEMON_OK;
}

enum demon_rc demon_ritual_spec(struct demon_store *store,
				const unsigned char digest[DEMON_HASH_LEN], struct demon_buf *out,
				struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_spec);
	demon_bind_blob(&q, ":digest", digest, DEMON_HASH_LEN);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "there is no such definition");
	demon_buf_add(out, demon_col_str(&q, 0), demon_col_len(&q, 0));
	return demon_buf_rc(out, err);
}

/* The next name behind @p name, which it replaces; false: there is none. */
static enum demon_rc next_name(struct demon_db *db, const char *tenant_id,
			       char name[DEMON_ID_MAX + 1], bool *ret_found, struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_next_name);

	demon_bind_str(&q, ":tenant", tenant_id);
	demon_bind_str(&q, ":after", name);
	if (!(rc = demon_step(&q, ret_found, err)) && *ret_found)
		(void)snprintf(name, DEMON_ID_MAX + 1, "%s", demon_col_str(&q, 0));
	return rc;
}

/* Hands out what @p name stands for, if it does; *ret_given says so. */
static enum demon_rc give_greatest(struct demon_stmt *q, demon_ritual_row_fn *fn, void *ctx,
				   bool *ret_given, struct demon_err *err)
{
	struct demon_ritual_row found;
	enum demon_rc rc;
	bool row;

	*ret_given = false;
	if ((rc = demon_step(q, &row, err)) || !row)
		return rc;
	found = read_row(q);
	*ret_given = found.registered;
	return found.registered ? fn(ctx, &found, err) : DEMON_OK;
}

enum demon_rc demon_ritual_list(struct demon_store *store, const struct demon_ritual_filter *filter,
				demon_ritual_row_fn *fn, void *ctx, struct demon_err *err)
{
	const char *tenant = or_default(filter->tenant_id);
	char name[DEMON_ID_MAX + 1] = "";
	size_t count = 0;
	bool found;
	enum demon_rc rc;
	DEMON_READ(loan);

	if (filter->after)
		(void)snprintf(name, sizeof(name), "%s", filter->after);
	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	while ((!filter->limit || count < filter->limit) &&
	       !(rc = next_name(loan.db, tenant, name, &found, err)) && found) {
		bool given;
		DEMON_STMT(q, loan.db, &sql_greatest);

		demon_bind_str(&q, ":tenant", tenant);
		demon_bind_str(&q, ":ritual", name);
		if ((rc = give_greatest(&q, fn, ctx, &given, err)))
			return rc;
		count += given;
	}
	return rc;
}

enum demon_rc demon_ritual_writes(struct demon_store *store, const char *tenant_id,
				  const char *ritual_id, demon_ritual_row_fn *fn, void *ctx,
				  struct demon_err *err)
{
	bool any = false;
	bool row;
	enum demon_rc rc;
	DEMON_READ(loan);

	if ((rc = demon_store_borrow(store, &loan, err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_writes);
	demon_bind_str(&q, ":tenant", or_default(tenant_id));
	demon_bind_str(&q, ":ritual", ritual_id);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		const struct demon_ritual_row found = read_row(&q);

		any = true;
		if ((rc = fn(ctx, &found, err)))
			return rc;
	}
	return rc || any ? rc : no_ritual(ritual_id, err);
}
