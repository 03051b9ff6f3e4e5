/*
 * demonctl approvals grant, deny, override, escalate, link.
 */
#include "approvals.h"

#include "domain/approval/link.h"
#include "domain/approval/vote.h"
#include "out.h"
#include "store/liveness.h"
#include "store/store.h"

#include <string.h>

enum demon_rc demon_approvals_find(struct demon_ctl *ctl, struct demon_run_id *run,
				   struct demon_err *err)
{
	enum demon_rc rc = demon_ctl_open(ctl, false, err);

	return rc ? rc
		  : demon_run_find(ctl->store, ctl->settings.tenant.value, ctl->words[0], run, err);
}

enum demon_rc demon_approvals_round(struct demon_ctl *ctl, int64_t *ret, struct demon_err *err)
{
	const char *text = demon_args_get(&ctl->args, "round");
	char *end = NULL;

	*ret = 0;
	if (!text)
		return DEMON_OK;
	*ret = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || *ret < 1)
		return demon_err_set(err, DEMON_USAGE,
				     "option '--round': '%.40s' is not a number from 1", text);
	return DEMON_OK;
}

/* The link that was given is for this gate, and says who decides. */
static enum demon_rc read_link(struct demon_ctl *ctl, struct demon_vote *vote,
			       struct demon_actor *actor, struct demon_link *link,
			       struct demon_err *err)
{
	const char *token = demon_args_get(&ctl->args, "link");
	const struct demon_env *env = demon_store_env(ctl->store);
	enum demon_rc rc;

	if (!token)
		return DEMON_OK;
	if ((rc = demon_link_read(ctl->store, token, env->now(env->ctx), link, err)))
		return rc;
	if (strcmp(link->run_id, vote->run->run_id) != 0 ||
	    strcmp(link->tenant_id, vote->run->tenant_id) != 0 ||
	    strcmp(link->gate_id, vote->gate_id) != 0 ||
	    memcmp(link->run_origin, vote->run->origin, sizeof(link->run_origin)) != 0)
		return demon_err_set(err, DEMON_DENIED, "the link is for another gate");
	*actor = (struct demon_actor){
	    .subject = link->approver, .auth = DEMON_AUTH_LINK, .tenant = link->tenant_id};
	vote->round = link->round;
	vote->nonce = link->nonce;
	return DEMON_OK;
}

static enum demon_rc read_actor(struct demon_ctl *ctl, struct demon_actor *actor,
				struct demon_err *err)
{
	if (!ctl->has_bearer && !demon_args_get(&ctl->args, "approver") &&
	    !demon_args_get(&ctl->args, "link"))
		return demon_err_set(err, DEMON_USAGE,
				     "who decides? Say --approver WHO, or show a token");
	return demon_ctl_actor(ctl, "approver", actor, err);
}

/* Who decides does not execute the run. */
static void tell_decided(struct demon_ctl *ctl, const struct demon_vote *vote, const char *state)
{
	demon_out_note(&ctl->settings, "gate %s is %s", vote->gate_id, state);
	if (!demon_store_claimed_elsewhere(ctl->store, 0))
		demon_out_note(&ctl->settings,
			       "no daemon holds this node: unless 'demonctl run' waits for run %s, "
			       "it goes on when demond is there",
			       vote->run->run_id);
}

static enum demon_rc tell(struct demon_ctl *ctl, const struct demon_vote *vote,
			  const struct demon_vote_answer *answer, struct demon_err *err)
{
	const char *state = demon_gate_state_name(answer->state);
	json_auto_t *doc = NULL;
	json_t *event = NULL;

	if (!ctl->settings.json) {
		if (answer->noop && answer->state != DEMON_GATE_PENDING)
			demon_out_note(&ctl->settings, "gate %s was %s before", vote->gate_id,
				       state);
		else if (answer->noop)
			demon_out_note(&ctl->settings, "gate %s: %s has voted so before",
				       vote->gate_id, vote->actor->subject);
		else if (answer->decided)
			tell_decided(ctl, vote, state);
		else
			demon_out_note(&ctl->settings, "gate %s: %lld of %lld votes", vote->gate_id,
				       (long long)answer->have, (long long)answer->need);
		return DEMON_OK;
	}
	if (answer->event && demon_json_parse(answer->event, strlen(answer->event),
					      &demon_json_payload_limits, &event, err))
		return err->rc;
	doc = json_pack("{s:s,s:s,s:s,s:I,s:b,s:b,s:o*}", "runId", vote->run->run_id, "gateId",
			vote->gate_id, "state", state, "round", (json_int_t)answer->round, "noop",
			answer->noop, "provisional", 0, "event", event);
	if (doc && !answer->noop &&
	    json_object_set_new(doc, "votes",
				json_pack("{s:I,s:I}", "have", (json_int_t)answer->have, "need",
					  (json_int_t)answer->need)))
		return demon_err_set(err, DEMON_NOMEM, "no memory for an answer");
	return demon_out_json(&ctl->settings, demon_take(doc), err);
}

static enum demon_rc cast(struct demon_ctl *ctl, const struct demon_gate_config *config,
			  enum demon_gate_state want, struct demon_err *err)
{
	const char *reason = demon_args_get(&ctl->args, "reason");
	struct demon_vote_answer answer = {.noop = false};
	struct demon_run_id run;
	struct demon_actor actor;
	struct demon_link link = {.round = 0};
	struct demon_vote vote = {.run = &run,
				  .gate_id = ctl->words[1],
				  .want = want,
				  .actor = &actor,
				  .note = reason ? reason : demon_args_get(&ctl->args, "note"),
				  .seen = demon_args_get(&ctl->args, "seen")};
	enum demon_rc rc;

	if ((rc = demon_approvals_find(ctl, &run, err)) ||
	    (rc = demon_approvals_round(ctl, &vote.round, err)) ||
	    (rc = read_actor(ctl, &actor, err)) || (rc = read_link(ctl, &vote, &actor, &link, err)))
		return rc;
	rc = demon_vote_cast(ctl->store, config, &vote, &answer, err);
	if (!rc)
		rc = tell(ctl, &vote, &answer, err);
	if (rc == DEMON_DENIED)
		demon_ctl_hint(ctl, "'demonctl approvals why %s %s' says who may", run.run_id,
			       vote.gate_id);
	demon_vote_answer_done(&answer);
	return rc;
}

static enum demon_rc decide(struct demon_ctl *ctl, enum demon_gate_state want,
			    struct demon_err *err)
{
	demon_cleanup(demon_gate_settings_done) struct demon_gate_settings gates;
	enum demon_rc rc = demon_gate_settings_read(&gates, err);

	if (!rc && demon_allowlist_is_open(gates.allowlist))
		demon_out_note(&ctl->settings,
			       "warning: APPROVER_ALLOWLIST is '*': anybody may decide");
	return rc ? rc : cast(ctl, &gates.config, want, err);
}

enum demon_rc demon_command_approvals_grant(struct demon_ctl *ctl, struct demon_err *err)
{
	return decide(ctl, DEMON_GATE_GRANTED, err);
}

enum demon_rc demon_command_approvals_deny(struct demon_ctl *ctl, struct demon_err *err)
{
	return decide(ctl, DEMON_GATE_DENIED, err);
}

enum demon_rc demon_command_approvals_override(struct demon_ctl *ctl, struct demon_err *err)
{
	return decide(ctl, DEMON_GATE_OVERRIDDEN, err);
}

enum demon_rc demon_command_approvals_escalate(struct demon_ctl *ctl, struct demon_err *err)
{
	struct demon_run_id run;
	struct demon_actor actor;
	enum demon_rc rc;

	if ((rc = demon_approvals_find(ctl, &run, err)) ||
	    (rc = demon_ctl_actor(ctl, "by", &actor, err)) ||
	    (rc = demon_gate_escalate(ctl->store, &run, ctl->words[1], &actor,
				      demon_args_get(&ctl->args, "reason"), err)))
		return rc;
	demon_out_note(&ctl->settings, "gate %s is escalated", ctl->words[1]);
	return DEMON_OK;
}

/* A link for whoever may decide, as things stand. */
static enum demon_rc check_approver(struct demon_ctl *ctl, const struct demon_gate *gate,
				    const char *approver, struct demon_db *db,
				    struct demon_err *err)
{
	const struct demon_actor actor = {.subject = approver, .auth = DEMON_AUTH_LINK};
	demon_cleanup(demon_gate_settings_done) struct demon_gate_settings gates;
	enum demon_rc rc = demon_gate_settings_read(&gates, err);

	(void)ctl;
	return rc ? rc : demon_voter_check(db, &gates.config, gate, &actor, DEMON_GATE_DENIED, err);
}

static enum demon_rc fill_link(struct demon_ctl *ctl, struct demon_link *link,
			       struct demon_err *err)
{
	const char *approver = demon_args_get(&ctl->args, "approver");
	struct demon_run_id run;
	DEMON_GATE(gate);
	enum demon_rc rc;
	DEMON_READ(loan);

	if (!approver)
		return demon_err_set(err, DEMON_USAGE, "option '--approver' is needed");
	if ((rc = demon_approvals_find(ctl, &run, err)) ||
	    (rc = demon_store_borrow(ctl->store, &loan, err)) ||
	    (rc = demon_gate_find(loan.db, &run, ctl->words[1], 0, &gate, err)))
		return rc;
	if (gate.state != DEMON_GATE_PENDING)
		return demon_err_set(err, DEMON_CONFLICT,
				     "gate '%s' of run '%s' is already resolved: it is %s",
				     gate.gate_id, run.run_id, demon_gate_state_name(gate.state));
	if ((rc = check_approver(ctl, &gate, approver, loan.db, err)))
		return rc;
	*link = (struct demon_link){.round = gate.round, .expires_at = gate.expires_at};
	memcpy(link->tenant_id, run.tenant_id, sizeof(link->tenant_id));
	memcpy(link->run_id, run.run_id, sizeof(link->run_id));
	memcpy(link->run_origin, run.origin, sizeof(link->run_origin));
	memcpy(link->gate_id, gate.gate_id, sizeof(link->gate_id));
	(void)strncpy(link->approver, approver, sizeof(link->approver) - 1);
	return DEMON_OK;
}

enum demon_rc demon_command_approvals_link(struct demon_ctl *ctl, struct demon_err *err)
{
	const char *given = demon_args_get(&ctl->args, "base-url");
	const char *base = given ? given : ctl->settings.public_url.value;
	struct demon_link link = {.round = 0};
	DEMON_BUF(token, 0);
	DEMON_BUF(url, 0);
	enum demon_rc rc;

	if ((base && (rc = demon_link_check_base(base, err))) ||
	    (rc = fill_link(ctl, &link, err)) ||
	    (rc = demon_link_make(ctl->store, &link, &token, err)))
		return rc;
	if (base)
		demon_link_url(base, token.data, &url);
	if ((rc = demon_buf_rc(&url, err)))
		return rc;
	if (ctl->settings.json)
		return demon_out_json(&ctl->settings,
				      json_pack("{s:s,s:s,s:o,s:s*}", "token", token.data,
						"approver", link.approver, "expiresAt",
						demon_out_time_json(link.expires_at), "url",
						base ? url.data : NULL),
				      err);
	demon_out_line(base ? url.data : token.data);
	return DEMON_OK;
}
