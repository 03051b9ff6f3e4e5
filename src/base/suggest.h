/*
 * The nearest known word to a misspelt one.
 */
#ifndef DEMON_SUGGEST_H
#define DEMON_SUGGEST_H

#include <stddef.h>

/**
 * The entry of @p words that is nearest to @p word by edit distance with transpositions (letter
 * case counts half), or NULL when none is near: more than a third of the letters, at least one,
 * at most three differ. Ties: the first. Borrowed from @p words.
 */
const char *demon_suggest(const char *word, const char *const *words, size_t count);

#endif
