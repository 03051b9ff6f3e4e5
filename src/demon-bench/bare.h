/*
 * The other side of each comparison: SQLite by itself, written as one would without Demon. Same
 * tables, indexes, rows and durability; no chain, no checks, no ids to look up.
 */
#ifndef DEMON_BENCH_BARE_H
#define DEMON_BENCH_BARE_H

#include "base/base.h"

struct bare;

/** Opens @p path, which a store has made and closed, for writing with synchronous=FULL. */
struct bare *bare_open(const char *path);
void bare_close(struct bare *bare);

/** Inserts @p rows events and their steps in one transaction. Aborts when SQLite refuses. */
void bare_write(struct bare *bare, size_t rows);

/** Opens @p path for bare_query alone. */
struct bare *bare_open_to_read(const char *path);

/** Steps through all rows of @p sql, a different literal for each query, with ?1 bound. */
void bare_query(struct bare *bare, const char *sql, const char *parameter);

#endif
