/*
 * The state digest (docs/format.md §9), over a connection: of the live database inside a read
 * transaction, or of a scratch one.
 */
#ifndef DEMON_DIGEST_H
#define DEMON_DIGEST_H

#include "base/buf.h"
#include "base/bytes.h"
#include "db/db.h"
#include "store/projection.h"

#include <demon/store.h>

/** Hash and number of a table's rows. */
struct demon_table_digest {
	int64_t rows;
	unsigned char hash[DEMON_HASH_LEN];
};

/** Hashes all rows of @p table in order of its primary key. */
enum demon_rc demon_digest_table(struct demon_db *db, const struct demon_projection_table *table,
				 struct demon_table_digest *ret, struct demon_err *err)
    demon_must_check;

/** Appends what demon_digest() returns, as @p db sees it; within a read transaction. */
enum demon_rc demon_digest_state(struct demon_store *store, struct demon_db *db,
				 struct demon_buf *out, struct demon_err *err) demon_must_check;

/** Appends the head lines, sorted. */
enum demon_rc demon_digest_heads(struct demon_db *db, struct demon_buf *out, struct demon_err *err)
    demon_must_check;

#endif
