#include "arena.h"

#include <stdalign.h>
#include <stddef.h>

#define BLOCK ((size_t)16 * 1024)

struct demon_arena_block {
	struct demon_arena_block *before;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

static struct demon_arena_block *grow(struct demon_arena *arena, size_t size)
{
	struct demon_arena_block *block = demon_calloc(1, sizeof(*block) + size);

	if (!block)
		return NULL;
	block->size = size;
	block->before = arena->last;
	arena->last = block;
	return block;
}

void *demon_arena_new(struct demon_arena *arena, size_t count, size_t size)
{
	struct demon_arena_block *block = arena->last;
	size_t want;
	void *at;

	if (__builtin_mul_overflow(count, size, &want) ||
	    __builtin_add_overflow(want, alignof(max_align_t) - 1, &want))
		return NULL;
	want &= ~(alignof(max_align_t) - 1);
	if (!block || block->size - block->used < want)
		block = grow(arena, want > BLOCK ? want : BLOCK);
	if (!block)
		return NULL;
	at = block->bytes + block->used;
	block->used += want;
	return at;
}

void demon_arena_done(struct demon_arena *arena)
{
	while (arena->last) {
		struct demon_arena_block *block = arena->last;

		arena->last = block->before;
		free(block);
	}
}
