/*
 * Makes result envelopes (schema/contracts/result-envelope.json).
 *
 * The first lack of memory sticks; demon_envelope_end() asks once.
 */
#ifndef DEMON_ENVELOPE_H
#define DEMON_ENVELOPE_H

#include "base/buf.h"

#include <demon/env.h>
#include <jansson.h>

struct demon_envelope {
	json_t *root; /* owned */
	const struct demon_env *env;
	demon_ticks began;
	bool failed; /* memory ran out */
};

/** Begins the envelope of the capsule @p system; its duration counts from here. */
struct demon_envelope demon_envelope_begin(const struct demon_env *env, const char *system,
					   const char *version);
void demon_envelope_done(struct demon_envelope *e);

/** The result. The last parameter is stolen; NULL means that memory ran out. */
void demon_envelope_success(struct demon_envelope *e, json_t *data_new);
void demon_envelope_error(struct demon_envelope *e, const char *code, const char *message,
			  json_t *details_new);

/** Adds a diagnostic: @p level is debug, info, warning, error or fatal. */
void demon_envelope_say(struct demon_envelope *e, const char *level, const char *fmt, ...)
    demon_printf_like(3, 4);

/** Adds a suggestion; stolen. */
void demon_envelope_suggest(struct demon_envelope *e, json_t *suggestion_new);

/** Adds a member of metrics.counters. */
void demon_envelope_count(struct demon_envelope *e, const char *name, uint64_t value);

/** Milliseconds since the beginning. */
double demon_envelope_elapsed(const struct demon_envelope *e);

/** A number as trees have them (base/json.h): an integer where it is one. New, or NULL. */
json_t *demon_envelope_number(double value) demon_must_check;

/** Adds duration and provenance and hands the envelope over (new). */
enum demon_rc demon_envelope_end(struct demon_envelope *e, json_t **ret_envelope,
				 struct demon_err *err) demon_must_check;

#endif
