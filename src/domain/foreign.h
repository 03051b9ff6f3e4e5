/*
 * Foreign messages: what somebody who is no node published on our subjects (docs/format.md §11).
 *
 * They never enter the log as such. The node that owns the run which the subject names adopts one,
 * once, as an event of its own (message.adopted:v1) that holds subject and payload and the SHA-256
 * of both. A well-formed decision becomes a vote, declared and judged like any other, where the
 * configuration accepts that; where it does not, the message is for the quarantine. All other nodes
 * pass over the message.
 */
#ifndef DEMON_FOREIGN_H
#define DEMON_FOREIGN_H

#include <demon/store.h>

struct demon_gate_config; /* domain/approval/voter.h */

/** What the node was configured with. Borrowed; zeroed: foreign decisions do not count. */
struct demon_foreign_settings {
	bool votes;                            /* decisions count as votes */
	const struct demon_gate_config *gates; /* who may decide; NULL: nobody */
};

/** What became of a message. */
enum demon_foreign {
	DEMON_FOREIGN_PASS,       /* it is not for this node, or was adopted before */
	DEMON_FOREIGN_ADOPTED,    /* it is in the log, and what it decides is decided */
	DEMON_FOREIGN_QUARANTINE, /* it is to be set aside: the reason is in err->msg */
};

/**
 * Looks at a foreign message, and adopts it when it is about a run of this node. @p payload is any
 * bytes. @p settings NULL: zeroed.
 *
 * Returns DEMON_OK with every outcome above; another rc is a failure of this node (DEMON_BUSY,
 * DEMON_IO, DEMON_NOMEM, …), after which the message is to be offered again. Any thread; not from
 * within a job.
 */
enum demon_rc demon_foreign_adopt(struct demon_store *store,
				  const struct demon_foreign_settings *settings,
				  const char *subject, const void *payload, size_t len,
				  enum demon_foreign *ret_outcome, struct demon_err *err)
    demon_must_check;

#endif
