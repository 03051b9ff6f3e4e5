/*
 * JSON Schema (draft 2020-12), as much of it as the event contracts use.
 *
 *	any value   type, const, enum, allOf, if/then/else, $ref (to "#/$defs/NAME"), $defs
 *	objects     properties, required, additionalProperties
 *	arrays      items, minItems, maxItems
 *	strings     pattern (a POSIX extended regular expression over bytes that means the same in
 *	            ECMAScript), format (date-time), minLength, maxLength (in code points)
 *	numbers     minimum, maximum
 *
 * Beside them $schema, $id, title, description. const and enum hold strings, booleans and null.
 * Every other keyword is refused, and so is a schema that refers to itself: a check goes as deep
 * as the schema, not as the value. `format` is asserted; a date-time is what
 * demon_rfc3339_parse() reads.
 */
#ifndef DEMON_SCHEMA_H
#define DEMON_SCHEMA_H

#include "base/base.h"

#include <jansson.h>

/** Owns schemas, and shares their regular expressions. One thread while schemas are added. */
struct demon_schemas;

/** A compiled schema; belongs to its demon_schemas. Any number of threads may check with it. */
struct demon_schema;

/** Empty, or NULL when out of memory. */
struct demon_schemas *demon_schemas_new(void) demon_must_check;
/** NULL is allowed. */
void demon_schemas_free(struct demon_schemas *schemas);

/**
 * Compiles @p document_new, which is stolen also on failure (NULL: out of memory). DEMON_INVALID
 * with the place in the document: an unknown keyword with the nearest known one, a value that its
 * keyword does not take, a reference that leads nowhere or in a circle. After a failure @p schemas
 * is only good for demon_schemas_free().
 */
enum demon_rc demon_schemas_add(struct demon_schemas *schemas, json_t *document_new,
				const struct demon_schema **ret_schema, struct demon_err *err)
    demon_must_check;

/**
 * Holds @p value against @p schema. DEMON_INVALID: the first thing that does not fit, with its
 * JSON pointer, what was expected and what was found: "at '/error/status': expected an integer,
 * found 'x'"; for an unknown key the nearest known one.
 */
enum demon_rc demon_schema_check(const struct demon_schema *schema, const json_t *value,
				 struct demon_err *err) demon_must_check;

#endif
