#include "test.h"

#include "runs.h"

#include "base/bytes.h"
#include "base/json_member.h"
#include "store/write.h"

#include <stdio.h>

void run_events_read(struct demon_store *store, const char *run_id, struct run_events *ret)
{
	const struct demon_filter filter = {.tenant_id = "default", .run_id = run_id};
	const struct demon_event *ev;
	struct demon_reader *reader;
	struct demon_err err;
	enum demon_rc rc;

	*ret = (struct run_events){0};
	assert_ok(demon_reader_open(store, &filter, &reader, &err), &err);
	while ((rc = demon_reader_next(reader, 0, &ev, &err)) == DEMON_OK) {
		if (ret->count == RUN_EVENTS_MAX)
			break;
		(void)snprintf(ret->items[ret->count].type, sizeof(ret->items[0].type), "%s",
			       ev->type);
		ret->items[ret->count].group_first = ev->group_first;
		ret->items[ret->count].ts = ev->ts;
		ret->items[ret->count].payload = demon_strndup(ev->payload, ev->payload_len);
		ret->count++;
	}
	demon_reader_close(reader);
	assert_rc(rc, DEMON_NOTFOUND, &err);
}

void run_events_done(struct run_events *events)
{
	for (size_t i = 0; i < events->count; i++)
		free(events->items[i].payload);
	events->count = 0;
}

void assert_types(const struct run_events *events, const char *want)
{
	char got[4096] = "";
	size_t len = 0;

	for (size_t i = 0; i < events->count; i++) {
		const char *type = events->items[i].type;

		if (strncmp(type, "ritual.", 7) == 0)
			type += 7;
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%.*s", i ? " " : "",
					(int)(strcspn(type, ":")), type);
	}
	assert_string_equal(got, want);
}

size_t run_events_groups(const struct run_events *events)
{
	size_t groups = 0;

	for (size_t i = 0; i < events->count; i++)
		if (i == 0 || events->items[i].group_first != events->items[i - 1].group_first)
			groups++;
	return groups;
}

const char *run_events_text(const struct run_events *events, size_t i, const char *key)
{
	static char text[512];
	struct demon_json_span span;
	DEMON_BUF(value, 0);

	assert_true(i < events->count);
	span = demon_json_member(events->items[i].payload, strlen(events->items[i].payload), key);
	if (!demon_json_span_str(span, &value))
		fail_msg("event %zu (%s) has no text '%s'", i, events->items[i].type, key);
	(void)snprintf(text, sizeof(text), "%s", value.data);
	return text;
}

struct demon_definition *run_definition(const char *text)
{
	struct demon_definition *definition = NULL;
	char *quoted = demon_strdup(text);
	json_t *spec = NULL;
	struct demon_err err;
	DEMON_BUF(canonical, 0);

	for (char *at = quoted; *at; at++)
		if (*at == '\'')
			*at = '"';
	assert_ok(demon_json_parse(quoted, strlen(quoted), &demon_json_payload_limits, &spec, &err),
		  &err);
	free(quoted);
	assert_ok(demon_json_canonical(spec, &canonical, &err), &err);
	json_decref(spec);
	assert_ok(demon_definition_from_spec(canonical.data, canonical.len, &definition, &err),
		  &err);
	return definition;
}

static enum demon_rc append(struct demon_write *w, void *ctx, struct demon_err *err)
{
	return demon_write_append(w, ctx, NULL, err);
}

void run_append(struct demon_store *store, const struct demon_run_id *run, const char *ritual_id,
		const char *type, const char *payload)
{
	const struct demon_record record = {.type = type,
					    .tenant_id = run->tenant_id,
					    .ritual_id = ritual_id,
					    .run_id = run->run_id,
					    .payload = payload,
					    .payload_len = strlen(payload)};
	struct demon_group group = {.stream = DEMON_STREAM_RITUAL, .records = &record, .count = 1};
	struct demon_err err;
	DEMON_BUF(ts, 0);

	assert_true(demon_json_span_str(demon_json_member(payload, strlen(payload), "ts"), &ts));
	assert_ok(demon_rfc3339_parse(ts.data, &group.ts, &err), &err);
	assert_ok(demon_store_write(store, append, &group, &err), &err);
}

void run_cancel(struct demon_store *store, const struct demon_run_id *run, const char *ritual_id,
		demon_time ts)
{
	struct demon_jw w;
	DEMON_BUF(payload, 0);

	w = demon_jw_begin(&payload);
	demon_jw_str(&w, "event", "ritual.canceled:v1");
	demon_jw_str(&w, "reason", "user-request");
	demon_jw_str(&w, "ritualId", ritual_id);
	demon_jw_str(&w, "runId", run->run_id);
	demon_jw_str(&w, "tenantId", run->tenant_id);
	demon_jw_time(&w, "ts", ts);
	demon_jw_end(&w);
	run_append(store, run, ritual_id, "ritual.canceled:v1", payload.data);
}
