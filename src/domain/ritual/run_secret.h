/*
 * Secrets in the arguments of a call: which of the names in them were written by the definition.
 *
 * A name that comes with the data, from an answer of some service, is not to become a secret. So
 * the loader marks the names in what it makes an expression of by a nonce that no data can know,
 * and $secrets holds names with that mark: where a value has it, the definition put it.
 */
#ifndef DEMON_RUN_SECRET_H
#define DEMON_RUN_SECRET_H

#include "domain/secret/secret.h"
#include "run_error.h"

/** Takes @p nonce out of every string of @p tree (in place) and adds the JSON pointers of those
 * that had it to @p places. DEMON_NOMEM only. */
enum demon_rc demon_run_secret_places(json_t *tree, const char *nonce, json_t *places,
				      struct demon_err *err) demon_must_check;

/** Puts the secrets into @p with at @p places (NULL: none). DEMON_FAILED: one cannot be had, *error
 * says so. */
enum demon_rc demon_run_secret_fill(struct demon_secrets *secrets, json_t *with,
				    const json_t *places, struct demon_redactor *redactor,
				    struct demon_run_error *error, struct demon_err *err)
    demon_must_check;

#endif
