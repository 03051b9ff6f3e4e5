/*
 * jq's values as JSON text.
 */
#ifndef DEMON_EXPR_VALUE_H
#define DEMON_EXPR_VALUE_H

#include "base/buf.h"

#include <jq.h>

/**
 * Appends @p value (borrowed) to @p out, which bounds its size. NULL, or what JSON cannot say about
 * it, in static storage. Numbers are printed so that they read back as the same double.
 */
const char *value_write(jv value, struct demon_buf *out);

/** Appends the words of an error that jq raised (borrowed): of its message the first @p most bytes,
 * or its value as JSON. */
void value_write_error(jv error, size_t most, struct demon_buf *out);

#endif
