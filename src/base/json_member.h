/*
 * Members of canonical JSON objects, found by scanning the text: no tree, no allocation.
 *
 * The text must be canonical (json.h): the log holds nothing else. What is not a JSON object
 * yields no members; the scanner never reads beyond @p len.
 */
#ifndef DEMON_JSON_MEMBER_H
#define DEMON_JSON_MEMBER_H

#include "buf.h"

/** The canonical text of a value, borrowed from the text it was found in; NULL: absent. */
struct demon_json_span {
	const char *at;
	size_t len;
};

/** A place within an object. */
struct demon_json_walk {
	const char *at;
	const char *end;
};

/** One member: key and value as they are written, the key with its quotes. */
struct demon_json_pair {
	struct demon_json_span key;
	struct demon_json_span value;
};

/** Starts before the first member of the object @p text. */
struct demon_json_walk demon_json_walk_begin(const char *text, size_t len);

/** The next member; false at the end, and when the text is not canonical. */
bool demon_json_walk_next(struct demon_json_walk *walk, struct demon_json_pair *ret_pair);

/** The same for the items of an array. */
struct demon_json_walk demon_json_items_begin(const char *text, size_t len);
bool demon_json_items_next(struct demon_json_walk *walk, struct demon_json_span *ret_item);

/** The value of member @p key (ASCII without escapes) of the object @p text. */
struct demon_json_span demon_json_member(const char *text, size_t len, const char *key);

/**
 * Finds several members in one pass: spans[i] is the value of keys[i], absent where there is none.
 * @p keys are ASCII without escapes and in ascending order.
 */
void demon_json_members(const char *text, size_t len, const char *const *keys,
			struct demon_json_span *spans, size_t count);

/** Orders a written key against @p key (ASCII without escapes) as canonical form does: below,
 * equal to or above zero. */
int demon_json_key_cmp(struct demon_json_span written, const char *key);

/** Reads an integer within ±2^53; false: absent or something else. */
bool demon_json_span_i64(struct demon_json_span value, int64_t *ret) demon_must_check;

/** True when the value is `true`. */
bool demon_json_span_true(struct demon_json_span value);

/** The text of a string value that holds no escape, in place; absent: it has some, or is none. */
struct demon_json_span demon_json_span_plain(struct demon_json_span value);

/** Appends the text of a string value, without quotes and escapes; false: absent or no string. */
bool demon_json_span_str(struct demon_json_span value, struct demon_buf *out) demon_must_check;

#endif
