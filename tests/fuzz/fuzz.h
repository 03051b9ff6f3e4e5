/*
 * What a fuzz target defines; libFuzzer or driver.c calls it.
 */
#ifndef DEMON_FUZZ_H
#define DEMON_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** Runs one input; returns 0. @p data has no NUL behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* NOLINT: the name is libFuzzer's */

/** Ends the process, which is how a target says that something does not hold. */
#define fuzz_assert(condition)                                                                \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                              \
		}                                                                             \
	} while (0)

#endif
