/*
 * Calls of capsules in tests, exec above all, and what is left of the programs afterwards.
 */
#ifndef DEMON_TEST_EXEC_CALLS_H
#define DEMON_TEST_EXEC_CALLS_H

#include "test.h"

#include "base/json.h"
#include "domain/capsule/capsule.h"

#include <sys/types.h>

#define EXEC_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct exec_calls {
	char *dir;
	json_t *with;
	json_t *input;
	json_t *envelope;
	struct demon_buf problems; /* "pointer|key|text\n" each */
	struct demon_buf text;     /* the envelope */
	struct demon_buf heard;    /* "stream:bytes" of what came while it ran, at most 1 MiB */
	uint64_t heard_bytes;
	struct demon_env env;
	demon_ticks ticks;
	demon_ticks leap;        /* µs that the clock moves whenever it is read */
	int64_t speed;           /* how much faster than the machine's the clock goes; 0: leap */
	int64_t limit_ms;        /* of a call */
	char key[65];            /* of the step; every fixture has its own */
	unsigned asked;          /* how often the call asked whether it is canceled */
	unsigned cancel_at;      /* it is, the n-th time; 0: never */
	const char *cancel_word; /* it is, as soon as this was heard; NULL: never */
	struct demon_err err;
};

/** Leave a fixture behind that is free of zombies and of what programs have left. */
int exec_calls_set_up(void **state);
int exec_calls_tear_down(void **state);

/** From here on the clock of the calls moves by @p ms whenever it is read. */
void exec_leap(struct exec_calls *f, int64_t ms);
/** From here on it goes @p speed times as fast as the machine's. */
void exec_speed(struct exec_calls *f, int64_t speed);

/** Replaces a tree by what @p json says; NULL: by none. */
void exec_set(json_t **member, const char *json);

/** What the check says about arguments, "" for nothing. They become those of the next call. */
const char *exec_problems(struct exec_calls *f, const struct demon_capsule *capsule,
			  const char *with);

/** Calls a capsule with f->with as it stands. */
void exec_call(struct exec_calls *f, const struct demon_capsule *capsule);
/** Calls a capsule with arguments that its check accepts. */
void exec_run(struct exec_calls *f, const struct demon_capsule *capsule, const char *with);
/** Runs a shell script in the test's folder; `more` continues the arguments. */
void exec_script(struct exec_calls *f, const char *script, const char *more);

/** The value at a path of object keys of the envelope. */
const json_t *exec_at(const struct exec_calls *f, const char *path);
const char *exec_text(const struct exec_calls *f, const char *path);
json_int_t exec_number(const struct exec_calls *f, const char *path);

void exec_success(const struct exec_calls *f);
void exec_failure(const struct exec_calls *f, const char *code, const char *message);

/** The number that a program has written to a file of the test's folder. */
pid_t exec_pid(const struct exec_calls *f, const char *file);

/** Whether a process lives: there, and no zombie. */
bool exec_is_alive(pid_t pid);

/** Waits until a program has written a file of the test's folder, at most half a minute. */
void exec_await(const struct exec_calls *f, const char *file);

/** Fails when a process is alive that has the step's key in its environment, or @p pid (0: none).
 */
void exec_nothing_left(const struct exec_calls *f, pid_t pid);

#define EXEC_TEST(name) \
	cmocka_unit_test_setup_teardown(name, exec_calls_set_up, exec_calls_tear_down)

#endif
