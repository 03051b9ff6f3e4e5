/*
 * The event contracts: JSON Schemas of every event type (schema/contracts), compiled in.
 *
 * They are read when they are first asked for and kept for the life of the process. Any thread.
 */
#ifndef DEMON_CONTRACT_H
#define DEMON_CONTRACT_H

#include "base/buf.h"
#include "base/embedded.h"

#include <jansson.h>

/** Every file of schema/contracts by name, NULL-terminated. */
extern const struct demon_embedded demon_contracts[];

/** The contract of the event type @p event, such as "ritual.started:v1", or NULL when there is
 * none or memory is out (demon_contract_check() tells which). */
const struct demon_embedded *demon_contract_find(const char *event);

/**
 * Holds @p event against the contract of the type that its member `event` names. DEMON_INVALID
 * with JSON pointer, what was expected and what was found (domain/schema.h); DEMON_NOTFOUND when
 * the type has no contract, with the nearest one that has.
 */
enum demon_rc demon_contract_check(const json_t *event, struct demon_err *err) demon_must_check;

/** Holds a result envelope against its contract. */
enum demon_rc demon_contract_check_envelope(const json_t *envelope, struct demon_err *err)
    demon_must_check;

/** Appends all contracts as one canonical object: {"apiContracts":{}, "schemas":{file: text},
 * "version":"1.0.0", "wit":{}}. */
enum demon_rc demon_contract_bundle_json(struct demon_buf *out, struct demon_err *err)
    demon_must_check;

/** Appends a list of them for people, with a line end behind it. */
enum demon_rc demon_contract_bundle_summary(struct demon_buf *out, struct demon_err *err)
    demon_must_check;

#endif
