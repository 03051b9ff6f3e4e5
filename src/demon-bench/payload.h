/*
 * The event that is written: a step.started:v1 of 440 bytes or so.
 */
#ifndef DEMON_BENCH_PAYLOAD_H
#define DEMON_BENCH_PAYLOAD_H

#include "base/buf.h"

#define PAYLOAD_MAX    1024
#define PAYLOAD_RUN    "01900000-0000-7000-8000-000000000001"
#define PAYLOAD_RITUAL "nightly-backup"
#define PAYLOAD_TS     1767323045000

/** The payload by snprintf, as a program without a canonical form would make it. */
size_t payload_print(char out[PAYLOAD_MAX], int64_t step_id);

/** The same bytes by the canonical writer. */
void payload_write(struct demon_buf *out, int64_t step_id);

#endif
