/*
 * Ed25519 signatures (RFC 8032), by OpenSSL.
 */
#ifndef DEMON_ED25519_H
#define DEMON_ED25519_H

#include "base.h"

#define DEMON_ED25519_SEED_LEN      32 /* the private key of RFC 8032 */
#define DEMON_ED25519_PUBLIC_LEN    32
#define DEMON_ED25519_SIGNATURE_LEN 64

/** The public key of a private one. DEMON_NOMEM. */
enum demon_rc demon_ed25519_public(const unsigned char seed[DEMON_ED25519_SEED_LEN],
				   unsigned char out[DEMON_ED25519_PUBLIC_LEN],
				   struct demon_err *err) demon_must_check;

/** Signs @p n bytes. DEMON_NOMEM. */
enum demon_rc demon_ed25519_sign(const unsigned char seed[DEMON_ED25519_SEED_LEN],
				 const void *bytes, size_t n,
				 unsigned char out[DEMON_ED25519_SIGNATURE_LEN],
				 struct demon_err *err) demon_must_check;

/** DEMON_OK when the signature is good, DEMON_CORRUPT when it is not. */
enum demon_rc demon_ed25519_verify(const unsigned char public_key[DEMON_ED25519_PUBLIC_LEN],
				   const void *bytes, size_t n,
				   const unsigned char signature[DEMON_ED25519_SIGNATURE_LEN],
				   struct demon_err *err) demon_must_check;

#endif
