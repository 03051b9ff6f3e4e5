#include "gate_desk.h"

#include "domain/admin/roles.h"
#include "domain/approval/escalation.h"

#include <stdio.h>

int gate_desk_set_up(void **state)
{
	struct gate_desk *d = calloc(1, sizeof(*d));
	void *play;

	assert_int_equal(play_set_up(&play), 0);
	d->play = play;
	gate_allow(d, "ada, lin, kim, max");
	d->play->gates = &d->config;
	*state = d;
	return 0;
}

int gate_desk_tear_down(void **state)
{
	struct gate_desk *d = *state;
	void *play = d->play;

	demon_vote_answer_done(&d->answer);
	demon_allowlist_free(d->list);
	json_decref(d->rules);
	free(d);
	return play_tear_down(&play);
}

enum demon_rc gate_cast(struct gate_desk *d, const struct demon_vote *vote)
{
	demon_vote_answer_done(&d->answer);
	return demon_vote_cast(d->play->store, &d->config, vote, &d->answer, &d->err);
}

enum demon_rc gate_vote(struct gate_desk *d, enum demon_gate_state want, const char *who)
{
	const struct demon_actor actor = {.subject = who};
	const struct demon_vote vote = {.run = &d->play->run,
					.gate_id = "prod",
					.want = want,
					.actor = &actor,
					.note = want == DEMON_GATE_GRANTED ? NULL : "a reason"};

	return gate_cast(d, &vote);
}

void gate_allow(struct gate_desk *d, const char *names)
{
	demon_allowlist_free(d->list);
	d->list = NULL;
	assert_ok(demon_allowlist_parse(names, &d->list, &d->err), &d->err);
	d->config.allowlist = d->list;
}

void gate_rules(struct gate_desk *d, const char *chain)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "{\"tenants\":{\"default\":{\"gates\":{\"prod\":%s}}}}",
		       chain);
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	assert_ok(demon_escalation_parse(text, &d->rules, &d->err), &d->err);
	d->config.escalation = d->rules;
}

void gate_role(struct gate_desk *d, const char *who, const char *role)
{
	const struct demon_actor actor = {.subject = "root"};
	const struct demon_roles_request request = {.tenant = "default",
						    .subject = who,
						    .roles = &role,
						    .count = role ? 1 : 0,
						    .actor = &actor};
	bool changed;

	assert_ok(demon_roles_set(d->play->store, &request, &changed, &d->err), &d->err);
}

void gate_restart(struct gate_desk *d)
{
	const struct demon_options options = {.node_id = "n", .env = &d->play->clock.env};

	demon_close(d->play->store);
	d->play->store = NULL;
	assert_ok(
	    demon_open(test_path(d->play->dir, "demon.db"), &options, &d->play->store, &d->err),
	    &d->err);
}

void gate_wait(struct gate_desk *d, int64_t ms)
{
	fake_env_advance(&d->play->clock, ms);
	if (play_due(d->play, NULL))
		play_on(d->play);
}

size_t gate_events(struct gate_desk *d, const char *type)
{
	size_t n = 0;

	run_events_done(&d->play->events);
	run_events_read(d->play->store, "r-1", &d->play->events);
	for (size_t i = 0; i < d->play->events.count; i++)
		n += strcmp(d->play->events.items[i].type, type) == 0;
	return n;
}

int64_t gate_seq(struct gate_desk *d)
{
	int64_t seq;

	assert_ok(demon_last_seq(d->play->store, &seq, &d->err), &d->err);
	return seq;
}

void assert_gate_status(const struct gate_desk *d, const char *want)
{
	assert_string_equal(d->play->outcome.status, want);
}
