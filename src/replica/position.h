/*
 * Where this node stands in a stream: a sequence and what stood there (docs/format.md §11), and
 * marks further back, to find out how much of a stream that was set back is what was read.
 */
#ifndef DEMON_POSITION_H
#define DEMON_POSITION_H

#include "message.h"
#include "store/write.h"

struct demon_position {
	uint64_t sequence; /* of the last message that was taken in; 0: none */
	unsigned char mark[DEMON_SHA256_LEN];
	uint64_t first; /* what the stream began with when this node last filled it in */
};

/** Reads it; zero when there is none. */
enum demon_rc demon_position_load(struct demon_db *db, enum demon_stream stream,
				  struct demon_position *ret, struct demon_err *err)
    demon_must_check;

/** Writes it, and a mark, with @p confirmed beside it; marks further back thin out. */
enum demon_rc demon_position_save(struct demon_db *db, enum demon_stream stream,
				  const struct demon_position *position, const char *confirmed,
				  demon_time now, struct demon_err *err) demon_must_check;

/** A mark. */
struct demon_mark {
	uint64_t sequence;
	unsigned char mark[DEMON_SHA256_LEN];
	char *confirmed; /* new string */
};

/** The mark with the greatest sequence below @p before. *ret_found: there is one. */
enum demon_rc demon_mark_before(struct demon_db *db, enum demon_stream stream, uint64_t before,
				struct demon_mark *ret, bool *ret_found, struct demon_err *err)
    demon_must_check;

/** Forgets the marks above @p sequence. */
enum demon_rc demon_marks_cut(struct demon_db *db, enum demon_stream stream, uint64_t sequence,
			      struct demon_err *err) demon_must_check;

#endif
