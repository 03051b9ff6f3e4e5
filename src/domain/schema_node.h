/*
 * A compiled schema. For schema.c, which makes it, and schema_check.c, which uses it.
 */
#ifndef DEMON_SCHEMA_NODE_H
#define DEMON_SCHEMA_NODE_H

#include "base/json.h"
#include "schema.h"

#include <pthread.h>
#include <regex.h>

/* Bits of `types`; an integer is also a number. */
enum demon_schema_type {
	DEMON_SCHEMA_NULL = 1,
	DEMON_SCHEMA_BOOLEAN = 2,
	DEMON_SCHEMA_INTEGER = 4,
	DEMON_SCHEMA_NUMBER = 8,
	DEMON_SCHEMA_STRING = 16,
	DEMON_SCHEMA_ARRAY = 32,
	DEMON_SCHEMA_OBJECT = 64,
};

/** Matching changes what a regex remembers, so one thread at a time matches. */
struct demon_schema_pattern {
	struct demon_schema_pattern *next;
	const char *text;     /* borrowed from its document */
	pthread_mutex_t lock; /* a leaf: nothing else is taken under it */
	regex_t regex;
};

/** A schema within another one. */
struct demon_schema_part {
	const char *name; /* its key, borrowed; NULL in a list */
	const struct demon_schema *schema;
};

/** One schema object; what a keyword says that is absent allows everything. Nodes form a graph
 * without circles. JSON is borrowed from the document. */
struct demon_schema {
	struct demon_schema *next; /* made before this one */
	const json_t *source;
	bool ready;             /* all keywords are read */
	unsigned types;         /* bits; 0: any */
	const json_t *constant; /* or NULL */
	const json_t *options;  /* array, or NULL */
	struct demon_schema_pattern *pattern;
	bool date_time;
	size_t min_length;
	size_t max_length;
	double minimum;
	double maximum;
	size_t min_items;
	size_t max_items;
	const struct demon_schema *items;
	const json_t *properties;          /* object of schemas, or NULL */
	const char **names;                /* owned: its keys, `count` of them */
	struct demon_schema_part *members; /* owned: the same with their schemas */
	size_t count;
	const json_t *required;                /* array of strings, or NULL */
	bool closed;                           /* no members beside `properties` */
	const struct demon_schema *additional; /* of members beside `properties` */
	const struct demon_schema *reference;
	struct demon_schema_part *all; /* owned, `all_count` of them */
	size_t all_count;
	const struct demon_schema *when;
	const struct demon_schema *then;
	const struct demon_schema *otherwise;
};

#endif
