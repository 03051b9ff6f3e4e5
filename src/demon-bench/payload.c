#include "payload.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY "3f1a0b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718"

static const char input[] = "{\"message\":\"checking the backup of last night, table by table\"}";

size_t payload_print(char out[PAYLOAD_MAX], int64_t step_id)
{
	return (size_t)snprintf(
	    out, PAYLOAD_MAX,
	    "{\"attempt\":1,\"call\":\"echo\",\"event\":\"step.started:v1\",\"idempotencyKey\":\"%"
	    "s\","
	    "\"idempotent\":true,\"input\":%s,\"name\":\"Say\",\"reference\":\"/states/0\","
	    "\"ritualId\":\"%s\",\"runId\":\"%s\",\"stepId\":%" PRId64
	    ",\"tenantId\":\"default\",\"ts\":\"2026-01-02T03:04:05.000Z\"}",
	    KEY, input, PAYLOAD_RITUAL, PAYLOAD_RUN, step_id);
}

void payload_write(struct demon_buf *out, int64_t step_id)
{
	struct demon_jw w = demon_jw_begin(out);

	demon_jw_i64(&w, "attempt", 1);
	demon_jw_str(&w, "call", "echo");
	demon_jw_str(&w, "event", "step.started:v1");
	demon_jw_str(&w, "idempotencyKey", KEY);
	demon_jw_bool(&w, "idempotent", true);
	demon_jw_raw(&w, "input", input, sizeof(input) - 1);
	demon_jw_str(&w, "name", "Say");
	demon_jw_str(&w, "reference", "/states/0");
	demon_jw_str(&w, "ritualId", PAYLOAD_RITUAL);
	demon_jw_str(&w, "runId", PAYLOAD_RUN);
	demon_jw_i64(&w, "stepId", step_id);
	demon_jw_str(&w, "tenantId", "default");
	demon_jw_time(&w, "ts", PAYLOAD_TS);
	demon_jw_end(&w);
}
