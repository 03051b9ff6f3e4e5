#include "zone.h"

#include "base/bytes.h"
#include "zone_rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX        ((size_t)128 * 1024)
#define HEADER_LEN      44
#define TRANSITIONS_MAX 8192
#define TYPES_MAX       256
#define OFFSET_MAX      ((int64_t)26 * 3600)
#define DAY_S           ((int64_t)86400)
/* 9999 and a day, as far as anybody's clock shows it */
#define LOCAL_MAX       ((int64_t)253402300799)
#define LOCAL_MIN       ((int64_t)-62167219200)

struct demon_zone {
	size_t count;
	int64_t *at;         /* when the clock is set, seconds since the Epoch, ascending */
	unsigned char *type; /* to which type then */
	int offsets[TYPES_MAX];
	size_t types;
	bool has_rule;
	struct demon_zone_rule rule; /* behind the last transition */
};

enum demon_rc demon_zone_check(const char *name, struct demon_err *err)
{
	size_t word = 0;
	size_t n = 0;

	for (; name[n] && n <= DEMON_ZONE_NAME_MAX; n++) {
		char c = name[n];
		bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			  (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';

		if (!ok && (c != '/' || !word))
			break;
		word = c == '/' ? 0 : word + 1;
	}
	/* "localtime" is whatever the machine was set to */
	if (name[n] || !word || strcmp(name, "localtime") == 0)
		return demon_err_set(err, DEMON_INVALID,
				     "'%.80s' is no name of a time zone, like 'Europe/Oslo' or "
				     "'UTC'",
				     name);
	return DEMON_OK;
}

/** One of the two blocks of a file: where its parts begin. */
struct block {
	const unsigned char *times;
	const unsigned char *indices;
	const unsigned char *types;
	size_t len; /* of the data behind the header */
	size_t time_count;
	size_t type_count;
	size_t leap_count;
};

static bool read_block(const unsigned char *file, size_t len, size_t time_size, struct block *b)
{
	size_t is_ut;
	size_t is_std;
	size_t chars;

	if (len < HEADER_LEN || memcmp(file, "TZif", 4) != 0)
		return false;
	is_ut = demon_get_be32(file + 20);
	is_std = demon_get_be32(file + 24);
	b->leap_count = demon_get_be32(file + 28);
	b->time_count = demon_get_be32(file + 32);
	b->type_count = demon_get_be32(file + 36);
	chars = demon_get_be32(file + 40);
	if (is_ut > TYPES_MAX || is_std > TYPES_MAX || b->leap_count > TRANSITIONS_MAX ||
	    b->time_count > TRANSITIONS_MAX || b->type_count > TYPES_MAX || chars > FILE_MAX)
		return false;
	b->times = file + HEADER_LEN;
	b->indices = b->times + b->time_count * time_size;
	b->types = b->indices + b->time_count;
	b->len = b->time_count * (time_size + 1) + b->type_count * 6 + chars +
		 b->leap_count * (time_size + 4) + is_std + is_ut;
	return b->len <= len - HEADER_LEN;
}

static enum demon_rc damaged(const char *why, struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "the file of the time zone is damaged: %s", why);
}

static enum demon_rc take_types(struct demon_zone *z, const struct block *b, struct demon_err *err)
{
	if (b->type_count == 0)
		return damaged("it has no types", err);
	z->types = b->type_count;
	for (size_t i = 0; i < b->type_count; i++) {
		uint32_t raw = demon_get_be32(b->types + (size_t)6 * i);
		int64_t offset = raw < 0x80000000U ? (int64_t)raw : (int64_t)raw - 0x100000000;

		if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
			return damaged("more than a day from UTC", err);
		z->offsets[i] = (int)offset;
	}
	return DEMON_OK;
}

static enum demon_rc take_times(struct demon_zone *z, const struct block *b, struct demon_err *err)
{
	z->at = demon_calloc(b->time_count + 1, sizeof(*z->at));
	z->type = demon_calloc(b->time_count + 1, sizeof(*z->type));
	if (!z->at || !z->type)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a time zone");
	for (size_t i = 0; i < b->time_count; i++) {
		uint64_t raw = demon_get_be64(b->times + (size_t)8 * i);

		z->at[i] = raw <= INT64_MAX ? (int64_t)raw : -(int64_t)(UINT64_MAX - raw) - 1;
		z->type[i] = b->indices[i];
		if (z->type[i] >= b->type_count || (i && z->at[i] <= z->at[i - 1]))
			return damaged("its transitions are not in order", err);
	}
	z->count = b->time_count;
	return DEMON_OK;
}

/* "\n<rule>\n"; empty: the last type goes on. */
static enum demon_rc take_rule(struct demon_zone *z, const unsigned char *at, size_t len,
			       struct demon_err *err)
{
	const unsigned char *end = len > 1 && *at == '\n' ? memchr(at + 1, '\n', len - 1) : NULL;

	if (!end)
		return damaged("it ends early", err);
	if (end == at + 1)
		return DEMON_OK;
	z->has_rule = true;
	if (!demon_zone_rule_read((const char *)at + 1, (size_t)(end - at - 1), &z->rule))
		return damaged("its rule is none", err);
	return DEMON_OK;
}

enum demon_rc demon_zone_parse(const void *bytes, size_t len, struct demon_zone **ret_zone,
			       struct demon_err *err)
{
	const unsigned char *file = bytes;
	demon_cleanup(demon_zone_free_p) struct demon_zone *z = NULL;
	struct block first;
	struct block b;
	size_t behind;
	enum demon_rc rc;

	if (len > FILE_MAX || !read_block(file, len, 4, &first))
		return damaged("its header is none", err);
	if (file[4] < '2')
		return demon_err_set(err, DEMON_CORRUPT,
				     "the file of the time zone is of version 1");
	behind = HEADER_LEN + first.len;
	if (!read_block(file + behind, len - behind, 8, &b))
		return damaged("its second header is none", err);
	if (b.leap_count)
		return demon_err_set(err, DEMON_CORRUPT, "the time zone counts leap seconds");
	behind += HEADER_LEN + b.len;
	z = demon_calloc(1, sizeof(*z));
	if (!z)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a time zone");
	if ((rc = take_types(z, &b, err)) || (rc = take_times(z, &b, err)) ||
	    (rc = take_rule(z, file + behind, len - behind, err)))
		return rc;
	*ret_zone = demon_take(z);
	return DEMON_OK;
}

void demon_zone_free(struct demon_zone *zone)
{
	if (!zone)
		return;
	free(zone->at);
	free(zone->type);
	free(zone);
}

void demon_zone_free_p(struct demon_zone **zone)
{
	demon_zone_free(*zone);
}

static enum demon_rc unknown(const char *folder, const char *name, struct demon_err *err)
{
	struct stat st;

	if (stat(folder, &st))
		return demon_err_set(err, DEMON_NOTFOUND,
				     "time zone '%s': there is no folder '%s' (package tzdata)",
				     name, folder);
	return demon_err_set(err, DEMON_INVALID, "there is no time zone '%s'", name);
}

/* All of a file, or as much as is too much. */
static bool read_all(int fd, unsigned char *bytes, size_t cap, size_t *ret_len)
{
	*ret_len = 0;
	for (;;) {
		ssize_t n = read(fd, bytes + *ret_len, cap - *ret_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		*ret_len += (size_t)n;
	}
}

enum demon_rc demon_zone_open(const char *folder, const char *name, struct demon_zone **ret_zone,
			      struct demon_err *err)
{
	demon_auto_free unsigned char *bytes = NULL;
	char path[1024];
	size_t len;
	bool ok;
	int fd;
	enum demon_rc rc;

	folder = folder ? folder : DEMON_ZONE_FOLDER;
	if ((rc = demon_zone_check(name, err)))
		return rc;
	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return demon_err_set(err, DEMON_INVALID, "the folder of time zones is too long");
	bytes = demon_calloc(1, FILE_MAX + 1);
	if (!bytes)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a time zone");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return demon_err_sys(err, DEMON_IO, errno, "time zone '%s'", name);
	if (fd < 0)
		return unknown(folder, name, err);
	ok = read_all(fd, bytes, FILE_MAX + 1, &len);
	(void)close(fd);
	if (!ok)
		return unknown(folder, name, err);
	if (demon_zone_parse(bytes, len, ret_zone, err))
		return demon_err_wrap(err, "'%s'", name);
	return DEMON_OK;
}

/* The last transition that has come. */
static int offset_at(const struct demon_zone *z, int64_t t)
{
	size_t low = 0;
	size_t high = z->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->at[mid] <= t)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->count && z->has_rule)
		return demon_zone_rule_offset(&z->rule, t);
	return z->offsets[low ? z->type[low - 1] : 0];
}

struct demon_local demon_zone_local(const struct demon_zone *zone, demon_time t)
{
	int64_t seconds = t >= 0 ? t / 1000 : -((-t + 999) / 1000);
	struct demon_local local = {.offset = offset_at(zone, seconds)};
	int64_t day;

	local.seconds = seconds + local.offset;
	day = local.seconds >= 0 ? local.seconds / DAY_S : -((-local.seconds + DAY_S - 1) / DAY_S);
	local.minute = (int)((local.seconds - day * DAY_S) / 60);
	local.weekday = (int)(((day + 3) % 7 + 7) % 7);
	return local;
}

void demon_local_text(const struct demon_local *local, char out[DEMON_LOCAL_LEN + 1])
{
	int64_t s = local->seconds < LOCAL_MIN   ? LOCAL_MIN
		    : local->seconds > LOCAL_MAX ? LOCAL_MAX
						 : local->seconds;
	int east = local->offset < 0 ? -local->offset : local->offset;
	char utc[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(s * 1000, utc);
	(void)snprintf(out, DEMON_LOCAL_LEN + 1, "%.19s%c%02d:%02d", utc,
		       local->offset < 0 ? '-' : '+', east / 3600 % 100, east / 60 % 60);
}
