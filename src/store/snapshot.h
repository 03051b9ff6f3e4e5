/*
 * Snapshots: a database at one moment, as one file with a manifest (docs/format.md §18).
 */
#ifndef DEMON_SNAPSHOT_H
#define DEMON_SNAPSHOT_H

#include <demon/store.h>

/**
 * Makes the snapshot @p path and its manifest beside it while others write. *ret_manifest is new:
 * the manifest. Neither file has its name before all of it is on disk. DEMON_EXISTS: one of them is
 * there; DEMON_FULL; DEMON_IO.
 */
enum demon_rc demon_snapshot_create(struct demon_store *store, const char *path,
				    char **ret_manifest, struct demon_err *err) demon_must_check;

/**
 * Whether the snapshot @p path is, bit for bit, what its manifest says. *ret_manifest as above.
 * DEMON_NOTFOUND: it, or its manifest, is missing; DEMON_NEWER: of a newer version; DEMON_CORRUPT:
 * it was changed or cut short, or the manifest was.
 */
enum demon_rc demon_snapshot_verify(const char *path, char **ret_manifest, struct demon_err *err)
    demon_must_check;

#endif
