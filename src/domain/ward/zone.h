/*
 * Time zones: what the wall clock of a place shows at an instant.
 *
 * Read from the files of the IANA database (tzdata) as RFC 8536 defines them, by this module
 * itself: the C library's zone is one for the whole process. A zone is immutable once it is read,
 * so any thread may ask it.
 */
#ifndef DEMON_ZONE_H
#define DEMON_ZONE_H

#include "base/base.h"

#include <demon/env.h>

/** Where the files are. */
#define DEMON_ZONE_FOLDER   "/usr/share/zoneinfo"

/** Longest name of a zone. */
#define DEMON_ZONE_NAME_MAX 64

struct demon_zone;

/** DEMON_INVALID: @p name cannot name a zone: not words of A-Z a-z 0-9 _ + - separated by '/'. */
enum demon_rc demon_zone_check(const char *name, struct demon_err *err) demon_must_check;

/**
 * Reads a zone; *ret_zone is new (demon_zone_free). @p folder NULL: DEMON_ZONE_FOLDER.
 * DEMON_INVALID: the name, or there is no such zone; DEMON_NOTFOUND: this machine has no zones at
 * all; DEMON_CORRUPT: its file is none of version 2 or later, is damaged, or counts leap seconds.
 */
enum demon_rc demon_zone_open(const char *folder, const char *name, struct demon_zone **ret_zone,
			      struct demon_err *err) demon_must_check;

/** The same from the bytes of a file. */
enum demon_rc demon_zone_parse(const void *bytes, size_t len, struct demon_zone **ret_zone,
			       struct demon_err *err) demon_must_check;
void demon_zone_free(struct demon_zone *zone);
void demon_zone_free_p(struct demon_zone **zone);

/** What a clock on the wall shows. */
struct demon_local {
	int64_t seconds; /* since 1970-01-01 00:00 of that clock */
	int offset;      /* seconds east of UTC */
	int weekday;     /* 0: Monday */
	int minute;      /* of the day, 0 to 1439 */
};

struct demon_local demon_zone_local(const struct demon_zone *zone, demon_time t);

/** "2026-03-29T03:00:00+02:00" and a NUL, for years 0000 to 9999; others are clamped. */
#define DEMON_LOCAL_LEN 25
void demon_local_text(const struct demon_local *local, char out[DEMON_LOCAL_LEN + 1]);

#endif
