/*
 * A commit as text, whose SHA-256 is its id, and as the payloads of its events (docs/format.md
 * §16).
 */
#ifndef DEMON_GRAPH_RECORD_H
#define DEMON_GRAPH_RECORD_H

#include "base/json_member.h"
#include "graph.h"

#define DEMON_GRAPH_CREATED "graph.commit.created:v1"
#define DEMON_GRAPH_JOINED  "graph.commit.joined:v1"
#define DEMON_GRAPH_PART    "graph.commit.part:v1"
#define DEMON_GRAPH_TAGGED  "graph.tag.updated:v1"

/** All that a commit's id is made of. Borrowed. */
struct demon_graph_record {
	struct demon_graph_scope scope;
	struct demon_json_span author;    /* a JSON string; absent: not said */
	struct demon_json_span message;   /* a JSON string; absent: none */
	struct demon_json_span mutations; /* items, separated by commas, without brackets */
	const struct demon_graph_id *parents;
	size_t parent_count;
	unsigned char root[DEMON_HASH_LEN];
	demon_time ts;
};

/** The commit's id. */
enum demon_rc demon_graph_record_id(struct demon_sha256 *sha,
				    const struct demon_graph_record *record,
				    unsigned char out[DEMON_HASH_LEN], struct demon_err *err)
    demon_must_check;

/** The events of a commit: payloads and records that point to them. */
struct demon_graph_events {
	struct demon_record *records; /* owned; the last is the commit's own */
	struct demon_buf *payloads;   /* owned */
	size_t count;
};

/** Makes the events of a commit, cutting its mutations where need be. DEMON_TOOBIG: more than a
 * group holds. */
enum demon_rc demon_graph_events_make(struct demon_sha256 *sha,
				      const struct demon_graph_record *record,
				      const unsigned char id[DEMON_HASH_LEN],
				      struct demon_graph_events *ret, struct demon_err *err)
    demon_must_check;
void demon_graph_events_done(struct demon_graph_events *events);

/** Derives root and id of a commit from its event, its parents' states, and the mutations of its
 * @p parts (mutation.h). DEMON_CORRUPT: they are not what the event says. */
enum demon_rc demon_graph_event_derive(struct demon_db *db, const struct demon_event *ev,
				       struct demon_graph_mutations *parts,
				       unsigned char root[DEMON_HASH_LEN], struct demon_err *err)
    demon_must_check;

#endif
