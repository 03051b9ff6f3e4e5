#include "vote.h"

#include "base/bytes.h"
#include "base/json_text.h"
#include "gate_events.h"
#include "gate_rules.h"
#include "store/store.h"

#include <string.h>
#include <strings.h>

#define NOTE_MAX 4096 /* bytes */

DEMON_SQL(sql_last_ts, "SELECT e.ts FROM log_events e WHERE e.scope_id = "
		       "(SELECT id FROM log_scopes WHERE run_id = :run AND tenant_id = :tenant "
		       "AND run_origin = :origin) ORDER BY e.seq DESC LIMIT 1");
DEMON_SQL(sql_nonce, "SELECT 1 FROM votes WHERE nonce = :nonce LIMIT 1");

void demon_vote_answer_done(struct demon_vote_answer *answer)
{
	free(answer->event);
	*answer = (struct demon_vote_answer){.noop = false};
}

/* No event of a run has an earlier time than one before it. */
static enum demon_rc time_of(struct demon_db *db, const struct demon_run_id *run, demon_time now,
			     demon_time *ret, struct demon_err *err)
{
	enum demon_rc rc;
	bool row;
	DEMON_STMT(q, db, &sql_last_ts);

	*ret = now;
	demon_bind_str(&q, ":tenant", run->tenant_id);
	demon_bind_str(&q, ":run", run->run_id);
	demon_bind_blob(&q, ":origin", run->origin, sizeof(run->origin));
	if (!(rc = demon_step(&q, &row, err)) && row && demon_col_i64(&q, 0) > now)
		*ret = demon_col_i64(&q, 0);
	return rc;
}

static enum demon_rc own(const unsigned char *origin, const struct demon_run_id *run,
			 struct demon_err *err)
{
	if (memcmp(origin, run->origin, sizeof(run->origin)) == 0)
		return DEMON_OK;
	return demon_err_set(err, DEMON_DENIED,
			     "run '%s' belongs to another node: decide about it there",
			     run->run_id);
}

/* Decides a gate: the events, and the gate as it stands then. *ret_event (may be NULL) is new. */
static enum demon_rc decide(struct demon_gate_group *group, struct demon_gate *gate,
			    const struct demon_gate_outcome *outcome, char **ret_event,
			    struct demon_err *err)
{
	json_t *event;
	json_t *decided;
	enum demon_rc rc;

	if ((rc = demon_gate_outcome_events(gate, outcome, group->ts, &event, &decided, err)))
		return rc;
	rc = demon_gate_group_add(group, demon_gate_outcome_type(outcome->state), event, err);
	if (!rc && ret_event) {
		const struct demon_buf *text = &group->events[group->count - 1].payload;

		*ret_event = demon_strndup(text->data, text->len);
		if (!*ret_event)
			rc = demon_err_set(err, DEMON_NOMEM, "no memory for a decision");
	}
	if (rc) {
		json_decref(decided);
		return rc;
	}
	gate->state = outcome->state;
	return demon_gate_group_add(group, "approval.decided:v1", decided, err);
}

static enum demon_rc expire(struct demon_gate_group *group, struct demon_gate *gate,
			    struct demon_err *err)
{
	const struct demon_gate_outcome outcome = {.state = DEMON_GATE_DENIED,
						   .by = demon_actor_system.subject,
						   .auth = DEMON_AUTH_SYSTEM,
						   .note = "expired"};
	bool deadline = group->ts >= gate->expires_at;
	demon_time due = deadline ? gate->expires_at : demon_gate_level_end(gate);
	enum demon_rc rc = demon_gate_group_add(
	    group, "timer.fired:v1",
	    demon_gate_timer(gate, deadline ? 0 : gate->level, due, true, group->ts), err);

	return rc ? rc : decide(group, gate, &outcome, NULL, err);
}

static enum demon_rc warn(struct demon_gate_group *group, struct demon_gate *gate,
			  struct demon_err *err)
{
	const json_t *fractions = json_object_get(gate->opened, "warnings");
	json_t *fraction = json_array_get(fractions, (size_t)gate->warned);
	json_auto_t *payload = demon_gate_event(gate, "approval.warned:v1", group->ts, true);

	gate->warned++;
	if (!payload || !demon_run_event_set(payload, "fraction", json_incref(fraction)) ||
	    !demon_run_event_time(payload, "expiresAt", gate->expires_at) ||
	    !demon_run_event_time(payload, "nextAt", demon_gate_next(gate)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a warning");
	return demon_gate_group_add(group, "approval.warned:v1", demon_take(payload), err);
}

/* The event as clients know it: one level after the other. */
static json_t *make_escalated(const struct demon_gate *gate, int64_t from, const char *reason,
			      demon_time ts)
{
	json_auto_t *payload = demon_gate_event(gate, "approval.escalated:v1", ts, false);
	json_auto_t *state = json_object();
	demon_time end = demon_gate_level_end(gate);
	const json_t *level = demon_gate_level(gate, gate->level);
	bool override = json_is_true(json_object_get(level, "emergencyOverride"));

	if (!payload || !state ||
	    !demon_run_event_set(state, "currentLevel", json_integer(gate->level)) ||
	    !demon_run_event_set(state, "totalLevels",
				 json_integer((json_int_t)demon_gate_levels(gate))) ||
	    !demon_run_event_time(state, "levelStartedAt", gate->level_since) ||
	    !(end ? demon_run_event_time(state, "nextEscalationAt", end)
		  : demon_run_event_set(state, "nextEscalationAt", json_null())) ||
	    !demon_run_event_set(state, "emergencyOverride", json_boolean(override)) ||
	    !demon_run_event_set(payload, "fromLevel", json_integer(from)) ||
	    !demon_run_event_set(payload, "toLevel", json_integer(gate->level)) ||
	    !demon_run_event_set(payload, "reason", json_string(reason)) ||
	    !demon_run_event_set(payload, "escalationState", json_incref(state)))
		return NULL;
	return demon_take(payload);
}

/* @p actor NULL: time has brought it. */
static json_t *make_leveled(const struct demon_gate *gate, int64_t from, const char *reason,
			    const struct demon_actor *actor, demon_time ts)
{
	const json_t *level = demon_gate_level(gate, gate->level);
	json_auto_t *payload = demon_gate_event(gate, "approval.leveled:v1", ts, true);

	if (!payload || !demon_run_event_set(payload, "fromLevel", json_integer(from)) ||
	    !demon_run_event_set(payload, "toLevel", json_integer(gate->level)) ||
	    !demon_run_event_set(payload, "repeats", json_integer(gate->repeats)) ||
	    !demon_run_event_set(payload, "reason", json_string(reason)) ||
	    (actor && (!demon_run_event_set(payload, "by", json_string(actor->subject)) ||
		       !demon_run_event_set(payload, "authentication",
					    json_string(demon_auth_name(actor->auth))))) ||
	    !demon_run_event_set(payload, "roles", json_incref(json_object_get(level, "roles"))) ||
	    !demon_run_event_time(payload, "expiresAt", gate->expires_at) ||
	    !demon_run_event_time(payload, "nextAt", demon_gate_next(gate)))
		return NULL;
	return demon_take(payload);
}

/* @p by_hand: the reason of whoever did it; NULL: the level's time is up. */
static enum demon_rc escalate(struct demon_gate_group *group, struct demon_gate *gate,
			      const char *by_hand, const struct demon_actor *actor,
			      struct demon_err *err)
{
	const char *reason = by_hand ? by_hand : "timeout";
	int64_t from = gate->level;
	demon_time due = demon_gate_level_end(gate);
	enum demon_rc rc = DEMON_OK;

	if (!by_hand)
		rc = demon_gate_group_add(group, "timer.fired:v1",
					  demon_gate_timer(gate, from, due, true, group->ts), err);
	gate->level = demon_gate_next_level(gate);
	gate->repeats += gate->level <= from;
	gate->level_since = group->ts;
	due = demon_gate_level_end(gate);
	if (rc ||
	    (rc = demon_gate_group_add(group, "approval.escalated:v1",
				       make_escalated(gate, from, reason, group->ts), err)) ||
	    (rc = demon_gate_group_add(group, "approval.leveled:v1",
				       make_leveled(gate, from, reason, actor, group->ts), err)) ||
	    !due)
		return rc;
	return demon_gate_group_add(group, "timer.scheduled:v1",
				    demon_gate_timer(gate, gate->level, due, false, group->ts),
				    err);
}

/* Does what is due by now. One escalation at most: nobody has had the time of the next level. */
static enum demon_rc catch_up(struct demon_gate_group *group, struct demon_gate *gate,
			      struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	while (!rc && gate->state == DEMON_GATE_PENDING)
		switch (demon_gate_due(gate, group->ts)) {
		case DEMON_GATE_WAITS:
			return DEMON_OK;
		case DEMON_GATE_WARNS:
			rc = warn(group, gate, err);
			break;
		case DEMON_GATE_ESCALATES:
			rc = escalate(group, gate, NULL, NULL, err);
			break;
		case DEMON_GATE_EXPIRES:
			rc = expire(group, gate, err);
			break;
		}
	return rc;
}

/* A vote under way. */
struct casting {
	const struct demon_vote *vote;
	const struct demon_gate_config *config;
	struct demon_vote_answer *answer;
	demon_time now;
	enum demon_rc rc; /* what is told although something was written */
	struct demon_err err;
};

/* The votes so far: those for the same, and the voter's own. */
struct tally {
	const struct demon_vote *vote;
	const char *decision;
	json_t *counted; /* an array */
	bool same;       /* the voter voted so */
	bool other;      /* the voter voted otherwise */
	bool failed;     /* memory ran out */
};

static const char *decision_of(enum demon_gate_state want)
{
	return want == DEMON_GATE_GRANTED  ? "grant"
	       : want == DEMON_GATE_DENIED ? "deny"
					   : "override";
}

static json_t *counted_of(const char *approver, enum demon_auth auth, const char *note,
			  demon_time ts)
{
	json_auto_t *vote = json_object();

	if (!vote || !demon_run_event_set(vote, "approver", json_string(approver)) ||
	    !demon_run_event_set(vote, "authentication", json_string(demon_auth_name(auth))) ||
	    (note && !demon_run_event_set(vote, "note", json_string(note))) ||
	    !demon_run_event_time(vote, "ts", ts))
		return NULL;
	return demon_take(vote);
}

static enum demon_rc count(void *ctx, const struct demon_vote_row *row, struct demon_err *err)
{
	struct tally *t = ctx;
	bool own = strcasecmp(row->approver, t->vote->actor->subject) == 0;

	(void)err;
	if (strcmp(row->decision, t->decision) != 0) {
		t->other |= own;
		return DEMON_OK;
	}
	t->same |= own;
	if (json_array_append_new(t->counted,
				  counted_of(row->approver, row->auth, row->note, row->ts)))
		t->failed = true;
	return DEMON_OK;
}

static enum demon_rc resolved(struct casting *c, const struct demon_gate *gate)
{
	return demon_err_set(&c->err, DEMON_CONFLICT,
			     "gate '%s' of run '%s' is already resolved: it is %s", gate->gate_id,
			     gate->run.run_id, demon_gate_state_name(gate->state));
}

/* A gate that is decided: the same again is no news, the contrary a conflict. */
static enum demon_rc settle(struct casting *c, const struct demon_gate *gate)
{
	c->answer->state = gate->state;
	if (gate->state != c->vote->want)
		return c->rc = resolved(c, gate);
	c->answer->noop = true;
	return DEMON_OK;
}

static enum demon_rc check_seen(const struct demon_vote *vote, const struct demon_gate *gate,
				struct demon_err *err)
{
	const char *asked = demon_gate_text(gate, "seen");

	if (!vote->seen || (asked && strcmp(vote->seen, asked) == 0))
		return DEMON_OK;
	return demon_err_set(err, DEMON_CONFLICT,
			     "gate '%s' of run '%s' asks for something else than what was seen: "
			     "look at it again",
			     gate->gate_id, gate->run.run_id);
}

static enum demon_rc check_nonce(struct demon_db *db, const struct demon_vote *vote,
				 struct demon_err *err)
{
	enum demon_rc rc;
	bool row = false;
	DEMON_STMT(q, db, &sql_nonce);

	if (!vote->nonce)
		return DEMON_OK;
	demon_bind_str(&q, ":nonce", vote->nonce);
	if ((rc = demon_step(&q, &row, err)) || !row)
		return rc;
	return demon_err_set(err, DEMON_DENIED, "the link was used before");
}

static json_t *make_vote(const struct casting *c, const struct demon_gate *gate, demon_time ts)
{
	const struct demon_vote *v = c->vote;
	const char *seen = demon_gate_text(gate, "seen");
	json_auto_t *payload = demon_gate_event(gate, "approval.vote:v1", ts, true);

	if (!payload ||
	    !demon_run_event_set(payload, "decision", json_string(decision_of(v->want))) ||
	    !demon_run_event_set(payload, "approver", json_string(v->actor->subject)) ||
	    !demon_run_event_set(payload, "authentication",
				 json_string(demon_auth_name(v->actor->auth))) ||
	    (v->note && !demon_run_event_set(payload, "note", json_string(v->note))) ||
	    (seen && !demon_run_event_set(payload, "seen", json_string(seen))) ||
	    (v->nonce && !demon_run_event_set(payload, "nonce", json_string(v->nonce))))
		return NULL;
	return demon_take(payload);
}

static int64_t needed(const struct demon_gate *gate, enum demon_gate_state want)
{
	int64_t n = want == DEMON_GATE_OVERRIDDEN
			? 1
			: demon_gate_count(gate, want == DEMON_GATE_GRANTED ? "quorum" : "denials");

	return n < 1 ? 1 : n;
}

/* Adds the vote, and what it decides. */
static enum demon_rc add_vote(struct casting *c, struct demon_gate_group *group,
			      struct demon_gate *gate, json_t *counted, struct demon_err *err)
{
	const struct demon_vote *v = c->vote;
	struct demon_vote_answer *answer = c->answer;
	const struct demon_gate_outcome outcome = {.state = v->want,
						   .by = v->actor->subject,
						   .auth = v->actor->auth,
						   .note = v->note,
						   .counted = counted};
	const struct demon_buf *text;
	enum demon_rc rc;

	if (json_array_append_new(
		counted, counted_of(v->actor->subject, v->actor->auth, v->note, group->ts)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for a vote");
	if ((rc = demon_gate_group_add(group, "approval.vote:v1", make_vote(c, gate, group->ts),
				       err)))
		return rc;
	answer->have = (int64_t)json_array_size(counted);
	answer->need = needed(gate, v->want);
	answer->decided = answer->have >= answer->need;
	if (answer->decided)
		return decide(group, gate, &outcome, &answer->event, err);
	text = &group->events[group->count - 1].payload;
	answer->event = demon_strndup(text->data, text->len);
	return answer->event ? DEMON_OK : demon_err_set(err, DEMON_NOMEM, "no memory for a vote");
}

/* A step whose time is up ends by that, though nobody has closed its gate yet. */
static enum demon_rc check_until(const struct demon_gate *gate, demon_time now,
				 struct demon_err *err)
{
	demon_time until = demon_gate_until(gate);

	if (!until || now < until)
		return DEMON_OK;
	return demon_err_set(err, DEMON_CONFLICT,
			     "the time of the step that waits at gate '%s' of run '%s' is up",
			     gate->gate_id, gate->run.run_id);
}

/* The gate is pending: whether the vote counts, and what it makes of the gate. */
static enum demon_rc judge(struct casting *c, struct demon_db *db, struct demon_gate_group *group,
			   struct demon_gate *gate, struct demon_err *err)
{
	json_auto_t *counted = json_array();
	struct tally tally = {
	    .vote = c->vote, .decision = decision_of(c->vote->want), .counted = counted};
	enum demon_rc rc;

	if ((rc = check_until(gate, group->ts, err)) ||
	    (rc = demon_voter_check(db, c->config, gate, c->vote->actor, c->vote->want, err)) ||
	    (rc = check_seen(c->vote, gate, err)) ||
	    (rc = demon_gate_votes(db, gate, count, &tally, err)))
		return rc;
	if (!counted || tally.failed)
		return demon_err_set(err, DEMON_NOMEM, "no memory for votes");
	if (tally.other)
		return demon_err_set(err, DEMON_CONFLICT,
				     "'%s' has voted otherwise about gate '%s' of run '%s'",
				     c->vote->actor->subject, gate->gate_id, gate->run.run_id);
	c->answer->noop = tally.same;
	if (tally.same || (rc = check_nonce(db, c->vote, err)))
		return rc;
	return add_vote(c, group, gate, counted, err);
}

/* What time has brought is written whether the vote counts or not. */
static enum demon_rc cast(struct demon_write *w, void *ctx, struct demon_err *err)
{
	struct casting *c = ctx;
	const struct demon_vote *v = c->vote;
	struct demon_db *db = demon_write_db(w);
	DEMON_GATE(gate);
	demon_cleanup(demon_gate_group_done) struct demon_gate_group group = {.gate = &gate};
	enum demon_rc rc;

	demon_vote_answer_done(c->answer);
	c->rc = DEMON_OK;
	if ((rc = own(demon_write_origin(w), v->run, err)) ||
	    (rc = demon_gate_find(db, v->run, v->gate_id, v->round, &gate, err)))
		return rc;
	c->answer->round = gate.round;
	c->answer->state = gate.state;
	if (gate.state != DEMON_GATE_PENDING)
		return settle(c, &gate), DEMON_OK;
	if ((rc = time_of(db, v->run, c->now, &group.ts, err)) ||
	    (rc = catch_up(&group, &gate, err)))
		return rc;
	if (gate.state != DEMON_GATE_PENDING) {
		(void)settle(c, &gate);
	} else {
		size_t brought = group.count;

		rc = judge(c, db, &group, &gate, &c->err);
		if (rc && (!brought || rc == DEMON_NOMEM || group.count > brought))
			return *err = c->err, rc;
		c->rc = rc;
	}
	c->answer->state = gate.state;
	return demon_gate_group_append(&group, w, err);
}

/* @p what: "note" or "reason". */
static enum demon_rc check_text(const char *text, const char *what, struct demon_err *err)
{
	const char *end = text + strlen(text);

	if (end - text > NOTE_MAX)
		return demon_err_set(err, DEMON_INVALID, "the %s is longer than %d bytes", what,
				     NOTE_MAX);
	for (size_t n; text < end; text += n)
		if (!(n = demon_json_utf8(text, end)))
			return demon_err_set(err, DEMON_INVALID, "the %s is not valid UTF-8", what);
	return DEMON_OK;
}

static bool is_blank(const char *text)
{
	return !text || !text[strspn(text, " \t\r\n")];
}

static enum demon_rc check_note(const struct demon_vote *vote, struct demon_err *err)
{
	bool grant = vote->want == DEMON_GATE_GRANTED;

	if (!grant && is_blank(vote->note))
		return demon_err_set(err, DEMON_INVALID, "%s needs a reason",
				     vote->want == DEMON_GATE_DENIED ? "a denial" : "an override");
	return vote->note ? check_text(vote->note, grant ? "note" : "reason", err) : DEMON_OK;
}

/* Who is let in for one tenant is told nothing of others, not even what is there. */
static enum demon_rc check_tenant(const struct demon_vote *vote, struct demon_err *err)
{
	const char *tenant = vote->actor->tenant;

	if (!tenant || strcmp(tenant, vote->run->tenant_id) == 0)
		return DEMON_OK;
	return demon_err_set(err, DEMON_DENIED, "the token of '%s' is for another tenant",
			     vote->actor->subject);
}

enum demon_rc demon_vote_cast(struct demon_store *store, const struct demon_gate_config *config,
			      const struct demon_vote *vote, struct demon_vote_answer *ret_answer,
			      struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct casting c = {
	    .vote = vote, .config = config, .answer = ret_answer, .now = env->now(env->ctx)};
	enum demon_rc rc;

	*ret_answer = (struct demon_vote_answer){.noop = false};
	if ((rc = check_note(vote, err)) || (rc = demon_actor_check(vote->actor, err)) ||
	    (rc = check_tenant(vote, err)))
		return rc;
	rc = demon_store_write_repeatable(store, cast, &c, err);
	if (!rc && c.rc) {
		*err = c.err;
		rc = c.rc;
	}
	if (rc)
		free(demon_take(ret_answer->event));
	return rc;
}

/* What is done to the gate at which a run waits, or to one of it. */
struct deed {
	const struct demon_run_id *run;
	const char *gate_id;             /* NULL: at which it waits */
	const char *reason;              /* to escalate; NULL: what is due */
	const struct demon_actor *actor; /* who escalates */
	demon_time now;
};

static enum demon_rc act(struct demon_write *w, void *ctx, struct demon_err *err)
{
	const struct deed *d = ctx;
	struct demon_db *db = demon_write_db(w);
	DEMON_GATE(gate);
	demon_cleanup(demon_gate_group_done) struct demon_gate_group group = {.gate = &gate};
	enum demon_rc rc;

	if ((rc = own(demon_write_origin(w), d->run, err)))
		return rc;
	rc = d->gate_id ? demon_gate_find(db, d->run, d->gate_id, 0, &gate, err)
			: demon_gate_pending(db, d->run, &gate, err);
	if (rc == DEMON_NOTFOUND && !d->gate_id)
		return DEMON_OK; /* somebody was faster */
	if (rc || (rc = time_of(db, d->run, d->now, &group.ts, err)) ||
	    (rc = catch_up(&group, &gate, err)))
		return rc;
	if (d->reason && gate.state != DEMON_GATE_PENDING)
		return demon_err_set(
		    err, DEMON_CONFLICT, "gate '%s' of run '%s' is already resolved: it is %s",
		    gate.gate_id, gate.run.run_id, demon_gate_state_name(gate.state));
	if (d->reason && !demon_gate_next_level(&gate))
		return demon_err_set(err, DEMON_CONFLICT,
				     "gate '%s' of run '%s' has no level that it could be "
				     "escalated to",
				     gate.gate_id, gate.run.run_id);
	if (d->reason && (rc = escalate(&group, &gate, d->reason, d->actor, err)))
		return rc;
	return demon_gate_group_append(&group, w, err);
}

enum demon_rc demon_gate_tick(struct demon_store *store, const struct demon_run_id *run,
			      struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct deed deed = {.run = run, .now = env->now(env->ctx)};

	return demon_store_write_repeatable(store, act, &deed, err);
}

enum demon_rc demon_gate_escalate(struct demon_store *store, const struct demon_run_id *run,
				  const char *gate_id, const struct demon_actor *actor,
				  const char *reason, struct demon_err *err)
{
	const struct demon_env *env = demon_store_env(store);
	struct deed deed = {.run = run,
			    .gate_id = gate_id,
			    .reason = reason ? reason : "manual",
			    .actor = actor,
			    .now = env->now(env->ctx)};
	enum demon_rc rc;

	if (reason && is_blank(reason))
		return demon_err_set(err, DEMON_INVALID, "the reason is empty");
	if ((rc = demon_actor_check(actor, err)) || (rc = check_text(deed.reason, "reason", err)))
		return rc;
	return demon_store_write_repeatable(store, act, &deed, err);
}

enum demon_rc demon_gate_close(struct demon_write *w, const struct demon_run_id *run,
			       const char *reason, demon_time now, struct demon_err *err)
{
	const struct demon_gate_outcome outcome = {.state = DEMON_GATE_DENIED,
						   .by = demon_actor_system.subject,
						   .auth = DEMON_AUTH_SYSTEM,
						   .note = reason};
	DEMON_GATE(gate);
	demon_cleanup(demon_gate_group_done) struct demon_gate_group group = {.gate = &gate,
									      .ts = now};
	enum demon_rc rc = demon_gate_pending(demon_write_db(w), run, &gate, err);

	if (rc)
		return rc == DEMON_NOTFOUND ? DEMON_OK : rc;
	if ((rc = decide(&group, &gate, &outcome, NULL, err)))
		return rc;
	return demon_gate_group_append(&group, w, err);
}
