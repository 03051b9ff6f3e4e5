/*
 * Rituals from a generator.
 */
#ifndef DEMON_TEST_RANDOM_RITUAL_H
#define DEMON_TEST_RANDOM_RITUAL_H

#include <stdbool.h>
#include <stdint.h>

/**
 * A ritual in the DSL as JSON text (new): calls, waits, loops, tries, conditions, always the same
 * for a seed. Its programs write their idempotency key, attempt and whether they are idempotent
 * (true or false) as lines of "@p dir/ran". It comes to the same however it is interrupted, unless
 * it is wild: then it has times that may be up and ways out of its lists.
 */
char *random_ritual(const char *dir, uint64_t seed, bool wild);

#endif
