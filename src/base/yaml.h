/*
 * YAML by the 1.2 core schema, read into a tree that keeps the place of every node.
 *
 * The parser refuses what a reader of operational files cannot trust: aliases and anchors, tags
 * other than the core schema's, merge keys, more or less than one document, duplicate keys, keys
 * that are not strings, integers that a double does not hold exactly, infinity and NaN, NUL and
 * other control characters, invalid UTF-8, a byte order mark that is not at the beginning, the
 * characters U+0085, U+2028 and U+2029 unless escaped (readers differ on whether they end a line),
 * more bytes, nodes or levels than the limits. Plain scalars resolve as the core schema says:
 * null, true/false (not yes/no/on/off), integers (decimal, 0o, 0x), floats, else strings.
 *
 * JSON is read by the same function, to the same values. It is refused where YAML cannot say it:
 * characters escaped as a pair of surrogates, a key of more than 1 024 characters or apart from
 * its colon by a line end, and the characters above.
 */
#ifndef DEMON_YAML_H
#define DEMON_YAML_H

#include "base.h"

#include <jansson.h>

struct demon_yaml_limits {
	size_t max_bytes;
	unsigned depth;
	unsigned nodes;
};

/** Ritual files: 1 MiB, 100 levels, 200 000 nodes. */
extern const struct demon_yaml_limits demon_yaml_ritual_limits;

enum demon_yaml_kind { DEMON_YAML_SCALAR, DEMON_YAML_SEQUENCE, DEMON_YAML_MAPPING };

/** A node. All of a document lives and dies with it. */
struct demon_yaml_node {
	enum demon_yaml_kind kind;
	unsigned line;   /* from 1 */
	unsigned column; /* from 1, in characters */
	/* mapping: its entries, in order; sequence: its items (key is NULL) */
	struct demon_yaml_node *const *items;
	size_t count;
	const char *key;   /* of this node within its mapping, or NULL */
	unsigned key_line; /* place of that key */
	unsigned key_column;
	const json_t *scalar; /* borrowed: the value of a scalar; NULL for a collection */
};

struct demon_yaml_doc;

/**
 * Parses @p len bytes. Messages begin with "@p name:LINE:COLUMN: ". DEMON_INVALID, DEMON_TOOBIG
 * or DEMON_NOMEM. *ret_doc is new; free it with demon_yaml_free.
 */
enum demon_rc demon_yaml_parse(const char *name, const char *text, size_t len,
			       const struct demon_yaml_limits *limits,
			       struct demon_yaml_doc **ret_doc, struct demon_err *err)
    demon_must_check;
void demon_yaml_free(struct demon_yaml_doc *doc);
void demon_yaml_free_p(struct demon_yaml_doc **doc);

/** The outermost node, borrowed from the document. */
const struct demon_yaml_node *demon_yaml_root(const struct demon_yaml_doc *doc);

/** The entry of a mapping by key, or NULL. */
const struct demon_yaml_node *demon_yaml_get(const struct demon_yaml_node *mapping,
					     const char *key);

/** The node as a jansson tree (new), or NULL when memory is out. */
json_t *demon_yaml_json(const struct demon_yaml_node *node) demon_must_check;

/** What a node is, for messages: "a string", "an integer", "a mapping", ... Static storage. */
const char *demon_yaml_describe(const struct demon_yaml_node *node);

#endif
