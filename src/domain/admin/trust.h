/*
 * Trust when reading (docs/format.md §15).
 *
 * The log and the projections hold what every origin says, so that all nodes agree on them. What
 * has an effect on this node is what its own origin says, the one that it had before it lost its
 * key, and those that an operator trusts (peer.h). An origin that nobody has spoken for is not
 * trusted.
 */
#ifndef DEMON_TRUST_H
#define DEMON_TRUST_H

/** An SQL condition: the origin @p column, a string literal, is one whose word counts here. */
#define DEMON_TRUSTED(column)                                                              \
	"(EXISTS (SELECT 1 FROM local_node n WHERE n.id = 1 AND (n.origin = " column       \
	" OR n.former_origin = " column ")) OR EXISTS (SELECT 1 FROM local_peers p WHERE " \
	"p.origin = " column " AND p.trusted = 1)) "

#endif
