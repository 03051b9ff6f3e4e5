/*
 * Errors that a run knows, in the shape of RFC 7807. Not failures of this program: those are
 * enum demon_rc.
 */
#ifndef DEMON_RUN_ERROR_H
#define DEMON_RUN_ERROR_H

#include "base/base.h"

#include <jansson.h>

/* The error types of the Serverless Workflow DSL. */
#define DEMON_ERROR_BASE          "https://serverlessworkflow.io/spec/1.0.0/errors/"
#define DEMON_ERROR_RUNTIME       DEMON_ERROR_BASE "runtime"
#define DEMON_ERROR_TIMEOUT       DEMON_ERROR_BASE "timeout"
#define DEMON_ERROR_EXPRESSION    DEMON_ERROR_BASE "expression"
#define DEMON_ERROR_VALIDATION    DEMON_ERROR_BASE "validation"
#define DEMON_ERROR_COMMUNICATION DEMON_ERROR_BASE "communication"
#define DEMON_ERROR_AUTHORIZATION DEMON_ERROR_BASE "authorization"

/* Those of this project: what was refused by people, or by a policy. Only a `catch` that names the
 * type catches one. */
#define DEMON_ERROR_DENIED        "https://demon.example/errors/denied"
#define DEMON_ERROR_POLICY        "https://demon.example/errors/policy"

/** Whether it is such an error; whether that is the type of one. */
bool demon_run_error_is_denial(const json_t *error);
bool demon_run_error_type_is_denial(const char *type);

/** What is to be raised. Zeroed, set, then done; setting it again replaces it. */
struct demon_run_error {
	json_t *value; /* owned: type, status, title, detail; NULL: none */
};
#define DEMON_RUN_ERROR(name) \
	demon_cleanup(demon_run_error_done) struct demon_run_error name = {NULL}
void demon_run_error_done(struct demon_run_error *error);

/** Sets an error; too long a detail is cut. Returns DEMON_FAILED, or DEMON_NOMEM. */
enum demon_rc demon_run_error_set(struct demon_run_error *error, const char *type, int status,
				  const char *title, struct demon_err *err, const char *fmt, ...)
    demon_printf_like(6, 7);

/**
 * What no event can hold is an error of the step that it comes of: DEMON_TOOBIG and DEMON_INVALID
 * become the error "@p what_TOO_LARGE: …" or "@p what_INVALID: …", with err->msg as its words.
 * Every other @p rc is returned as it is.
 */
enum demon_rc demon_run_error_unfit(struct demon_run_error *error, enum demon_rc rc,
				    const char *what, struct demon_err *err) demon_must_check;

/**
 * Sets the error that a `raise` came to: what of @p value an error has, each text cut after 16 KiB.
 * An `instance` that is no JSON pointer is left out. What is no error is a validation error.
 */
enum demon_rc demon_run_error_raise(struct demon_run_error *error, const json_t *value,
				    struct demon_err *err) demon_must_check;

/**
 * Sets the error that a result envelope reports: "code: message" as its detail. Codes that end in
 * TIMEOUT are timeouts; HTTP_… is communication, with details.status as status; DENIED is a denial.
 */
enum demon_rc demon_run_error_of(struct demon_run_error *error, const json_t *result,
				 struct demon_err *err);

/** True when @p error has every member of @p filter. Types of the DSL are equal in the form of its
 * text (/spec/1.0.0/errors/) and of its conformance kit (/dsl/errors/types/). */
bool demon_run_error_matches(const json_t *error, const json_t *filter);

#endif
