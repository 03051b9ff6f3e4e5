/*
 * The projection of ritual.* and step.* events. A run's first terminal event is its end: what
 * comes after it in the log changes nothing.
 */
#include "base/bytes.h"
#include "base/json_member.h"
#include "run.h"
#include "run_error.h"
#include "run_status.h"

#include <string.h>

#define THIS_RUN " WHERE tenant_id = :tenant AND run_id = :run AND run_origin = :origin"
#define OPEN                                                                                     \
	" AND status <> 'Completed' AND status <> 'Failed' AND status <> 'Canceled' AND status " \
	"<> 'Denied'"

DEMON_SQL(sql_run_insert,
	  "INSERT INTO runs (tenant_id, run_id, run_origin, ritual_id, status, started_at) "
	  "VALUES (:tenant, :run, :origin, :ritual, 'Running', :ts) "
	  "ON CONFLICT (tenant_id, run_id, run_origin) DO NOTHING");
DEMON_SQL(sql_run_open, "UPDATE runs SET definition = :digest, version = :version" THIS_RUN);
DEMON_SQL(sql_run_status, "UPDATE runs SET status = :status, wakes_at = NULL" THIS_RUN OPEN);
DEMON_SQL(sql_run_wait, "UPDATE runs SET status = 'Waiting', wakes_at = :wake" THIS_RUN
			" AND status = 'Running'");
DEMON_SQL(sql_run_wake,
	  "UPDATE runs SET status = 'Running', wakes_at = NULL" THIS_RUN " AND status = 'Waiting'");
DEMON_SQL(sql_run_await, "UPDATE runs SET status = 'AwaitingApproval', wakes_at = :wake" THIS_RUN
			 " AND (status = 'Running' OR status = 'AwaitingApproval')");
DEMON_SQL(sql_run_decided, "UPDATE runs SET status = 'Running', wakes_at = NULL" THIS_RUN
			   " AND status = 'AwaitingApproval'");
DEMON_SQL(sql_run_end, "UPDATE runs SET status = :status, ended_at = :ts, error_type = :error, "
		       "wakes_at = NULL" THIS_RUN OPEN);
DEMON_SQL(
    sql_step_start,
    "INSERT INTO steps (tenant_id, run_id, run_origin, step_id, name, reference, call, status, "
    "attempt, started_at, ended_at, parent_id, iteration) VALUES (:tenant, :run, :origin, :step, "
    ":name, :reference, :call, :status, :attempt, :ts, :ended, :parent, :iteration) "
    "ON CONFLICT (tenant_id, run_id, run_origin, step_id) DO UPDATE SET "
    "status = excluded.status, attempt = excluded.attempt, ended_at = NULL");
DEMON_SQL(sql_step_end, "UPDATE steps SET status = :status, ended_at = :ts" THIS_RUN
			" AND step_id = :step AND status = 'Running'");
DEMON_SQL(sql_step_suspend, "UPDATE steps SET status = 'Suspended'" THIS_RUN
			    " AND step_id = :step AND status = 'Running'");
DEMON_SQL(sql_steps_cancel, "UPDATE steps SET status = 'Canceled', ended_at = :ts" THIS_RUN
			    " AND status IN ('Running', 'Suspended')");

DEMON_SQL_SCAN(
    sql_runs_rows, "digest and rebuild",
    "SELECT tenant_id, run_id, run_origin, ritual_id, status, definition, version, "
    "started_at, ended_at, error_type, wakes_at FROM runs ORDER BY tenant_id, run_id, run_origin");
DEMON_SQL_SCAN(sql_runs_clear, "rebuild", "DELETE FROM runs");
DEMON_SQL_SCAN(sql_steps_rows, "digest and rebuild",
	       "SELECT tenant_id, run_id, run_origin, step_id, name, reference, call, status, "
	       "attempt, started_at, ended_at, parent_id, iteration FROM steps "
	       "ORDER BY tenant_id, run_id, run_origin, step_id");
DEMON_SQL_SCAN(sql_steps_clear, "rebuild", "DELETE FROM steps");

static enum demon_rc damaged(const struct demon_event *ev, const char *member,
			     struct demon_err *err)
{
	return demon_err_set(err, DEMON_CORRUPT, "event %s of run '%s': '%s' is missing or wrong",
			     ev->type, ev->run_id, member);
}

static struct demon_json_span member(const struct demon_event *ev, const char *key)
{
	return demon_json_member(ev->payload, ev->payload_len, key);
}

/* Appends a required string member. */
static enum demon_rc text_of(const struct demon_event *ev, const char *key, struct demon_buf *out,
			     struct demon_err *err)
{
	if (!demon_json_span_str(member(ev, key), out))
		return damaged(ev, key, err);
	return demon_buf_rc(out, err);
}

static enum demon_rc integer_of(const struct demon_event *ev, const char *key, int64_t *ret,
				struct demon_err *err)
{
	if (!demon_json_span_i64(member(ev, key), ret))
		return damaged(ev, key, err);
	return DEMON_OK;
}

static void bind_run(struct demon_stmt *q, const struct demon_event *ev)
{
	demon_bind_str(q, ":tenant", ev->tenant_id);
	demon_bind_str(q, ":run", ev->run_id);
	demon_bind_blob(q, ":origin", ev->run_origin, sizeof(ev->run_origin));
}

static enum demon_rc started(struct demon_db *db, const struct demon_event *ev,
			     struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_run_insert);

	bind_run(&q, ev);
	demon_bind_str(&q, ":ritual", ev->ritual_id);
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static enum demon_rc opened(struct demon_db *db, const struct demon_event *ev,
			    struct demon_err *err)
{
	unsigned char digest[DEMON_HASH_LEN];
	DEMON_BUF(hex, 0);
	DEMON_BUF(version, 0);
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_run_open);

	if ((rc = text_of(ev, "definitionDigest", &hex, err)) ||
	    (rc = text_of(ev, "version", &version, err)))
		return rc;
	if (!demon_unhex(hex.data, digest, sizeof(digest)))
		return damaged(ev, "definitionDigest", err);
	bind_run(&q, ev);
	demon_bind_blob(&q, ":digest", digest, sizeof(digest));
	demon_bind_text(&q, ":version", version.data, version.len);
	return demon_exec(&q, err);
}

static enum demon_rc end_run(struct demon_db *db, const struct demon_event *ev, const char *status,
			     const char *error, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_run_end);

	bind_run(&q, ev);
	demon_bind_str(&q, ":status", status);
	demon_bind_i64(&q, ":ts", ev->ts);
	demon_bind_str(&q, ":error", error);
	return demon_exec(&q, err);
}

static enum demon_rc completed(struct demon_db *db, const struct demon_event *ev,
			       struct demon_err *err)
{
	return end_run(db, ev, DEMON_RUN_COMPLETED, NULL, err);
}

static enum demon_rc failed(struct demon_db *db, const struct demon_event *ev,
			    struct demon_err *err)
{
	struct demon_json_span error = member(ev, "error");
	DEMON_BUF(type, 0);
	enum demon_rc rc;

	if (!error.at ||
	    !demon_json_span_str(demon_json_member(error.at, error.len, "type"), &type))
		return damaged(ev, "error", err);
	if ((rc = demon_buf_rc(&type, err)))
		return rc;
	return end_run(
	    db, ev, demon_run_error_type_is_denial(type.data) ? DEMON_RUN_DENIED : DEMON_RUN_FAILED,
	    type.data, err);
}

static enum demon_rc canceled(struct demon_db *db, const struct demon_event *ev,
			      struct demon_err *err)
{
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_steps_cancel);

	if ((rc = end_run(db, ev, DEMON_RUN_CANCELED, NULL, err)))
		return rc;
	bind_run(&q, ev);
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static enum demon_rc resumed(struct demon_db *db, const struct demon_event *ev,
			     struct demon_err *err)
{
	DEMON_STMT(run, db, &sql_run_status);

	bind_run(&run, ev);
	demon_bind_str(&run, ":status", DEMON_RUN_RUNNING);
	return demon_exec(&run, err);
}

/* What waited goes on. */
static enum demon_rc wake(struct demon_db *db, const struct demon_event *ev, struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_run_wake);

	bind_run(&q, ev);
	return demon_exec(&q, err);
}

/* An event that says until when the run waits, as @p sql has it. */
static enum demon_rc wait_as(struct demon_db *db, const struct demon_event *ev,
			     const struct demon_sql *sql, struct demon_json_span at,
			     struct demon_err *err)
{
	demon_time t;
	DEMON_BUF(text, 0);
	enum demon_rc rc;
	DEMON_STMT(q, db, sql);

	if (!demon_json_span_str(at, &text))
		return damaged(ev, "wakeAt", err);
	if ((rc = demon_buf_rc(&text, err)))
		return rc;
	if (demon_rfc3339_parse(text.data, &t, err))
		return damaged(ev, "wakeAt", err);
	bind_run(&q, ev);
	demon_bind_i64(&q, ":wake", t);
	return demon_exec(&q, err);
}

static enum demon_rc wait(struct demon_db *db, const struct demon_event *ev,
			  struct demon_json_span at, struct demon_err *err)
{
	return wait_as(db, ev, &sql_run_wait, at, err);
}

/* A run waits at a gate; when somebody is to look at it. */
static enum demon_rc awaits(struct demon_db *db, const struct demon_event *ev,
			    struct demon_err *err)
{
	return wait_as(db, ev, &sql_run_await, member(ev, "nextAt"), err);
}

static enum demon_rc decided(struct demon_db *db, const struct demon_event *ev,
			     struct demon_err *err)
{
	DEMON_STMT(q, db, &sql_run_decided);

	bind_run(&q, ev);
	return demon_exec(&q, err);
}

static enum demon_rc suspended(struct demon_db *db, const struct demon_event *ev,
			       struct demon_err *err)
{
	int64_t step;
	enum demon_rc rc;
	DEMON_STMT(run, db, &sql_run_status);
	DEMON_STMT(q, db, &sql_step_suspend);

	if ((rc = integer_of(ev, "stepId", &step, err)))
		return rc;
	bind_run(&run, ev);
	demon_bind_str(&run, ":status", DEMON_RUN_SUSPENDED);
	if ((rc = demon_exec(&run, err)))
		return rc;
	bind_run(&q, ev);
	demon_bind_i64(&q, ":step", step);
	return demon_exec(&q, err);
}

/* The text of a required string, in place where it can be, else decoded into @p scratch. */
static enum demon_rc text_in(const struct demon_event *ev, const char *key,
			     struct demon_json_span value, struct demon_buf *scratch,
			     struct demon_json_span *ret, struct demon_err *err)
{
	*ret = demon_json_span_plain(value);
	if (ret->at)
		return DEMON_OK;
	if (!demon_json_span_str(value, scratch))
		return damaged(ev, key, err);
	*ret = (struct demon_json_span){scratch->data, scratch->len};
	return demon_buf_rc(scratch, err);
}

/* Binds an integer that may be absent. */
static enum demon_rc bind_optional(struct demon_stmt *q, const struct demon_event *ev,
				   const char *name, const char *key, struct demon_json_span value,
				   struct demon_err *err)
{
	int64_t n;

	if (!value.at) {
		demon_bind_null(q, name);
		return DEMON_OK;
	}
	if (!demon_json_span_i64(value, &n))
		return damaged(ev, key, err);
	demon_bind_i64(q, name, n);
	return DEMON_OK;
}

enum { ATTEMPT, CALL, ITERATION, NAME, PARENT, REFERENCE, STEP, WAKE };

/* A step begins; with @p ended it also ends, as @p status. */
static enum demon_rc begin_step(struct demon_db *db, const struct demon_event *ev,
				const char *status, bool ended, struct demon_err *err)
{
	static const char *const keys[] = {"attempt",  "call",      "iteration", "name",
					   "parentId", "reference", "stepId",    "wakeAt"};
	struct demon_json_span v[demon_count(keys)];
	DEMON_BUF(call, 0);
	DEMON_BUF(name, 0);
	DEMON_BUF(reference, 0);
	int64_t step;
	int64_t attempt = 1;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_step_start);

	demon_json_members(ev->payload, ev->payload_len, keys, v, demon_count(keys));
	if (v[ATTEMPT].at && !demon_json_span_i64(v[ATTEMPT], &attempt))
		return damaged(ev, keys[ATTEMPT], err);
	if (!demon_json_span_i64(v[STEP], &step))
		return damaged(ev, keys[STEP], err);
	if ((rc = text_in(ev, keys[CALL], v[CALL], &call, &v[CALL], err)) ||
	    (rc = text_in(ev, keys[NAME], v[NAME], &name, &v[NAME], err)) ||
	    (rc = text_in(ev, keys[REFERENCE], v[REFERENCE], &reference, &v[REFERENCE], err)) ||
	    (rc = bind_optional(&q, ev, ":parent", keys[PARENT], v[PARENT], err)) ||
	    (rc = bind_optional(&q, ev, ":iteration", keys[ITERATION], v[ITERATION], err)))
		return rc;
	bind_run(&q, ev);
	demon_bind_i64(&q, ":step", step);
	demon_bind_text(&q, ":name", v[NAME].at, v[NAME].len);
	demon_bind_text(&q, ":reference", v[REFERENCE].at, v[REFERENCE].len);
	demon_bind_text(&q, ":call", v[CALL].at, v[CALL].len);
	demon_bind_str(&q, ":status", status);
	demon_bind_i64(&q, ":attempt", attempt);
	demon_bind_i64(&q, ":ts", ev->ts);
	if (ended)
		demon_bind_i64(&q, ":ended", ev->ts);
	else
		demon_bind_null(&q, ":ended");
	if ((rc = demon_exec(&q, err)))
		return rc;
	return v[WAKE].at && !ended ? wait(db, ev, v[WAKE], err) : DEMON_OK;
}

static enum demon_rc step_started(struct demon_db *db, const struct demon_event *ev,
				  struct demon_err *err)
{
	return begin_step(db, ev, "Running", false, err);
}

static enum demon_rc step_evaluated(struct demon_db *db, const struct demon_event *ev,
				    struct demon_err *err)
{
	return begin_step(db, ev, "Completed", true, err);
}

static enum demon_rc step_skipped(struct demon_db *db, const struct demon_event *ev,
				  struct demon_err *err)
{
	return begin_step(db, ev, "Skipped", true, err);
}

/* A try waits before it runs its list again. */
static enum demon_rc step_caught(struct demon_db *db, const struct demon_event *ev,
				 struct demon_err *err)
{
	struct demon_json_span at = member(ev, "wakeAt");

	return at.at ? wait(db, ev, at, err) : DEMON_OK;
}

static enum demon_rc end_step(struct demon_db *db, const struct demon_event *ev, const char *status,
			      struct demon_err *err)
{
	int64_t step;
	enum demon_rc rc;
	DEMON_STMT(q, db, &sql_step_end);

	if ((rc = integer_of(ev, "stepId", &step, err)))
		return rc;
	bind_run(&q, ev);
	demon_bind_i64(&q, ":step", step);
	demon_bind_str(&q, ":status", status);
	demon_bind_i64(&q, ":ts", ev->ts);
	return demon_exec(&q, err);
}

static enum demon_rc step_completed(struct demon_db *db, const struct demon_event *ev,
				    struct demon_err *err)
{
	return end_step(db, ev, "Completed", err);
}

static enum demon_rc step_failed(struct demon_db *db, const struct demon_event *ev,
				 struct demon_err *err)
{
	enum demon_rc rc = end_step(db, ev, "Failed", err);

	return rc ? rc : wake(db, ev, err);
}

/* A task that holds the one where a restored run begins: it is under way. */
static enum demon_rc restore_step(struct demon_db *db, const struct demon_event *ev,
				  const json_t *frame, const json_t *parent, struct demon_err *err)
{
	static const char *const texts[] = {"name", "reference", "call"};
	static const char *const binds[] = {":name", ":reference", ":call"};
	json_int_t parent_id = json_integer_value(json_object_get(parent, "stepId"));
	DEMON_STMT(q, db, &sql_step_start);

	for (size_t i = 0; i < demon_count(texts); i++) {
		const char *text = json_string_value(json_object_get(frame, texts[i]));

		if (!text)
			return damaged(ev, texts[i], err);
		demon_bind_str(&q, binds[i], text);
	}
	bind_run(&q, ev);
	demon_bind_i64(&q, ":step", json_integer_value(json_object_get(frame, "stepId")));
	demon_bind_str(&q, ":status", "Running");
	demon_bind_i64(&q, ":attempt", 1);
	demon_bind_i64(&q, ":ts", ev->ts);
	demon_bind_null(&q, ":ended");
	if (parent_id)
		demon_bind_i64(&q, ":parent", parent_id);
	else
		demon_bind_null(&q, ":parent");
	if (json_object_get(parent, "items"))
		demon_bind_i64(&q, ":iteration",
			       json_integer_value(json_object_get(parent, "iteration")));
	else
		demon_bind_null(&q, ":iteration");
	return demon_exec(&q, err);
}

static enum demon_rc restored(struct demon_db *db, const struct demon_event *ev,
			      struct demon_err *err)
{
	struct demon_json_span at = member(ev, "wakeAt");
	json_auto_t *payload = NULL;
	const json_t *parent = NULL;
	const json_t *frames;
	enum demon_rc rc;

	if ((rc = demon_json_parse(ev->payload, ev->payload_len, &demon_json_payload_limits,
				   &payload, err)))
		return rc;
	frames = json_object_get(json_object_get(payload, "state"), "frames");
	for (size_t i = 0; i < json_array_size(frames); i++) {
		const json_t *frame = json_array_get(frames, i);

		if (json_integer_value(json_object_get(frame, "stepId")) > 0 &&
		    (rc = restore_step(db, ev, frame, parent, err)))
			return rc;
		parent = frame;
	}
	return at.at ? wait(db, ev, at, err) : DEMON_OK;
}

static const struct {
	const char *type;
	enum demon_rc (*apply)(struct demon_db *db, const struct demon_event *ev,
			       struct demon_err *err);
} appliers[] = {
    {"step.started:v1", step_started},  {"step.completed:v1", step_completed},
    {"step.failed:v1", step_failed},    {"step.evaluated:v1", step_evaluated},
    {"step.skipped:v1", step_skipped},  {"step.caught:v1", step_caught},
    {"ritual.started:v1", started},     {"ritual.opened:v1", opened},
    {"ritual.completed:v1", completed}, {"ritual.failed:v1", failed},
    {"ritual.suspended:v1", suspended}, {"ritual.resumed:v1", resumed},
    {"ritual.canceled:v1", canceled},   {"ritual.restored:v1", restored},
    {"timer.fired:v1", wake},           {"approval.opened:v1", awaits},
    {"approval.warned:v1", awaits},     {"approval.leveled:v1", awaits},
    {"approval.decided:v1", decided},
};

static enum demon_rc apply(struct demon_db *db, const struct demon_event *event,
			   struct demon_err *err)
{
	if (event->stream != DEMON_STREAM_RITUAL || !event->has_run_origin)
		return DEMON_OK;
	for (size_t i = 0; i < demon_count(appliers); i++) {
		if (strcmp(event->type, appliers[i].type) != 0)
			continue;
		if (!event->payload)
			return demon_err_set(err, DEMON_CORRUPT,
					     "event %s of run '%s': its payload is not here",
					     event->type, event->run_id);
		return appliers[i].apply(db, event, err);
	}
	return DEMON_OK;
}

static const struct demon_projection_table tables[] = {
    {"runs", &sql_runs_rows, &sql_runs_clear},
    {"steps", &sql_steps_rows, &sql_steps_clear},
    {NULL, NULL, NULL},
};

const struct demon_projection demon_run_projection = {
    .name = "runs",
    .tables = tables,
    .apply = apply,
};
