/*
 * Peers: the other nodes that this one has heard of, and whom of them it trusts.
 *
 * Trust is this node's own and in no digest, but each change is an event of its node stream
 * (peer.trusted:v1, peer.revoked:v1), so that the audit tells who did it. A peer is named by its
 * origin, or by its label where only one has it: labels are what peers call themselves. Keys are
 * bound and revoked elsewhere (replica/peer_keys.h); a peer whose key is revoked is heard no more,
 * one whose trust is revoked is heard and has no effect.
 */
#ifndef DEMON_PEER_H
#define DEMON_PEER_H

#include "actor.h"
#include "store/write.h"

/** Hex digits of the id of a key. */
#define DEMON_PEER_KEY_HEX 16

/** A peer. Borrowed during the callback. */
struct demon_peer_row {
	unsigned char origin[DEMON_ORIGIN_LEN];
	const char *label; /* what it calls itself; "": it has not said */
	const char *key;   /* id of a key that is bound to it, in hex; NULL: none is */
	bool trusted;
	demon_time first_seen;
	demon_time last_seen;
	demon_time changed_at;  /* when its trust was changed; 0: never */
	const char *changed_by; /* NULL: never */
};
typedef enum demon_rc demon_peer_fn(void *ctx, const struct demon_peer_row *row,
				    struct demon_err *err);

/** All peers, in order of origin. */
enum demon_rc demon_peer_list(struct demon_db *db, demon_peer_fn *fn, void *ctx,
			      struct demon_err *err) demon_must_check;

/** Whose trust is changed, and who says so. Borrowed. */
struct demon_peer_request {
	const char *peer; /* origin in 32 hex digits, or label */
	const char *key;  /* id of the key that must be bound to it, in hex; NULL: any, or none */
	const struct demon_actor *actor;
	const char *reason; /* NULL: none was given */
};

/**
 * Trusts a peer. An origin may be trusted before it was heard of. *ret_new (may be NULL) is false,
 * and nothing is written, when it is trusted already.
 *
 * DEMON_NOTFOUND: nobody has that label. DEMON_CONFLICT: several have it (the message lists their
 * origins), or the key is not bound to it. DEMON_INVALID: it is this node itself; the actor; the
 * reason.
 */
enum demon_rc demon_peer_trust(struct demon_store *store, const struct demon_peer_request *request,
			       bool *ret_new, struct demon_err *err) demon_must_check;

/** Trusts it no more. DEMON_NOTFOUND also: nothing is known of that origin. */
enum demon_rc demon_peer_revoke(struct demon_store *store, const struct demon_peer_request *request,
				bool *ret_new, struct demon_err *err) demon_must_check;

#endif
