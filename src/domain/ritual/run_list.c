/*
 * Listing runs page by page, newest first.
 *
 * A cursor is the hexadecimal form of the last row's place in the order: 8 bytes started_at, 16
 * bytes origin, then the run id.
 */
#include "domain/admin/freeze.h"
#include "run_row.h"
#include "run_status.h"
#include "store/readers.h"
#include "store/subject.h"

#include <string.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     1000
#define CURSOR_FIXED  (8 + DEMON_ORIGIN_LEN)

#define SELECT        "SELECT " DEMON_RUN_COLUMNS " FROM runs WHERE tenant_id = :tenant "
#define PAGE                                                                                    \
	"AND started_at >= :since AND (started_at, run_id, run_origin) < (:at, :run, :origin) " \
	"ORDER BY started_at DESC, run_id DESC, run_origin DESC LIMIT :limit"
DEMON_SQL(sql_any, SELECT PAGE);
DEMON_SQL(sql_by_status, SELECT "AND status = :status " PAGE);
DEMON_SQL(sql_by_ritual, SELECT "AND ritual_id = :ritual " PAGE);
DEMON_SQL(sql_by_both, SELECT "AND ritual_id = :ritual AND status = :status " PAGE);

/** A place in the order: a page holds what is below. */
struct place {
	demon_time started_at;
	unsigned char origin[DEMON_ORIGIN_LEN];
	char run_id[DEMON_ID_MAX + 1];
};

static enum demon_rc read_cursor(const char *text, struct place *place, struct demon_err *err)
{
	unsigned char bytes[CURSOR_FIXED + DEMON_ID_MAX];
	size_t len = strlen(text);
	size_t id_len = len / 2 - CURSOR_FIXED;

	if (len <= (size_t)2 * CURSOR_FIXED || len > 2 * sizeof(bytes) || len % 2 ||
	    !demon_unhex(text, bytes, len / 2))
		return demon_err_set(err, DEMON_INVALID, "the cursor is not one of a list of runs");
	place->started_at = (demon_time)demon_get_be64(bytes);
	memcpy(place->origin, bytes + 8, sizeof(place->origin));
	memcpy(place->run_id, bytes + CURSOR_FIXED, id_len);
	place->run_id[id_len] = '\0';
	if (place->started_at < 0 || !demon_id_valid(place->run_id))
		return demon_err_set(err, DEMON_INVALID, "the cursor is not one of a list of runs");
	return DEMON_OK;
}

static enum demon_rc write_cursor(const struct demon_run_row *row, struct demon_buf *out,
				  struct demon_err *err)
{
	DEMON_BUF(bytes, 0);
	enum demon_rc rc;

	demon_buf_be64(&bytes, (uint64_t)row->started_at);
	demon_buf_add(&bytes, row->origin, sizeof(row->origin));
	demon_buf_str(&bytes, row->run_id);
	if ((rc = demon_buf_rc(&bytes, err)))
		return rc;
	demon_buf_clear(out);
	demon_buf_hex(out, bytes.data, bytes.len);
	return demon_buf_rc(out, err);
}

static enum demon_rc read_status(const char *text, const char **ret_status, struct demon_err *err)
{
	*ret_status = NULL;
	if (!text)
		return DEMON_OK;
	*ret_status = demon_run_status_find(text);
	if (!*ret_status)
		return demon_err_set(err, DEMON_INVALID, "'%s' is not the status of a run", text);
	return DEMON_OK;
}

static const struct demon_sql *choose(const char *status, const char *ritual)
{
	if (status)
		return ritual ? &sql_by_both : &sql_by_status;
	return ritual ? &sql_by_ritual : &sql_any;
}

/* What a status that is shown is in the table: see demon_run_row_freeze(). No row is Frozen there.
 */
static const char *in_table(const char *status, bool frozen)
{
	if (!status || !frozen)
		return status;
	if (strcmp(status, DEMON_RUN_FROZEN) == 0)
		return DEMON_RUN_AWAITING;
	return strcmp(status, DEMON_RUN_AWAITING) == 0 ? DEMON_RUN_FROZEN : status;
}

enum demon_rc demon_run_list(struct demon_store *store, const struct demon_run_filter *filter,
			     demon_run_row_fn *fn, void *ctx, char **ret_cursor,
			     struct demon_err *err)
{
	size_t limit = filter->limit ? filter->limit : LIMIT_DEFAULT;
	struct place place = {.started_at = INT64_MAX};
	const char *tenant = filter->tenant_id ? filter->tenant_id : "default";
	const char *status;
	struct demon_freeze freeze;
	size_t count = 0;
	bool row;
	DEMON_BUF(cursor, 0);
	DEMON_READ(loan);
	enum demon_rc rc;

	if (limit > LIMIT_MAX)
		return demon_err_set(err, DEMON_INVALID, "a list has at most %d runs", LIMIT_MAX);
	if ((rc = read_status(filter->status, &status, err)) ||
	    (filter->cursor && (rc = read_cursor(filter->cursor, &place, err))) ||
	    (rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_frozen(loan.db, tenant, &freeze, err)))
		return rc;
	status = in_table(status, freeze.frozen);
	DEMON_STMT(q, loan.db, choose(status, filter->ritual_id));
	demon_bind_str(&q, ":tenant", tenant);
	if (status)
		demon_bind_str(&q, ":status", status);
	if (filter->ritual_id)
		demon_bind_str(&q, ":ritual", filter->ritual_id);
	demon_bind_i64(&q, ":since", filter->since);
	demon_bind_i64(&q, ":at", place.started_at);
	demon_bind_str(&q, ":run", place.run_id);
	demon_bind_blob(&q, ":origin", place.origin, sizeof(place.origin));
	demon_bind_i64(&q, ":limit", (int64_t)limit + 1);
	while (!(rc = demon_step(&q, &row, err)) && row && count++ < limit) {
		struct demon_run_row found = demon_run_row_read(&q);

		demon_run_row_freeze(&found, freeze.frozen);
		if ((rc = fn(ctx, &found, err)))
			return rc;
		if (count == limit && (rc = write_cursor(&found, &cursor, err)))
			return rc;
	}
	if (rc || !ret_cursor)
		return rc;
	/* there is a further row exactly when the loop has met one beyond the limit */
	*ret_cursor = row ? demon_buf_take(&cursor) : NULL;
	if (row && !*ret_cursor)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a cursor");
	return DEMON_OK;
}
