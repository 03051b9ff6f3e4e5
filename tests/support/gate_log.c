#include "test.h"

#include "gate_log.h"

#include "base/bytes.h"
#include "base/json.h"
#include "store/readers.h"

#include <stdio.h>
#include <strings.h>

#define TIMERS 512
#define VOTES  64

struct timer {
	char id[192];
	char due[32];
	bool fired;
};

struct watcher {
	const struct model *m;
	const json_t *event;
	demon_time ts;
	unsigned requested;
	unsigned opened;
	unsigned outcomes; /* of this round, as clients know them */
	unsigned decided;
	unsigned fired;
	unsigned ends; /* of the run */
	size_t timers;
	struct timer timer[TIMERS];
	size_t votes; /* of this round */
	struct {
		char name[64];
		char decision[16];
	} vote[VOTES];
	char last[64]; /* type of the outcome event */
};

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (!value)
		fail_msg("an event has no text '%s'", key);
	return value;
}

static const struct model_gate *gate_of(const struct watcher *w)
{
	assert_in_range(w->opened, 1, w->m->opened);
	return &w->m->gate[w->opened - 1];
}

static void requested(struct watcher *w)
{
	assert_int_equal(w->outcomes, w->requested);
	w->requested++;
}

static void opened(struct watcher *w)
{
	struct demon_err err;
	demon_time expires;

	assert_int_equal(w->decided, w->opened);
	w->opened++;
	w->votes = 0;
	assert_int_equal(w->opened, w->requested);
	assert_int_equal(json_integer_value(json_object_get(w->event, "round")), w->opened);
	assert_int_equal(w->ts, gate_of(w)->requested);
	assert_ok(demon_rfc3339_parse(text(w->event, "expiresAt"), &expires, &err), &err);
	assert_int_equal(expires, w->ts + w->m->terms.ttl);
}

static void voted(struct watcher *w)
{
	assert_int_equal(json_integer_value(json_object_get(w->event, "round")), w->opened);
	assert_int_equal(w->decided + 1, w->opened);
	assert_true(w->ts < gate_of(w)->expires);
	assert_true(w->votes < VOTES);
	(void)snprintf(w->vote[w->votes].name, sizeof(w->vote[0].name), "%s",
		       text(w->event, "approver"));
	(void)snprintf(w->vote[w->votes].decision, sizeof(w->vote[0].decision), "%s",
		       text(w->event, "decision"));
	for (size_t i = 0; i < w->votes; i++)
		assert_true(strcasecmp(w->vote[i].name, w->vote[w->votes].name) != 0 ||
			    strcmp(w->vote[w->votes].decision, "override") == 0);
	w->votes++;
}

static void came_out(struct watcher *w, const char *type)
{
	static const char *const types[] = {"", "approval.granted:v1", "approval.denied:v1",
					    "approval.override:v1"};

	w->outcomes++;
	assert_int_equal(w->outcomes, w->opened);
	assert_string_equal(type, types[gate_of(w)->state]);
	assert_int_equal(w->ts, gate_of(w)->decided);
}

/* Those that were counted: different people, who have voted so in this round; enough of them. */
static void check_counted(struct watcher *w, const char *decision, size_t need)
{
	const json_t *counted = json_object_get(w->event, "counted");
	size_t n = json_array_size(counted);

	assert_true(n >= need);
	for (size_t i = 0; i < n; i++) {
		const char *name = text(json_array_get(counted, i), "approver");
		bool found = false;

		for (size_t k = 0; k < i; k++)
			assert_true(
			    strcasecmp(name, text(json_array_get(counted, k), "approver")) != 0);
		for (size_t k = 0; k < w->votes; k++)
			found |= strcmp(w->vote[k].name, name) == 0 &&
				 strcmp(w->vote[k].decision, decision) == 0;
		assert_true(found);
	}
}

static void decided(struct watcher *w)
{
	const struct model_gate *gate = gate_of(w);
	const char *state = text(w->event, "state");

	w->decided++;
	assert_int_equal(w->decided, w->outcomes);
	assert_string_equal(state, demon_gate_state_name(gate->state));
	assert_int_equal(json_integer_value(json_object_get(w->event, "round")), w->opened);
	if (gate->by_system) {
		assert_string_equal(state, "denied");
		assert_string_equal(text(w->event, "by"), "system");
		assert_string_equal(text(w->event, "authentication"), "system");
		assert_int_equal(json_array_size(json_object_get(w->event, "counted")), 0);
		return;
	}
	assert_string_not_equal(text(w->event, "by"), "system");
	assert_true(w->ts < gate->expires);
	if (gate->state == DEMON_GATE_GRANTED)
		check_counted(w, "grant", w->m->terms.quorum);
	else if (gate->state == DEMON_GATE_DENIED)
		check_counted(w, "deny", w->m->terms.denials);
	else
		check_counted(w, "override", 1);
}

static void scheduled(struct watcher *w)
{
	struct timer *t = &w->timer[w->timers++];

	assert_true(w->timers < TIMERS);
	(void)snprintf(t->id, sizeof(t->id), "%s", text(w->event, "timerId"));
	(void)snprintf(t->due, sizeof(t->due), "%s", text(w->event, "scheduledFor"));
}

static void fired(struct watcher *w)
{
	struct demon_err err;
	demon_time due;

	w->fired++;
	assert_ok(demon_rfc3339_parse(text(w->event, "scheduledFor"), &due, &err), &err);
	assert_true(w->ts >= due);
	for (size_t i = 0; i < w->timers; i++) {
		struct timer *t = &w->timer[i];

		if (t->fired || strcmp(t->id, text(w->event, "timerId")) != 0 ||
		    strcmp(t->due, text(w->event, "scheduledFor")) != 0)
			continue;
		t->fired = true;
		return;
	}
	fail_msg("timer %s fired twice, or was never scheduled", text(w->event, "timerId"));
}

static void ended(struct watcher *w, const char *type)
{
	static const char *const types[] = {"", "ritual.completed:v1", "ritual.failed:v1",
					    "ritual.canceled:v1", "ritual.failed:v1"};

	w->ends++;
	assert_string_equal(type, types[w->m->end]);
	if (w->m->end == MODEL_DENIED)
		assert_contains(text(json_object_get(w->event, "error"), "type"), "/errors/denied");
	if (w->m->end == MODEL_FAILED)
		assert_contains(text(json_object_get(w->event, "error"), "type"),
				"/errors/timeout");
}

static void see(struct watcher *w, const struct demon_event *ev)
{
	struct demon_err err;
	json_t *payload = NULL;

	assert_true(ev->ts >= w->ts);
	w->ts = ev->ts;
	assert_ok(demon_json_parse(ev->payload, ev->payload_len, &demon_json_payload_limits,
				   &payload, &err),
		  &err);
	w->event = payload;
	if (strcmp(ev->type, "approval.requested:v1") == 0)
		requested(w);
	else if (strcmp(ev->type, "approval.opened:v1") == 0)
		opened(w);
	else if (strcmp(ev->type, "approval.vote:v1") == 0)
		voted(w);
	else if (strcmp(ev->type, "approval.decided:v1") == 0)
		decided(w);
	else if (strcmp(ev->type, "timer.scheduled:v1") == 0)
		scheduled(w);
	else if (strcmp(ev->type, "timer.fired:v1") == 0)
		fired(w);
	else if (strcmp(ev->type, "approval.granted:v1") == 0 ||
		 strcmp(ev->type, "approval.denied:v1") == 0 ||
		 strcmp(ev->type, "approval.override:v1") == 0)
		came_out(w, ev->type);
	else if (strcmp(ev->type, "ritual.completed:v1") == 0 ||
		 strcmp(ev->type, "ritual.failed:v1") == 0 ||
		 strcmp(ev->type, "ritual.canceled:v1") == 0)
		ended(w, ev->type);
	json_decref(payload);
}

void gate_log_check(struct demon_store *store, const struct demon_run_id *run,
		    const struct model *m)
{
	const struct demon_filter filter = {.tenant_id = run->tenant_id, .run_id = run->run_id};
	struct watcher *w = calloc(1, sizeof(*w));
	const struct demon_event *ev;
	struct demon_reader *reader;
	struct demon_err err;
	enum demon_rc rc;

	w->m = m;
	assert_ok(demon_reader_open(store, &filter, &reader, &err), &err);
	while ((rc = demon_reader_next(reader, 0, &ev, &err)) == DEMON_OK)
		see(w, ev);
	demon_reader_close(reader);
	assert_rc(rc, DEMON_NOTFOUND, &err);
	assert_int_equal(w->requested, m->opened);
	assert_int_equal(w->opened, m->opened);
	assert_int_equal(w->outcomes, m->opened);
	assert_int_equal(w->decided, m->opened);
	assert_int_equal(w->fired, m->fired);
	assert_int_equal(w->ends, 1);
	free(w);
}

/* What is there is what the model says. */
struct looker {
	struct demon_store *store;
	const struct demon_run_id *run;
	struct model *m;
	struct demon_err err;
};

static void check_gate(struct looker *d, struct demon_db *db, int64_t round)
{
	const struct model_gate *want = &d->m->gate[round - 1];
	DEMON_GATE(gate);

	assert_ok(demon_gate_find(db, d->run, "prod", round, &gate, &d->err), &d->err);
	assert_int_equal(gate.state, want->state);
	assert_int_equal(gate.requested_at, want->requested);
	assert_int_equal(gate.expires_at, want->expires);
	assert_int_equal(gate.level, want->level);
	assert_int_equal(gate.level_since, want->since);
	assert_int_equal(gate.repeats, want->repeats);
	assert_int_equal(gate.warned, want->warned);
	assert_int_equal(gate.decided_at, want->decided);
	assert_int_equal(gate.next_at,
			 want->state == DEMON_GATE_PENDING ? model_next(d->m, want) : 0);
}

static enum demon_rc check_row(void *ctx, const struct demon_run_row *row, struct demon_err *err)
{
	struct looker *d = ctx;
	const struct model_gate *gate = model_last(d->m);
	const char *want = model_status(d->m);
	bool awaits = strcmp(want, "AwaitingApproval") == 0;

	(void)err;
	/* that a tenant is frozen is a matter of how rows are shown */
	assert_string_equal(row->status, awaits && d->m->frozen ? "Frozen" : want);
	if (awaits)
		assert_int_equal(row->wakes_at, model_next(d->m, gate));
	return DEMON_OK;
}

static void check_due(struct looker *d)
{
	const struct demon_run_sought sought = {.limit = 10};
	const struct model_gate *gate = model_last(d->m);
	bool waits = gate && gate->state == DEMON_GATE_PENDING;
	bool want = d->m->end == MODEL_OPEN && (!waits || model_next(d->m, gate) <= d->m->now);
	struct demon_run_due due;
	bool found = false;

	assert_ok(demon_run_due(d->store, &sought, &due, &d->err), &d->err);
	for (size_t i = 0; i < due.count; i++)
		found |= strcmp(due.runs[i].tenant_id, d->run->tenant_id) == 0;
	free(due.runs);
	assert_int_equal(found, want);
}

void gate_state_check(struct demon_store *store, const struct demon_run_id *run, struct model *m)
{
	struct looker looker = {.store = store, .run = run, .m = m};
	struct looker *d = &looker;

	{
		DEMON_GATE(none);
		DEMON_READ(loan);

		assert_ok(demon_store_borrow(d->store, &loan, &d->err), &d->err);
		for (unsigned i = 1; i <= d->m->opened; i++)
			check_gate(d, loan.db, i);
		assert_rc(
		    demon_gate_find(loan.db, d->run, "prod", d->m->opened + 1, &none, &d->err),
		    DEMON_NOTFOUND, &d->err);
	}
	assert_ok(demon_run_get(d->store, d->run, check_row, d, &d->err), &d->err);
	check_due(d);
}
