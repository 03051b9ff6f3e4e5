#include "envelope.h"

#include "base/bytes.h"

#include <stdio.h>

/* Puts a new value into an object; what is missing is noticed. */
static void put(struct demon_envelope *e, json_t *object, const char *key, json_t *value_new)
{
	if (json_object_set_new(object, key, value_new) != 0)
		e->failed = true;
}

static json_t *time_text(const struct demon_envelope *e)
{
	char text[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(e->env->now(e->env->ctx), text);
	return json_string(text);
}

/* The member of @p object, made by @p make when it is absent. */
static json_t *member(struct demon_envelope *e, json_t *object, const char *key,
		      json_t *(*make)(void))
{
	json_t *value = json_object_get(object, key);

	if (!value) {
		put(e, object, key, make());
		value = json_object_get(object, key);
	}
	return value;
}

struct demon_envelope demon_envelope_begin(const struct demon_env *env, const char *system,
					   const char *version)
{
	struct demon_envelope e = {.env = env, .began = env->mono(env->ctx)};

	e.root = json_pack("{s:{s:{s:s, s:s}}}", "provenance", "source", "system", system,
			   "version", version);
	e.failed = !e.root;
	return e;
}

void demon_envelope_done(struct demon_envelope *e)
{
	json_decref(e->root);
	e->root = NULL;
}

void demon_envelope_success(struct demon_envelope *e, json_t *data_new)
{
	put(e, e->root, "result", json_pack("{s:b, s:o}", "success", 1, "data", data_new));
}

void demon_envelope_error(struct demon_envelope *e, const char *code, const char *message,
			  json_t *details_new)
{
	put(e, e->root, "result",
	    json_pack("{s:b, s:{s:s, s:s, s:o}}", "success", 0, "error", "code", code, "message",
		      message, "details", details_new));
}

void demon_envelope_say(struct demon_envelope *e, const char *level, const char *fmt, ...)
{
	json_t *list = member(e, e->root, "diagnostics", json_array);
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "level", level, "message",
						  text, "timestamp", time_text(e))) != 0)
		e->failed = true;
}

void demon_envelope_suggest(struct demon_envelope *e, json_t *suggestion_new)
{
	if (json_array_append_new(member(e, e->root, "suggestions", json_array), suggestion_new))
		e->failed = true;
}

void demon_envelope_count(struct demon_envelope *e, const char *name, uint64_t value)
{
	json_t *metrics = member(e, e->root, "metrics", json_object);

	put(e, member(e, metrics, "counters", json_object), name, json_integer((json_int_t)value));
}

double demon_envelope_elapsed(const struct demon_envelope *e)
{
	return (double)(e->env->mono(e->env->ctx) - e->began) / 1e3;
}

json_t *demon_envelope_number(double value)
{
	if (value >= -0x1p53 && value <= 0x1p53 && value == (double)(json_int_t)value)
		return json_integer((json_int_t)value);
	return json_real(value);
}

enum demon_rc demon_envelope_end(struct demon_envelope *e, json_t **ret_envelope,
				 struct demon_err *err)
{
	json_t *metrics = member(e, e->root, "metrics", json_object);

	put(e, member(e, metrics, "duration", json_object), "total_ms",
	    demon_envelope_number(demon_envelope_elapsed(e)));
	put(e, json_object_get(e->root, "provenance"), "timestamp", time_text(e));
	if (e->failed)
		return demon_err_set(err, DEMON_NOMEM, "result envelope: out of memory");
	*ret_envelope = demon_take(e->root);
	return DEMON_OK;
}
