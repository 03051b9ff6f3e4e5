#include "run_journal.h"

#include "base/bytes.h"
#include "run_status.h"
#include "store/store.h"
#include "store/write.h"

#include <string.h>

/* A result that could not be written because others write may be the only copy of what happened:
 * it is offered again before the step is given up as in flight. */
#define BUSY_TRIES 6
#define KEPT_MAX   ((demon_ticks)100 * 1000)

DEMON_SQL(sql_status, "SELECT status FROM runs WHERE tenant_id = :tenant AND run_id = :run "
		      "AND run_origin = :origin");
DEMON_SQL(sql_last_step, "SELECT step_id, attempt FROM steps WHERE tenant_id = :tenant "
			 "AND run_id = :run AND run_origin = :origin "
			 "ORDER BY step_id DESC LIMIT 1");

/* Forgets all events but the first @p left. */
static void forget(struct demon_run_journal *j, size_t left)
{
	while (j->count > left) {
		struct demon_journal_item *last = &j->items[--j->count];

		j->bytes -= last->len;
		free(last->payload);
		free(last->gate_id);
	}
}

void demon_run_journal_done(struct demon_run_journal *j)
{
	forget(j, 0);
	free(demon_take(j->items));
	free(demon_take(j->terminal));
}

demon_time demon_run_journal_now(struct demon_run_journal *j)
{
	const struct demon_env *env = demon_store_env(j->store);

	if (j->count == 0) {
		j->ts = env->now(env->ctx);
		if (j->ts < j->last)
			j->ts = j->last;
		j->since = env->mono(env->ctx);
	}
	return j->ts;
}

bool demon_run_event_set(json_t *payload, const char *key, json_t *value_new)
{
	return json_object_set_new_nocheck(payload, key, value_new) == 0;
}

bool demon_run_event_time(json_t *payload, const char *key, demon_time t)
{
	char text[DEMON_RFC3339_LEN + 1];

	demon_rfc3339(t, text);
	return demon_run_event_set(payload, key, json_string_nocheck(text));
}

json_t *demon_run_event_new(struct demon_run_journal *j, const char *type)
{
	json_auto_t *payload = json_object();

	if (!demon_run_event_set(payload, "event", json_string_nocheck(type)) ||
	    !demon_run_event_time(payload, "ts", demon_run_journal_now(j)) ||
	    !demon_run_event_set(payload, "tenantId", json_string_nocheck(j->run->tenant_id)) ||
	    !demon_run_event_set(payload, "ritualId", json_string_nocheck(j->ritual_id)) ||
	    !demon_run_event_set(payload, "runId", json_string_nocheck(j->run->run_id)))
		return NULL;
	return demon_take(payload);
}

static bool grow(struct demon_run_journal *j)
{
	size_t size = j->size ? 2 * j->size : 8;
	struct demon_journal_item *items = demon_realloc(j->items, size, sizeof(*items));

	if (!items)
		return false;
	j->items = items;
	j->size = size;
	return true;
}

/* The events that end a run begin with "ritual." and are the last ones of their group. */
static bool is_terminal(const char *type)
{
	return strcmp(type, "ritual.completed:v1") == 0 || strcmp(type, "ritual.failed:v1") == 0;
}

/* Keeps an event, behind the others. @p move: it moves the machine at once. */
static enum demon_rc keep(struct demon_run_journal *j, const char *type, json_t *payload_new,
			  bool move, struct demon_err *err)
{
	json_auto_t *payload = payload_new;
	const char *gate_id = json_string_value(json_object_get(payload, "gateId"));
	DEMON_BUF(text, demon_json_payload_limits.max_bytes);
	enum demon_rc rc;

	if (!payload || (j->count == j->size && !grow(j)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for an event");
	if (demon_json_canonical(payload, &text, err) || demon_buf_rc(&text, err))
		return demon_err_wrap(err, "event %s", type);
	if (!demon_json_is_canonical(text.data, text.len, &demon_json_payload_limits))
		return demon_err_set(err, DEMON_INVALID, "event %s: nested deeper than %u levels",
				     type, demon_json_payload_limits.depth);
	if (move && (rc = demon_machine_apply(j->machine, type, payload, err)))
		return rc;
	j->items[j->count].type = type;
	j->items[j->count].len = text.len;
	j->items[j->count].payload = demon_buf_take(&text);
	j->items[j->count].gate_id = demon_strdup(gate_id);
	if (!j->items[j->count].payload || (gate_id && !j->items[j->count].gate_id)) {
		free(demon_take(j->items[j->count].payload));
		return demon_err_set(err, DEMON_NOMEM, "no memory for an event");
	}
	j->bytes += j->items[j->count++].len;
	return DEMON_OK;
}

enum demon_rc demon_run_journal_add(struct demon_run_journal *j, const char *type,
				    json_t *payload_new, struct demon_err *err)
{
	return keep(j, type, payload_new, true, err);
}

enum demon_rc demon_run_journal_amend(struct demon_run_journal *j, const char *type,
				      json_t *payload_new, struct demon_err *err)
{
	return keep(j, type, payload_new, false, err);
}

bool demon_run_journal_full(const struct demon_run_journal *j)
{
	const struct demon_env *env = demon_store_env(j->store);

	return j->count >= DEMON_JOURNAL_EVENTS || j->bytes >= DEMON_JOURNAL_BYTES ||
	       (j->count && env->mono(env->ctx) - j->since > KEPT_MAX);
}

struct append {
	struct demon_run_journal *journal;
	size_t count; /* events that are kept; others come with what is decided */
};

static void bind_run(struct demon_stmt *q, const struct demon_run_id *run)
{
	demon_bind_str(q, ":tenant", run->tenant_id);
	demon_bind_str(q, ":run", run->run_id);
	demon_bind_blob(q, ":origin", run->origin, sizeof(run->origin));
}

static enum demon_rc check_status(struct demon_db *db, struct demon_run_journal *j,
				  struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_status);

	bind_run(&q, j->run);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (!row)
		return demon_err_set(err, DEMON_NOTFOUND, "run '%s' is gone", j->run->run_id);
	if (j->at_gate ? strcmp(demon_col_str(&q, 0), DEMON_RUN_AWAITING) == 0
		       : demon_run_status_running(demon_col_str(&q, 0)))
		return DEMON_OK;
	j->overtaken = true;
	return demon_err_set(err, DEMON_CONFLICT, "run '%s' is %s now", j->run->run_id,
			     demon_col_str(&q, 0));
}

static enum demon_rc check_step(struct demon_db *db, const struct demon_run_journal *j,
				struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	int64_t step_id = 0;
	int64_t attempt = 0;
	DEMON_STMT(q, db, &sql_last_step);

	bind_run(&q, j->run);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	if (row) {
		step_id = demon_col_i64(&q, 0);
		attempt = demon_col_i64(&q, 1);
	}
	if (step_id != j->flushed_step || (step_id && attempt != j->flushed_attempt))
		return demon_err_set(err, DEMON_CONFLICT, "run '%s' is executed by another",
				     j->run->run_id);
	return DEMON_OK;
}

static enum demon_rc append_all(struct demon_write *w, const struct demon_run_journal *j,
				struct demon_err *err)
{
	demon_auto_free struct demon_record *records = demon_calloc(j->count, sizeof(*records));
	const struct demon_group group = {.stream = DEMON_STREAM_RITUAL,
					  .ts = j->ts,
					  .records = records,
					  .count = j->count,
					  .causes = j->cause,
					  .cause_count = j->cause ? 1 : 0};

	if (!records)
		return demon_err_set(err, DEMON_NOMEM, "no memory for a group of events");
	for (size_t i = 0; i < j->count; i++)
		records[i] = (struct demon_record){
		    .type = j->items[i].type,
		    .tenant_id = j->run->tenant_id,
		    .ritual_id = j->ritual_id,
		    .run_id = j->run->run_id,
		    .gate_id = j->items[i].gate_id,
		    .payload = j->items[i].payload,
		    .payload_len = j->items[i].len,
		};
	return demon_write_append(w, &group, NULL, err);
}

static enum demon_rc append(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const struct append *a = ctx;
	struct demon_run_journal *j = a->journal;
	struct demon_db *db = demon_write_db(w);
	enum demon_rc rc;

	j->overtaken = false;
	forget(j, a->count);
	if ((rc = check_status(db, j, err)) || (rc = check_step(db, j, err)) ||
	    (j->decide && (rc = j->decide(j->decide_ctx, j, w, err))))
		return rc;
	return append_all(w, j, err);
}

/* What was decided within the transaction moves the machine now. */
static enum demon_rc move(struct demon_run_journal *j, size_t from, struct demon_err *err)
{
	for (size_t i = from; i < j->count; i++) {
		const struct demon_journal_item *item = &j->items[i];
		json_auto_t *payload = NULL;
		enum demon_rc rc;

		if ((rc = demon_json_parse(item->payload, item->len, &demon_json_payload_limits,
					   &payload, err)) ||
		    (rc = demon_machine_apply(j->machine, item->type, payload, err)))
			return rc;
	}
	return DEMON_OK;
}

/* What was kept back is on disk. */
static enum demon_rc flushed(struct demon_run_journal *j, struct demon_err *err)
{
	const struct demon_machine *m = j->machine;
	struct demon_journal_item *last = &j->items[j->count - 1];

	j->at_gate = false;
	j->last = j->ts;
	j->flushed_step = m->last_step;
	j->flushed_attempt = m->last_step == m->leaf.step_id ? m->leaf.attempt : 1;
	for (size_t i = 0; j->listener && i < j->count; i++)
		j->listener(j->ctx, j->items[i].type, j->items[i].payload, j->items[i].len);
	if (is_terminal(last->type)) {
		free(j->terminal);
		j->terminal = demon_strndup(last->payload, last->len);
		if (!j->terminal)
			return demon_err_set(err, DEMON_NOMEM, "no memory for a run's result");
	}
	forget(j, 0);
	return DEMON_OK;
}

enum demon_rc demon_run_journal_flush(struct demon_run_journal *j, struct demon_err *err)
{
	struct append a = {.journal = j, .count = j->count};
	enum demon_rc rc = DEMON_OK;

	if (j->count == 0 && !j->decide)
		return DEMON_OK;
	for (unsigned i = 0; i < BUSY_TRIES; i++) {
		rc = demon_store_write_repeatable(j->store, append, &a, err);
		if (rc != DEMON_BUSY)
			break;
	}
	if (rc) {
		forget(j, a.count);
		return rc;
	}
	if ((rc = move(j, a.count, err)))
		return rc;
	return flushed(j, err);
}
