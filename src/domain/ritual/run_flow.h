/*
 * Where a run goes: the order of calls that a definition's tree of tasks gives.
 */
#ifndef DEMON_RUN_FLOW_H
#define DEMON_RUN_FLOW_H

#include "definition.h"

/** The first call of a run, or NULL when the definition has none. */
const struct demon_task *demon_flow_first(const struct demon_definition *definition);

/** The call with this reference, or NULL. */
const struct demon_task *demon_flow_find(const struct demon_definition *definition,
					 const char *reference);

/** The call behind the one with this reference, or NULL when the run ends with it. */
const struct demon_task *demon_flow_after(const struct demon_definition *definition,
					  const char *reference);

#endif
