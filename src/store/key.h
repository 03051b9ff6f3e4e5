/*
 * The key of this node's origin: FILE.key beside the database (docs/format.md §8).
 *
 * The file is written whole, flushed and renamed into place, 0600, before the database notes that
 * it has signed; so a note without a key can only mean that the key was lost.
 */
#ifndef DEMON_KEY_H
#define DEMON_KEY_H

#include "base/ed25519.h"

#include <demon/store.h>

struct demon_key {
	unsigned char seed[DEMON_ED25519_SEED_LEN];
	unsigned char public_key[DEMON_ED25519_PUBLIC_LEN];
};

/** Loads the key, making it first when this database has never signed. DEMON_CORRUPT: the file is
 * not such a key or of another origin; DEMON_DENIED: others may read it. */
enum demon_rc demon_key_load(struct demon_store *store, struct demon_key *ret_key,
			     struct demon_err *err) demon_must_check;

#endif
