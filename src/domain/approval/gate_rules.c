#include "gate_rules.h"

#include "base/bytes.h"

#include <string.h>
#include <strings.h>

int64_t demon_gate_count(const struct demon_gate *gate, const char *key)
{
	return json_integer_value(json_object_get(gate->opened, key));
}

const char *demon_gate_text(const struct demon_gate *gate, const char *key)
{
	return json_string_value(json_object_get(gate->opened, key));
}

size_t demon_gate_levels(const struct demon_gate *gate)
{
	return json_array_size(json_object_get(gate->opened, "levels"));
}

const json_t *demon_gate_level(const struct demon_gate *gate, int64_t number)
{
	return number < 1
		   ? NULL
		   : json_array_get(json_object_get(gate->opened, "levels"), (size_t)number - 1);
}

/* Whether the chain goes on behind its current level. */
static bool goes_on(const struct demon_gate *gate)
{
	return gate->level < (int64_t)demon_gate_levels(gate) ||
	       gate->repeats < demon_gate_count(gate, "repeat");
}

int64_t demon_gate_next_level(const struct demon_gate *gate)
{
	if (!goes_on(gate))
		return 0;
	return gate->level < (int64_t)demon_gate_levels(gate) ? gate->level + 1 : 1;
}

demon_time demon_gate_level_end(const struct demon_gate *gate)
{
	const json_t *level = demon_gate_level(gate, gate->level);
	json_int_t seconds = json_integer_value(json_object_get(level, "timeoutSeconds"));

	return seconds > 0 ? gate->level_since + (demon_time)seconds * 1000 : 0;
}

/* When the next warning is due; 0: no more are. */
static demon_time next_warning(const struct demon_gate *gate)
{
	const json_t *fractions = json_object_get(gate->opened, "warnings");
	const json_t *fraction = json_array_get(fractions, (size_t)gate->warned);

	if (!json_is_number(fraction))
		return 0;
	return gate->requested_at + (demon_time)(json_number_value(fraction) *
						 (double)(gate->expires_at - gate->requested_at));
}

demon_time demon_gate_until(const struct demon_gate *gate)
{
	const char *text = demon_gate_text(gate, "until");
	struct demon_err err;
	demon_time t;

	return text && !demon_rfc3339_parse(text, &t, &err) ? t : 0;
}

static demon_time earlier(demon_time a, demon_time b)
{
	return b && b < a ? b : a;
}

demon_time demon_gate_next(const struct demon_gate *gate)
{
	demon_time next = earlier(gate->expires_at, demon_gate_level_end(gate));

	return earlier(earlier(next, next_warning(gate)), demon_gate_until(gate));
}

enum demon_gate_due demon_gate_due(const struct demon_gate *gate, demon_time now)
{
	demon_time level = demon_gate_level_end(gate);
	demon_time warning = next_warning(gate);

	if (now >= gate->expires_at)
		return DEMON_GATE_EXPIRES;
	if (level && now >= level)
		return goes_on(gate) ? DEMON_GATE_ESCALATES : DEMON_GATE_EXPIRES;
	return warning && now >= warning ? DEMON_GATE_WARNS : DEMON_GATE_WAITS;
}

bool demon_gate_lists(const json_t *names, const char *name)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *listed = json_string_value(json_array_get(names, i));

		if (listed && strcasecmp(listed, name) == 0)
			return true;
	}
	return false;
}
