/*
 * Opening a store for the layers above, and what they may ask it.
 */
#ifndef DEMON_STORE_STORE_H
#define DEMON_STORE_STORE_H

#include "store/projection.h"

#include <demon/store.h>

/** As demon_open(), with the projections that events are applied to: NULL-terminated, borrowed. */
enum demon_rc demon_store_open(const char *path, const struct demon_options *options,
			       const struct demon_projection *const *projections,
			       struct demon_store **ret_store, struct demon_err *err)
    demon_must_check;

/** The environment that the store was opened with. */
const struct demon_env *demon_store_env(const struct demon_store *store);

/** This node's origin: 16 bytes, borrowed. */
const unsigned char *demon_store_origin(const struct demon_store *store);

/** The path that the store was opened with, borrowed. Nobody may open that file by it. */
const char *demon_store_path(const struct demon_store *store);

#endif
