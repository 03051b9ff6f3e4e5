/*
 * Nodes that tell one another what they hold, in tests: logs as lines, in any order.
 */
#ifndef DEMON_TEST_EXCHANGE_H
#define DEMON_TEST_EXCHANGE_H

#include <demon/store.h>

#define EXCHANGE_LINES_MAX 512

/** What a node wrote itself, and how many of those lines were handed out. */
struct exchange_lines {
	char *text; /* owned: free() */
	char *of[EXCHANGE_LINES_MAX];
	size_t count;
	size_t given;
};

/** The log of a node as JSON lines (new). */
char *exchange_export(struct demon_store *node);

/** Takes lines in; fails the test when that does not work. */
void exchange_import(struct demon_store *node, const char *lines);

/** Makes @p node trust @p other. */
void exchange_trust(struct demon_store *node, struct demon_store *other);

/** The state digest. */
void exchange_digest(struct demon_store *node, char out[65]);

void exchange_own_lines(struct demon_store *node, struct exchange_lines *ret);

/** All lines in a random order that keeps each node's own (new). */
char *exchange_shuffle(struct exchange_lines *nodes, size_t count, uint64_t *random);

#endif
