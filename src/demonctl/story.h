/*
 * What happened in a run, in memory: its steps within each other, how they ended, what came of
 * them.
 */
#ifndef DEMON_STORY_H
#define DEMON_STORY_H

#include "base/bytes.h"
#include "command.h"
#include "domain/ritual/run.h"

/** A JSON value: its digest, and itself where it is short. Zeroed: there is none. */
struct demon_story_value {
	bool any;
	unsigned char digest[DEMON_HASH_LEN];
	char *text; /* canonical; NULL: too long to be kept */
};

struct demon_story_step {
	int64_t id;
	int64_t parent;    /* 0: the run */
	int64_t iteration; /* of the parent; -1: it does not iterate */
	int64_t attempt;
	int64_t ms; /* how long it took; -1: it has not ended */
	char *name;
	char *reference;
	char *call;
	char *status;
	char *error;                     /* canonical, or NULL */
	struct demon_story_value output; /* without what differs every time */
	/* places in the list of steps, from 1; 0: there is none */
	size_t first_child;
	size_t last_child;
	size_t next_sibling;
};

/** Zeroed, then read. */
struct demon_story {
	char run_id[65];
	char ritual_id[65];
	char definition[2 * DEMON_HASH_LEN + 1]; /* SHA-256; "" where it is not known */
	char status[32];
	int64_t ms; /* how long it took; -1: it has not ended */
	demon_time wakes_at;
	char *error;    /* canonical, or NULL */
	char *retry_of; /* canonical `retryOf`, or NULL */
	struct demon_story_value input;
	struct demon_story_value outputs;
	struct demon_story_step *steps; /* by id */
	size_t count;
	size_t size;
	size_t first; /* place of the first step that no other holds */
	size_t last;
};
void demon_story_done(struct demon_story *story);

/** Reads the run that @p word names; with @p outputs also what steps came to. The store is open. */
enum demon_rc demon_story_read(struct demon_ctl *ctl, const char *word, bool outputs,
			       struct demon_story *story, struct demon_err *err) demon_must_check;

/** The step with that id, or NULL. */
struct demon_story_step *demon_story_find(const struct demon_story *story, int64_t id);

/** Appends the detail of an error, or its title; nothing for NULL. */
void demon_story_detail(const char *error, struct demon_buf *out);

/** A canonical text as a tree (new); NULL: there is none, or memory ran out. */
json_t *demon_story_json(const char *canonical);

#endif
