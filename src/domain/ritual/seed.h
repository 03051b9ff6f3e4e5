/*
 * The seed notation: what its parts share while a definition is loaded.
 */
#ifndef DEMON_SEED_H
#define DEMON_SEED_H

#include "loader.h"

#define DEMON_SEED_SHOWN 64 /* bytes of a foreign string in a message */

struct demon_seed {
	struct demon_loader *loader;
	struct demon_task *tasks;
	json_t *names;     /* state name → index; owned */
	const char **list; /* the names, in order, for suggestions; owned */
	size_t named;      /* how many */
	json_t *timers;    /* names of timers that are set; owned */
	struct demon_value states;
	size_t count;
	bool flow_broken; /* where the flow goes is not known of every state */
};

extern const char *const demon_seed_none[];
#define DEMON_SEED_KEYS(known, later) ((struct demon_keys){known, demon_count(known), later})

/** Where `transition` or `end` of @p v leads; @p after: without either. */
size_t demon_seed_way(struct demon_seed *s, struct demon_value v, size_t after);

/** Reads state @p i, whose name is known. */
void demon_seed_state(struct demon_seed *s, size_t i, struct demon_task *task);

/** Every timer that a state waits for is set by some state. */
void demon_seed_timers(struct demon_seed *s);

#endif
