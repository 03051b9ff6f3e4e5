/*
 * The courier: makes one attempt to send one delivery, and records what it came to.
 *
 * The event is read from the log and the route as it holds now, so a route that was repaired is
 * used by the next attempt. Nothing of the database is held while the network is waited for. A
 * message is the same for every attempt, links included; only the time that its signature covers is
 * not. Any thread.
 */
#ifndef DEMON_COURIER_H
#define DEMON_COURIER_H

#include "delivery.h"

/** Borrowed. */
struct demon_courier {
	struct demon_store *store;
	struct demon_sending sending;
	const char *base_url; /* of the node's pages, checked (approval/link.h); NULL: no links */
};

/** What became of a delivery. */
struct demon_delivered {
	struct demon_sent sent;
	enum demon_delivery_state state; /* as it was recorded */
	bool route_failed;               /* another delivery of the route would fare as this one */
};

/** Makes an attempt. Fails only where the database does, or memory. */
enum demon_rc demon_courier_deliver(const struct demon_courier *courier,
				    const struct demon_delivery *delivery,
				    struct demon_delivered *ret, struct demon_err *err)
    demon_must_check;

/** Sends a test by a route that is no delivery: once, and nothing is recorded. @p recipient: of
 * mails; NULL otherwise. DEMON_NOTFOUND: there is no such route. */
enum demon_rc demon_courier_test(const struct demon_courier *courier, const char *tenant,
				 const char *route, const char *recipient,
				 struct demon_sent *ret_sent, struct demon_err *err)
    demon_must_check;

/** The value of a route that holds (new). DEMON_NOTFOUND. */
enum demon_rc demon_courier_route(struct demon_store *store, const char *tenant, const char *route,
				  json_t **ret_value, struct demon_err *err) demon_must_check;

#endif
