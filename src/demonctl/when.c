#include "when.h"

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_length(const char *text, int64_t *ret_ms)
{
	static const char units[] = "smhdw";
	static const int64_t ms[] = {1000, 60000, 3600000, 86400000, 604800000};
	const char *unit;
	char *end;
	long long n;

	if (*text < '0' || *text > '9')
		return false;
	n = strtoll(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (!unit || end[1] || n > 100000)
		return false;
	*ret_ms = n * ms[unit - units];
	return true;
}

enum demon_rc demon_when(const char *text, const char *option, int sign, demon_time *ret_t,
			 struct demon_err *err)
{
	const struct demon_env *env = demon_env_real();
	char full[DEMON_RFC3339_LEN + 1];
	struct demon_err ignored;
	int64_t length;

	if (demon_rfc3339_parse(text, ret_t, &ignored) == DEMON_OK)
		return DEMON_OK;
	(void)snprintf(full, sizeof(full), "%.10sT00:00:00Z", text);
	if (strlen(text) == 10 && demon_rfc3339_parse(full, ret_t, &ignored) == DEMON_OK)
		return DEMON_OK;
	if (!read_length(text, &length))
		return demon_err_set(err, DEMON_USAGE,
				     "option '--%s': '%.64s' is not a time (2026-01-31, "
				     "2026-01-31T08:00:00Z) or an age (15m, 24h, 7d)",
				     option, text);
	*ret_t = env->now(env->ctx) + sign * length;
	return DEMON_OK;
}

enum demon_rc demon_when_length(const char *text, const char *option, int64_t *ret_ms,
				struct demon_err *err)
{
	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return DEMON_OK;
	}
	if (read_length(text, ret_ms))
		return DEMON_OK;
	return demon_err_set(err, DEMON_USAGE,
			     "option '--%s': '%.64s' is not a length of time (15m, 24h, 7d)",
			     option, text);
}
