/*
 * Bytes that are never changed, by position.
 *
 * Chunks are packed in the order in which they come into rows of graph_packs that stay below a
 * page; a larger chunk has a row of its own. A position is (row << 12 | offset) and never 0. Rows
 * say nothing about where a chunk ends: its own form does.
 */
#ifndef DEMON_GRAPH_PACK_H
#define DEMON_GRAPH_PACK_H

#include "base/buf.h"
#include "db/stmt.h"

/** Bytes in a row that holds several chunks: with its header the row stays within one page. */
#define DEMON_PACK_MAX 4048

/** Where chunks are added; zeroed but for db, one transaction. */
struct demon_pack {
	struct demon_db *db;   /* borrowed */
	int64_t row;           /* being filled; 0: not looked up yet */
	bool held;             /* the table has it */
	size_t flushed;        /* bytes of `data` that the table has */
	struct demon_buf data; /* of that row */
};

/** Adds a chunk; it can be read after demon_pack_flush(). */
enum demon_rc demon_pack_add(struct demon_pack *pack, const void *bytes, size_t len,
			     uint64_t *ret_position, struct demon_err *err) demon_must_check;

/** Writes what was added. */
enum demon_rc demon_pack_flush(struct demon_pack *pack, struct demon_err *err) demon_must_check;
void demon_pack_done(struct demon_pack *pack);

/** Puts what stands from @p position to the end of its row into @p out, which is cleared.
 * DEMON_CORRUPT: there is nothing. */
enum demon_rc demon_pack_read(struct demon_db *db, uint64_t position, struct demon_buf *out,
			      struct demon_err *err) demon_must_check;

#endif
