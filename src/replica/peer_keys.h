/*
 * The keys of origins: which is bound, and whether a signature holds (docs/format.md §8).
 *
 * All of it runs in the transaction that takes events in.
 */
#ifndef DEMON_PEER_KEYS_H
#define DEMON_PEER_KEYS_H

#include "post.h"
#include "store/write.h"

enum demon_key_state {
	DEMON_KEY_BOUND,   /* its signatures count */
	DEMON_KEY_REFUSED, /* announced, though another is bound, and not endorsed by that */
	DEMON_KEY_REVOKED, /* by an operator: its signatures count no more */
};

/**
 * Whether the signature of @p head holds under a key that is bound to its origin. DEMON_OK it
 * does; DEMON_NOTFOUND no key of that id is known; DEMON_DENIED the key is not bound (any more);
 * DEMON_CORRUPT it does not hold.
 */
enum demon_rc demon_peer_key_check(struct demon_db *db, const struct demon_event_ref *head,
				   const char *signature, struct demon_err *err) demon_must_check;

/**
 * Takes note of the key that @p event announces, of its own origin: the first is bound, a later one
 * if a bound one endorses it, else it is refused. A key that is known stays what it is. @p event is
 * self-consistent, and signed, be it by this very key. *ret_bound: its signatures count now.
 */
enum demon_rc demon_peer_key_announced(struct demon_db *db, const struct demon_event *event,
				       demon_time now, bool *ret_bound, struct demon_err *err)
    demon_must_check;

/** Binds a key whatever was known of it, or sets another state: an operator's word. DEMON_NOTFOUND:
 * @p state is not DEMON_KEY_BOUND and no such key is known. */
enum demon_rc demon_peer_key_set(struct demon_db *db, const unsigned char origin[DEMON_ORIGIN_LEN],
				 const unsigned char public_key[DEMON_ED25519_PUBLIC_LEN],
				 enum demon_key_state state, demon_time now, struct demon_err *err)
    demon_must_check;

/** Notes that @p origin was heard of. @p label may be NULL. */
enum demon_rc demon_peer_seen(struct demon_db *db, const unsigned char origin[DEMON_ORIGIN_LEN],
			      const char *label, demon_time now, struct demon_err *err)
    demon_must_check;

/** The type of the event that announces a key. */
#define DEMON_KEY_ANNOUNCED "node.key.announced:v1"

/** Whether @p event announces a key whose id is @p id, and then which. */
bool demon_key_announces(const struct demon_event *event, const unsigned char id[DEMON_KEY_ID_LEN],
			 unsigned char ret_public[DEMON_ED25519_PUBLIC_LEN]);

#endif
