/*
 * Files that were compiled into the program (tools/embed.c makes the tables).
 */
#ifndef DEMON_EMBEDDED_H
#define DEMON_EMBEDDED_H

#include <stddef.h>

/** One file; a table of them is sorted by name and ends with a NULL name. */
struct demon_embedded {
	const char *name; /* file name without its folder */
	const char *text; /* its bytes, with a NUL behind them */
	size_t len;       /* number of bytes, the NUL not counted */
};

#endif
