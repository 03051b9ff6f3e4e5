#include "rebuild.h"

#include "base/fault.h"

#define BATCH 1000

DEMON_SQL(sql_batch, "SELECT " DEMON_LOG_COLUMNS DEMON_LOG_TABLES
		     "WHERE e.seq > :after ORDER BY e.seq LIMIT :limit");

static enum demon_rc apply(struct demon_store *store, struct demon_db *to,
			   const struct demon_event *ev, struct demon_err *err)
{
	for (const struct demon_projection *const *p = store->projections; p && *p; p++)
		if ((*p)->apply(to, ev, err))
			return demon_err_wrap(err, "%s: event %lld", (*p)->name,
					      (long long)ev->seq);
	return DEMON_OK;
}

static enum demon_rc replay_batch(struct demon_store *store, struct demon_db *from,
				  struct demon_db *to, int64_t *after, int64_t *count,
				  struct demon_err *err)
{
	DEMON_STMT(q, from, &sql_batch);
	bool row;
	enum demon_rc rc;

	demon_bind_i64(&q, ":after", *after);
	demon_bind_i64(&q, ":limit", BATCH);
	while (!(rc = demon_step(&q, &row, err)) && row) {
		struct demon_event ev;

		if ((rc = demon_log_row(&q, NULL, &ev, err)) || (rc = apply(store, to, &ev, err)))
			return rc;
		*after = ev.seq;
		++*count;
	}
	return rc;
}

enum demon_rc demon_replay(struct demon_store *store, struct demon_db *from, struct demon_db *to,
			   int64_t *ret_events, struct demon_err *err)
{
	int64_t after = 0;
	int64_t before;
	enum demon_rc rc;

	*ret_events = 0;
	do {
		before = *ret_events;
		if ((rc = replay_batch(store, from, to, &after, ret_events, err)))
			return rc;
		if (DEMON_FAULT(REBUILD_BATCH))
			return demon_err_set(err, DEMON_IO, "fault between two batches");
	} while (*ret_events > before);
	return DEMON_OK;
}

static enum demon_rc clear(struct demon_store *store, struct demon_db *db, struct demon_err *err)
{
	enum demon_rc rc;

	for (const struct demon_projection *const *p = store->projections; p && *p; p++) {
		for (const struct demon_projection_table *t = (*p)->tables; t->name; t++) {
			DEMON_STMT(q, db, t->clear);

			if ((rc = demon_exec(&q, err)))
				return rc;
		}
	}
	return DEMON_OK;
}

static enum demon_rc rebuild(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct demon_db *db = demon_write_db(w);
	enum demon_rc rc = clear(w->store, db, err);

	return rc ? rc : demon_replay(w->store, db, db, ctx, err);
}

enum demon_rc demon_rebuild(struct demon_store *store, int64_t *ret_events, struct demon_err *err)
{
	return demon_store_write(store, rebuild, ret_events, err);
}
