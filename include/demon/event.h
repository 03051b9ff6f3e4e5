/*
 * Events: what the log holds. docs/format.md is the definition of every field.
 */
#ifndef DEMON_EVENT_H
#define DEMON_EVENT_H

#include <demon/env.h>

#define DEMON_ORIGIN_LEN 16
#define DEMON_EPOCH_LEN  8
#define DEMON_SHA256_LEN 32

/** Which JetStream stream mirrors a chain, and which subject its events have. */
enum demon_stream {
	DEMON_STREAM_RITUAL, /* demon.ritual.v1.<tenant>.<ritual>[.<run>].events */
	DEMON_STREAM_GRAPH,  /* demon.graph.v1.<tenant>.<project>.<namespace>.commit */
	DEMON_STREAM_NODE,   /* demon.node.v1.<origin>.events */
};
#define DEMON_STREAM_COUNT 3

/** "ritual", "graph" or "node", in static storage. */
DEMON_API const char *demon_stream_name(enum demon_stream stream);

/** One event. Strings and bytes are borrowed from whoever handed the event out; NULL: absent. */
struct demon_event {
	int64_t seq;            /* local order of arrival, from 1; not part of the event */
	demon_time recorded_at; /* local time of arrival; not part of the event */
	unsigned char origin[DEMON_ORIGIN_LEN];
	unsigned char epoch[DEMON_EPOCH_LEN];
	enum demon_stream stream;
	int64_t sequence;     /* within (origin, epoch, stream), from 1 */
	int64_t group_first;  /* sequence of the first event of its group */
	uint32_t group_count; /* events in its group */
	const char *subject;
	const char *type; /* "ritual.started:v1" */
	const char *tenant_id;
	const char *ritual_id;
	const char *run_id;
	const char *gate_id;
	const char *project_id;
	const char *namespace_id;
	const char *graph_id;
	bool has_run_origin;
	unsigned char run_origin[DEMON_ORIGIN_LEN];
	demon_time ts;       /* when the command ran, by its node's wall clock */
	uint64_t clock;      /* hybrid logical clock: ms * 65536 + counter */
	const char *payload; /* canonical JSON, NUL-terminated; NULL: archived */
	size_t payload_len;
	unsigned char payload_hash[DEMON_SHA256_LEN];
	const void *extra; /* encoded header fields without a member here, or NULL */
	size_t extra_len;
	unsigned char previous_hash[DEMON_SHA256_LEN];
	unsigned char hash[DEMON_SHA256_LEN];
};

/** Where an appended event stands, and the hash that the next one builds on. */
struct demon_receipt {
	int64_t seq;
	int64_t sequence;
	unsigned char hash[DEMON_SHA256_LEN];
};

#endif
