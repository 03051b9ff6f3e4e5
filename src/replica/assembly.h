/*
 * Putting events that came in any order, several times, or with gaps into their chains.
 *
 * An event is taken in when it stands on a path, by previous hashes, from the head that is held to
 * an event that carries a signature of a key that is bound to its origin. Of two events under one
 * identity only one can lie on such a path, so what a stranger sends blocks nobody. Whole groups
 * only; what waits is kept in local_inbox with what it waits for.
 */
#ifndef DEMON_ASSEMBLY_H
#define DEMON_ASSEMBLY_H

#include "outbox.h"
#include "peer_keys.h"
#include "quarantine.h"

/** Events that may wait, of all origins; what exceeds it is set aside. */
#define DEMON_INBOX_MAX 100000

/** Within one transaction. */
struct demon_assembly {
	struct demon_write *w;
	struct demon_outbox *outbox; /* told of own events; NULL: nobody is */
	demon_time now;
	bool careful;    /* each group is a part of its own: the first try has left traces */
	bool need_care;  /* out: the try failed so that it has to be made again, with care */
	int64_t waiting; /* rows of local_inbox */
	int64_t taken;   /* out: events that are new */
};

/**
 * Takes in what can be of @p items, and of what waits; keeps the rest. The items stay the caller's.
 * Fails only for reasons of this database (DEMON_BUSY with need_care: undo, and again).
 */
enum demon_rc demon_assemble(struct demon_assembly *a, struct demon_incoming **items, size_t count,
			     struct demon_err *err) demon_must_check;

/** Counts local_inbox. */
enum demon_rc demon_assembly_waiting(struct demon_db *db, int64_t *ret, struct demon_err *err)
    demon_must_check;

#endif
