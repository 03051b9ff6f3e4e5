/*
 * The compiled programs of a worker, the latest used ones.
 */
#ifndef DEMON_EXPR_UNIT_H
#define DEMON_EXPR_UNIT_H

#include "domain/expr/frame.h"

#include "base/buf.h"

#include <jq.h>

/** A program, or NULL, with why in @p say: jq's first message. New: jq_teardown. */
jq_state *unit_compile(const char *program, struct demon_buf *say);

/** Keeps @p jq_new (stolen) as @p part, in the place of the one that was not used for longest. */
void unit_keep(const struct demon_expr_part *part, jq_state *jq_new);

/** The program kept as @p part, borrowed until another is kept; or NULL. */
jq_state *unit_find(const struct demon_expr_part *part);

#endif
