/*
 * Tokens: who shows one is its subject, with its role.
 *
 * A token is text, "demon_ID_SECRET": 16 and 64 lower-case hexadecimal digits. The secret is 256
 * random bits, shown once when it is made; only its SHA-256 is kept, in a register whose name is
 * the id, so that tokens hold on every node that has the log. Rotation gives a token another
 * secret; the one before stays good for a while. A token that was revoked is of no use for ever,
 * whatever is written to its register elsewhere at the same time.
 */
#ifndef DEMON_TOKEN_H
#define DEMON_TOKEN_H

#include "base/buf.h"
#include "register.h"

#define DEMON_TOKEN_ID_LEN   16
#define DEMON_TOKEN_TEXT_LEN 87 /* "demon_", the id, "_", 64 digits */

/** A token that was just made or rotated: the only time its secret is to be seen. */
struct demon_token_secret {
	char id[DEMON_TOKEN_ID_LEN + 1];
	char text[DEMON_TOKEN_TEXT_LEN + 1];
};

/** What a new token is to be. Borrowed. */
struct demon_token_request {
	const char *subject;
	enum demon_role role;
	const char *tenant;    /* for it alone; NULL: for all */
	demon_time expires_at; /* 0: never */
	const struct demon_actor *actor;
	const char *reason; /* NULL: none was given */
};

/** Makes a token. DEMON_INVALID: subject, role, tenant; a time that has passed. */
enum demon_rc demon_token_create(struct demon_store *store,
				 const struct demon_token_request *request,
				 struct demon_token_secret *ret_secret, struct demon_err *err)
    demon_must_check;

/** How a token is to be changed. Borrowed. */
struct demon_token_change {
	const char *id;
	int64_t overlap_ms;    /* of a rotation: how long the secret before stays good; 0: not */
	demon_time expires_at; /* of a rotation: of the token from now on; 0: as it was */
	const struct demon_actor *actor;
	const char *reason; /* NULL: none was given */
};

/** Longest overlap of a rotation. */
#define DEMON_TOKEN_OVERLAP_MAX ((int64_t)90 * 86400000)

/**
 * Gives a token another secret; one before the last is of no use from then on.
 * DEMON_NOTFOUND: no such token. DEMON_CONFLICT: it was revoked, or has expired.
 * DEMON_INVALID: an overlap below 0 or above the limit; a time that has passed.
 */
enum demon_rc demon_token_rotate(struct demon_store *store, const struct demon_token_change *change,
				 struct demon_token_secret *ret_secret, struct demon_err *err)
    demon_must_check;

/** Revokes a token for ever. *ret_new is false, and nothing is written, when it was revoked
 * before. DEMON_NOTFOUND: no such token. */
enum demon_rc demon_token_revoke(struct demon_store *store, const struct demon_token_change *change,
				 bool *ret_new, struct demon_err *err) demon_must_check;

/** What is known of a token. Owned texts, so that it can be kept and moved. */
struct demon_token {
	char id[DEMON_ACTOR_MAX + 1];
	char subject[DEMON_ACTOR_MAX + 1];
	enum demon_role role;
	char tenant[65]; /* "": for all */
	demon_time created_at;
	demon_time expires_at;        /* 0: never */
	demon_time previous_until;    /* until when the secret before is good; 0: there is none */
	bool revoked;                 /* then the rest, but for the id, may be empty */
	char by[DEMON_ACTOR_MAX + 1]; /* who wrote it last */
};
typedef enum demon_rc demon_token_fn(void *ctx, const struct demon_token *token,
				     struct demon_err *err);

/** Calls @p fn for every token, revoked ones too, in order of id. */
enum demon_rc demon_token_list(struct demon_db *db, demon_token_fn *fn, void *ctx,
			       struct demon_err *err) demon_must_check;

/** Whether any token was ever made: from then on nobody is let in without. */
enum demon_rc demon_token_any(struct demon_db *db, bool *ret_any, struct demon_err *err)
    demon_must_check;

/** Who a token lets in. Owned texts. */
struct demon_bearer {
	char id[DEMON_TOKEN_ID_LEN + 1];
	char subject[DEMON_ACTOR_MAX + 1];
	enum demon_role role;
	char tenant[65]; /* "": for all */
};

/**
 * Finds out who shows @p text at @p now. Compares in constant time; who does not know the secret
 * learns at most that the token was revoked. DEMON_DENIED: unknown, expired, revoked, or no token
 * at all.
 */
enum demon_rc demon_token_check(struct demon_db *db, const char *text, demon_time now,
				struct demon_bearer *ret_bearer, struct demon_err *err)
    demon_must_check;

/** The bearer as an actor, which borrows from it. */
struct demon_actor demon_bearer_actor(const struct demon_bearer *bearer);

#endif
