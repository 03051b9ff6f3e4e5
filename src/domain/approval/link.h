/*
 * Signed links: one approver may decide one round of one gate, once, until its deadline.
 *
 * A token is base64url(canonical JSON) "." base64url(Ed25519 signature), signed with the key of the
 * node that owns the run; nobody else can make one, and no other node takes it. Making a link
 * writes nothing. That it is used once is seen to by whoever counts votes: the nonce is recorded
 * with the vote.
 *
 * In an address the token stands behind '#', which browsers send to nobody: no proxy's log has it,
 * and whoever only fetches the address has not decided.
 */
#ifndef DEMON_APPROVAL_LINK_H
#define DEMON_APPROVAL_LINK_H

#include "base/buf.h"
#include "domain/admin/actor.h"

#include <demon/store.h>

#define DEMON_LINK_NONCE_LEN 32   /* lower-case hexadecimal digits */
#define DEMON_LINK_TOKEN_MAX 2048 /* bytes */

/** What a link is good for. */
struct demon_link {
	char tenant_id[65];
	char run_id[65];
	unsigned char run_origin[DEMON_ORIGIN_LEN];
	char gate_id[65];
	int64_t round; /* from 1 */
	char approver[DEMON_ACTOR_MAX + 1];
	demon_time expires_at; /* it is good before that */
	char nonce[DEMON_LINK_NONCE_LEN + 1];
};

/**
 * Appends the token of a link. An empty nonce is chosen at random; the same link with the same
 * nonce is the same token. DEMON_INVALID: an id, the approver, the round, the time or the nonce
 * is none; errors of demon_key_load (store/key.h).
 */
enum demon_rc demon_link_make(struct demon_store *store, const struct demon_link *link,
			      struct demon_buf *ret_token, struct demon_err *err) demon_must_check;

/**
 * Reads a token at the time @p now. DEMON_DENIED: it is none, was not signed here, was changed, or
 * its time is over; the message may be shown to whoever came with it. Otherwise the errors of
 * demon_key_load. Whether it was used before is not known here.
 */
enum demon_rc demon_link_read(struct demon_store *store, const char *token, demon_time now,
			      struct demon_link *ret_link, struct demon_err *err) demon_must_check;

/** Holds the address under which people reach the node's pages: http or https, a host, perhaps a
 * path; no user, no query, no fragment. DEMON_INVALID. */
enum demon_rc demon_link_check_base(const char *base, struct demon_err *err) demon_must_check;

/** Appends @p base, which was checked, and @p path ("/approve") behind it. */
void demon_link_address(const char *base, const char *path, struct demon_buf *out);

/** Appends the address of a token: "BASE/approve#TOKEN". */
void demon_link_url(const char *base, const char *token, struct demon_buf *out);

#endif
