/*
 * What a struct demon_store is made of; private to this layer.
 *
 * Lock order: queue.lock and pool.lock and claims.lock are leaves; none is held while another is
 * taken. The write connection, its scratch memory and `tail` belong to the leader of the queue.
 */
#ifndef DEMON_STORE_HANDLE_H
#define DEMON_STORE_HANDLE_H

#include "db/lock.h"
#include "db/txn.h"
#include "store/log.h"
#include "store/projection.h"
#include "store/write.h"

#include <pthread.h>
#include <stdatomic.h>

#define DEMON_READERS_MAX 8
#define DEMON_MEMO_TYPES  16

struct demon_job;

/**
 * Callers that wait for their job (writer.c). Those of one batch sleep on one futex word, those of
 * the next on the other, so that one system call wakes a whole batch and nobody else.
 */
struct demon_queue {
	pthread_mutex_t lock;
	struct demon_job *first; /* of the batch that is being gathered, in order */
	struct demon_job **last;
	size_t waiting;
	bool led;
	uint64_t batch;              /* number of the batch that is being gathered, from 1 */
	_Atomic uint32_t word[2];    /* changes when batches of that parity have news */
	_Atomic uint64_t offered[2]; /* number of the batch that is to find its leader, or 0 */
};

/** Read connections (readers.c). */
struct demon_pool {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct demon_db *idle[DEMON_READERS_MAX];
	size_t idle_count;
	size_t open_count;
};

/** Liveness numbers that this process holds (liveness.c). */
struct demon_claims {
	pthread_mutex_t lock;
	int64_t *held;
	size_t count;
	size_t cap;
};

/** The end of an own chain, as the leader knows it. */
struct demon_tail {
	bool known;       /* looked up since the last rollback or foreign commit */
	int64_t sequence; /* 0: nothing written under this epoch yet */
	unsigned char hash[DEMON_SHA256_LEN];
};

/** What was looked up, built and checked for the last run, so that a busy one costs it once. */
struct demon_memo {
	int64_t chain[DEMON_STREAM_COUNT]; /* 0: not known */
	int64_t scope;                     /* 0: not known */
	struct demon_buf ids;              /* tenant, ritual, run and run origin of `scope` */
	struct demon_buf subject;          /* theirs */
	struct {
		char name[97];
		int64_t id;
	} types[DEMON_MEMO_TYPES];
	size_t type_count;
};

/** What the leader believes of the log; forgotten after a rollback or another's commit. */
struct demon_belief {
	bool known;
	int64_t data_version;
	int64_t last_seq;
	uint64_t clock; /* greatest in the log */
	struct demon_tail tails[DEMON_STREAM_COUNT];
	struct demon_memo memo;
};

struct demon_store {
	char *path;
	const struct demon_env *env;
	int64_t busy_ms;
	const struct demon_projection *const *projections; /* NULL-terminated, borrowed */
	struct demon_lock *lock;
	struct demon_db *writer;    /* the leader's */
	struct demon_sha256 *sha;   /* the leader's */
	struct demon_buf scratch;   /* the leader's: header bytes */
	struct demon_buf extra;     /* the leader's: extra fields */
	struct demon_belief belief; /* the leader's */
	pthread_mutex_t node_lock;  /* a leaf; for the epoch in `node` */
	struct demon_node node;     /* fixed while open, but for the epoch */
	unsigned char former_origin[DEMON_ORIGIN_LEN];
	bool has_former_origin;
	bool wrote; /* something was committed: checkpoint on close */
	struct demon_queue queue;
	struct demon_pool pool;
	struct demon_claims claims;
};

/** A job's view of the transaction that it runs in. */
struct demon_write {
	struct demon_store *store;
	struct demon_txn *txn;
};

/** Forgets what was believed: after a rollback. */
void demon_belief_forget(struct demon_store *store);

/** Makes sure that the belief holds in the transaction that has just begun. */
enum demon_rc demon_belief_renew(struct demon_store *store, struct demon_err *err) demon_must_check;

/** Looks up, once, where the own chain of @p stream ends. */
enum demon_rc demon_belief_tail(struct demon_store *store, enum demon_stream stream,
				struct demon_tail **ret_tail, struct demon_err *err)
    demon_must_check;

/** The next logical clock for an own event (docs/format.md §6), and the wall clock it is made of.
 */
uint64_t demon_belief_tick(struct demon_store *store, demon_time *ret_now);

#endif
