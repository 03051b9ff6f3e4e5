#include "handle.h"

#include "base/fault.h"

#include <string.h>

#define WAITING_MAX 4096 /* callers in the queue */

/* A caller's work, on its stack. */
struct demon_job {
	demon_job_fn *fn;
	void *ctx;
	struct demon_err *err; /* the caller's */
	enum demon_rc rc;
	bool done;
	bool leads; /* the former leader has handed over */
	pthread_cond_t wake;
	struct demon_job *next; /* in the queue, then in the batch */
};

struct demon_db *demon_write_db(struct demon_write *w)
{
	return w->txn->db;
}

const unsigned char *demon_write_origin(const struct demon_write *w)
{
	return w->store->node.origin;
}

/* Gives every job that had succeeded the failure of the whole batch. */
static void fail_batch(struct demon_job *batch, const struct demon_err *err)
{
	for (struct demon_job *job = batch; job; job = job->next) {
		if (job->rc)
			continue;
		job->rc = err->rc;
		*job->err = *err;
	}
}

static enum demon_rc gone(struct demon_err *err)
{
	return demon_err_set(err, DEMON_IO, "the database ended the transaction by itself");
}

/*
 * Runs one job of several in a savepoint of its own. A failure of the job is kept in the job;
 * what is returned is a failure of the transaction.
 */
static enum demon_rc run_in_savepoint(struct demon_write *w, struct demon_job *job,
				      struct demon_err *err)
{
	enum demon_rc rc = demon_savepoint_begin(w->txn, err);

	if (rc)
		return rc;
	job->rc = job->fn(w, job->ctx, job->err);
	if (demon_db_autocommit(w->txn->db))
		return job->rc ? (*err = *job->err, job->rc) : gone(err);
	if (!job->rc) {
		rc = demon_savepoint_keep(w->txn, err);
	} else {
		demon_belief_forget(w->store);
		rc = demon_savepoint_undo(w->txn, err);
	}
	if (!rc && DEMON_FAULT(JOB_DONE))
		rc = demon_err_set(err, DEMON_IO, "fault after a job");
	return rc;
}

static enum demon_rc run_alone(struct demon_write *w, struct demon_job *job, struct demon_err *err)
{
	job->rc = job->fn(w, job->ctx, job->err);
	if (!job->rc && demon_db_autocommit(w->txn->db))
		return gone(err);
	return DEMON_OK;
}

static enum demon_rc run_jobs(struct demon_write *w, struct demon_job *batch, bool *ret_any,
			      struct demon_err *err)
{
	*ret_any = false;
	for (struct demon_job *job = batch; job; job = job->next) {
		enum demon_rc rc =
		    batch->next ? run_in_savepoint(w, job, err) : run_alone(w, job, err);

		if (rc)
			return rc;
		*ret_any |= job->rc == DEMON_OK;
	}
	return DEMON_OK;
}

/* One transaction for the batch. The write lock is held. */
static enum demon_rc commit_batch(struct demon_store *store, struct demon_job *batch,
				  struct demon_err *err)
{
	DEMON_TXN(tx);
	struct demon_write w = {store, &tx};
	bool any;
	enum demon_rc rc;

	if ((rc = demon_txn_begin(&tx, store->writer, store->lock, err)) ||
	    (rc = demon_belief_renew(store, err)) || (rc = run_jobs(&w, batch, &any, err)))
		goto undone;
	if (!any) {
		demon_belief_forget(store);
		return DEMON_OK;
	}
	if ((rc = demon_txn_commit(&tx, err)))
		goto undone;
	store->wrote = true;
	demon_lock_touch(store->lock);
	return DEMON_OK;
undone:
	demon_belief_forget(store);
	return rc;
}

static void lead(struct demon_store *store, struct demon_job *batch)
{
	struct demon_err err = {0};

	if (demon_lock_write(store->lock, store->busy_ms, &err)) {
		fail_batch(batch, &err);
		return;
	}
	if (commit_batch(store, batch, &err))
		fail_batch(batch, &err);
	demon_lock_write_release(store->lock);
}

/* Takes all that wait. The queue is locked. */
static struct demon_job *take_all(struct demon_queue *queue)
{
	struct demon_job *batch = queue->first;

	queue->first = NULL;
	queue->last = &queue->first;
	queue->waiting = 0;
	return batch;
}

/* Wakes the callers of a batch, and the next leader if somebody waits. The queue is locked. */
static void hand_over(struct demon_queue *queue, struct demon_job *batch)
{
	struct demon_job *next;

	for (struct demon_job *job = batch; job; job = next) {
		next = job->next; /* a job that is done may vanish with its caller's stack */
		job->done = true;
		(void)pthread_cond_signal(&job->wake);
	}
	queue->led = queue->first != NULL;
	if (queue->first) {
		queue->first->leads = true;
		(void)pthread_cond_signal(&queue->first->wake);
	}
}

enum demon_rc demon_store_write(struct demon_store *store, demon_job_fn *fn, void *ctx,
				struct demon_err *err)
{
	struct demon_queue *queue = &store->queue;
	struct demon_job job = {.fn = fn, .ctx = ctx, .err = err};

	(void)pthread_mutex_lock(&queue->lock);
	if (queue->waiting == WAITING_MAX) {
		(void)pthread_mutex_unlock(&queue->lock);
		return demon_err_set(err, DEMON_BUSY, "%d callers wait to write already",
				     WAITING_MAX);
	}
	(void)pthread_cond_init(&job.wake, NULL);
	*queue->last = &job;
	queue->last = &job.next;
	queue->waiting++;
	if (!queue->led) {
		queue->led = true;
		job.leads = true;
	}
	while (!job.done && !job.leads)
		(void)pthread_cond_wait(&job.wake, &queue->lock);
	if (!job.done) {
		struct demon_job *batch = take_all(queue);

		(void)pthread_mutex_unlock(&queue->lock);
		lead(store, batch);
		(void)pthread_mutex_lock(&queue->lock);
		hand_over(queue, batch);
	}
	(void)pthread_mutex_unlock(&queue->lock);
	(void)pthread_cond_destroy(&job.wake);
	return job.rc;
}
