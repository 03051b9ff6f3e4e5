#include "handle.h"

#include "base/fault.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAITING_MAX 4096 /* callers in the queue */
#define LEAD_MAX    8    /* batches that one caller leads before another has to */

/* A caller's work, on its stack. */
struct demon_job {
	demon_job_fn *fn;
	void *ctx;
	struct demon_err *err; /* the caller's */
	bool repeatable;       /* may run more than once */
	enum demon_rc rc;
	_Atomic bool done;      /* set last: the caller may leave as soon as it is */
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

static enum demon_rc run_in_savepoints(struct demon_write *w, struct demon_job *batch,
				       struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (struct demon_job *job = batch; job && !rc; job = job->next)
		rc = run_in_savepoint(w, job, err);
	return rc;
}

/*
 * Runs several repeatable jobs without savepoints. *ret_spoilt: one failed and left something, so
 * the transaction has to be undone. One that changed nothing has nothing to undo.
 */
static enum demon_rc run_without(struct demon_write *w, struct demon_job *batch, bool *ret_spoilt,
				 struct demon_err *err)
{
	struct demon_db *db = w->txn->db;

	for (struct demon_job *job = batch; job; job = job->next) {
		int64_t changes = demon_db_total_changes(db);
		enum demon_rc rc = run_alone(w, job, err);

		if (rc)
			return rc;
		if (job->rc) {
			demon_belief_forget(w->store);
			*ret_spoilt =
			    demon_db_autocommit(db) || changes != demon_db_total_changes(db);
			if (*ret_spoilt)
				return DEMON_OK;
		} else if (DEMON_FAULT(JOB_DONE)) {
			return demon_err_set(err, DEMON_IO, "fault after a job");
		}
	}
	return DEMON_OK;
}

static enum demon_rc begin(struct demon_write *w, struct demon_err *err)
{
	struct demon_store *store = w->store;
	enum demon_rc rc = demon_txn_begin(w->txn, store->writer, store->lock, err);

	return rc ? rc : demon_belief_renew(store, err);
}

static bool all_repeatable(const struct demon_job *batch)
{
	for (; batch; batch = batch->next)
		if (!batch->repeatable)
			return false;
	return true;
}

static enum demon_rc run_jobs(struct demon_write *w, struct demon_job *batch, struct demon_err *err)
{
	bool spoilt = false;
	enum demon_rc rc;

	if (!batch->next)
		return run_alone(w, batch, err);
	if (!all_repeatable(batch))
		return run_in_savepoints(w, batch, err);
	if ((rc = run_without(w, batch, &spoilt, err)) || !spoilt)
		return rc;
	demon_txn_done(w->txn);
	demon_belief_forget(w->store);
	if ((rc = begin(w, err)))
		return rc;
	return run_in_savepoints(w, batch, err);
}

static bool any_succeeded(const struct demon_job *batch)
{
	for (; batch; batch = batch->next)
		if (!batch->rc)
			return true;
	return false;
}

/* One transaction for the batch. The write lock is held. */
static enum demon_rc commit_batch(struct demon_store *store, struct demon_job *batch,
				  struct demon_err *err)
{
	DEMON_TXN(tx);
	struct demon_write w = {store, &tx};
	enum demon_rc rc;

	if ((rc = begin(&w, err)) || (rc = run_jobs(&w, batch, err)))
		goto undone;
	if (!any_succeeded(batch)) {
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

enum demon_rc demon_write_part(struct demon_write *w, demon_job_fn *fn, void *ctx,
			       struct demon_err *err)
{
	struct demon_err failure;
	enum demon_rc rc = demon_savepoint_begin(w->txn, err);

	if (rc)
		return rc;
	if (!(rc = fn(w, ctx, err)))
		return demon_savepoint_keep(w->txn, err);
	demon_belief_forget(w->store);
	if (demon_savepoint_undo(w->txn, &failure)) {
		*err = failure;
		return DEMON_IO;
	}
	return rc;
}

static void sleep_on(_Atomic uint32_t *word, uint32_t value)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(_Atomic uint32_t *word, int count)
{
	(void)atomic_fetch_add(word, 1);
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* Joins the batch that is being gathered. True: this caller leads it. */
static bool enqueue(struct demon_queue *queue, struct demon_job *job, uint64_t *ret_batch)
{
	bool leads = !queue->led;

	*queue->last = job;
	queue->last = &job->next;
	queue->waiting++;
	queue->led = true;
	*ret_batch = queue->batch;
	return leads;
}

/* Waits until the job is done, or its batch has to be led: true. */
static bool wait_turn(struct demon_queue *queue, struct demon_job *job, uint64_t batch)
{
	_Atomic uint32_t *word = &queue->word[batch % 2];

	for (;;) {
		uint32_t value = atomic_load(word);
		uint64_t offer = batch;

		if (atomic_load(&job->done))
			return false;
		if (atomic_compare_exchange_strong(&queue->offered[batch % 2], &offer, 0))
			return true;
		sleep_on(word, value);
	}
}

/* Closes the batch: who comes from now on waits for the next. */
static struct demon_job *take_all(struct demon_queue *queue)
{
	struct demon_job *batch;

	(void)pthread_mutex_lock(&queue->lock);
	batch = queue->first;
	queue->first = NULL;
	queue->last = &queue->first;
	queue->waiting = 0;
	queue->batch++;
	(void)pthread_mutex_unlock(&queue->lock);
	return batch;
}

/* Tells the callers of a batch. The jobs may be gone as soon as they are done. */
static void tell(struct demon_queue *queue, struct demon_job *jobs, uint64_t batch)
{
	while (jobs) {
		struct demon_job *next = jobs->next;

		atomic_store(&jobs->done, true);
		jobs = next;
	}
	wake(&queue->word[batch % 2], INT_MAX);
}

/* True when somebody waits, or else nobody leads any more. */
static bool more_waits(struct demon_queue *queue)
{
	bool more;

	(void)pthread_mutex_lock(&queue->lock);
	more = queue->first != NULL;
	queue->led = more;
	(void)pthread_mutex_unlock(&queue->lock);
	return more;
}

/*
 * Leads the batch that is being gathered, and a few that gather meanwhile: handing over to a thread
 * that has to be woken first would leave the disk idle. Then the next batch finds its own leader.
 */
static void lead_some(struct demon_store *store, uint64_t batch)
{
	struct demon_queue *queue = &store->queue;

	for (int n = 0; n < LEAD_MAX; n++, batch++) {
		struct demon_job *jobs = take_all(queue);

		lead(store, jobs);
		tell(queue, jobs, batch);
		if (!more_waits(queue))
			return;
	}
	atomic_store(&queue->offered[batch % 2], batch);
	wake(&queue->word[batch % 2], 1);
}

static enum demon_rc submit(struct demon_store *store, struct demon_job *job)
{
	struct demon_queue *queue = &store->queue;
	uint64_t batch;
	bool leads;

	(void)pthread_mutex_lock(&queue->lock);
	if (queue->waiting == WAITING_MAX) {
		(void)pthread_mutex_unlock(&queue->lock);
		return demon_err_set(job->err, DEMON_BUSY, "%d callers wait to write already",
				     WAITING_MAX);
	}
	leads = enqueue(queue, job, &batch);
	(void)pthread_mutex_unlock(&queue->lock);
	if (leads || wait_turn(queue, job, batch))
		lead_some(store, batch);
	return job->rc;
}

enum demon_rc demon_store_write(struct demon_store *store, demon_job_fn *fn, void *ctx,
				struct demon_err *err)
{
	struct demon_job job = {.fn = fn, .ctx = ctx, .err = err};

	return submit(store, &job);
}

enum demon_rc demon_store_write_repeatable(struct demon_store *store, demon_job_fn *fn, void *ctx,
					   struct demon_err *err)
{
	struct demon_job job = {.fn = fn, .ctx = ctx, .err = err, .repeatable = true};

	return submit(store, &job);
}
