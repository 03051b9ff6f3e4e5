/*
 * Identifiers and subjects (docs/format.md §1).
 */
#ifndef DEMON_SUBJECT_H
#define DEMON_SUBJECT_H

#include "base/buf.h"

#include <demon/event.h>

#define DEMON_ID_MAX      64
#define DEMON_SUBJECT_MAX 512
#define DEMON_TYPE_MAX    96

/** [A-Za-z0-9_-]{1,64} */
bool demon_id_valid(const char *id);

/** [A-Za-z0-9._-]{1,64} */
bool demon_graph_id_valid(const char *id);

/** name:vN as in docs/format.md */
bool demon_type_valid(const char *type);

/** True for types that embedders may use freely: app.* and test.* */
bool demon_type_is_foreign(const char *type);

/** DEMON_INVALID "@p what 'x' is not valid: ..." unless demon_id_valid(). */
enum demon_rc demon_id_check(const char *what, const char *id, struct demon_err *err)
    demon_must_check;

/** Appends the subject that the ids of @p ev make. */
void demon_subject_build(const struct demon_event *ev, struct demon_buf *out);

/** A stream by name; false when there is no such stream. */
bool demon_stream_find(const char *name, enum demon_stream *ret) demon_must_check;

#endif
