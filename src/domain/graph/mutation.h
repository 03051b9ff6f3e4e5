/*
 * Mutations: the changes that a commit makes (docs/format.md §16).
 *
 * A list is kept as its canonical text, whose items are what is hashed, stored and applied. It is
 * read from what a caller gives (graph.h) and from events.
 */
#ifndef DEMON_GRAPH_MUTATION_H
#define DEMON_GRAPH_MUTATION_H

#include "base/json_member.h"
#include "graph.h"

#define DEMON_GRAPH_MUTATION_MAX ((size_t)384 * 1024) /* bytes of one, canonical */
#define DEMON_GRAPH_LABEL_MAX    64                   /* characters */
#define DEMON_GRAPH_INPUT_MAX    ((size_t)64 << 20)   /* bytes of a list that is read */

enum demon_graph_op {
	DEMON_GRAPH_ADD_NODE,
	DEMON_GRAPH_UPDATE_NODE,
	DEMON_GRAPH_REMOVE_NODE,
	DEMON_GRAPH_ADD_EDGE,
	DEMON_GRAPH_UPDATE_EDGE,
	DEMON_GRAPH_REMOVE_EDGE,
};
#define DEMON_GRAPH_OP_COUNT 6

/** One mutation. Spans are borrowed from its text; ids are without quotes; absent: not given. */
struct demon_graph_mutation {
	enum demon_graph_op op;
	struct demon_json_span text;
	struct demon_json_span id;
	struct demon_json_span from;
	struct demon_json_span to;
	struct demon_json_span label;      /* a JSON string */
	struct demon_json_span labels;     /* a JSON array */
	struct demon_json_span properties; /* a JSON object */
};

/** The name of an operation, in static storage. */
const char *demon_graph_op_name(enum demon_graph_op op);

/** Whether it is about a node. */
static inline bool demon_graph_op_is_node(enum demon_graph_op op)
{
	return op <= DEMON_GRAPH_REMOVE_NODE;
}

/** A list of mutations. */
struct demon_graph_mutations {
	struct demon_buf
	    text; /* the items' canonical texts, separated by commas, without brackets */
	struct demon_graph_mutation *items; /* owned; spans into text */
	size_t count;
};

/** An empty list, or NULL. */
struct demon_graph_mutations *demon_graph_mutations_new(void);

/** Reads the items of a canonical array, as an event has it, behind those of @p list. What the
 * contract does not allow is DEMON_CORRUPT. Spans are set by demon_graph_mutations_index(). */
enum demon_rc demon_graph_mutations_add(struct demon_graph_mutations *list, const char *array,
					size_t len, struct demon_err *err) demon_must_check;

/** Finds the items of list->text. */
enum demon_rc demon_graph_mutations_index(struct demon_graph_mutations *list, struct demon_err *err)
    demon_must_check;

/** Frees what a list on the stack holds. */
void demon_graph_mutations_done(struct demon_graph_mutations *list);

#endif
