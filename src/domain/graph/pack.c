#include "pack.h"

#include <inttypes.h>

#define OFFSET_BITS 12
#define OFFSET_MASK ((1U << OFFSET_BITS) - 1)

DEMON_SQL(sql_last,
	  "SELECT id, data FROM graph_packs WHERE id = (SELECT max(id) FROM graph_packs)");
DEMON_SQL(sql_read, "SELECT data FROM graph_packs WHERE id = :id");
DEMON_SQL(sql_insert, "INSERT INTO graph_packs (id, data) VALUES (:id, :data)");
DEMON_SQL(sql_update, "UPDATE graph_packs SET data = :data WHERE id = :id");

/* Goes on where the last row ends. */
static enum demon_rc begin(struct demon_pack *pack, struct demon_err *err)
{
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, pack->db, &sql_last);

	if ((rc = demon_step(&q, &row, err)))
		return rc;
	demon_buf_clear(&pack->data);
	pack->row = 1;
	if (row) {
		pack->row = demon_col_i64(&q, 0);
		pack->held = true;
		demon_buf_add(&pack->data, demon_col_blob(&q, 1), demon_col_len(&q, 1));
	}
	pack->flushed = pack->data.len;
	return demon_buf_rc(&pack->data, err);
}

enum demon_rc demon_pack_flush(struct demon_pack *pack, struct demon_err *err)
{
	enum demon_rc rc;

	if (pack->flushed == pack->data.len)
		return DEMON_OK;
	DEMON_STMT(q, pack->db, pack->held ? &sql_update : &sql_insert);
	demon_bind_i64(&q, ":id", pack->row);
	demon_bind_blob(&q, ":data", pack->data.data, pack->data.len);
	if ((rc = demon_exec(&q, err)))
		return rc;
	pack->held = true;
	pack->flushed = pack->data.len;
	return DEMON_OK;
}

enum demon_rc demon_pack_add(struct demon_pack *pack, const void *bytes, size_t len,
			     uint64_t *ret_position, struct demon_err *err)
{
	enum demon_rc rc;

	if (!pack->row && (rc = begin(pack, err)))
		return rc;
	if (pack->data.len && pack->data.len + len > DEMON_PACK_MAX) {
		if ((rc = demon_pack_flush(pack, err)))
			return rc;
		pack->row++;
		pack->held = false;
		pack->flushed = 0;
		demon_buf_clear(&pack->data);
	}
	*ret_position = (uint64_t)pack->row << OFFSET_BITS | pack->data.len;
	demon_buf_add(&pack->data, bytes, len);
	return demon_buf_rc(&pack->data, err);
}

void demon_pack_done(struct demon_pack *pack)
{
	demon_buf_done(&pack->data);
}

enum demon_rc demon_pack_read(struct demon_db *db, uint64_t position, struct demon_buf *out,
			      struct demon_err *err)
{
	size_t offset = position & OFFSET_MASK;
	bool row;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_read);

	demon_bind_i64(&q, ":id", (int64_t)(position >> OFFSET_BITS));
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row || demon_col_len(&q, 0) <= offset)
		return demon_err_set(err, DEMON_CORRUPT,
				     "graph_packs: there is nothing at %" PRIu64 "/%zu",
				     position >> OFFSET_BITS, offset);
	demon_buf_clear(out);
	demon_buf_add(out, (const char *)demon_col_blob(&q, 0) + offset,
		      demon_col_len(&q, 0) - offset);
	return demon_buf_rc(out, err);
}
