/*
 * The forms in which a value comes back. For src/domain/secret only.
 */
#ifndef DEMON_SECRET_FORMS_H
#define DEMON_SECRET_FORMS_H

#include "secret.h"

/** Called for each form; its bytes are borrowed during the call, and wiped after it. */
typedef enum demon_rc demon_form_fn(void *ctx, const char *bytes, size_t len,
				    struct demon_err *err);

/**
 * Names the value itself, its lines, and the encoded forms that demon_redactor_add() promises. The
 * same form may be named several times.
 */
enum demon_rc demon_secret_forms(const char *value, size_t len, demon_form_fn *fn, void *ctx,
				 struct demon_err *err) demon_must_check;

#endif
