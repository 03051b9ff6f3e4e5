#include "suggest.h"

#include "base.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX ((size_t)64) /* bytes; longer words have no neighbours */
#define STEP     2U           /* cost of a difference; one of letter case costs half */
#define MOST     3U

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static unsigned change(unsigned char a, unsigned char b)
{
	if (a == b)
		return 0;
	return lower(a) == lower(b) ? STEP / 2 : STEP;
}

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of the table are enough. */
static unsigned distance(const unsigned char *a, size_t n, const unsigned char *b, size_t m)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0];
	unsigned *last = rows[1];
	unsigned *now = rows[2];

	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j * STEP;
	for (size_t i = 1; i <= n; i++) {
		unsigned *reuse = before;

		now[0] = (unsigned)i * STEP;
		for (size_t j = 1; j <= m; j++) {
			now[j] = min(last[j - 1] + change(a[i - 1], b[j - 1]),
				     min(last[j], now[j - 1]) + STEP);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min(now[j], before[j - 2] + STEP);
		}
		before = last;
		last = now;
		now = reuse;
	}
	return last[m];
}

const char *demon_suggest(const char *word, const char *const *words, size_t count)
{
	size_t n = strnlen(word, WORD_MAX + 1);
	unsigned most = n / 3 < 1 ? 1U : min((unsigned)n / 3, MOST);
	unsigned best = most * STEP + 1;
	const char *nearest = NULL;

	if (n > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t m = strnlen(words[i], WORD_MAX + 1);
		unsigned cost;

		if (m == 0 || m > WORD_MAX || (m > n ? m - n : n - m) > most)
			continue;
		cost = distance((const unsigned char *)word, n, (const unsigned char *)words[i], m);
		if (cost < best) {
			best = cost;
			nearest = words[i];
		}
	}
	return nearest;
}
