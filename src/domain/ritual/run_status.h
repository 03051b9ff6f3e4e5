/*
 * The status of a run, as the events that change it say. run.h has the picture.
 */
#ifndef DEMON_RUN_STATUS_H
#define DEMON_RUN_STATUS_H

#include <stdbool.h>

#define DEMON_RUN_RUNNING   "Running"
#define DEMON_RUN_WAITING   "Waiting"
#define DEMON_RUN_AWAITING  "AwaitingApproval"
#define DEMON_RUN_DENIED    "Denied"
#define DEMON_RUN_FROZEN    "Frozen"
#define DEMON_RUN_SUSPENDED "Suspended"
#define DEMON_RUN_COMPLETED "Completed"
#define DEMON_RUN_FAILED    "Failed"
#define DEMON_RUN_CANCELED  "Canceled"

/** The status that @p text means, "AwaitingApproval" or "awaiting_approval", or NULL. Static. */
const char *demon_run_status_find(const char *text);

/** Whether a run of this status is over. */
bool demon_run_status_ended(const char *status);

/** Whether a run of this status goes on without an operator: Running, Waiting, AwaitingApproval. */
bool demon_run_status_running(const char *status);

#endif
