/*
 * Memory for many small things that end together.
 */
#ifndef DEMON_ARENA_H
#define DEMON_ARENA_H

#include "base/base.h"

/** Zeroed, then done. One thread. */
struct demon_arena {
	struct demon_arena_block *last; /* owned */
};

/** @p count things of @p size bytes, zeroed and aligned for any type; NULL: memory ran out. */
void *demon_arena_new(struct demon_arena *arena, size_t count, size_t size);
void demon_arena_done(struct demon_arena *arena);

#endif
