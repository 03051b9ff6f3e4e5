/*
 * The jq program of several expressions: which one is to be evaluated, its input and its variables
 * come in as [index, input, variables], so that one compilation serves them all.
 *
 * Compiling takes time that grows faster than the text, and jq compiles no function of more than
 * 64 Ki words; so a unit is cut into parts, in a way that follows from its texts alone.
 */
#ifndef DEMON_EXPR_PROGRAM_H
#define DEMON_EXPR_PROGRAM_H

#include "expr.h"
#include "frame.h"

#include "base/buf.h"

#define DEMON_EXPR_PART_COUNT 128                /* most expressions of a part */
#define DEMON_EXPR_PART_BYTES ((size_t)6 * 1024) /* of several expressions, with their names */

/** The part that expression @p index of @p unit belongs to. */
struct demon_expr_part demon_expr_part_of(const struct demon_expr_unit *unit, size_t index);

/**
 * Looks at each expression of a part and its variables' names, without jq: DEMON_INVALID,
 * DEMON_TOOBIG. *ret_index is the first that is refused.
 */
enum demon_rc demon_expr_part_syntax(const struct demon_expr_unit *unit,
				     const struct demon_expr_part *part, size_t *ret_index,
				     struct demon_err *err) demon_must_check;

/** Appends the program of a part whose syntax was checked. */
void demon_expr_program(const struct demon_expr_unit *unit, const struct demon_expr_part *part,
			struct demon_buf *out);

/** Appends a program that holds to jq just when the source does, with nothing of ours behind the
 * text and on its first line: what jq says about it speaks of the text alone. */
void demon_expr_program_bare(const struct demon_expr_source *source, struct demon_buf *out);

#endif
