#include "breakdown.h"

#include "base/json.h"
#include "clock.h"
#include "payload.h"
#include "store/header.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 20000
#define SYNCS  101

static double measure_write(struct demon_buf *buf)
{
	double start = clock_now();

	for (int i = 0; i < ROUNDS; i++) {
		demon_buf_clear(buf);
		payload_write(buf, i);
	}
	return (clock_now() - start) / ROUNDS * 1e6;
}

static double measure_check(const struct demon_buf *buf)
{
	double start = clock_now();
	int good = 0;

	for (int i = 0; i < ROUNDS; i++)
		good += demon_json_is_canonical(buf->data, buf->len, &demon_json_payload_limits);
	if (good != ROUNDS)
		abort();
	return (clock_now() - start) / ROUNDS * 1e6;
}

static double measure_hash(const struct demon_buf *buf)
{
	DEMON_BUF(scratch, 0);
	struct demon_sha256 *sha = demon_sha256_new();
	struct demon_event ev = {.stream = DEMON_STREAM_RITUAL,
				 .group_count = 1,
				 .subject = "demon.ritual.v1.default." PAYLOAD_RITUAL
					    "." PAYLOAD_RUN ".events",
				 .type = "step.started:v1",
				 .tenant_id = "default",
				 .ritual_id = PAYLOAD_RITUAL,
				 .run_id = PAYLOAD_RUN,
				 .has_run_origin = true,
				 .ts = PAYLOAD_TS};
	struct demon_err err;
	double start = clock_now();

	for (int i = 1; i <= ROUNDS && sha; i++) {
		ev.sequence = i;
		ev.group_first = i;
		demon_sha256_begin(sha);
		demon_sha256_add(sha, buf->data, buf->len);
		demon_sha256_end(sha, ev.payload_hash);
		if (demon_event_hash(sha, &ev, &scratch, ev.hash, &err))
			abort();
	}
	demon_sha256_free(sha);
	return (clock_now() - start) / ROUNDS * 1e6;
}

struct breakdown breakdown_measure(void)
{
	DEMON_BUF(buf, 0);
	struct breakdown b = {.write_us = measure_write(&buf)};

	b.check_us = measure_check(&buf);
	b.hash_us = measure_hash(&buf);
	return b;
}

double fsync_measure(const char *dir)
{
	static char page[4096];
	double times[SYNCS];
	char path[4200];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/fsync", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	for (size_t i = 0; i < SYNCS; i++) {
		double start = clock_now();

		if (write(fd, page, sizeof(page)) != sizeof(page) || fdatasync(fd))
			abort();
		times[i] = clock_now() - start;
	}
	(void)close(fd);
	(void)unlink(path);
	return median(times, SYNCS);
}
