/*
 * What the JSON parser, the writer and the checker share: bytes of strings, the order of keys,
 * numbers and places. For src/base/json*.c only; places and characters also for
 * whoever else walks a tree or a text.
 */
#ifndef DEMON_JSON_TEXT_H
#define DEMON_JSON_TEXT_H

#include "base.h"

#include <string.h>

/** No limits of a caller allow more levels, so recursion is bounded. */
#define DEMON_JSON_DEPTH_MAX 64

/** What a byte is within a string. */
enum demon_json_class {
	DEMON_JSON_PLAIN, /* stands for itself: ASCII without what follows */
	DEMON_JSON_QUOTE,
	DEMON_JSON_BACKSLASH,
	DEMON_JSON_CONTROL,
	DEMON_JSON_MULTI, /* of a character of several bytes, or of none */
};
extern const unsigned char demon_json_classes[256];

/**
 * The top bits of those bytes in @p word that are not plain; of the bytes above the lowest of them
 * some may be marked wrongly, by the borrows that it causes.
 */
static inline uint64_t demon_json_specials(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t quote = (word ^ (ones * '"')) - ones;
	uint64_t backslash = (word ^ (ones * '\\')) - ones;
	uint64_t control = word - ones * 0x20;

	return (word | quote | backslash | control) & (ones * 0x80);
}

/** The first byte in [p, end) that is not plain, or @p end. */
static inline const char *demon_json_plain_end(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t word;
		uint64_t specials;

		memcpy(&word, p, sizeof(word));
		specials = demon_json_specials(word);
		if (specials && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			return p + __builtin_ctzll(specials) / 8;
		if (specials)
			break;
		p += 8;
	}
	while (p < end && demon_json_classes[(unsigned char)*p] == DEMON_JSON_PLAIN)
		p++;
	return p;
}

/** Bytes of the character at @p text (before @p end), 0 when it is not valid UTF-8. */
size_t demon_json_utf8(const char *text, const char *end);

/** Order of two valid UTF-8 strings by their UTF-16 code units: negative, 0, positive. */
int demon_json_key_order(const char *a, size_t a_len, const char *b, size_t b_len);

/** The letter behind the backslash that canonically escapes control character @p c, or 0: \u. */
char demon_json_short_escape(unsigned char c);

/** Most characters of a printed number: sign, "0.00000", 17 digits. */
#define DEMON_JSON_NUMBER_MAX 32

/** Length of the number that [text, end) begins with, 0: none. *ret_integer: it has neither
 * fraction nor exponent. */
size_t demon_json_number_span(const char *text, const char *end, bool *ret_integer);

enum demon_json_fit {
	DEMON_JSON_FITS,
	DEMON_JSON_INEXACT, /* an integer literal that would change */
	DEMON_JSON_OVERFLOW,
};

/** The double of a number literal; -0 becomes 0. *ret_v is set when it fits. */
enum demon_json_fit demon_json_number_read(const char *literal, size_t len, bool integer,
					   double *ret_v);

/** Writes a finite number as ECMAScript does, without a NUL; returns its length. */
size_t demon_json_number_print(double v, char out[DEMON_JSON_NUMBER_MAX]);

/** Where a walk through a tree stands: a chain from the innermost collection outwards. */
struct demon_json_place {
	const struct demon_json_place *up;
	enum { DEMON_JSON_AT_SELF, DEMON_JSON_AT_KEY, DEMON_JSON_AT_ITEM } at;
	const char *key; /* borrowed, valid UTF-8 */
	size_t key_len;
	size_t index;
};

/** Room for the text of a place: a cut pointer and its frame. */
#define DEMON_JSON_PLACE_LEN 240

/** Writes "at '/pointer': " (RFC 6901, cut when long), or nothing for the outermost value. */
void demon_json_place_text(const struct demon_json_place *place, char out[DEMON_JSON_PLACE_LEN]);

#endif
