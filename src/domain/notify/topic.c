#include "topic.h"

#include <string.h>

#define GATE  "gate {{gate}} of {{ritual}}"
#define WHERE "run {{run}} of ritual {{ritual}}, tenant {{tenant}}\n"
#define PAGE  "{{url}}\n"

const struct demon_topic demon_topics[] = {
    {"approval.requested", "approval.opened:v1", "approval requested: " GATE,
     "{{requester}} asks for an approval: {{reason}}\n\n"
     "gate {{gate}}, round {{round}}\n" WHERE "decide before {{expiresAt}}\n" PAGE "{{link}}\n",
     "warning", DEMON_INCIDENT_TRIGGER, true},
    {"approval.warned", "approval.warned:v1", "approval still missing: " GATE,
     "nobody has decided yet, and the time is up at {{expiresAt}}: it is a denial then\n\n"
     "gate {{gate}}, round {{round}}\n" WHERE PAGE "{{link}}\n",
     "warning", DEMON_INCIDENT_TRIGGER, true},
    {"approval.escalated", "approval.leveled:v1", "approval escalated: " GATE,
     "the approval has gone from level {{fromLevel}} to level {{toLevel}}: {{reason}}\n\n"
     "gate {{gate}}, round {{round}}\n" WHERE "decide before {{expiresAt}}\n" PAGE "{{link}}\n",
     "error", DEMON_INCIDENT_TRIGGER, true},
    {"approval.vote", "approval.vote:v1", "approval voted on: " GATE,
     "{{approver}} says {{decision}}\n{{note}}\n\ngate {{gate}}, round {{round}}\n" WHERE PAGE,
     "info", DEMON_INCIDENT_ACKNOWLEDGE, true},
    {"approval.decided", "approval.decided:v1", "approval {{state}}: " GATE,
     "{{state}} by {{approver}}\n{{note}}\n\ngate {{gate}}, round {{round}}\n" WHERE PAGE, "info",
     DEMON_INCIDENT_RESOLVE, true},
    {"approval.granted", "approval.granted:v1", "approval granted: " GATE,
     "granted by {{approver}}\n{{note}}\n\ngate {{gate}}\n" WHERE PAGE, "info",
     DEMON_INCIDENT_RESOLVE, true},
    {"approval.denied", "approval.denied:v1", "approval denied: " GATE,
     "denied by {{approver}}: {{reason}}\n\ngate {{gate}}\n" WHERE PAGE, "warning",
     DEMON_INCIDENT_RESOLVE, true},
    {"approval.override", "approval.override:v1", "approval overridden: " GATE,
     "overridden by {{approver}}\n{{note}}\n\ngate {{gate}}\n" WHERE PAGE, "error",
     DEMON_INCIDENT_RESOLVE, true},
    {"ritual.failed", "ritual.failed:v1", "run failed: {{ritual}}", "{{error}}\n\n" WHERE PAGE,
     "error", DEMON_INCIDENT_TRIGGER, false},
    {"ritual.suspended", "ritual.suspended:v1", "run suspended: {{ritual}}",
     "an operator must say how to go on: {{reason}}\n{{detail}}\n\n" WHERE PAGE, "error",
     DEMON_INCIDENT_TRIGGER, false},
    {"ritual.resumed", "ritual.resumed:v1", "run goes on: {{ritual}}", WHERE PAGE, "info",
     DEMON_INCIDENT_RESOLVE, false},
    {"ritual.completed", "ritual.completed:v1", "run completed: {{ritual}}", WHERE PAGE, "info",
     DEMON_INCIDENT_RESOLVE, false},
    {"ritual.canceled", "ritual.canceled:v1", "run canceled: {{ritual}}",
     "{{reason}}\n\n" WHERE PAGE, "warning", DEMON_INCIDENT_RESOLVE, false},
    {"test", "", "test of route {{route}}",
     "this is a test of the route {{route}} of node {{node}}\n" PAGE, "info",
     DEMON_INCIDENT_TRIGGER, false},
};
const size_t demon_topic_count = demon_count(demon_topics);

const struct demon_topic *demon_topic_find(const char *name)
{
	for (size_t i = 0; i < demon_topic_count; i++)
		if (strcmp(demon_topics[i].name, name) == 0)
			return &demon_topics[i];
	return NULL;
}

const struct demon_topic *demon_topic_of(const char *type)
{
	for (size_t i = 0; i < demon_topic_count; i++)
		if (strcmp(demon_topics[i].type, type) == 0)
			return &demon_topics[i];
	return NULL;
}
