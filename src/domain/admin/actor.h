/*
 * Who does something, and how that is known.
 *
 * Whoever lets people in (command line, HTTP, link, stream) makes an actor; every command that
 * decides takes one and records it. Nothing below asks the environment who its user is.
 */
#ifndef DEMON_ACTOR_H
#define DEMON_ACTOR_H

#include <demon/err.h>

/** How the name came to be known, weakest first: levels can be compared. */
enum demon_auth {
	DEMON_AUTH_DECLARED, /* the request said so, or the user of the operating system */
	DEMON_AUTH_LINK,     /* a signed link that was sent to that person */
	DEMON_AUTH_TOKEN,    /* a token of that subject */
	DEMON_AUTH_SYSTEM,   /* the node itself: deadlines, escalation */
};
#define DEMON_AUTH_COUNT 4

/** "declared", "link", "token" or "system", in static storage. */
const char *demon_auth_name(enum demon_auth auth);

/** DEMON_INVALID: it is none of these. */
enum demon_rc demon_auth_find(const char *name, enum demon_auth *ret_auth, struct demon_err *err)
    demon_must_check;

/** Permissions grow in this order. */
enum demon_role {
	DEMON_ROLE_NONE,
	DEMON_ROLE_VIEWER,
	DEMON_ROLE_OPERATOR,
	DEMON_ROLE_APPROVER,
	DEMON_ROLE_ADMIN,
};
#define DEMON_ROLE_COUNT 5

/** "none", "viewer", "operator", "approver" or "admin", in static storage. */
const char *demon_role_name(enum demon_role role);

/** DEMON_INVALID: it is none of these, or "none". */
enum demon_rc demon_role_find(const char *name, enum demon_role *ret_role, struct demon_err *err)
    demon_must_check;

/** Borrowed strings. */
struct demon_actor {
	const char *subject; /* "kim@corp.test"; "system" only with DEMON_AUTH_SYSTEM */
	enum demon_auth auth;
	enum demon_role role; /* of the token; DEMON_ROLE_NONE: no token was shown */
	const char *tenant;   /* the token is for this tenant alone; NULL: for all */
};

/** Longest subject, in bytes: one line of printable UTF-8 without white space at its ends. */
#define DEMON_ACTOR_MAX 254

/** DEMON_INVALID: @p subject cannot be a name; the message says why. */
enum demon_rc demon_subject_check(const char *subject, struct demon_err *err) demon_must_check;

/** The same for something else that is named in one line: "@p what 'x' is not valid: ...". */
enum demon_rc demon_line_check(const char *what, const char *text, struct demon_err *err)
    demon_must_check;

/** The subject, and that "system" (in any case of its letters) is the node itself and nobody else.
 * DEMON_INVALID. */
enum demon_rc demon_actor_check(const struct demon_actor *actor, struct demon_err *err)
    demon_must_check;

/** The system, as an actor. */
extern const struct demon_actor demon_actor_system;

#endif
