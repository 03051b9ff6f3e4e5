/*
 * A notice: what one notification has to say, before it is put into the words of a route.
 */
#ifndef DEMON_NOTICE_H
#define DEMON_NOTICE_H

#include "base/json.h"
#include "topic.h"

#include <demon/event.h>

/** Everything is borrowed; NULL: absent. */
struct demon_notice {
	const struct demon_topic *topic;
	const struct demon_event *event; /* ids and time; of a test: ts alone */
	const json_t *payload;           /* of the event */
	const char *key;                 /* idempotency key: the same for every attempt */
	const char *route;               /* name of the route */
	const char *node;                /* label of this node */
	const char *base_url;            /* of the node's pages (approval/link.h) */
	const char *recipient;           /* one mail address */
	const char *link;                /* address of a signed link for the recipient */
	const json_t *links;             /* webhook: [{approver, link}] */
};

/** The names that templates may use. */
const char *const *demon_notice_names(size_t *ret_count);

/**
 * The values of those names: a flat object of texts and numbers (new). Texts are cut at 4 KiB.
 * What there is not, is not there.
 */
enum demon_rc demon_notice_values(const struct demon_notice *notice, json_t **ret_values,
				  struct demon_err *err) demon_must_check;

/** Appends what all notices about one gate (or, when it is about none, one run) have in common:
 * "RUNORIGIN/tenant/run/gate", at most 255 bytes. */
void demon_notice_thread(const struct demon_topic *topic, const struct demon_event *event,
			 struct demon_buf *out);

#endif
