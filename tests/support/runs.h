/*
 * Runs in tests: rituals loaded from text, events read back.
 */
#ifndef DEMON_TEST_RUNS_H
#define DEMON_TEST_RUNS_H

#include "domain/ritual/run.h"

#define RUN_EVENTS_MAX 256

/* Rituals as text for run_definition(): states are separated by ",". */
#define STATE(name, function, arguments, last)                                           \
	"{'name':'" name "','type':'task','action':{'functionRef':{'refName':'" function \
	"','arguments':{" arguments "}}},'end':" last "}"
#define ECHO(name, message, last) STATE(name, "echo", "'message':'" message "'", last)
#define SHELL(name, script, extra, last) \
	STATE(name, "exec", "'command':['/bin/sh','-c','" script "']" extra, last)
#define RITUAL(states) "{'id':'test','version':'1.0','states':[" states "]}"

/** The events of one run, copied. */
struct run_events {
	size_t count;
	struct {
		char type[64];
		int64_t group_first;
		demon_time ts;
		char *payload;
	} items[RUN_EVENTS_MAX];
};

/** Reads them; fails the test when that does not work. */
void run_events_read(struct demon_store *store, const char *run_id, struct run_events *ret);
void run_events_done(struct run_events *events);

/** Fails unless their types, without "ritual." and ":v1", are @p want, separated by blanks. */
void assert_types(const struct run_events *events, const char *want);

/** How many groups, that is transactions, they came in. */
size_t run_events_groups(const struct run_events *events);

/** The text of a string member at the first level of payload @p i, in a static buffer. */
const char *run_events_text(const struct run_events *events, size_t i, const char *key);

/** Makes a definition of JSON text in the seed notation, where ' stands for "; fails the test when
 * that does not work. */
struct demon_definition *run_definition(const char *text);

/** Appends one event; @p payload is canonical and has the event's ts. */
void run_append(struct demon_store *store, const struct demon_run_id *run, const char *ritual_id,
		const char *type, const char *payload);

/** Appends ritual.canceled:v1. */
void run_cancel(struct demon_store *store, const struct demon_run_id *run, const char *ritual_id,
		demon_time ts);

#endif
