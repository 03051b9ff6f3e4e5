/*
 * A run that waits at its gate 'prod', and those who may decide about it: ada, lin, kim and max are
 * on the allow-list, unless the test says otherwise.
 */
#ifndef DEMON_TEST_GATE_DESK_H
#define DEMON_TEST_GATE_DESK_H

#include "domain/approval/vote.h"
#include "play.h"

#define GATE(more)  "{'ask':{'call':'approval','with':{'gate':'prod'" more "}}}"
#define GATE_AGAIN  "{'again':{'call':'approval','with':{'gate':'prod'}}}"
#define GATE_NEXT   "{'more':{'call':'approval','with':{'gate':'next'}}}"
#define GATE_HOUR   ((int64_t)3600 * 1000)
#define GATE_DENIED "https://demon.example/errors/denied"

/* Leads for ten minutes, then heads, who may override; once more; then it is over. */
#define GATE_CHAIN                                                                         \
	"{'levels':[{'level':1,'roles':['lead'],'timeoutSeconds':600},{'level':2,'roles':" \
	"['head'],'timeoutSeconds':600,'emergencyOverride':true}],'repeat':1}"

struct gate_desk {
	struct play *play;
	struct demon_allowlist *list;
	struct demon_gate_config config;
	struct demon_vote_answer answer; /* of the last vote */
	struct demon_err err;
	json_t *rules;
};

/** For cmocka: *state is a new desk. */
int gate_desk_set_up(void **state);
int gate_desk_tear_down(void **state);
#define GATE_TEST(name) cmocka_unit_test_setup_teardown(name, gate_desk_set_up, gate_desk_tear_down)

/** Casts a vote as it is. */
enum demon_rc gate_cast(struct gate_desk *d, const struct demon_vote *vote);
/** A declared vote about 'prod'; denials and overrides have a reason. */
enum demon_rc gate_vote(struct gate_desk *d, enum demon_gate_state want, const char *who);

void gate_allow(struct gate_desk *d, const char *names);
/** Takes @p chain, where ' stands for ", as that of 'prod'. */
void gate_rules(struct gate_desk *d, const char *chain);
void gate_role(struct gate_desk *d, const char *who, const char *role);

/** Closes the store and opens it again. */
void gate_restart(struct gate_desk *d);
/** Lets time pass; the run goes on if it is due then. */
void gate_wait(struct gate_desk *d, int64_t ms);

/** How many events of a type the run has; and how many events there are. */
size_t gate_events(struct gate_desk *d, const char *type);
int64_t gate_seq(struct gate_desk *d);

void assert_gate_status(const struct gate_desk *d, const char *want);

#endif
