#include "unit.h"

#include "main.h"

#include <string.h>

#define KEPT 64

static struct unit {
	struct demon_expr_part part;
	jq_state *jq;
	uint64_t used;
} kept[KEPT];

static uint64_t ticks;

/* Without "jq: error: ", the hint for shells, and the program that jq quotes from the second line
 * on; the place goes before it. */
static void tidy(const char *message, struct demon_buf *say)
{
	static const char begin[] = "jq: error: ";
	static const char hint[] = " (Unix shell quoting issues?)";
	static const char where[] = " at <top-level>, line ";
	const char *end = message + strcspn(message, "\n");
	const char *place;
	const char *cut;

	if (strncmp(message, begin, sizeof(begin) - 1) == 0)
		message += sizeof(begin) - 1;
	place = memmem(message, (size_t)(end - message), where, sizeof(where) - 1);
	if (place) {
		const char *line = place + sizeof(where) - 1;

		demon_buf_fmt(say, "line %.*s: ", (int)strspn(line, "0123456789"), line);
		end = place;
	}
	cut = memmem(message, (size_t)(end - message), hint, sizeof(hint) - 1);
	demon_buf_add(say, message, (size_t)((cut ? cut : end) - message));
}

/* jq says each error, then how many there were. */
static void hear(void *data, jv message)
{
	struct demon_buf *say = data;

	message = jq_format_error(message);
	if (say->len == 0 && jv_get_kind(message) == JV_KIND_STRING)
		tidy(jv_string_value(message), say);
	jv_free(message);
}

static void ignore(void *data, jv message)
{
	(void)data;
	jv_free(message);
}

jq_state *unit_compile(const char *program, struct demon_buf *say)
{
	jq_state *jq = jq_init();

	if (!jq)
		main_out_of_memory(NULL);
	jq_set_nomem_handler(jq, main_out_of_memory, NULL);
	jq_set_error_cb(jq, hear, say);
	if (jq_compile(jq, program)) {
		jq_set_error_cb(jq, ignore, NULL);
		return jq;
	}
	jq_teardown(&jq);
	if (say->len == 0)
		demon_buf_str(say, "is not a jq program");
	return NULL;
}

jq_state *unit_find(const struct demon_expr_part *part)
{
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i].jq && memcmp(&kept[i].part, part, sizeof(*part)) == 0) {
			kept[i].used = ++ticks;
			return kept[i].jq;
		}
	return NULL;
}

void unit_keep(const struct demon_expr_part *part, jq_state *jq_new)
{
	struct unit *place = &kept[0];

	for (size_t i = 0; i < KEPT; i++) {
		if (kept[i].jq && memcmp(&kept[i].part, part, sizeof(*part)) == 0) {
			place = &kept[i];
			break;
		}
		if (kept[i].used < place->used)
			place = &kept[i];
	}
	if (place->jq)
		jq_teardown(&place->jq);
	*place = (struct unit){.part = *part, .jq = jq_new, .used = ++ticks};
}
