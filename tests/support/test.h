/*
 * First include of every test: cmocka with what it needs, and asserts that print the words of an
 * error. Asserts leave by longjmp, which skips cleanup guards: keep resources in the fixture.
 */
#ifndef DEMON_TEST_H
#define DEMON_TEST_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <demon/env.h>
#include <demon/err.h>
#include <stdlib.h>
#include <string.h>

/** Fails the test with the error's words unless @p call returns DEMON_OK. */
#define assert_ok(call, err)                                                           \
	do {                                                                           \
		enum demon_rc rc_ = (call);                                            \
		if (rc_ != DEMON_OK)                                                   \
			fail_msg("%s: %s: %s", #call, demon_rc_text(rc_), (err)->msg); \
	} while (0)

/** Fails the test unless @p call returns @p want; says what it returned. */
#define assert_rc(call, want, err)                                                              \
	do {                                                                                    \
		enum demon_rc rc_ = (call);                                                     \
		if (rc_ != (want))                                                              \
			fail_msg("%s: expected '%s', got '%s': %s", #call, demon_rc_text(want), \
				 demon_rc_text(rc_), rc_ ? (err)->msg : "");                    \
	} while (0)

/** Fails unless @p text contains @p part; prints both. */
#define assert_contains(text, part)                                             \
	do {                                                                    \
		if (!strstr((text), (part)))                                    \
			fail_msg("'%s' does not contain '%s'", (text), (part)); \
	} while (0)

/**
 * A clock that moves only when told and a seeded random generator. Not shared between threads
 * unless nobody moves the clock.
 */
struct fake_env {
	demon_time now;   /* wall clock, ms */
	demon_ticks mono; /* monotonic clock, µs */
	uint64_t state;   /* of the generator */
	struct demon_env env;
};

/** Sets @p f to 2026-01-02T03:04:05.000Z and the given seed, and wires f->env. */
void fake_env_init(struct fake_env *f, uint64_t seed);

/** Moves both clocks by @p ms. */
void fake_env_advance(struct fake_env *f, int64_t ms);

/** The seed of a randomised test: DEMON_SEED if set, else @p fallback; printed to stderr. */
uint64_t test_seed(uint64_t fallback);

/** Next number of a small seeded generator (splitmix64). */
uint64_t test_random(uint64_t *state);

/** A new empty folder (new string, free it); removed by test_dir_remove. */
char *test_dir(void);
void test_dir_remove(char *path);

/** "DIR/NAME" in one of 64 static buffers, for file names in tests. */
const char *test_path(const char *dir, const char *name);

/** From now on, or not any more, events are kept from those that are held to their contracts: for
 * tests that write what holds to none. One thread. */
void test_sink_close(void);
void test_sink_open(void);

/** Reads or writes a whole file; fails the test when that does not work. The text is new. */
char *test_read(const char *path, size_t *ret_len);
void test_write(const char *path, const void *bytes, size_t len);

#endif
