/*
 * What rituals call of graphs.
 *
 *	graph.commit  projectId, namespace, graphId, mutations; parents: commits or tags, absent: a
 *	              root; tag: is moved to the commit, expect: it must name this now; author
 *	              (absent: the run's id), message, force. Answers {commitId, parents, stateRoot,
 *	              noop}. The commit, the tag and the step's result are one transaction.
 *	graph.query   projectId, namespace, graphId, operation: get-node (nodeId; null where there
 *is none), neighbors (nodeId, depth, direction, label), path-exists (from, to, the same), query
 *(label, property, value, after, limit); at: absent: main
 *
 * The tenant is the run's. Errors are GRAPH_NOT_FOUND, GRAPH_CONFLICT, GRAPH_INVALID and
 * GRAPH_TOO_LARGE.
 */
#ifndef DEMON_GRAPH_CAPSULE_H
#define DEMON_GRAPH_CAPSULE_H

#include "domain/capsule/capsule.h"

extern const struct demon_capsule demon_capsule_graph_commit;
extern const struct demon_capsule demon_capsule_graph_query;

/** Whether a failure is the step's, not this program's; and the code of its error. */
bool demon_capsule_is_answer(enum demon_rc rc);
const char *demon_capsule_graph_code(enum demon_rc rc);

#endif
