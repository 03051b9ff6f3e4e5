#include "contract.h"

#include "base/json.h"
#include "base/suggest.h"
#include "domain/capsule/output.h"
#include "schema.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define ENVELOPE       "result-envelope.json"
#define BUNDLE_VERSION "1.0.0"
#define SHOWN          60 /* bytes of an event type that are quoted */

struct contract {
	const struct demon_embedded *file;
	const struct demon_schema *schema;
};

/* All contracts, compiled. Never changed once `loaded` points to it. */
struct table {
	struct demon_schemas *schemas;
	const struct demon_schema *envelope;
	size_t count;        /* of event types */
	const char **events; /* their names */
	struct contract *contracts;
};

static _Atomic(struct table *) loaded;
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static void table_free(struct table *t)
{
	if (!t)
		return;
	demon_schemas_free(t->schemas);
	free(t->events);
	free(t->contracts);
	free(t);
}

static void table_free_p(struct table **t)
{
	table_free(*t);
}

static enum demon_rc add(struct table *t, const struct demon_embedded *file, struct demon_err *err)
{
	const struct demon_schema *schema;
	const char *event;
	json_t *document;

	if (demon_json_parse(file->text, file->len, &demon_json_payload_limits, &document, err))
		return demon_err_wrap(err, "contract '%s'", file->name);
	/* the tree lives as long as the schemas, which steal it */
	event = json_string_value(json_object_get(
	    json_object_get(json_object_get(document, "properties"), "event"), "const"));
	if (demon_schemas_add(t->schemas, document, &schema, err))
		return demon_err_wrap(err, "contract '%s'", file->name);
	if (strcmp(file->name, ENVELOPE) == 0) {
		t->envelope = schema;
		return DEMON_OK;
	}
	if (!event)
		return demon_err_set(err, DEMON_INTERNAL, "contract '%s': it names no event",
				     file->name);
	t->events[t->count] = event;
	t->contracts[t->count++] = (struct contract){file, schema};
	return DEMON_OK;
}

static enum demon_rc make_table(struct table **ret_table, struct demon_err *err)
{
	demon_cleanup(table_free_p) struct table *t = demon_calloc(1, sizeof(*t));
	size_t files = 0;

	while (demon_contracts[files].name)
		files++;
	if (!t)
		return demon_err_set(err, DEMON_NOMEM, "contracts: out of memory");
	t->schemas = demon_schemas_new();
	t->events = demon_calloc(files, sizeof(*t->events));
	t->contracts = demon_calloc(files, sizeof(*t->contracts));
	if (!t->schemas || !t->events || !t->contracts)
		return demon_err_set(err, DEMON_NOMEM, "contracts: out of memory");
	for (size_t i = 0; i < files; i++)
		if (add(t, &demon_contracts[i], err))
			return err->rc;
	*ret_table = demon_take(t);
	return DEMON_OK;
}

/* The table, made by the first who asks; a failure is tried again by the next. */
static enum demon_rc load(const struct table **ret_table, struct demon_err *err)
{
	struct table *t = atomic_load_explicit(&loaded, memory_order_acquire);
	enum demon_rc rc = DEMON_OK;

	if (!t) {
		(void)pthread_mutex_lock(&loading);
		t = atomic_load_explicit(&loaded, memory_order_relaxed);
		if (!t)
			rc = make_table(&t, err);
		if (!rc)
			atomic_store_explicit(&loaded, t, memory_order_release);
		(void)pthread_mutex_unlock(&loading);
	}
	*ret_table = t;
	return rc;
}

/* The index of an event type, or the number of them. */
static size_t find(const struct table *t, const char *event)
{
	size_t i = 0;

	while (i < t->count && strcmp(t->events[i], event) != 0)
		i++;
	return i;
}

const struct demon_embedded *demon_contract_find(const char *event)
{
	const struct table *t;
	struct demon_err unused;
	size_t i;

	if (load(&t, &unused))
		return NULL;
	i = find(t, event);
	return i < t->count ? t->contracts[i].file : NULL;
}

static enum demon_rc unknown_event(const struct table *t, const char *event, struct demon_err *err)
{
	int shown = demon_output_clip(event, SHOWN);
	const char *nearest = demon_suggest(event, t->events, t->count);

	if (nearest)
		return demon_err_set(err, DEMON_NOTFOUND,
				     "the event type '%.*s' has no contract (did you mean '%s'?)",
				     shown, event, nearest);
	return demon_err_set(err, DEMON_NOTFOUND, "the event type '%.*s%s' has no contract", shown,
			     event, event[shown] ? "..." : "");
}

enum demon_rc demon_contract_check(const json_t *event, struct demon_err *err)
{
	const json_t *type = json_object_get(event, "event");
	const struct table *t;
	size_t i;

	if (load(&t, err))
		return err->rc;
	if (!json_is_object(event))
		return demon_err_set(err, DEMON_INVALID, "expected an object");
	if (!type)
		return demon_err_set(err, DEMON_INVALID, "the key 'event' is missing");
	if (!json_is_string(type))
		return demon_err_set(err, DEMON_INVALID,
				     "at '/event': expected a string, found another type");
	i = find(t, json_string_value(type));
	if (i == t->count)
		return unknown_event(t, json_string_value(type), err);
	if (demon_schema_check(t->contracts[i].schema, event, err))
		return demon_err_wrap(err, "%s", t->events[i]);
	return DEMON_OK;
}

enum demon_rc demon_contract_check_envelope(const json_t *envelope, struct demon_err *err)
{
	const struct table *t;

	if (load(&t, err))
		return err->rc;
	if (demon_schema_check(t->envelope, envelope, err))
		return demon_err_wrap(err, "result envelope");
	return DEMON_OK;
}

enum demon_rc demon_contract_bundle_json(struct demon_buf *out, struct demon_err *err)
{
	struct demon_jw w = demon_jw_begin(out);
	struct demon_jw schemas;

	demon_jw_raw(&w, "apiContracts", "{}", 2);
	schemas = demon_jw_object(&w, "schemas");
	for (const struct demon_embedded *file = demon_contracts; file->name; file++)
		demon_jw_str(&schemas, file->name, file->text);
	demon_jw_end(&schemas);
	demon_jw_str(&w, "version", BUNDLE_VERSION);
	demon_jw_raw(&w, "wit", "{}", 2);
	demon_jw_end(&w);
	return demon_buf_rc(out, err);
}

static size_t count_lines(const struct demon_embedded *file)
{
	size_t n = 0;

	for (size_t i = 0; i < file->len; i++)
		n += file->text[i] == '\n';
	return n;
}

enum demon_rc demon_contract_bundle_summary(struct demon_buf *out, struct demon_err *err)
{
	static const char title[] = "Contract bundle " BUNDLE_VERSION;
	size_t files = 0;

	while (demon_contracts[files].name)
		files++;
	demon_buf_fmt(out, "%s\n", title);
	for (size_t i = 0; i < sizeof(title) - 1; i++)
		demon_buf_char(out, '=');
	demon_buf_fmt(out, "\n\nSchemas (%zu):\n", files);
	for (size_t i = 0; i < files; i++)
		demon_buf_fmt(out, "  - %s (%zu lines, %zu bytes)\n", demon_contracts[i].name,
			      count_lines(&demon_contracts[i]), demon_contracts[i].len);
	demon_buf_fmt(out, "\nTotal contracts: %zu\n", files);
	return demon_buf_rc(out, err);
}
