/*
 * What the two threads of the outbox share; private to outbox.c and outbox_send.c.
 */
#ifndef DEMON_OUTBOX_CHAIN_H
#define DEMON_OUTBOX_CHAIN_H

#include "outbox.h"
#include "post.h"

#include <pthread.h>

/* An own chain. Behind the lock of the outbox, but for what is marked. */
struct demon_own_chain {
	int64_t id; /* 0: not in the log yet */
	unsigned char epoch[DEMON_EPOCH_LEN];
	enum demon_stream stream;
	int64_t acknowledged;
	int64_t confirmed;
	uint64_t read_at; /* where the event of that sequence was read */
	int64_t sent;     /* last one that was sent */
	int64_t begun_at; /* what was acknowledged when reading began anew */
	int64_t *ahead;   /* sequences that were read before one that precedes them; ascending */
	size_t ahead_count;
	uint64_t incarnation; /* grows when it is sent from an earlier place again */
	int64_t failed;       /* first one that failed, or 0 */
	int64_t backoff_ms;
	demon_ticks retry_at;     /* with `failed` */
	demon_ticks confirmed_at; /* when it was last certain that things move */
	bool dirty;               /* local_outbox says something else */
};

/* A message on its way; the sending thread's own. */
struct demon_flight {
	bool used;
	uint64_t ticket;
	size_t chain;
	uint64_t incarnation;
	int64_t sequence;
};

struct demon_outbox {
	struct demon_store *store;
	const struct demon_transport *transport;
	pthread_mutex_t lock;
	struct demon_own_chain *chains;
	size_t count;
	size_t cap;
	bool current[DEMON_STREAM_COUNT]; /* it is read up to its end */
	/* the sending thread's */
	struct demon_flight *flights;
	size_t window;
	size_t flying;
	size_t hint; /* where a free one is likely */
	uint64_t tickets;
	bool has_key;
	bool announced;
	struct demon_key key;
	struct demon_sha256 *sha;
	struct demon_outgoing outgoing;
};

/** The monotonic clock, in µs. */
demon_ticks demon_outbox_now(const struct demon_outbox *o);

/** Sends from behind what is acknowledged. The lock is held. */
void demon_outbox_send_again(struct demon_outbox *o, struct demon_own_chain *c);

/** Learns which own chains there are; how far they got, when it was opened: later only this knows.
 */
enum demon_rc demon_outbox_load(struct demon_outbox *o, bool first, struct demon_err *err)
    demon_must_check;

#endif
