/*
 * Test events for the store: "test.noted:v1" of a run, with a text.
 */
#ifndef DEMON_TEST_NOTES_H
#define DEMON_TEST_NOTES_H

#include "test.h"

#include "store/write.h"

/** A group of @p count notes about run @p run_id, appended by note_job. */
struct note_job {
	const char *run_id;
	const char *text;
	size_t count; /* 0: 1 */
	demon_time ts;
	enum demon_rc then; /* what the job returns after appending: DEMON_OK, or a failure */
	struct demon_receipt receipt;
};

/** A job for demon_store_write; @p ctx is a struct note_job. */
enum demon_rc note_job(struct demon_write *w, void *ctx, struct demon_err *err);

/** Appends one note and waits for its commit. */
enum demon_rc note(struct demon_store *store, const char *run_id, const char *text,
		   struct demon_receipt *ret, struct demon_err *err) demon_must_check;

#endif
