#include "run_status.h"

#include "base/base.h"

#include <string.h>

static const struct {
	const char *name;
	const char *snake;
	bool ended;
} statuses[] = {
    {"Queued", "queued", false},
    {DEMON_RUN_RUNNING, "running", false},
    {DEMON_RUN_WAITING, "waiting", false},
    {DEMON_RUN_AWAITING, "awaiting_approval", false},
    {DEMON_RUN_SUSPENDED, "suspended", false},
    {DEMON_RUN_FROZEN, "frozen", false},
    {DEMON_RUN_COMPLETED, "completed", true},
    {DEMON_RUN_FAILED, "failed", true},
    {DEMON_RUN_CANCELED, "canceled", true},
    {DEMON_RUN_DENIED, "denied", true},
};

const char *demon_run_status_find(const char *text)
{
	for (size_t i = 0; i < demon_count(statuses); i++)
		if (strcmp(text, statuses[i].name) == 0 || strcmp(text, statuses[i].snake) == 0)
			return statuses[i].name;
	return NULL;
}

bool demon_run_status_ended(const char *status)
{
	for (size_t i = 0; i < demon_count(statuses); i++)
		if (strcmp(status, statuses[i].name) == 0)
			return statuses[i].ended;
	return false;
}

bool demon_run_status_running(const char *status)
{
	return strcmp(status, DEMON_RUN_RUNNING) == 0 || strcmp(status, DEMON_RUN_WAITING) == 0 ||
	       strcmp(status, DEMON_RUN_AWAITING) == 0;
}
