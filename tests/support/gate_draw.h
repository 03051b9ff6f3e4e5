/*
 * Random gates and votes for a model (gate_model.h), and the ritual and the rules that ask for what
 * was drawn. Everything is drawn in a stated order: a seed means the same whoever has compiled it.
 */
#ifndef DEMON_TEST_GATE_DRAW_H
#define DEMON_TEST_GATE_DRAW_H

#include "base/buf.h"
#include "gate_model.h"

#define GATE_EVERYBODY ((1U << MODEL_PEOPLE) - 1)

extern const char *const gate_people[2][MODEL_PEOPLE]; /* [1]: the same in capitals */
extern const char *const gate_roles[MODEL_ROLES];

/** From 0 to @p n - 1; and whether that is 0. */
uint64_t gate_draw(uint64_t *random, uint64_t n);
bool gate_draw_one_in(uint64_t *random, uint64_t n);

/** A length of time, from a second to years, in ms. */
int64_t gate_draw_ms(uint64_t *random);

void gate_draw_terms(uint64_t *random, struct model_terms *terms);
struct model_vote gate_draw_vote(uint64_t *random, const struct model *m);

/** Appends a ritual for run_definition(); without @p ttl the gates name none. */
void gate_draw_ritual(uint64_t *random, const struct model_terms *terms, bool ttl,
		      struct demon_buf *out);
/** Appends rules for demon_escalation_parse(). */
void gate_draw_rules(const struct model_terms *terms, const char *tenant, struct demon_buf *out);

#endif
