/*
 * Calls of the http capsule in tests, against loopback servers (http_server.h).
 */
#ifndef DEMON_TEST_HTTP_CALLS_H
#define DEMON_TEST_HTTP_CALLS_H

#include "test.h"

#include "base/json.h"
#include "http_server.h"

#define HTTP_CALL_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct fixture {
	struct http_server *server;
	struct http_server *other;
	json_t *with;
	json_t *envelope;
	struct demon_buf problems; /* "pointer|text\n" each */
	struct demon_buf text;     /* the envelope */
	struct demon_env env;
	int64_t speed;      /* how much faster than the machine's the clock goes */
	int64_t limit_ms;   /* of a call */
	unsigned asked;     /* how often a call asked whether it is canceled */
	unsigned cancel_at; /* it is, the n-th time; 0: never asked */
	size_t sent;        /* bytes that a flood could send; read after the server is closed */
	char *dir;          /* or NULL */
	struct demon_err err;
};

int http_calls_set_up(void **state);
int http_calls_tear_down(void **state);

/** From here on the clock of the calls goes @p speed times as fast as the machine's. */
void use_fast_clock(struct fixture *f, int64_t speed);

/** Starts the server, or another in its place; the fixture is its ctx. */
void serve(struct fixture *f, http_server_fn *answer);

/** What the check says about arguments, "" for nothing. */
const char *problems_of(struct fixture *f, const char *with);

/** Calls with arguments as they stand; the envelope is one that an event can hold. */
void call(struct fixture *f, const char *with);

/** Asks for @p path of the server; @p more continues the arguments: ",\"output\":\"raw\"". */
void ask(struct fixture *f, const char *method, const char *path, const char *more);
void get(struct fixture *f, const char *more);

/** The value at a path of object keys of the envelope; find: or NULL. */
const json_t *find(const struct fixture *f, const char *path);
const json_t *at(const struct fixture *f, const char *path);
json_int_t number_at(const struct fixture *f, const char *path);

void assert_data(const struct fixture *f, const char *json);
void assert_failure(const struct fixture *f, const char *code, const char *message);

/** The text of a request that the server got, from 1. */
const char *request(const struct fixture *f, size_t number);

#endif
