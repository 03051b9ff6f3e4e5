#include "run_events.h"

#include <stdio.h>
#include <string.h>

void demon_run_group_begin(struct demon_run_group *g, const struct demon_run_id *run,
			   const char *ritual_id, demon_time ts)
{
	g->run = run;
	g->ritual_id = ritual_id;
	g->ts = ts;
	g->count = 0;
}

void demon_run_group_done(struct demon_run_group *g)
{
	for (size_t i = 0; i < DEMON_RUN_GROUP_MAX; i++)
		demon_buf_done(&g->payloads[i]);
}

enum demon_rc demon_run_group_rc(struct demon_run_group *g, struct demon_err *err)
{
	for (size_t i = 0; i < g->count; i++) {
		if (demon_buf_rc(&g->payloads[i], err))
			return demon_err_wrap(err, "event %s", g->records[i].type);
		g->records[i].payload = g->payloads[i].data;
		g->records[i].payload_len = g->payloads[i].len;
	}
	return DEMON_OK;
}

/* A new record and its payload's buffer. */
static struct demon_jw begin(struct demon_run_group *g, const char *type)
{
	struct demon_buf *out = &g->payloads[g->count];

	g->records[g->count] = (struct demon_record){
	    .type = type,
	    .tenant_id = g->run->tenant_id,
	    .ritual_id = g->ritual_id,
	    .run_id = g->run->run_id,
	};
	g->count++;
	demon_buf_clear(out);
	out->max = demon_json_payload_limits.max_bytes;
	return demon_jw_begin(out);
}

static const char *type_of(const struct demon_run_group *g)
{
	return g->records[g->count - 1].type;
}

static void ids(const struct demon_run_group *g, struct demon_jw *w)
{
	demon_jw_str(w, "ritualId", g->ritual_id);
	demon_jw_str(w, "runId", g->run->run_id);
}

static void span(struct demon_jw *w, const char *key, struct demon_json_span value)
{
	if (value.at)
		demon_jw_raw(w, key, value.at, value.len);
}

/* tenantId and ts, the last members of most events. */
static void end(const struct demon_run_group *g, struct demon_jw *w)
{
	demon_jw_str(w, "tenantId", g->run->tenant_id);
	demon_jw_time(w, "ts", g->ts);
	demon_jw_end(w);
}

void demon_run_event_started(struct demon_run_group *g, const struct demon_definition *definition)
{
	struct demon_jw w = begin(g, "ritual.started:v1");

	demon_jw_str(&w, "event", type_of(g));
	ids(g, &w);
	demon_jw_raw(&w, "spec", definition->canonical, definition->canonical_len);
	end(g, &w);
}

static void put_retry(struct demon_jw *w, const struct demon_run_options *options)
{
	const struct demon_run_retry *retry = options->retry;
	char origin[2 * DEMON_ORIGIN_LEN + 1];
	struct demon_jw r = demon_jw_object(w, "retryOf");

	demon_hex(retry->of->origin, sizeof(retry->of->origin), origin);
	demon_jw_str(&r, "origin", origin);
	demon_jw_str(&r, "runId", retry->of->run_id);
	if (retry->step_id)
		demon_jw_i64(&r, "stepId", retry->step_id);
	demon_jw_end(&r);
}

void demon_run_event_opened(struct demon_run_group *g, const struct demon_definition *definition,
			    const struct demon_run_options *options, struct demon_json_span input)
{
	char digest[2 * DEMON_HASH_LEN + 1];
	struct demon_jw w = begin(g, "ritual.opened:v1");

	demon_hex(definition->digest, sizeof(definition->digest), digest);
	demon_jw_str(&w, "definitionDigest", digest);
	demon_jw_str(&w, "event", type_of(g));
	span(&w, "input", input);
	demon_jw_str(&w, "notation", demon_notation_name(definition->notation));
	demon_jw_str(&w, "requester", options->requester);
	if (options->retry)
		put_retry(&w, options);
	ids(g, &w);
	demon_jw_str(&w, "source", options->source);
	demon_jw_str(&w, "tenantId", g->run->tenant_id);
	demon_jw_str(&w, "title", definition->title);
	demon_jw_time(&w, "ts", g->ts);
	demon_jw_str(&w, "version", definition->version);
	demon_jw_end(&w);
}

void demon_run_event_restored(struct demon_run_group *g, const struct demon_run_options *options)
{
	const struct demon_run_retry *retry = options->retry;
	struct demon_jw w = begin(g, "ritual.restored:v1");

	demon_jw_str(&w, "by", options->requester);
	demon_jw_str(&w, "event", type_of(g));
	ids(g, &w);
	demon_jw_raw(&w, "state", retry->state, strlen(retry->state));
	demon_jw_str(&w, "tenantId", g->run->tenant_id);
	demon_jw_time(&w, "ts", g->ts);
	if (retry->wake)
		demon_jw_time(&w, "wakeAt", retry->wake);
	demon_jw_end(&w);
}
