#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static demon_time fake_now(void *ctx)
{
	return ((struct fake_env *)ctx)->now;
}

static demon_ticks fake_mono(void *ctx)
{
	return ((struct fake_env *)ctx)->mono;
}

static void fake_random(void *ctx, void *bytes, size_t n)
{
	struct fake_env *f = ctx;
	unsigned char *to = bytes;

	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)(test_random(&f->state) >> 33);
}

void fake_env_init(struct fake_env *f, uint64_t seed)
{
	*f = (struct fake_env){.now = 1767323045000, .mono = 1000000, .state = seed};
	f->env = (struct demon_env){fake_now, fake_mono, fake_random, f};
}

void fake_env_advance(struct fake_env *f, int64_t ms)
{
	f->now += ms;
	f->mono += ms * 1000;
}

uint64_t test_seed(uint64_t fallback)
{
	const char *text = getenv("DEMON_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : fallback;

	(void)fprintf(stderr, "DEMON_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

char *test_dir(void)
{
	const char *base = getenv("TMPDIR");
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/demon-test-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(path))
		fail_msg("cannot make a folder like %s", path);
	return strdup(path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void test_dir_remove(char *path)
{
	if (path)
		(void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

const char *test_path(const char *dir, const char *name)
{
	static char buffers[64][4200];
	static unsigned next;
	char *buffer = buffers[next++ % 64];

	(void)snprintf(buffer, sizeof(buffers[0]), "%s/%s", dir, name);
	return buffer;
}

char *test_read(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	size_t len = 0;
	size_t cap = 0;

	if (!f)
		fail_msg("cannot read %s: %s", path, strerror(errno));
	for (;;) {
		size_t n;

		if (cap - len < 4096) {
			cap = cap ? cap * 2 : 8192;
			text = realloc(text, cap);
			if (!text)
				fail_msg("out of memory");
		}
		n = fread(text + len, 1, cap - len - 1, f);
		len += n;
		if (n == 0)
			break;
	}
	(void)fclose(f);
	text[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return text;
}

void test_write(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f) != 0)
		fail_msg("cannot write %s: %s", path, strerror(errno));
}

static char *sink;

void test_sink_close(void)
{
	const char *path = getenv("DEMON_EVENT_SINK"); /* NOLINT(concurrency-mt-unsafe) */

	free(sink);
	sink = path ? strdup(path) : NULL;
	(void)unsetenv("DEMON_EVENT_SINK"); /* NOLINT(concurrency-mt-unsafe) */
}

void test_sink_open(void)
{
	if (sink)
		(void)setenv("DEMON_EVENT_SINK", sink, 1); /* NOLINT(concurrency-mt-unsafe) */
	free(sink);
	sink = NULL;
}
