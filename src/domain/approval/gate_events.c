#include "gate_events.h"

#include "base/bytes.h"
#include "gate_rules.h"

#include <stdio.h>
#include <string.h>

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory for an event of a gate");
}

json_t *demon_gate_event(const struct demon_gate *gate, const char *type, demon_time ts, bool round)
{
	json_auto_t *payload = json_object();

	if (!payload || !demon_run_event_set(payload, "event", json_string(type)) ||
	    !demon_run_event_time(payload, "ts", ts) ||
	    !demon_run_event_set(payload, "tenantId", json_string(gate->run.tenant_id)) ||
	    !demon_run_event_set(payload, "ritualId", json_string(gate->ritual_id)) ||
	    !demon_run_event_set(payload, "runId", json_string(gate->run.run_id)) ||
	    !demon_run_event_set(payload, "gateId", json_string(gate->gate_id)) ||
	    (round && !demon_run_event_set(payload, "round", json_integer(gate->round))))
		return NULL;
	return demon_take(payload);
}

const char *demon_gate_outcome_type(enum demon_gate_state state)
{
	switch (state) {
	case DEMON_GATE_GRANTED:
		return "approval.granted:v1";
	case DEMON_GATE_OVERRIDDEN:
		return "approval.override:v1";
	case DEMON_GATE_PENDING:
	case DEMON_GATE_DENIED:
		break;
	}
	return "approval.denied:v1";
}

/* Where an override stands in the chain, as its contract has it. */
static bool set_override(const struct demon_gate *gate, json_t *payload)
{
	json_int_t levels = (json_int_t)demon_gate_levels(gate);

	return demon_run_event_set(payload, "overrideLevel", json_integer(gate->level)) &&
	       demon_run_event_set(payload, "escalationState",
				   json_pack("{s:I,s:I,s:b}", "currentLevel",
					     (json_int_t)gate->level, "totalLevels",
					     levels ? levels : 1, "emergencyOverride", 1));
}

static json_t *make_outcome(const struct demon_gate *gate, const struct demon_gate_outcome *o,
			    demon_time ts)
{
	const char *key = o->state == DEMON_GATE_DENIED ? "reason" : "note";
	json_auto_t *payload = demon_gate_event(gate, demon_gate_outcome_type(o->state), ts, false);

	if (!payload || !demon_run_event_set(payload, "approver", json_string(o->by)) ||
	    (o->note && !demon_run_event_set(payload, key, json_string(o->note))) ||
	    (o->state == DEMON_GATE_OVERRIDDEN && !set_override(gate, payload)))
		return NULL;
	return demon_take(payload);
}

static json_t *make_decided(const struct demon_gate *gate, const struct demon_gate_outcome *o,
			    demon_time ts)
{
	json_auto_t *payload = demon_gate_event(gate, "approval.decided:v1", ts, true);

	if (!payload || !demon_run_event_set(payload, "stepId", json_integer(gate->step_id)) ||
	    !demon_run_event_set(payload, "state", json_string(demon_gate_state_name(o->state))) ||
	    !demon_run_event_set(payload, "by", json_string(o->by)) ||
	    !demon_run_event_set(payload, "authentication",
				 json_string(demon_auth_name(o->auth))) ||
	    !demon_run_event_set(payload, "level", json_integer(gate->level)) ||
	    (o->note && !demon_run_event_set(payload, "note", json_string(o->note))) ||
	    !demon_run_event_set(payload, "counted",
				 o->counted ? json_deep_copy(o->counted) : json_array()))
		return NULL;
	return demon_take(payload);
}

enum demon_rc demon_gate_outcome_events(const struct demon_gate *gate,
					const struct demon_gate_outcome *outcome, demon_time ts,
					json_t **ret_outcome, json_t **ret_decided,
					struct demon_err *err)
{
	*ret_outcome = make_outcome(gate, outcome, ts);
	*ret_decided = make_decided(gate, outcome, ts);
	if (*ret_outcome && *ret_decided)
		return DEMON_OK;
	json_decref(*ret_outcome);
	json_decref(*ret_decided);
	*ret_outcome = *ret_decided = NULL;
	return no_memory(err);
}

json_t *demon_gate_timer(const struct demon_gate *gate, int64_t level, demon_time due, bool fired,
			 demon_time ts)
{
	const char *type = fired ? "timer.fired:v1" : "timer.scheduled:v1";
	json_auto_t *payload = json_object();
	char id[192];
	int n = snprintf(id, sizeof(id), "%s:approval:%s:expiry", gate->run.run_id, gate->gate_id);

	if (level)
		(void)snprintf(id + n, sizeof(id) - (size_t)n, ":level:%lld", (long long)level);
	if (!payload || !demon_run_event_set(payload, "event", json_string(type)) ||
	    !demon_run_event_time(payload, "ts", ts) ||
	    !demon_run_event_time(payload, "scheduledFor", due) ||
	    !demon_run_event_set(payload, "timerId", json_string(id)) ||
	    (!fired && !demon_run_event_set(payload, "runId", json_string(gate->run.run_id))))
		return NULL;
	return demon_take(payload);
}

void demon_gate_group_done(struct demon_gate_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		demon_buf_done(&group->events[i].payload);
	group->count = 0;
}

enum demon_rc demon_gate_group_add(struct demon_gate_group *group, const char *type,
				   json_t *payload_new, struct demon_err *err)
{
	json_auto_t *payload = payload_new;
	struct demon_buf *out = &group->events[group->count].payload;

	if (!payload)
		return no_memory(err);
	if (group->count == DEMON_GATE_EVENTS_MAX)
		return demon_err_set(err, DEMON_TOOBIG, "too many events of one gate at once");
	*out =
	    (struct demon_buf){.data = demon_buf_empty, .max = demon_json_payload_limits.max_bytes};
	group->events[group->count++].type = type;
	if (demon_json_canonical(payload, out, err) || demon_buf_rc(out, err))
		return demon_err_wrap(err, "event %s", type);
	return DEMON_OK;
}

enum demon_rc demon_gate_group_append(struct demon_gate_group *group, struct demon_write *w,
				      struct demon_err *err)
{
	struct demon_record records[DEMON_GATE_EVENTS_MAX];
	const struct demon_gate *gate = group->gate;
	const struct demon_group events = {.stream = DEMON_STREAM_RITUAL,
					   .ts = group->ts,
					   .records = records,
					   .count = group->count};

	for (size_t i = 0; i < group->count; i++) {
		bool timer = strncmp(group->events[i].type, "timer.", 6) == 0;

		records[i] = (struct demon_record){
		    .type = group->events[i].type,
		    .tenant_id = gate->run.tenant_id,
		    .ritual_id = gate->ritual_id,
		    .run_id = gate->run.run_id,
		    .gate_id = timer ? NULL : gate->gate_id,
		    .run_origin = gate->run.origin,
		    .payload = group->events[i].payload.data,
		    .payload_len = group->events[i].payload.len,
		};
	}
	return group->count ? demon_write_append(w, &events, NULL, err) : DEMON_OK;
}
