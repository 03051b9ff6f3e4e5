/*
 * Deliveries: which notifications are to be sent, were sent, or were given up.
 *
 *	        plan                taken by the other side
 *	log ----------> due  --------------------------------> sent
 *	                 ^  |  given up
 *	           retry |  v
 *	                dead  ----> (dropped)
 *
 * A delivery is one event by one route to one recipient, and has an idempotency key that is a
 * function of these three: whoever crashes between sending and recording sends again, with the same
 * key. Deliveries are this file's own business (table local_deliveries), never part of the state.
 *
 * Times in the table are of the wall clock. However it jumps, no attempt is put off by more than
 * the delay that was chosen for it (demon_deliveries_clock), and none is given up for its age.
 */
#ifndef DEMON_DELIVERY_H
#define DEMON_DELIVERY_H

#include "domain/admin/actor.h"
#include "sending.h"

#include <demon/store.h>

struct demon_db;

#define DEMON_DELIVERY_KEY_LEN 32 /* lower-case hexadecimal digits */

enum demon_delivery_state { DEMON_DELIVERY_DUE, DEMON_DELIVERY_SENT, DEMON_DELIVERY_DEAD };
#define DEMON_DELIVERY_STATES 3

/** "due", "sent" or "dead", in static storage. */
const char *demon_delivery_state_name(enum demon_delivery_state state);

/** One delivery; a copy. Absent texts are "". */
struct demon_delivery {
	int64_t id;
	char key[DEMON_DELIVERY_KEY_LEN + 1];
	int64_t seq; /* of the event */
	unsigned char hash[DEMON_SHA256_LEN];
	char topic[64];
	char tenant_id[65];
	char run_id[65];
	char gate_id[65];
	char route_tenant[65];
	char route[DEMON_ACTOR_MAX + 1];
	char recipient[DEMON_ACTOR_MAX + 1];
	enum demon_delivery_state state;
	int64_t attempts;
	demon_time created_at;
	demon_time next_at;
	demon_time ended_at; /* 0: it has not */
	int64_t status;      /* 0: no answer yet */
	char error[256];
};
typedef enum demon_rc demon_delivery_fn(void *ctx, const struct demon_delivery *delivery,
					struct demon_err *err);

/*
 * Reading: @p db is that of a loan.
 */

/** A route that has deliveries to be sent, and when the first of them is. Borrowed. */
typedef enum demon_rc demon_delivery_route_fn(void *ctx, const char *tenant, const char *route,
					      demon_time next_at, struct demon_err *err);
enum demon_rc demon_deliveries_routes(struct demon_db *db, demon_delivery_route_fn *fn, void *ctx,
				      struct demon_err *err) demon_must_check;

/** What is due: of which route, when, and how many at most. Borrowed. */
struct demon_delivery_sought {
	const char *route_tenant;
	const char *route;
	demon_time now;
	size_t limit;
};

/** Calls @p fn for deliveries of a route that are due, those that wait longest first; of those that
 * have to arrive in order, the first alone. */
enum demon_rc demon_deliveries_due(struct demon_db *db, const struct demon_delivery_sought *sought,
				   demon_delivery_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** Which deliveries to list: with an id below @p below, the newest first. */
struct demon_delivery_filter {
	enum demon_delivery_state state;
	int64_t below; /* 0: all */
	size_t limit;  /* 0: all */
};
enum demon_rc demon_deliveries_list(struct demon_db *db, const struct demon_delivery_filter *filter,
				    demon_delivery_fn *fn, void *ctx, struct demon_err *err)
    demon_must_check;

/** Finds one by its key. DEMON_NOTFOUND. */
enum demon_rc demon_delivery_find(struct demon_db *db, const char *key,
				  struct demon_delivery *ret_delivery, struct demon_err *err)
    demon_must_check;

/** How many there are in each state. */
enum demon_rc demon_deliveries_count(struct demon_db *db, int64_t ret[DEMON_DELIVERY_STATES],
				     struct demon_err *err) demon_must_check;

/*
 * Writing.
 */

/** The longest time between two attempts, but for one that the other side asked for. */
#define DEMON_DELIVERY_DELAY_MAX ((int64_t)3600 * 1000)
/** The longest time that the other side may ask for. */
#define DEMON_DELIVERY_ASKED_MAX ((int64_t)24 * 3600 * 1000)
/** After so many refusals a delivery is given up, whatever the route says. */
#define DEMON_DELIVERY_REFUSALS  8

/** How long to wait after attempt @p attempts (from 1) has failed: twice as long each time, from a
 * second on, up to a fifth more or less. @p asked_ms: the other side's wish, or -1. */
int64_t demon_delivery_delay(int64_t attempts, int64_t asked_ms, const struct demon_env *env);

/**
 * Records what an attempt came to. A delivery is given up after @p attempts of them; what was
 * canceled counts for nothing. *ret_state: what it is now; DEMON_DELIVERY_DUE also when it is
 * gone.
 */
enum demon_rc demon_delivery_record(struct demon_store *store,
				    const struct demon_delivery *delivery,
				    const struct demon_sent *sent, unsigned attempts,
				    enum demon_delivery_state *ret_state, struct demon_err *err)
    demon_must_check;

/** Gives a delivery up, because it can never be sent: @p why in one line. */
enum demon_rc demon_delivery_bury(struct demon_store *store, const struct demon_delivery *delivery,
				  const char *why, struct demon_err *err) demon_must_check;

/** After the wall clock may have jumped: no delivery waits longer than was chosen for it. */
enum demon_rc demon_deliveries_clock(struct demon_store *store, struct demon_err *err)
    demon_must_check;

/** Makes dead deliveries due again, from their first attempt on: the one with that key, or all
 * (NULL). DEMON_NOTFOUND: there is none with that key; DEMON_CONFLICT: it is not dead. */
enum demon_rc demon_deliveries_retry(struct demon_store *store, const char *key, int64_t *ret_count,
				     struct demon_err *err) demon_must_check;

/** Forgets dead deliveries, as above. */
enum demon_rc demon_deliveries_drop(struct demon_store *store, const char *key, int64_t *ret_count,
				    struct demon_err *err) demon_must_check;

#endif
