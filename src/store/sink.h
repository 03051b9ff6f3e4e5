/*
 * Test builds only: every payload that is appended also goes, a line each, to the file that the
 * environment variable DEMON_EVENT_SINK names, so that a test run can hold all of them against
 * their contracts.
 */
#ifndef DEMON_SINK_H
#define DEMON_SINK_H

#include <demon/event.h>

#ifdef DEMON_FAULTS
void demon_event_sink(const struct demon_event *ev);
#else
static inline void demon_event_sink(const struct demon_event *ev)
{
	(void)ev;
}
#endif

#endif
