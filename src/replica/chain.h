/*
 * A chain while events are put into it: what is held, what came, what waits. Private to the
 * assembly.
 */
#ifndef DEMON_CHAIN_H
#define DEMON_CHAIN_H

#include "assembly.h"

/* What an event waits for: local_inbox.waits_for. */
enum demon_wait {
	DEMON_WAIT_SIGNATURE,
	DEMON_WAIT_KEY,
	DEMON_WAIT_GROUP,
	DEMON_WAIT_PREDECESSOR,
	DEMON_WAIT_CAUSE,
	DEMON_WAIT_CLOCK
};

/* One event of a chain that is worked on. */
struct demon_piece {
	struct demon_incoming *item;
	bool stored;   /* it is in local_inbox */
	bool over;     /* taken in, or set aside */
	bool borrowed; /* the item is the caller's */
	bool changed;  /* what is stored of it says something else */
};

struct demon_chain {
	struct demon_event_ref head; /* sequence 0: nothing is held */
	int64_t id;                  /* 0: no row */
	struct demon_piece *pieces;  /* by sequence, then hash */
	size_t count;
	size_t cap;
	enum demon_wait stop; /* why the first one that is left waits */
	int64_t stopped_at;   /* its sequence, or 0 */
	bool own;
	bool moved;
};

void demon_chain_free(struct demon_chain *c);

/** Binds :origin, :epoch and :stream. */
void demon_chain_bind(struct demon_stmt *q, const struct demon_event_ref *ref);

/** Adds a piece; a borrowed item stays the caller's. */
enum demon_rc demon_chain_add(struct demon_chain *c, struct demon_incoming *item, bool stored,
			      bool borrowed, struct demon_err *err) demon_must_check;

/** Looks up the head that is held, and adds what waits in local_inbox. */
enum demon_rc demon_chain_head(struct demon_assembly *a, struct demon_chain *c,
			       struct demon_err *err) demon_must_check;
enum demon_rc demon_chain_waiting(struct demon_assembly *a, struct demon_chain *c,
				  struct demon_err *err) demon_must_check;

/** Sorts, and makes one of those that came several times: the stored one, with any signature. */
void demon_chain_sort(struct demon_chain *c);

/** The piece with that sequence and hash that is not over, or NULL. */
struct demon_piece *demon_chain_find(struct demon_chain *c, int64_t sequence,
				     const unsigned char *hash);

/** It was taken in, or is held; it goes into quarantine; it waits. */
enum demon_rc demon_piece_over(struct demon_assembly *a, struct demon_piece *p,
			       struct demon_err *err) demon_must_check;
enum demon_rc demon_piece_aside(struct demon_assembly *a, struct demon_piece *p,
				enum demon_fault_kind kind, const char *reason,
				struct demon_err *err) demon_must_check;
enum demon_rc demon_piece_keep(struct demon_assembly *a, struct demon_piece *p,
			       enum demon_wait wait, struct demon_err *err) demon_must_check;

#endif
