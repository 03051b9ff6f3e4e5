/*
 * JSON: reading with limits and places, RFC 8785 canonical writing.
 *
 * Canonical form is what is hashed and stored, so it is exact: keys sorted by UTF-16 code units,
 * shortest escapes, numbers as ECMAScript prints them, no white space. A number is a double; an
 * integer literal (no fraction, no exponent) that a double does not hold exactly is refused, and
 * so is whatever overflows; other decimals become the nearest double; -0 becomes 0.
 *
 * Above 2^53 ECMAScript ends numbers in zeros that the double does not have: 2^64 is printed as
 * 18446744073709552000. An integer literal that is the canonical form of its double is therefore
 * accepted as well: canonical text always reads back, and such a literal is kept as it stands.
 *
 * Trees are jansson's json_t: an integer value within ±2^53 is a json_integer, every other
 * number a json_real. A tree belongs to one thread at a time.
 */
#ifndef DEMON_JSON_H
#define DEMON_JSON_H

#include "buf.h"

#include <jansson.h>

/** The tree for jansson's iterators and counts, which take one that is not const and change nothing
 * that shows. */
static inline json_t *demon_json_iterable(const json_t *tree)
{
	union {
		const json_t *given;
		json_t *taken;
	} u = {.given = tree};

	return u.taken;
}

/** What a parser accepts. */
struct demon_json_limits {
	size_t max_bytes; /* of the text */
	unsigned depth;   /* nested arrays and objects; 1: only scalars inside the outermost;
			   * 64 when it is more */
};

/** Event payloads: 512 KiB, 64 levels. */
extern const struct demon_json_limits demon_json_payload_limits;

/**
 * Parses one JSON text into *ret_json (new). Refuses: invalid UTF-8, a byte order mark, lone
 * surrogates, NUL (also \u0000), duplicate keys, trailing text, inexact integers, overflow, more
 * than the limits allow. The message has line:column and, inside a value, its JSON pointer:
 * "3:14: at '/steps/2/id': ...". DEMON_INVALID, DEMON_TOOBIG or DEMON_NOMEM.
 */
enum demon_rc demon_json_parse(const char *text, size_t len, const struct demon_json_limits *limits,
			       json_t **ret_json, struct demon_err *err) demon_must_check;

/** Appends the canonical form of @p json, nothing on failure. DEMON_INVALID for what canonical
 * JSON cannot say: NaN, an integer that a double does not hold, a string that is not UTF-8 or has
 * a NUL; DEMON_TOOBIG for more than 128 levels or than @p out holds; DEMON_NOMEM. */
enum demon_rc demon_json_canonical(const json_t *json, struct demon_buf *out, struct demon_err *err)
    demon_must_check;

/** The same as readable JSON: two spaces a level, no line end behind it. */
enum demon_rc demon_json_pretty(const json_t *json, struct demon_buf *out, struct demon_err *err)
    demon_must_check;

/**
 * True when @p text is already the canonical form of an object within @p limits: one pass, no
 * allocation. False says nothing about why; parse to learn it.
 */
bool demon_json_is_canonical(const char *text, size_t len, const struct demon_json_limits *limits);

/** Appends @p text as a canonical JSON string, quotes included. @p text is valid UTF-8 without
 * NUL; what is not becomes U+FFFD. */
void demon_json_string(struct demon_buf *out, const char *text, size_t len);

/** Appends a number as ECMAScript prints it. @p v is finite. */
void demon_json_number(struct demon_buf *out, double v);

/** Appends a string, number or boolean as plain text; false: it is something else. */
bool demon_json_scalar(const json_t *value, struct demon_buf *out);

/** A deep copy (new): whole, or NULL. jansson's own leaves out what memory does not suffice for. */
json_t *demon_json_copy(const json_t *tree) demon_must_check;

/** What a value is, for messages: "a string", "an integer", "a mapping"; NULL is "nothing". Static
 * storage. */
const char *demon_json_describe(const json_t *value);

/*
 * A writer of canonical objects for known shapes, without a tree: keys are given in ascending
 * order, which is asserted (ASCII keys that need no escape). Values of NULL text are left out with
 * their key.
 *
 *	struct demon_jw w = demon_jw_begin(&buf);
 *	demon_jw_str(&w, "event", "ritual.started:v1");
 *	demon_jw_raw(&w, "spec", canonical, len);
 *	demon_jw_end(&w);
 */
struct demon_jw {
	struct demon_buf *out; /* borrowed */
	const char *last;      /* the last key: borrowed string */
	bool any;
};
struct demon_jw demon_jw_begin(struct demon_buf *out);
void demon_jw_str(struct demon_jw *w, const char *key, const char *text);
void demon_jw_i64(struct demon_jw *w, const char *key, int64_t v); /* within ±2^53 */
void demon_jw_bool(struct demon_jw *w, const char *key, bool v);
void demon_jw_time(struct demon_jw *w, const char *key, int64_t ms); /* RFC 3339, ms, Z */
/** @p canonical is a canonical JSON text; it is copied as it is. */
void demon_jw_raw(struct demon_jw *w, const char *key, const char *canonical, size_t len);
/** Writes the key and the opening brace of a nested object; end it with demon_jw_end. */
struct demon_jw demon_jw_object(struct demon_jw *w, const char *key);
void demon_jw_end(struct demon_jw *w);

#endif
