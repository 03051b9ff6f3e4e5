/*
 * Topics: what notifications can be about.
 *
 * A topic follows one type of event of the ritual stream: of two that say the same, the one that
 * says more (approval.opened beside approval.requested). Its texts are templates (template.h)
 * over the values of a notice (notice.h).
 */
#ifndef DEMON_TOPIC_H
#define DEMON_TOPIC_H

#include "base/base.h"

/** What becomes of an incident. */
enum demon_incident { DEMON_INCIDENT_TRIGGER, DEMON_INCIDENT_ACKNOWLEDGE, DEMON_INCIDENT_RESOLVE };

struct demon_topic {
	const char *name; /* "approval.requested" */
	const char *type; /* of the event */
	const char *title;
	const char *text;
	const char *severity; /* "info", "warning" or "error" */
	enum demon_incident incident;
	bool gate; /* it is about a gate, not about the run as a whole */
};

/** All topics; "test", which follows no event and is of no route, is the last. */
extern const struct demon_topic demon_topics[];
extern const size_t demon_topic_count;

/** The topic of that name, or NULL. */
const struct demon_topic *demon_topic_find(const char *name);

/** The topic that follows events of a type, or NULL. */
const struct demon_topic *demon_topic_of(const char *type);

#endif
