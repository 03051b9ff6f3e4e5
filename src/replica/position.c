#include "position.h"

#include "store/subject.h"

#include <string.h>

DEMON_SQL(sql_load, "SELECT sequence, mark, first FROM local_positions WHERE stream = :stream");
DEMON_SQL(sql_save,
	  "INSERT INTO local_positions (stream, sequence, mark, first, updated_at) "
	  "VALUES (:stream, :sequence, :mark, :first, :now) ON CONFLICT (stream) DO UPDATE SET "
	  "sequence = excluded.sequence, mark = excluded.mark, first = excluded.first, "
	  "updated_at = excluded.updated_at");
DEMON_SQL(sql_mark, "INSERT INTO local_marks (stream, sequence, mark, confirmed) "
		    "VALUES (:stream, :sequence, :mark, :confirmed) "
		    "ON CONFLICT (stream, sequence) DO UPDATE SET mark = excluded.mark, "
		    "confirmed = excluded.confirmed");
DEMON_SQL(sql_before, "SELECT sequence, mark, confirmed FROM local_marks WHERE stream = :stream "
		      "AND sequence < :before ORDER BY sequence DESC LIMIT 1");
DEMON_SQL(sql_cut, "DELETE FROM local_marks WHERE stream = :stream AND sequence > :sequence");
/* Of the marks in a stretch that lies a power of two or more behind, one stays. */
DEMON_SQL(sql_thin,
	  "DELETE FROM local_marks WHERE stream = :stream AND sequence > :low "
	  "AND sequence < :high AND sequence > (SELECT min(m.sequence) FROM local_marks m "
	  "WHERE m.stream = :stream AND m.sequence > :low AND m.sequence < :high)");

#define NEAR 64 /* messages; marks nearer than that all stay */

enum demon_rc demon_position_load(struct demon_db *db, enum demon_stream stream,
				  struct demon_position *ret, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_load);
	bool row;
	enum demon_rc rc;

	*ret = (struct demon_position){0};
	demon_bind_str(&q, ":stream", demon_stream_name(stream));
	if ((rc = demon_step(&q, &row, err)) || !row)
		return rc;
	ret->sequence = (uint64_t)demon_col_i64(&q, 0);
	memcpy(ret->mark, demon_col_blob(&q, 1), sizeof(ret->mark));
	ret->first = (uint64_t)demon_col_i64(&q, 2);
	return DEMON_OK;
}

/* One mark each between 64 and 128 behind, 128 and 256, and so on. */
static enum demon_rc thin_out(struct demon_db *db, enum demon_stream stream, uint64_t sequence,
			      struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (uint64_t back = NEAR; back < sequence && !rc; back *= 2) {
		DEMON_STMT(q, db, &sql_thin);

		demon_bind_str(&q, ":stream", demon_stream_name(stream));
		demon_bind_i64(&q, ":low",
			       2 * back < sequence ? (int64_t)(sequence - 2 * back) : 0);
		demon_bind_i64(&q, ":high", (int64_t)(sequence - back));
		rc = demon_exec(&q, err);
	}
	return rc;
}

static enum demon_rc add_mark(struct demon_db *db, enum demon_stream stream,
			      const struct demon_position *position, const char *confirmed,
			      struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_mark);

	demon_bind_str(&q, ":stream", demon_stream_name(stream));
	demon_bind_i64(&q, ":sequence", (int64_t)position->sequence);
	demon_bind_blob(&q, ":mark", position->mark, sizeof(position->mark));
	demon_bind_str(&q, ":confirmed", confirmed);
	return demon_exec(&q, err);
}

enum demon_rc demon_position_save(struct demon_db *db, enum demon_stream stream,
				  const struct demon_position *position, const char *confirmed,
				  demon_time now, struct demon_err *err)
{
	enum demon_rc rc;

	{
		DEMON_STMT(q, db, &sql_save);

		demon_bind_str(&q, ":stream", demon_stream_name(stream));
		demon_bind_i64(&q, ":sequence", (int64_t)position->sequence);
		demon_bind_blob(&q, ":mark", position->mark, sizeof(position->mark));
		demon_bind_i64(&q, ":first", (int64_t)position->first);
		demon_bind_i64(&q, ":now", now);
		if ((rc = demon_exec(&q, err)))
			return rc;
	}
	if (!position->sequence)
		return DEMON_OK;
	rc = add_mark(db, stream, position, confirmed, err);
	return rc ? rc : thin_out(db, stream, position->sequence, err);
}

enum demon_rc demon_mark_before(struct demon_db *db, enum demon_stream stream, uint64_t before,
				struct demon_mark *ret, bool *ret_found, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_before);
	enum demon_rc rc;

	demon_bind_str(&q, ":stream", demon_stream_name(stream));
	demon_bind_i64(&q, ":before", (int64_t)before);
	if ((rc = demon_step(&q, ret_found, err)) || !*ret_found)
		return rc;
	ret->sequence = (uint64_t)demon_col_i64(&q, 0);
	memcpy(ret->mark, demon_col_blob(&q, 1), sizeof(ret->mark));
	ret->confirmed = demon_strdup(demon_col_str(&q, 2));
	return ret->confirmed ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for a mark");
}

enum demon_rc demon_marks_cut(struct demon_db *db, enum demon_stream stream, uint64_t sequence,
			      struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_cut);

	demon_bind_str(&q, ":stream", demon_stream_name(stream));
	demon_bind_i64(&q, ":sequence", (int64_t)sequence);
	return demon_exec(&q, err);
}
