/*
 * A copy of a database while it is in use.
 */
#ifndef DEMON_COPY_H
#define DEMON_COPY_H

#include "db.h"

/**
 * Copies what @p db sees, page by page, to the new file @p path (mode 0600), and returns when it is
 * on disk. Within a read transaction that is one moment, however much is written meanwhile; writers
 * are not held up. DEMON_EXISTS: there is such a file. On failure what was written is removed.
 */
enum demon_rc demon_db_copy(struct demon_db *db, const char *path, struct demon_err *err)
    demon_must_check;

#endif
