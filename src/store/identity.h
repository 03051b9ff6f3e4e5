/*
 * Who writes in this file: origin, epoch, label (docs/format.md §1 and §7).
 *
 * The row of local_node also holds an identity of the file itself: host, inode and time of birth. A
 * file that is another than the one noted is a copy or was restored, and gets a new epoch: two
 * branches of one past never use the same identity. A move within a file system keeps the epoch; a
 * false alarm costs an epoch and nothing else.
 */
#ifndef DEMON_IDENTITY_H
#define DEMON_IDENTITY_H

#include "store/handle.h"

/** Loads the identity into store->node, making or renewing the row when need be. Appends nothing
 * to the log. */
enum demon_rc demon_identity_load(struct demon_store *store, const char *label,
				  struct demon_err *err) demon_must_check;

/** Chooses a new epoch within a write transaction. */
enum demon_rc demon_identity_new_epoch(struct demon_write *w, struct demon_err *err)
    demon_must_check;

#endif
