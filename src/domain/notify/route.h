/*
 * Routes: where notifications go, as administrators set them.
 *
 * A route is a register (admin/register.h) of a tenant, or of the whole node for the events of all
 * tenants; a tenant's route of the same name takes the place of the node's. Its value is a JSON
 * object, which docs/notifications.md describes member by member. Secrets are never in it: only
 * their names are.
 */
#ifndef DEMON_ROUTE_H
#define DEMON_ROUTE_H

#include "base/json.h"
#include "topic.h"

enum demon_route_kind {
	DEMON_ROUTE_WEBHOOK,
	DEMON_ROUTE_SLACK,
	DEMON_ROUTE_PAGERDUTY,
	DEMON_ROUTE_SMTP,
};
#define DEMON_ROUTE_KINDS 4

/** "webhook", "slack", "pagerduty" or "smtp", in static storage. */
const char *demon_route_kind_name(enum demon_route_kind kind);

/** A value, read. Everything is borrowed from it; NULL: it does not say. */
struct demon_route {
	enum demon_route_kind kind;
	const char *url;
	uint32_t topics;     /* bit i: demon_topics[i] */
	const json_t *value; /* all of it */
	const json_t *rituals;
	const json_t *templates;
	const json_t *headers;   /* webhook: names and values */
	const char *secret;      /* webhook: signs */
	const char *routing_key; /* pagerduty */
	const char *severity;    /* pagerduty: instead of the one that the topic has */
	const char *from;        /* smtp: as `to` */
	const json_t *to;        /* smtp: addresses */
	const char *username;    /* smtp */
	const char *password;    /* smtp */
	const char *ca_file;     /* PEM, instead of the machine's authorities */
	bool plain;              /* smtp: without TLS */
	bool approvers;          /* smtp: also to the approvers of the gate */
	bool links;              /* signed links are sent along */
	bool disabled;
	int64_t timeout_ms;
	unsigned attempts; /* after so many a notification is given up */
};

/**
 * Checks a value and reads it. DEMON_INVALID: "at '/events/2': ...", what is wrong with it;
 * DEMON_NOMEM.
 * *ret_route borrows from @p value.
 */
enum demon_rc demon_route_parse(const json_t *value, struct demon_route *ret_route,
				struct demon_err *err) demon_must_check;

/** Reads a value that was checked before its secrets were put in. */
void demon_route_read(const json_t *value, struct demon_route *ret_route);

/** The places (JSON pointers; a new array) of the strings of a checked value that hold names of
 * secrets; NULL: no memory. */
json_t *demon_route_secrets(const json_t *value);

/** Whether a route takes a topic about a ritual. */
bool demon_route_takes(const struct demon_route *route, const struct demon_topic *topic,
		       const char *ritual_id);

/** The template of a topic: @p part is "title", "text" or "body"; the route's own for it, the
 * route's for all ("*"), or NULL. Borrowed. */
const json_t *demon_route_template(const struct demon_route *route, const struct demon_topic *topic,
				   const char *part);

/** Whether @p text is a mail address that can stand in a header and in a command of SMTP. */
bool demon_mail_is_address(const char *text);

#endif
