#include "definition.h"
#include "domain/capsule/arguments.h"

#include <string.h>

#define CENTURY_MS ((int64_t)100 * 366 * 24 * 3600 * 1000)

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
    {"days", (int64_t)24 * 3600 * 1000},
    {"hours", (int64_t)3600 * 1000},
    {"minutes", 60000},
    {"seconds", 1000},
    {"milliseconds", 1},
};

/* Adds a member of a duration object; false: it is none. */
static bool add(const char *key, const json_t *value, double *sum)
{
	for (size_t i = 0; i < demon_count(units); i++) {
		if (strcmp(key, units[i].name) != 0)
			continue;
		*sum += json_number_value(value) * (double)units[i].ms;
		return json_is_number(value) && json_number_value(value) >= 0;
	}
	return false;
}

static bool read_object(const json_t *value, int64_t *ret_ms)
{
	double sum = 0;
	const char *key;
	json_t *member;

	json_object_foreach(demon_json_iterable(value), key, member)
	{
		if (!add(key, member, &sum))
			return false;
	}
	if (json_object_size(value) == 0 || sum > (double)CENTURY_MS)
		return false;
	*ret_ms = (int64_t)sum;
	return true;
}

static bool is_nothing(const json_t *value)
{
	double ms;

	return json_is_string(value) && demon_arguments_period(json_string_value(value), &ms) &&
	       ms == 0;
}

bool demon_duration_read(const json_t *value, int64_t *ret_ms)
{
	if (json_is_object(value))
		return read_object(value, ret_ms);
	if ((json_is_number(value) && json_number_value(value) == 0) || is_nothing(value)) {
		*ret_ms = 0;
		return true;
	}
	return demon_arguments_duration(value, CENTURY_MS, ret_ms);
}
