#include "run_events.h"

#include <stdio.h>
#include <string.h>

/* Room for the members of a step event that are not input or output, names included. */
#define STEP_OVERHEAD 16384

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

void demon_run_error_set(struct demon_run_error *e, bool timeout, const char *code,
			 const char *message)
{
	int n = snprintf(e->detail, sizeof(e->detail), "%s: %s", code, message);

	e->type = timeout ? DEMON_RUN_ERROR_TIMEOUT : DEMON_RUN_ERROR_RUNTIME;
	e->status = timeout ? 408 : 500;
	e->title = timeout ? "Step timed out" : "Step failed";
	if (n >= (int)sizeof(e->detail)) {
		size_t at = sizeof(e->detail) - 1;

		/* not within a character */
		while (at && ((unsigned char)e->detail[at - 1] & 0xc0) == 0x80)
			at--;
		if (at && (unsigned char)e->detail[at - 1] >= 0xc0)
			at--;
		e->detail[at] = '\0';
	}
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

/* The span, unless it leaves no room for the rest of an event. */
static struct demon_json_span if_it_fits(struct demon_json_span value)
{
	if (value.len > demon_json_payload_limits.max_bytes - STEP_OVERHEAD)
		return (struct demon_json_span){0};
	return value;
}

/* tenantId and ts, the last members of most events. */
static void end(const struct demon_run_group *g, struct demon_jw *w)
{
	demon_jw_str(w, "tenantId", g->run->tenant_id);
	demon_jw_time(w, "ts", g->ts);
	demon_jw_end(w);
}

static void end_step(const struct demon_run_group *g, struct demon_jw *w,
		     const struct demon_run_step *step)
{
	demon_jw_str(w, "reference", step->reference);
	ids(g, w);
	demon_jw_i64(w, "stepId", step->step_id);
	end(g, w);
}

void demon_run_event_started(struct demon_run_group *g, const struct demon_definition *definition)
{
	struct demon_jw w = begin(g, "ritual.started:v1");

	demon_jw_str(&w, "event", type_of(g));
	ids(g, &w);
	demon_jw_raw(&w, "spec", definition->canonical, definition->canonical_len);
	end(g, &w);
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
	ids(g, &w);
	demon_jw_str(&w, "source", options->source);
	demon_jw_str(&w, "tenantId", g->run->tenant_id);
	demon_jw_str(&w, "title", definition->title);
	demon_jw_time(&w, "ts", g->ts);
	demon_jw_str(&w, "version", definition->version);
	demon_jw_end(&w);
}

void demon_run_event_step_started(struct demon_run_group *g, const struct demon_run_step *step,
				  struct demon_json_span with)
{
	struct demon_jw w = begin(g, "step.started:v1");

	demon_jw_i64(&w, "attempt", step->attempt);
	demon_jw_str(&w, "call", step->call);
	demon_jw_str(&w, "event", type_of(g));
	demon_jw_str(&w, "idempotencyKey", step->key);
	demon_jw_bool(&w, "idempotent", step->idempotent);
	span(&w, "input", if_it_fits(with));
	demon_jw_str(&w, "name", step->name);
	end_step(g, &w, step);
}

void demon_run_event_step_completed(struct demon_run_group *g, const struct demon_run_step *step,
				    struct demon_json_span output)
{
	struct demon_jw w = begin(g, "step.completed:v1");

	demon_jw_i64(&w, "attempt", step->attempt);
	demon_jw_str(&w, "event", type_of(g));
	demon_jw_str(&w, "name", step->name);
	span(&w, "output", output);
	end_step(g, &w, step);
}

static void put_error(struct demon_jw *w, const struct demon_run_error *error, const char *instance)
{
	struct demon_jw e = demon_jw_object(w, "error");

	demon_jw_str(&e, "detail", error->detail);
	demon_jw_str(&e, "instance", instance);
	demon_jw_i64(&e, "status", error->status);
	demon_jw_str(&e, "title", error->title);
	demon_jw_str(&e, "type", error->type);
	demon_jw_end(&e);
}

void demon_run_event_step_failed(struct demon_run_group *g, const struct demon_run_step *step,
				 struct demon_json_span output, const struct demon_run_error *error)
{
	struct demon_jw w = begin(g, "step.failed:v1");

	demon_jw_i64(&w, "attempt", step->attempt);
	put_error(&w, error, step->reference);
	demon_jw_str(&w, "event", type_of(g));
	demon_jw_str(&w, "name", step->name);
	span(&w, "output", if_it_fits(output));
	end_step(g, &w, step);
}

void demon_run_event_transitioned(struct demon_run_group *g, const char *from, const char *to)
{
	struct demon_jw w = begin(g, "ritual.state.transitioned:v1");

	demon_jw_str(&w, "event", type_of(g));
	demon_jw_str(&w, "fromState", from);
	ids(g, &w);
	demon_jw_str(&w, "tenantId", g->run->tenant_id);
	demon_jw_str(&w, "toState", to);
	demon_jw_time(&w, "ts", g->ts);
	demon_jw_end(&w);
}

void demon_run_event_completed(struct demon_run_group *g, struct demon_json_span result)
{
	struct demon_jw w = begin(g, "ritual.completed:v1");

	demon_jw_str(&w, "event", type_of(g));
	if (result.at) {
		struct demon_jw outputs = demon_jw_object(&w, "outputs");

		demon_jw_raw(&outputs, "result", result.at, result.len);
		demon_jw_end(&outputs);
	}
	ids(g, &w);
	end(g, &w);
}

void demon_run_event_failed(struct demon_run_group *g, const struct demon_run_error *error,
			    const char *instance)
{
	struct demon_jw w = begin(g, "ritual.failed:v1");

	put_error(&w, error, instance);
	demon_jw_str(&w, "event", type_of(g));
	ids(g, &w);
	end(g, &w);
}

void demon_run_event_suspended(struct demon_run_group *g, int64_t step_id, const char *reason,
			       const char *detail)
{
	struct demon_jw w = begin(g, "ritual.suspended:v1");

	demon_jw_str(&w, "detail", detail);
	demon_jw_str(&w, "event", type_of(g));
	demon_jw_str(&w, "reason", reason);
	ids(g, &w);
	demon_jw_i64(&w, "stepId", step_id);
	end(g, &w);
}
