/*
 * What the register of a token holds, as JSON and as a struct; for src/domain/admin/token*.c only.
 */
#ifndef DEMON_TOKEN_VALUE_H
#define DEMON_TOKEN_VALUE_H

#include "base/bytes.h"
#include "token.h"

struct demon_token_value {
	char subject[DEMON_ACTOR_MAX + 1];
	enum demon_role role;
	char tenant[65]; /* "": for all */
	unsigned char hash[DEMON_HASH_LEN];
	demon_time created_at;
	demon_time expires_at; /* 0: never */
	unsigned char previous_hash[DEMON_HASH_LEN];
	demon_time previous_until; /* 0: there is no secret before */
};

/** As JSON (new), or NULL when memory does not suffice. */
json_t *demon_token_value_json(const struct demon_token_value *value) demon_must_check;

/** Reads what a node wrote. DEMON_INVALID: it is no token; nobody is let in by it. */
enum demon_rc demon_token_value_read(const char *text, size_t len, struct demon_token_value *ret,
				     struct demon_err *err) demon_must_check;

#endif
