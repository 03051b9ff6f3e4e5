/*
 * What of a jq program can be told without jq: whether it is closed in itself, so that it can be
 * put in parentheses, and whether it names what is not to be had.
 *
 * The words are those of jq's own lexer. A key of an object and what follows a dot are names, not
 * calls: `.env`, `{env: 1}` and "env" in a string are allowed.
 */
#ifndef DEMON_EXPR_SYNTAX_H
#define DEMON_EXPR_SYNTAX_H

#include "base/base.h"

#define DEMON_EXPR_TEXT_MAX  ((size_t)64 * 1024) /* bytes of an expression */
#define DEMON_EXPR_DEPTH_MAX 256                 /* open brackets, strings and ifs within it */

/** DEMON_INVALID or DEMON_TOOBIG, with "line:column: why". */
enum demon_rc demon_expr_syntax(const char *text, struct demon_err *err) demon_must_check;

/** True when jq takes "$name" as a variable and nothing of ours has that name. */
bool demon_expr_variable_is_name(const char *name);

#endif
