/*
 * A transport that is memory: one server with three streams, any number of nodes at it, and faults
 * by seed. For simulations and drills; one thread, nothing waits.
 *
 * Time is what demon_memory_turn() lets pass: what is sent in one turn arrives in a later one.
 */
#ifndef DEMON_MEMORY_H
#define DEMON_MEMORY_H

#include "transport.h"

struct demon_memory;      /* the server */
struct demon_memory_node; /* one connection to it */

/** Chances of a message, in thousandths. */
struct demon_memory_faults {
	unsigned lose_send;   /* it does not arrive; its answer is a time-out */
	unsigned lose_answer; /* it is stored, the answer is a time-out */
	unsigned delay;       /* it, or its answer, takes some turns more */
	unsigned refuse;      /* the server says no */
	unsigned twice;       /* it is stored twice, as outside the window of duplicates */
	unsigned cut;         /* the connection breaks, in a turn */
};

/** *ret_memory is new. */
enum demon_rc demon_memory_new(uint64_t seed, struct demon_memory **ret_memory,
			       struct demon_err *err) demon_must_check;
void demon_memory_free(struct demon_memory *memory);

/** From now on; NULL: none. */
void demon_memory_set_faults(struct demon_memory *memory, const struct demon_memory_faults *faults);

/** Lets messages, answers and breaks of the line happen. */
void demon_memory_turn(struct demon_memory *memory);

/** The server loses the last @p n messages of a stream; their sequences are given again. All
 * connections break. */
void demon_memory_rewind(struct demon_memory *memory, enum demon_stream stream, uint64_t n);
/** All messages are gone, sequences go on: as after a purge. */
void demon_memory_purge(struct demon_memory *memory, enum demon_stream stream);
/** The stream is made anew: empty, from sequence 1. All connections break. */
void demon_memory_recreate(struct demon_memory *memory, enum demon_stream stream);

/** Somebody publishes what has none of our headers, or any. Strings are copied. */
enum demon_rc demon_memory_inject(struct demon_memory *memory, const struct demon_message *message,
				  struct demon_err *err) demon_must_check;

/** A connection; *ret_transport is usable until demon_memory_leave(). */
enum demon_rc demon_memory_join(struct demon_memory *memory, struct demon_memory_node **ret_node,
				struct demon_transport *ret_transport, struct demon_err *err)
    demon_must_check;
void demon_memory_leave(struct demon_memory_node *node);

/** Cuts a node off, or lets it come back. */
void demon_memory_partition(struct demon_memory_node *node, bool cut);

#endif
