/*
 * The text of a YAML file before its structure: what is refused byte by byte, and what stands at
 * a place; for yaml.c only.
 */
#ifndef DEMON_YAML_TEXT_H
#define DEMON_YAML_TEXT_H

#include "base.h"

/**
 * Refuses, with a message that begins with "@p name:LINE:COLUMN: ", what libyaml must not see, so
 * that the place is exact: invalid UTF-8, NUL and other control characters, U+FFFE and U+FFFF, a
 * byte order mark (the caller has passed over one at the beginning); U+0085, U+2028 and U+2029,
 * which end a line for libyaml and not in YAML 1.2 or JSON; and more %TAG directives than anybody
 * writes, since libyaml compares each with all before it. DEMON_INVALID or DEMON_TOOBIG.
 */
enum demon_rc demon_yaml_check_text(const char *name, const char *text, size_t len,
				    struct demon_err *err) demon_must_check;

/** The byte at a place of checked text, both from 1; NUL when there is none. */
char demon_yaml_byte_at(const char *text, size_t len, size_t line, size_t column);

#endif
