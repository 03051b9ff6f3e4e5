#include "why.h"

#include "base/bytes.h"
#include "domain/admin/freeze.h"
#include "domain/admin/roles.h"
#include "domain/admin/token.h"
#include "domain/ritual/run_journal.h"
#include "gate_rules.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PEOPLE_MAX 1000

/* Somebody who may come into question. */
struct person {
	char *name;           /* owned */
	enum demon_role role; /* of a token that is good; NONE: there is none */
	char tenant[65];      /* of that token; "": all */
};

struct story {
	struct demon_db *db;
	const struct demon_gate_config *config;
	const struct demon_gate *gate;
	demon_time now;
	struct person *people; /* owned */
	size_t count;
	json_t *why; /* what is told */
	json_t *votes;
	int64_t grants;
	int64_t denials;
};

static enum demon_rc no_memory(struct demon_err *err)
{
	return demon_err_set(err, DEMON_NOMEM, "no memory to explain a gate");
}

static struct person *find(const struct story *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcasecmp(s->people[i].name, name) == 0)
			return &s->people[i];
	return NULL;
}

static enum demon_rc add(struct story *s, const char *name, struct demon_err *err)
{
	if (!name || s->count == PEOPLE_MAX || find(s, name))
		return DEMON_OK;
	s->people[s->count].name = demon_strdup(name);
	if (!s->people[s->count].name)
		return no_memory(err);
	s->count++;
	return DEMON_OK;
}

static enum demon_rc add_names(struct story *s, const json_t *names, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	for (size_t i = 0; !rc && i < json_array_size(names); i++)
		rc = add(s, json_string_value(json_array_get(names, i)), err);
	return rc;
}

static bool asks_for(const struct demon_gate *gate, const char *role)
{
	if (demon_gate_lists(json_object_get(gate->opened, "roles"), role))
		return true;
	for (int64_t i = 1; i <= (int64_t)demon_gate_levels(gate); i++)
		if (demon_gate_lists(json_object_get(demon_gate_level(gate, i), "roles"), role))
			return true;
	return false;
}

static enum demon_rc add_holder(void *ctx, const struct demon_roles_row *row, struct demon_err *err)
{
	struct story *s = ctx;

	for (size_t i = 0; i < json_array_size(row->roles); i++)
		if (asks_for(s->gate, json_string_value(json_array_get(row->roles, i))))
			return add(s, row->row->name, err);
	return DEMON_OK;
}

static enum demon_rc add_token(void *ctx, const struct demon_token *token, struct demon_err *err)
{
	struct story *s = ctx;
	struct person *p;
	enum demon_rc rc;

	if (token->revoked || (token->expires_at && token->expires_at <= s->now) ||
	    token->role < DEMON_ROLE_APPROVER ||
	    (*token->tenant && strcmp(token->tenant, s->gate->run.tenant_id) != 0))
		return DEMON_OK;
	if ((rc = add(s, token->subject, err)))
		return rc;
	p = find(s, token->subject);
	if (p && token->role > p->role) {
		p->role = token->role;
		memcpy(p->tenant, token->tenant, sizeof(p->tenant));
	}
	return DEMON_OK;
}

/* Everybody who may come into question. */
static enum demon_rc gather(struct story *s, struct demon_err *err)
{
	const struct demon_gate *gate = s->gate;
	const struct demon_allowlist *list = s->config->allowlist;
	const char *const tenants[] = {gate->run.tenant_id, DEMON_TENANT_ALL};
	enum demon_rc rc;

	if ((rc = add_names(s, json_object_get(gate->opened, "approvers"), err)) ||
	    (rc = demon_token_list(s->db, add_token, s, err)))
		return rc;
	for (size_t i = 0; i < demon_count(tenants); i++)
		if ((rc = demon_roles_list(s->db, tenants[i], add_holder, s, err)))
			return rc;
	for (size_t i = 0; i < demon_allowlist_count(list); i++)
		if ((rc = add(s, demon_allowlist_at(list, i), err)))
			return rc;
	if ((rc = add(s, demon_gate_text(gate, "requester"), err)))
		return rc;
	return add(s, demon_gate_text(gate, "startedBy"), err);
}

static enum demon_rc tell_vote(void *ctx, const struct demon_vote_row *row, struct demon_err *err)
{
	struct story *s = ctx;
	json_auto_t *vote =
	    json_pack("{s:s,s:s,s:s,s:s*}", "approver", row->approver, "decision", row->decision,
		      "authentication", demon_auth_name(row->auth), "note", row->note);

	s->grants += strcmp(row->decision, "grant") == 0;
	s->denials += strcmp(row->decision, "deny") == 0;
	if (!vote || !demon_run_event_time(vote, "ts", row->ts) ||
	    json_array_append(s->votes, vote))
		return no_memory(err);
	return DEMON_OK;
}

static const char *voted(const struct story *s, const char *name)
{
	for (size_t i = 0; i < json_array_size(s->votes); i++) {
		const json_t *vote = json_array_get(s->votes, i);

		if (strcasecmp(json_string_value(json_object_get(vote, "approver")), name) == 0)
			return json_string_value(json_object_get(vote, "decision"));
	}
	return NULL;
}

/* Asks about one person, as the best that he can be. */
static enum demon_rc ask(const struct story *s, const struct person *p, enum demon_gate_state want,
			 enum demon_auth *ret_auth, struct demon_err *err)
{
	const struct demon_actor actor = {.subject = p->name,
					  .auth = p->role ? DEMON_AUTH_TOKEN : DEMON_AUTH_DECLARED,
					  .role = p->role,
					  .tenant = *p->tenant ? p->tenant : NULL};

	*ret_auth = actor.auth;
	return demon_voter_check(s->db, s->config, s->gate, &actor, want, err);
}

/* What is said of a person, without the words that name him and the gate. */
static const char *only_why(const char *msg)
{
	const char *behind = *msg == '\'' ? strstr(msg, "': ") : NULL;

	return behind ? behind + 3 : msg;
}

static bool is_answer(enum demon_rc rc)
{
	return rc == DEMON_OK || rc == DEMON_DENIED || rc == DEMON_INVALID;
}

static enum demon_rc tell_person(const struct story *s, const struct person *p, json_t *may,
				 json_t *excluded, struct demon_err *err)
{
	const char *vote = voted(s, p->name);
	struct demon_err why;
	struct demon_err unused;
	enum demon_auth auth;
	enum demon_rc rc = ask(s, p, DEMON_GATE_DENIED, &auth, &why);
	enum demon_rc over = ask(s, p, DEMON_GATE_OVERRIDDEN, &auth, &unused);
	json_t *row;

	if (!is_answer(rc) || !is_answer(over)) {
		*err = is_answer(rc) ? unused : why;
		return err->rc;
	}
	if (vote || rc) {
		row = json_pack("{s:s,s:s}", "subject", p->name, "why",
				vote ? "has voted" : only_why(why.msg));
		return json_array_append_new(excluded, row) ? no_memory(err) : DEMON_OK;
	}
	row = json_pack("{s:s,s:s,s:b}", "subject", p->name, "as", demon_auth_name(auth),
			"override", over == DEMON_OK);
	return json_array_append_new(may, row) ? no_memory(err) : DEMON_OK;
}

static enum demon_rc tell_people(struct story *s, struct demon_err *err)
{
	json_auto_t *may = json_array();
	json_auto_t *excluded = json_array();
	const json_t *opened = s->gate->opened;
	bool anybody = demon_allowlist_is_open(s->config->allowlist) &&
		       !json_array_size(json_object_get(opened, "approvers")) &&
		       !json_array_size(json_object_get(opened, "roles")) &&
		       !demon_gate_levels(s->gate);
	enum demon_rc rc;

	if (!may || !excluded)
		return no_memory(err);
	if ((rc = gather(s, err)))
		return rc;
	for (size_t i = 0; i < s->count; i++)
		if ((rc = tell_person(s, &s->people[i], may, excluded, err)))
			return rc;
	if (json_object_set(s->why, "mayVote", may) ||
	    json_object_set(s->why, "excluded", excluded) ||
	    json_object_set_new(s->why, "anybody", json_boolean(anybody)))
		return no_memory(err);
	return DEMON_OK;
}

static bool tell_next(json_t *next, demon_time at, const char *what)
{
	json_auto_t *row = json_object();

	return row && demon_run_event_time(row, "at", at) &&
	       demon_run_event_set(row, "what", json_string(what)) &&
	       json_array_append(next, row) == 0;
}

/* What time brings, the earliest first: what is due at a level's end and at the deadline. */
static enum demon_rc tell_times(struct story *s, struct demon_err *err)
{
	const struct demon_gate *gate = s->gate;
	demon_time level = demon_gate_level_end(gate);
	json_auto_t *next = json_array();
	int64_t to = demon_gate_next_level(gate);
	char words[64];

	(void)snprintf(words, sizeof(words), "escalated to level %lld", (long long)to);
	if (!next ||
	    (level && level < gate->expires_at &&
	     !tell_next(next, level, to ? words : "denied: its last level is over")) ||
	    !tell_next(next, gate->expires_at, "denied: its time is up") ||
	    json_object_set(s->why, "next", next))
		return no_memory(err);
	return DEMON_OK;
}

static enum demon_rc tell_freeze(struct story *s, struct demon_err *err)
{
	struct demon_freeze freeze;
	struct demon_err words;
	enum demon_rc rc = demon_frozen(s->db, s->gate->run.tenant_id, &freeze, err);

	if (rc || !freeze.frozen)
		return rc;
	(void)demon_freeze_denied(&freeze, &words);
	return json_object_set_new(s->why, "frozen", json_string(words.msg)) ? no_memory(err)
									     : DEMON_OK;
}

static enum demon_rc tell_decision(struct story *s, struct demon_err *err)
{
	static const char *const keys[] = {"by", "authentication", "note", "level", "counted"};
	json_auto_t *decided = json_object();

	for (size_t i = 0; decided && i < demon_count(keys); i++) {
		json_t *value = json_object_get(s->gate->decided, keys[i]);

		if (value && json_object_set(decided, keys[i], value))
			return no_memory(err);
	}
	if (!decided || !demon_run_event_time(decided, "at", s->gate->decided_at) ||
	    json_object_set(s->why, "decided", decided))
		return no_memory(err);
	return DEMON_OK;
}

static bool tell_gate(struct story *s)
{
	const struct demon_gate *g = s->gate;
	static const char *const keys[] = {"requester", "reason",         "confirm", "approvers",
					   "roles",     "authentication", "seen"};

	for (size_t i = 0; i < demon_count(keys); i++) {
		json_t *value = json_object_get(g->opened, keys[i]);

		if (value && json_object_set(s->why, keys[i], value))
			return false;
	}
	return demon_run_event_set(s->why, "runId", json_string(g->run.run_id)) &&
	       demon_run_event_set(s->why, "tenantId", json_string(g->run.tenant_id)) &&
	       demon_run_event_set(s->why, "ritualId", json_string(g->ritual_id)) &&
	       demon_run_event_set(s->why, "gateId", json_string(g->gate_id)) &&
	       demon_run_event_set(s->why, "round", json_integer(g->round)) &&
	       demon_run_event_set(s->why, "state", json_string(demon_gate_state_name(g->state))) &&
	       demon_run_event_set(s->why, "level", json_integer(g->level)) &&
	       demon_run_event_set(s->why, "levels",
				   json_integer((json_int_t)demon_gate_levels(g))) &&
	       demon_run_event_time(s->why, "requestedAt", g->requested_at) &&
	       demon_run_event_time(s->why, "expiresAt", g->expires_at);
}

static json_t *have_need(int64_t have, int64_t need)
{
	return json_pack("{s:I,s:I}", "have", (json_int_t)have, "need", (json_int_t)need);
}

static enum demon_rc tell_votes(struct story *s, struct demon_err *err)
{
	json_auto_t *needs = NULL;
	enum demon_rc rc = demon_gate_votes(s->db, s->gate, tell_vote, s, err);

	if (rc)
		return rc;
	needs = json_pack("{s:o,s:o}", "grants",
			  have_need(s->grants, demon_gate_count(s->gate, "quorum")), "denials",
			  have_need(s->denials, demon_gate_count(s->gate, "denials")));
	if (!needs || json_object_set(s->why, "votes", s->votes) ||
	    json_object_set(s->why, "needs", needs))
		return no_memory(err);
	return DEMON_OK;
}

static enum demon_rc tell(struct story *s, struct demon_err *err)
{
	enum demon_rc rc;

	if (!s->why || !s->votes || !s->people || !tell_gate(s))
		return no_memory(err);
	if ((rc = tell_votes(s, err)))
		return rc;
	if (s->gate->state != DEMON_GATE_PENDING)
		return tell_decision(s, err);
	if ((rc = tell_freeze(s, err)) || (rc = tell_times(s, err)))
		return rc;
	return tell_people(s, err);
}

enum demon_rc demon_gate_why(struct demon_db *db, const struct demon_gate_config *config,
			     const struct demon_gate *gate, demon_time now, json_t **ret_why,
			     struct demon_err *err)
{
	struct story s = {.db = db,
			  .config = config,
			  .gate = gate,
			  .now = now,
			  .people = demon_calloc(PEOPLE_MAX, sizeof(struct person)),
			  .why = json_object(),
			  .votes = json_array()};
	enum demon_rc rc = tell(&s, err);

	for (size_t i = 0; i < s.count; i++)
		free(s.people[i].name);
	free(s.people);
	json_decref(s.votes);
	if (rc)
		json_decref(s.why);
	else
		*ret_why = s.why;
	return rc;
}
