/*
 * What the pool and a worker say to each other, over one stream socket: a request and its answer
 * in turn, each a head in the machine's own layout and then the bytes that the head announces.
 * Both ends are built together; another magic number is another version.
 *
 * A worker begins by saying READY. Where a program cannot be started, NOT_STARTED comes instead,
 * with errno.
 */
#ifndef DEMON_EXPR_FRAME_H
#define DEMON_EXPR_FRAME_H

#include <stdint.h>

#define DEMON_EXPR_MAGIC   UINT32_C(0x64656a01)
#define DEMON_EXPR_SAY_MAX 480 /* bytes of the text of a refusal */

/** Consecutive expressions of a unit, compiled as one program. */
struct demon_expr_part {
	unsigned char unit[32];
	uint32_t first;
	uint32_t count;
};

enum demon_expr_ask {
	DEMON_EXPR_TRY,     /* body: a program; is it one? */
	DEMON_EXPR_COMPILE, /* the same, and keep it as `part` */
	DEMON_EXPR_EVAL,    /* body: the input of `part`'s program, a JSON text */
};

struct demon_expr_request {
	uint32_t magic;
	uint32_t ask;
	struct demon_expr_part part;
	uint32_t timeout_ms;
	uint32_t output_max;
	uint32_t len;
};

enum demon_expr_say {
	DEMON_EXPR_READY,
	DEMON_EXPR_NOT_STARTED, /* sys */
	DEMON_EXPR_DONE,        /* body: nothing, or the value as JSON */
	DEMON_EXPR_MISSING,     /* the part is not kept: compile it again */
	DEMON_EXPR_REFUSED,     /* body: why */
	DEMON_EXPR_LATE,        /* more time, or ... */
	DEMON_EXPR_FULL,        /* ... memory was needed: the worker ends */
	DEMON_EXPR_LONG,        /* the value is longer than output_max */
};

struct demon_expr_answer {
	uint32_t magic;
	uint32_t say;
	int32_t sys;
	uint32_t last; /* 1: the worker ends after this */
	uint32_t len;
};

#endif
