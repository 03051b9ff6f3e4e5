/*
 * The allow-list of approvers (APPROVER_ALLOWLIST): who may vote where no token says who it is.
 *
 * Names separated by commas, white space around them dropped, compared without regard to the case
 * of ASCII letters. Empty: nobody. A name '*': anybody, which is for development only; whoever
 * reads the list from outside warns of it.
 */
#ifndef DEMON_ALLOWLIST_H
#define DEMON_ALLOWLIST_H

#include "actor.h"

#include <stddef.h>

struct demon_allowlist;

/** Most names of a list. */
#define DEMON_ALLOWLIST_MAX 10000

/** Reads a list; @p text NULL: an empty one. *ret_list is new (demon_allowlist_free).
 * DEMON_INVALID: a name that is none, with its number; DEMON_TOOBIG; DEMON_NOMEM. */
enum demon_rc demon_allowlist_parse(const char *text, struct demon_allowlist **ret_list,
				    struct demon_err *err) demon_must_check;
void demon_allowlist_free(struct demon_allowlist *list);
void demon_allowlist_free_p(struct demon_allowlist **list);

/** Whether a subject is allowed; "system" never is. @p list NULL: nobody is. Any thread. */
bool demon_allowlist_has(const struct demon_allowlist *list, const char *subject);

/** Whether the list allows anybody. */
bool demon_allowlist_is_open(const struct demon_allowlist *list);

/** The names, '*' apart. */
size_t demon_allowlist_count(const struct demon_allowlist *list);
const char *demon_allowlist_at(const struct demon_allowlist *list, size_t i);

#endif
