/*
 * A post office in tests: a store whose clock the test moves, routes to a loopback server, runs
 * that end as they are told.
 */
#ifndef DEMON_TEST_POST_H
#define DEMON_TEST_POST_H

#include "test.h"

#include "domain/notify/courier.h"
#include "domain/notify/planner.h"
#include "http_server.h"

#define POST_MAX 64

struct post {
	char *dir;
	struct fake_env clock;
	struct demon_store *store;
	struct demon_secrets *secrets;
	struct demon_planner *planner;
	struct http_server *server;
	struct demon_courier courier;
	/* What the server answers: the n-th of these, the last one from then on; "" cuts it off. */
	const char *answers[POST_MAX];
	size_t answer_count;
	struct demon_delivery due[POST_MAX];
	size_t due_count;
	struct demon_delivered delivered; /* the last one */
	struct demon_err err;
};

int post_set_up(void **state);
int post_tear_down(void **state);

#define POST_TEST(name) cmocka_unit_test_setup_teardown(name, post_set_up, post_tear_down)

/** From now on the server answers so, in order: each is a status and fields, "500 X: y\r\n". */
void post_answers(struct post *f, const char *const *answers, size_t count);

/** Sets a route; @p value is JSON with ' for ", and URL for the server's address; NULL: takes it
 * away. */
void post_route(struct post *f, const char *tenant, const char *name, const char *value);

/** A run that fails. */
void post_fail_run(struct post *f, const char *tenant, const char *run_id);
/** A run that waits at the gate "prod"; @p terms continue the arguments, with ' for ". */
void post_open_gate(struct post *f, const char *run_id, const char *terms);

/** Plans until there is nothing more; how many deliveries were made. */
size_t post_plan(struct post *f);

/** Reads what is due now of all routes into f->due, in order of routes. */
size_t post_due(struct post *f);

/** Delivers the first that is due; fails unless it has that state afterwards. */
void post_deliver(struct post *f, enum demon_delivery_state want);

/** How many deliveries have a state. */
int64_t post_count(struct post *f, enum demon_delivery_state state);

/** A field of the n-th request (from 1) that the server got, in a static buffer; "": none. */
const char *post_field(struct post *f, size_t number, const char *name);
/** Its body, borrowed. */
const char *post_body(struct post *f, size_t number);

#endif
