#include "ed25519.h"

#include <openssl/evp.h>

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_context(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for a signature");
}

enum demon_rc demon_ed25519_public(const unsigned char seed[DEMON_ED25519_SEED_LEN],
				   unsigned char out[DEMON_ED25519_PUBLIC_LEN],
				   struct demon_err *err)
{
	size_t n = DEMON_ED25519_PUBLIC_LEN;
	demon_cleanup(free_key) EVP_PKEY *key =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, DEMON_ED25519_SEED_LEN);

	if (!key || !EVP_PKEY_get_raw_public_key(key, out, &n))
		return no_memory(err);
	return DEMON_OK;
}

enum demon_rc demon_ed25519_sign(const unsigned char seed[DEMON_ED25519_SEED_LEN],
				 const void *bytes, size_t n,
				 unsigned char out[DEMON_ED25519_SIGNATURE_LEN],
				 struct demon_err *err)
{
	size_t len = DEMON_ED25519_SIGNATURE_LEN;
	demon_cleanup(free_key) EVP_PKEY *key =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, DEMON_ED25519_SEED_LEN);
	demon_cleanup(free_context) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!key || !ctx || !EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) ||
	    !EVP_DigestSign(ctx, out, &len, bytes, n))
		return no_memory(err);
	return DEMON_OK;
}

enum demon_rc demon_ed25519_verify(const unsigned char public_key[DEMON_ED25519_PUBLIC_LEN],
				   const void *bytes, size_t n,
				   const unsigned char signature[DEMON_ED25519_SIGNATURE_LEN],
				   struct demon_err *err)
{
	demon_cleanup(free_key) EVP_PKEY *key = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, public_key, DEMON_ED25519_PUBLIC_LEN);
	demon_cleanup(free_context) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!key || !ctx || !EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key))
		return no_memory(err);
	if (EVP_DigestVerify(ctx, signature, DEMON_ED25519_SIGNATURE_LEN, bytes, n) != 1)
		return demon_err_set(err, DEMON_CORRUPT, "the signature is not good");
	return DEMON_OK;
}
