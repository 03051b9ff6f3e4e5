/*
 * Appending for embedders: events of their own types, about runs of their own naming.
 */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/json.h"
#include "store/store.h"
#include "store/subject.h"
#include "store/write.h"

#include <string.h>

/* Members that the library sets; a caller's own would contradict the header. */
static const char *const reserved[] = {"event", "runId", "ritualId", "tenantId", "ts"};

/* The payloads of a group, made before the queue by the calling thread. */
struct append {
	struct demon_group group;
	struct demon_record *records; /* owned */
	struct demon_buf *payloads;   /* owned, one for each record */
	char **gates;                 /* owned: gate id of each record, or NULL */
	struct demon_receipt last;
};

static void free_append(struct append *a)
{
	for (size_t i = 0; a->payloads && i < a->group.count; i++)
		demon_buf_done(&a->payloads[i]);
	for (size_t i = 0; a->gates && i < a->group.count; i++)
		free(a->gates[i]);
	free(a->gates);
	free(a->payloads);
	free(a->records);
}

static enum demon_rc check_draft(const struct demon_draft *draft, const char *tenant,
				 struct demon_err *err)
{
	enum demon_rc rc;

	if (!demon_type_valid(draft->type))
		return demon_err_set(err, DEMON_INVALID,
				     "'%.100s' is not an event type like 'app.name:v1'",
				     draft->type ? draft->type : "");
	if (!demon_type_is_foreign(draft->type))
		return demon_err_set(err, DEMON_INVALID,
				     "type '%s' belongs to the library: yours begin with 'app.'",
				     draft->type);
	if ((rc = demon_id_check("tenant id", tenant, err)) ||
	    (rc = demon_id_check("ritual id", draft->ritual_id, err)))
		return rc;
	return demon_id_check("run id", draft->run_id, err);
}

static enum demon_rc parse_data(const struct demon_draft *draft, json_t **ret_json,
				struct demon_err *err)
{
	const char *text = draft->data ? draft->data : "{}";
	enum demon_rc rc =
	    demon_json_parse(text, strlen(text), &demon_json_payload_limits, ret_json, err);

	if (rc)
		return rc;
	if (!json_is_object(*ret_json))
		rc = demon_err_set(err, DEMON_INVALID, "the data is not a JSON object");
	for (size_t i = 0; i < demon_count(reserved) && !rc; i++)
		if (json_object_get(*ret_json, reserved[i]))
			rc = demon_err_set(err, DEMON_INVALID,
					   "member '%s' is the library's to set", reserved[i]);
	return rc;
}

/* The header says which gate an event is about, so it must agree with the data. */
static enum demon_rc read_gate(const json_t *json, char **ret_gate, struct demon_err *err)
{
	const json_t *gate = json_object_get(json, "gateId");
	enum demon_rc rc;

	if (!gate)
		return DEMON_OK;
	if (!json_is_string(gate))
		return demon_err_set(err, DEMON_INVALID, "member 'gateId' is not a string");
	if ((rc = demon_id_check("gate id", json_string_value(gate), err)))
		return rc;
	*ret_gate = demon_strdup(json_string_value(gate));
	return *ret_gate ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for an event");
}

static enum demon_rc make_payload(const struct append *a, const struct demon_draft *draft,
				  const char *tenant, size_t index, struct demon_err *err)
{
	char text[DEMON_RFC3339_LEN + 1];
	json_auto_t *json = NULL;
	enum demon_rc rc;

	if ((rc = parse_data(draft, &json, err)) || (rc = read_gate(json, &a->gates[index], err)))
		return rc;
	demon_rfc3339(a->group.ts, text);
	if (json_object_set_new(json, "event", json_string(draft->type)) ||
	    json_object_set_new(json, "runId", json_string(draft->run_id)) ||
	    json_object_set_new(json, "ritualId", json_string(draft->ritual_id)) ||
	    json_object_set_new(json, "tenantId", json_string(tenant)) ||
	    json_object_set_new(json, "ts", json_string(text)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for an event");
	return demon_json_canonical(json, &a->payloads[index], err);
}

static enum demon_rc make_record(struct append *a, const struct demon_draft *draft, size_t index,
				 struct demon_err *err)
{
	const char *tenant = draft->tenant_id ? draft->tenant_id : "default";
	struct demon_buf *payload = &a->payloads[index];
	enum demon_rc rc;

	*payload = (struct demon_buf){.data = demon_buf_empty};
	if ((rc = check_draft(draft, tenant, err)) ||
	    (rc = make_payload(a, draft, tenant, index, err)))
		return rc;
	a->records[index] = (struct demon_record){.type = draft->type,
						  .tenant_id = tenant,
						  .ritual_id = draft->ritual_id,
						  .run_id = draft->run_id,
						  .gate_id = a->gates[index],
						  .payload = payload->data,
						  .payload_len = payload->len};
	return DEMON_OK;
}

/* All events of a group are about one run. */
static bool same_run(const struct demon_record *a, const struct demon_record *b)
{
	return strcmp(a->tenant_id, b->tenant_id) == 0 && strcmp(a->ritual_id, b->ritual_id) == 0 &&
	       strcmp(a->run_id, b->run_id) == 0;
}

static enum demon_rc make_records(struct append *a, const struct demon_draft *drafts,
				  struct demon_err *err)
{
	for (size_t i = 0; i < a->group.count; i++) {
		if (make_record(a, &drafts[i], i, err))
			return demon_err_wrap(err, "event %zu", i + 1);
		if (!same_run(&a->records[0], &a->records[i]))
			return demon_err_set(err, DEMON_INVALID,
					     "event %zu is about another run than the first",
					     i + 1);
	}
	return DEMON_OK;
}

static enum demon_rc append_job(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct append *a = ctx;

	return demon_write_append(w, &a->group, &a->last, err);
}

enum demon_rc demon_append(struct demon_store *store, const struct demon_draft *drafts,
			   size_t count, struct demon_receipt *ret_last, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct append a = {.group = {.stream = DEMON_STREAM_RITUAL, .count = count}};
	enum demon_rc rc;

	if (count < 1 || count > DEMON_GROUP_MAX)
		return demon_err_set(err, count ? DEMON_TOOBIG : DEMON_INVALID,
				     "a group of %zu events; it has 1 to %d", count,
				     DEMON_GROUP_MAX);
	a.group.ts = env->now(env->ctx);
	a.records = demon_calloc(count, sizeof(*a.records));
	a.payloads = demon_calloc(count, sizeof(*a.payloads));
	a.gates = demon_calloc(count, sizeof(*a.gates));
	a.group.records = a.records;
	if (!a.records || !a.payloads || !a.gates)
		rc = demon_err_set(err, DEMON_NOMEM, "no memory for a group");
	else if (!(rc = make_records(&a, drafts, err)))
		rc = demon_store_write_repeatable(store, append_job, &a, err);
	free_append(&a);
	if (!rc && ret_last)
		*ret_last = a.last;
	return rc;
}
